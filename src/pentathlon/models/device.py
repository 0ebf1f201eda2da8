"""Where boosted trees and networks are fitted: on the processor, or on a GPU.

Only fitting moves. What was fitted is scored by compiled kernels on the processor, so decisions do
not depend on the device that a later machine has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from pentathlon.errors import ParameterError

Device = Literal["cpu", "cuda"]

_CURRENT: ContextVar[Device] = ContextVar("device", default="cpu")


@contextmanager
def fitting_on(device: Device) -> Iterator[None]:
    """Fit what is fitted inside on a device.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    """
    token = _CURRENT.set(device)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_device() -> Device:
    """Device that fits are made on."""
    return _CURRENT.get()


def xgboost_device() -> Device:
    """Get the device for XGBoost's ``device``.

    Raises
    ------
    ParameterError
        When it is ``cuda`` and the installed build cannot.
    """
    device = current_device()
    if device == "cuda":
        import xgboost as xgb

        if not xgb.build_info().get("USE_CUDA"):
            raise ParameterError(
                "randomness.device is cuda, but the installed XGBoost was built without it. "
                "Replace the package xgboost-cpu by xgboost, or set randomness.device to cpu."
            )
    return device


def jax_platforms() -> str:
    """Get the platforms that JAX may start, the preferred one first."""
    return "cuda,cpu" if current_device() == "cuda" else "cpu"


def check_jax() -> None:
    """Refuse to go on where JAX does not run on the device that fits are to be made on.

    Raises
    ------
    ParameterError
        When that is ``cuda`` and JAX has no GPU, or had started on the processor before.
    """
    if current_device() != "cuda":
        return
    import jax

    try:
        found = jax.default_backend()
    except RuntimeError:
        found = "none"
    if found != "gpu":
        raise ParameterError(
            f"randomness.device is cuda, but JAX runs on: {found}. Install jax[cuda12] on a "
            "machine with a GPU, and set JAX_PLATFORMS=cuda,cpu where a network is loaded before "
            "one is fitted; or set randomness.device to cpu."
        )
