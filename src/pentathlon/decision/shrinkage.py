"""How much of the predicted differences between messages is real.

A model's differences between messages for one customer (contrasts) are small sums of large
numbers, and choosing the largest of seven chooses the largest error: the winner's curse. So the
contrasts get a slope of their own, estimated on held-out outcomes, before any choice is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.evaluation.estimate import normal_quantile
from pentathlon.fusion import fit_logistic
from pentathlon.models.sampling import expit, logit

MAX_SLOPE = 2.0


@dataclass(frozen=True)
class ContrastShrinkage:
    """Shrinks personal contrasts toward the message's mean effect.

    The log odds split into what the customer does under any message (``b_i``, the mean over
    messages), what the message does to everybody (``D_k``), and the rest, the personal contrast
    ``c_ik``. On held-out outcomes ``logit P(y) = a + b_i + D_k + s c_ik`` is fitted; the slope
    ``s`` is 1 when contrasts are honest, 0 when they are noise. It is shrunk by its own
    reliability, ``s * (1 - 1 / z**2)`` with ``z`` its t-statistic (the positive-part rule of
    James and Stein 1961), and kept within 0 and ``MAX_SLOPE``: models that shrink their own
    interactions hard are too timid, and the slope gives back what held-out outcomes bear out.

    Attributes
    ----------
    message_effect : tuple of float, length n_messages
        ``D_k``, mean contrast of each message.
    slope : float
        The slope applied.
    raw_slope, standard_error : float
        As estimated.
    """

    message_effect: tuple[float, ...]
    slope: float
    raw_slope: float
    standard_error: float

    @classmethod
    def fit(
        cls,
        probability: NDArray[np.float32],
        message: NDArray[np.int64],
        response: NDArray[np.integer],
        sampling_weight: NDArray[np.float64],
    ) -> ContrastShrinkage:
        """Estimate the slope on held-out probabilities.

        Parameters
        ----------
        probability : ndarray of float32, shape (n, n_messages)
            Calibrated and cross-fitted.
        message, response, sampling_weight : ndarray, shape (n,)
        """
        z = logit(probability)
        base = z.mean(axis=1)
        effect = np.average(z - base[:, None], axis=0, weights=sampling_weight)
        rows = np.arange(len(message))
        contrast = z[rows, message] - base - effect[message]
        if np.std(contrast) < 1e-9:
            return cls(tuple(float(e) for e in effect), 0.0, 0.0, float("inf"))
        fit = fit_logistic(
            np.column_stack([np.ones(len(base)), contrast]),
            response,
            sampling_weight,
            offset=base + effect[message],
        )
        slope, error = float(fit.coefficients[1]), float(fit.standard_error[1])
        return cls(tuple(float(e) for e in effect), shrunk_slope(slope, error), slope, error)

    @classmethod
    def none(cls, n_messages: int) -> ContrastShrinkage:
        """Leaves every probability as it is."""
        return cls((0.0,) * n_messages, 1.0, 1.0, 0.0)

    def lower_bound(self, confidence: float) -> float:
        """One-sided lower confidence bound of the estimated slope."""
        if not np.isfinite(self.standard_error):
            return float("-inf")
        return self.raw_slope - normal_quantile(confidence) * self.standard_error

    def predict(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities with shrunk contrasts, shape ``(n, n_messages)``."""
        if self.slope == 1.0:
            return probability
        z = logit(probability)
        base = z.mean(axis=1, keepdims=True)
        effect = np.array(self.message_effect)
        return expit(base + effect + self.slope * (z - base - effect)).astype(np.float32)

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "message_effect": list(self.message_effect),
            "slope": self.slope,
            "raw_slope": self.raw_slope,
            "standard_error": self.standard_error if np.isfinite(self.standard_error) else None,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, object]) -> ContrastShrinkage:
        """Rebuild from :meth:`to_dict`."""
        effect, error = state["message_effect"], state["standard_error"]
        assert isinstance(effect, list)
        return cls(
            tuple(float(e) for e in effect),
            float(state["slope"]),  # type: ignore[arg-type]
            float(state["raw_slope"]),  # type: ignore[arg-type]
            float("inf") if error is None else float(error),  # type: ignore[arg-type]
        )


def shrunk_slope(slope: float, standard_error: float) -> float:
    """Slope after shrinking by its reliability, within 0 and ``MAX_SLOPE``."""
    if slope <= max(standard_error, 0.0):
        return 0.0
    reliability = 1.0 - (standard_error / slope) ** 2
    return float(np.clip(slope * reliability, 0.0, MAX_SLOPE))
