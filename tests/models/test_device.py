"""Tests of fitting on another device; those that need a GPU skip where there is none."""

from types import SimpleNamespace

import numpy as np
import pytest

from pentathlon.errors import ParameterError
from pentathlon.models import model_class
from pentathlon.models.device import (
    check_jax,
    current_device,
    fitting_on,
    jax_platforms,
    xgboost_device,
)
from pentathlon.models.order_value import BoostedLevel, Orders
from pentathlon.models.settings import RandomnessSettings
from pentathlon.models.training import Fitter


def gpu_is_missing() -> str:
    """Why fits cannot be made on a GPU here; empty where they can."""
    with fitting_on("cuda"):
        try:
            xgboost_device()
            check_jax()
        except ParameterError as error:
            return str(error)
    return ""


MISSING = gpu_is_missing()


def test_the_processor_is_the_default():
    assert RandomnessSettings(seed=1).device == "cpu"
    assert (current_device(), xgboost_device(), jax_platforms()) == ("cpu", "cpu", "cpu")


def test_a_device_lasts_as_long_as_its_block():
    inside = []

    def fit():
        with fitting_on("cuda"):
            inside.extend([current_device(), jax_platforms()])
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fit()
    assert inside == ["cuda", "cuda,cpu"]
    assert current_device() == "cpu"


def test_another_device_is_refused():
    with pytest.raises(ValueError, match=r"'cpu' or 'cuda'"):
        RandomnessSettings(seed=1, device="tpu")


def test_a_fitter_fits_on_its_device():
    seen = []

    class Model:
        @staticmethod
        def fit(*_, **__):
            seen.append(current_device())

    rows = SimpleNamespace(
        response=np.array([0, 1]), sampling_weight=np.ones(2), take=lambda _: rows
    )
    for device in ("cpu", "cuda"):
        Fitter(Model, None, None, seed=1, threads=1, device=device).fit(rows, {})
    assert seen == ["cpu", "cuda"]


def test_an_xgboost_without_cuda_says_which_package_is_missing(monkeypatch):
    import xgboost as xgb

    monkeypatch.setattr(xgb, "build_info", lambda: {"USE_CUDA": False})
    with fitting_on("cuda"), pytest.raises(ParameterError, match="xgboost-cpu by xgboost"):
        xgboost_device()


def test_a_jax_without_gpu_is_refused(monkeypatch):
    import jax

    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    check_jax()
    with fitting_on("cuda"), pytest.raises(ParameterError, match="JAX runs on: cpu"):
        check_jax()


def test_boosted_trees_are_given_the_device_and_give_it_back(monkeypatch, simulated):
    import xgboost as xgb

    train, given, left = xgb.train, [], []

    class Booster:
        def __init__(self, booster):
            self.booster = booster

        def __getattr__(self, name):
            return getattr(self.booster, name)

        def set_param(self, settings):
            left.append(settings.get("device"))

    def watched(settings, *args, **kwargs):
        given.append(settings.get("device", "cpu"))
        return Booster(train(settings | {"device": "cpu"}, *args, **kwargs))

    monkeypatch.setattr(xgb, "train", watched)
    monkeypatch.setattr(xgb, "build_info", lambda: {"USE_CUDA": True})
    few = {"n_estimators": 2, "contrast_estimators": 1}
    with fitting_on("cuda"):
        model_class("xgboost").fit(
            simulated.rows, simulated.builder, few, logit_offset=0.0, seed=1, threads=1
        )
    assert given == ["cuda", "cpu"]
    assert left[0] == "cpu"
    bought = np.flatnonzero(simulated.rows.response)
    rows = simulated.rows.take(bought)
    orders = Orders(rows.design, rows.message, simulated.order_value[bought], rows.sampling_weight)
    with fitting_on("cuda"):
        BoostedLevel.fit(orders, simulated.builder, {"n_estimators": 2}, seed=1, threads=1)
    assert (given[-1], left[-1]) == ("cuda", "cpu")


@pytest.mark.skipif(bool(MISSING), reason=f"A GPU IS NOT TESTED: {MISSING}")
@pytest.mark.parametrize("name", ["xgboost", "neural_network"])
def test_a_gpu_fits_as_the_processor_does(name, simulated):
    fixed = {
        "xgboost": {"n_estimators": 30, "subsample": 1.0, "colsample_bytree": 1.0},
        "neural_network": {"epochs": 2, "dropout": 0.0},
    }[name]
    probability = {}
    for device in ("cpu", "cuda"):
        fitter = Fitter(model_class(name), simulated.builder, None, 1, 2, device)
        probability[device] = fitter.fit(simulated.rows, fixed).predict(simulated.rows.design)
    np.testing.assert_allclose(probability["cuda"], probability["cpu"], atol=1e-4)
