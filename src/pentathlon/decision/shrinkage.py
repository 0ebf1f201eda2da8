"""How much of the predicted differences between messages is real.

A model's differences between messages for one customer (contrasts) are small sums of large
numbers, and choosing the largest of seven chooses the largest error: the winner's curse. So
held-out outcomes say how much of each is kept, before any choice is made.
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
ARM_RIDGE = 1.0
"""In observations: keeps the effect of a message that nobody bought after finite."""


@dataclass(frozen=True)
class ContrastShrinkage:
    """Shrinks what messages do, to everybody and to each customer, by what outcomes bear out.

    The predicted log odds split into what the customer does under any message (``b_i``, the mean
    over messages), what the message does to everybody (``D_k``), and the rest, the personal
    contrast ``c_ik``. On held-out outcomes ``logit P(y) = b_i + d_k + s c_ik`` is fitted.

    - The slope ``s`` is 1 when contrasts are honest, 0 when they are noise. It is shrunk by its
      own reliability, ``s * (1 - 1 / z**2)`` with ``z`` its t-statistic (the positive-part rule
      of James and Stein 1961), and kept within 0 and ``MAX_SLOPE``: models that shrink their own
      interactions hard are too timid, and the slope gives back what held-out outcomes bear out.
    - The effects ``d_k`` of e-mails are pulled to their common mean by empirical Bayes: with a
      few hundred orders a message, the best of them owes part of its lead to luck, and a lead
      that is luck outweighs personal contrasts that are not. ``control`` is no e-mail and stays.

    Attributes
    ----------
    message_effect : tuple of float, length n_messages
        ``D_k``, mean predicted contrast of each message.
    shrunk_effect : tuple of float, length n_messages
        ``d_k`` as applied.
    slope : float
        The slope applied.
    raw_slope, standard_error : float
        As estimated.
    """

    message_effect: tuple[float, ...]
    shrunk_effect: tuple[float, ...]
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
        control: int | None = None,
    ) -> ContrastShrinkage:
        """Estimate slope and effects on held-out probabilities.

        Parameters
        ----------
        probability : ndarray of float32, shape (n, n_messages)
            Calibrated and cross-fitted.
        message, response, sampling_weight : ndarray, shape (n,)
        control : int, optional
            Column of ``control``, whose effect is no e-mail's.
        """
        z = logit(probability)
        n_messages = z.shape[1]
        base = z.mean(axis=1)
        effect = np.average(z - base[:, None], axis=0, weights=sampling_weight)
        rows = np.arange(len(message))
        contrast = z[rows, message] - base - effect[message]
        sent = np.flatnonzero(np.bincount(message, minlength=n_messages))
        arms = (message[:, None] == sent).astype(np.float64)
        personal = bool(np.std(contrast) >= 1e-9)
        fit = fit_logistic(
            np.column_stack([arms, contrast]) if personal else arms,
            response,
            sampling_weight,
            offset=base + effect[message],
            penalty=np.array([ARM_RIDGE] * len(sent) + [0.0] * personal),
        )
        shifted = effect.copy()
        shifted[sent] += fit.coefficients[: len(sent)]
        variance = np.full(n_messages, np.inf)
        variance[sent] = fit.standard_error[: len(sent)] ** 2
        e_mails = np.array([k for k in range(n_messages) if k != control])
        shifted[e_mails] = shrink_to_mean(shifted[e_mails], variance[e_mails])
        slope = float(fit.coefficients[-1]) if personal else 0.0
        error = float(fit.standard_error[-1]) if personal else float("inf")
        return cls(
            tuple(float(e) for e in effect),
            tuple(float(e) for e in shifted),
            shrunk_slope(slope, error),
            slope,
            error,
        )

    @classmethod
    def none(cls, n_messages: int) -> ContrastShrinkage:
        """Leaves every probability as it is."""
        return cls((0.0,) * n_messages, (0.0,) * n_messages, 1.0, 1.0, 0.0)

    def lower_bound(self, confidence: float) -> float:
        """One-sided lower confidence bound of the estimated slope."""
        if not np.isfinite(self.standard_error):
            return float("-inf")
        return self.raw_slope - normal_quantile(confidence) * self.standard_error

    def predict(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities with shrunk effects and contrasts, shape ``(n, n_messages)``."""
        effect, shrunk = np.array(self.message_effect), np.array(self.shrunk_effect)
        if self.slope == 1.0 and (effect == shrunk).all():
            return probability
        z = logit(probability)
        base = z.mean(axis=1, keepdims=True)
        return expit(base + shrunk + self.slope * (z - base - effect)).astype(np.float32)

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "message_effect": list(self.message_effect),
            "shrunk_effect": list(self.shrunk_effect),
            "slope": self.slope,
            "raw_slope": self.raw_slope,
            "standard_error": self.standard_error if np.isfinite(self.standard_error) else None,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, object]) -> ContrastShrinkage:
        """Rebuild from :meth:`to_dict`."""
        effect = state["message_effect"]
        shrunk = state.get("shrunk_effect", effect)  # engines saved before it shrank no effects
        error = state["standard_error"]
        assert isinstance(effect, list)
        assert isinstance(shrunk, list)
        return cls(
            tuple(float(e) for e in effect),
            tuple(float(e) for e in shrunk),
            float(state["slope"]),  # type: ignore[arg-type]
            float(state["raw_slope"]),  # type: ignore[arg-type]
            float("inf") if error is None else float(error),  # type: ignore[arg-type]
        )


def shrink_to_mean(
    value: NDArray[np.float64], variance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pull noisy values to their common mean by empirical Bayes.

    Each goes to the precision-weighted mean by ``tau^2 / (tau^2 + variance)``; the spread
    ``tau^2`` of what is behind them is the method of moments' (DerSimonian and Laird 1986).

    Parameters
    ----------
    value : ndarray, shape (n,)
    variance : ndarray, shape (n,)
        Of the errors; infinite for a value that says nothing.
    """
    seen = np.isfinite(variance)
    if seen.sum() < 2:
        return value
    variance = np.maximum(variance, 1e-12)
    precision = 1.0 / variance[seen]
    mean = np.average(value[seen], weights=precision)
    q = precision @ (value[seen] - mean) ** 2
    spare = precision.sum() - precision @ precision / precision.sum()
    tau2 = max(0.0, (q - (seen.sum() - 1)) / spare)
    mean = np.average(value[seen], weights=1.0 / (tau2 + variance[seen]))
    pull = np.zeros(len(value))
    pull[seen] = tau2 / (tau2 + variance[seen])
    return np.asarray(mean + pull * (value - mean), dtype=np.float64)


def shrunk_slope(slope: float, standard_error: float) -> float:
    """Slope after shrinking by its reliability, within 0 and ``MAX_SLOPE``."""
    if slope <= max(standard_error, 0.0):
        return 0.0
    reliability = 1.0 - (standard_error / slope) ** 2
    return float(np.clip(slope * reliability, 0.0, MAX_SLOPE))
