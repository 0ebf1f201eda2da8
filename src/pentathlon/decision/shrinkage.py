"""How much of the predicted differences between messages is real.

A model's differences between messages for one customer (contrasts) are small sums of large
numbers, and choosing the largest of seven chooses the largest error: the winner's curse. So
held-out outcomes say how much of each is kept, before any choice is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.evaluation.estimate import normal_quantile
from pentathlon.fusion import LogisticFit, fit_logistic
from pentathlon.special import expit, logit

MAX_SLOPE = 2.0
NO_SPREAD = 1e-5
"""Spread of contrasts, in log odds, below which they are rounding errors of single precision."""
MIN_SPREAD = 1e-4
"""Least variance between messages that errors reckon with, in logs: one per cent apart."""
ARM_RIDGE = 1.0
"""In observations: keeps the effect of a message that nobody bought after finite."""


PARTS = ("any_email", "gains", "losses")
"""Parts of a personal contrast that have slopes of their own."""


@dataclass(frozen=True)
class ContrastShrinkage:
    """Shrinks what messages do, to everybody and to each customer, by what outcomes bear out.

    The predicted log odds split into what the customer does under any message (``b_i``, the mean
    over messages), what the message does to everybody (``D_k``), and the rest, the personal
    contrast ``c_ik``. On held-out outcomes ``logit P(y) = b_i + d_k + s c_ik`` is fitted.

    - The contrast has three parts with a slope ``s`` each: what any e-mail does to the customer
      (the mean over e-mails, and all that ``control`` has), and what speaks for or against one
      e-mail beside the others. A slope is 1 where contrasts are honest, 0 where they are noise,
      above 1 where models shrank their own interactions too hard, as they do most to strong
      preferences. Each is shrunk by its own reliability, ``s * (1 - 1 / z**2)`` with ``z`` its
      t-statistic (the positive-part rule of James and Stein 1961), within 0 and ``MAX_SLOPE``.
    - The effects ``d_k`` of e-mails are pulled to their common mean by empirical Bayes: with a
      few hundred orders a message, the best of them owes part of its lead to luck, and a lead
      that is luck outweighs personal contrasts that are not. ``control`` is no e-mail and stays.

    Attributes
    ----------
    message_effect : tuple of float, length n_messages
        ``D_k``, mean predicted contrast of each message.
    shrunk_effect : tuple of float, length n_messages
        ``d_k`` as applied.
    slopes : tuple of float, length 3
        As applied, in the order of ``PARTS``.
    raw_slope, standard_error : float
        Of one slope for the whole contrast: whether there are personal differences at all.
    control : int or None
        Column of ``control``.
    """

    message_effect: tuple[float, ...]
    shrunk_effect: tuple[float, ...]
    slopes: tuple[float, float, float]
    raw_slope: float
    standard_error: float
    control: int | None

    @classmethod
    def fit(
        cls,
        probability: NDArray[np.float32],
        message: NDArray[np.int64],
        response: NDArray[np.integer],
        sampling_weight: NDArray[np.float64],
        control: int | None = None,
    ) -> ContrastShrinkage:
        """Estimate slopes and effects; see :meth:`fit_with_covariance`."""
        return cls.fit_with_covariance(probability, message, response, sampling_weight, control)[0]

    @classmethod
    def fit_with_covariance(
        cls,
        probability: NDArray[np.float32],
        message: NDArray[np.int64],
        response: NDArray[np.integer],
        sampling_weight: NDArray[np.float64],
        control: int | None = None,
        cluster: NDArray[np.int64] | None = None,
    ) -> tuple[ContrastShrinkage, NDArray[np.float64]]:
        """Estimate slopes and effects on held-out probabilities.

        Parameters
        ----------
        probability : ndarray of float32, shape (n, n_messages)
            Calibrated and cross-fitted.
        message, response, sampling_weight : ndarray, shape (n,)
        control : int, optional
            Column of ``control``, whose effect is no e-mail's.
        cluster : ndarray of int64, shape (n,), optional
            Code of each row's customer, where customers have several rows; for the covariance.

        Returns
        -------
        shrinkage : ContrastShrinkage
        covariance : ndarray of float64, shape (n_messages + 3, n_messages + 3)
            Of the errors of effects and slopes given the prior of the effects: e-mails scatter
            around a common mean that is unknown, ``control`` and slopes may be anything.
        """
        z = logit(probability)
        n_messages = z.shape[1]
        base = z.mean(axis=1)
        effect = np.average(z - base[:, None], axis=0, weights=sampling_weight)
        rows = np.arange(len(message))
        parts = np.column_stack(
            [part[rows, message] for part in contrast_parts(z, effect, control)]
        )
        sent = np.flatnonzero(np.bincount(message, minlength=n_messages))
        arms = (message[:, None] == sent).astype(np.float64)
        judged = _Judged(arms, base + effect[message], response, sampling_weight)
        informative = np.flatnonzero(judged.told(parts))
        fit = judged.regress(parts[:, informative])
        first = len(sent)
        slopes = np.zeros(len(PARTS))
        slopes[informative] = [
            shrunk_slope(float(s), float(e))
            for s, e in zip(fit.coefficients[first:], fit.standard_error[first:], strict=True)
        ]
        overall, error = judged.overall(parts)
        shifted = effect.copy()
        shifted[sent] += fit.coefficients[:first]
        variance = np.full(n_messages, np.inf)
        variance[sent] = fit.standard_error[:first] ** 2
        e_mails = np.array([k for k in range(n_messages) if k != control])
        spread = between_variance(shifted[e_mails], variance[e_mails])
        shifted[e_mails] = shrink_to_mean(shifted[e_mails], variance[e_mails])
        known = [*sent.tolist(), *(n_messages + informative).tolist()]
        sandwich = judged.covariance(parts[:, informative], fit.coefficients, cluster)
        covariance = _given_prior(sandwich, known, n_messages, e_mails, spread)
        shrinkage = cls(
            message_effect=tuple(effect.tolist()),
            shrunk_effect=tuple(shifted.tolist()),
            slopes=(float(slopes[0]), float(slopes[1]), float(slopes[2])),
            raw_slope=overall,
            standard_error=error,
            control=control,
        )
        return shrinkage, covariance

    @classmethod
    def none(cls, n_messages: int) -> ContrastShrinkage:
        """Leaves every probability as it is."""
        return cls((0.0,) * n_messages, (0.0,) * n_messages, (1.0, 1.0, 1.0), 1.0, 0.0, None)

    def lower_bound(self, confidence: float) -> float:
        """One-sided lower confidence bound of the overall slope."""
        if not np.isfinite(self.standard_error):
            return float("-inf")
        return self.raw_slope - normal_quantile(confidence) * self.standard_error

    def predict(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities with shrunk effects and contrasts, shape ``(n, n_messages)``."""
        effect, shrunk = np.array(self.message_effect), np.array(self.shrunk_effect)
        if self.slopes == (1.0, 1.0, 1.0) and (effect == shrunk).all():
            return probability
        z = logit(probability)
        index = z.mean(axis=1, keepdims=True) + shrunk
        for slope, part in zip(self.slopes, contrast_parts(z, effect, self.control), strict=True):
            if slope:
                index += slope * part
        return expit(index).astype(np.float32)

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "message_effect": list(self.message_effect),
            "shrunk_effect": list(self.shrunk_effect),
            "slopes": dict(zip(PARTS, self.slopes, strict=True)),
            "raw_slope": self.raw_slope,
            "standard_error": self.standard_error if np.isfinite(self.standard_error) else None,
            "control": self.control,
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ContrastShrinkage:
        """Rebuild from :meth:`to_dict`."""
        error = state["standard_error"]
        any_email, gains, losses = (float(state["slopes"][part]) for part in PARTS)
        return cls(
            tuple(float(e) for e in state["message_effect"]),
            tuple(float(e) for e in state["shrunk_effect"]),
            (any_email, gains, losses),
            float(state["raw_slope"]),
            float("inf") if error is None else float(error),
            None if state["control"] is None else int(state["control"]),
        )


def contrast_parts(
    z: NDArray[np.float64], effect: NDArray[np.float64], control: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Split personal contrasts into what any e-mail does, and what one gains or loses by others.

    Parameters
    ----------
    z : ndarray, shape (n, n_messages)
        Log odds.
    effect : ndarray, shape (n_messages,)
        Mean contrast of each message.
    control : int or None

    Returns
    -------
    any_email, gains, losses : ndarray, shape (n, n_messages)
        They add up to the contrasts.
    """
    contrast = z - z.mean(axis=1, keepdims=True) - effect
    shared = np.zeros_like(contrast)
    if control is not None:
        e_mails = [k for k in range(z.shape[1]) if k != control]
        shared[:, e_mails] = contrast[:, e_mails].mean(axis=1, keepdims=True)
        shared[:, control] = contrast[:, control]
    own = contrast - shared
    return shared, np.maximum(own, 0.0), np.minimum(own, 0.0)


def shrunk_slope(slope: float, standard_error: float) -> float:
    """Slope after shrinking by its reliability, within 0 and ``MAX_SLOPE``."""
    if slope <= max(standard_error, 0.0):
        return 0.0
    reliability = 1.0 - (standard_error / slope) ** 2
    return float(np.clip(slope * reliability, 0.0, MAX_SLOPE))


def between_variance(value: NDArray[np.float64], variance: NDArray[np.float64]) -> float:
    """Variance of what is behind noisy values, by moments (DerSimonian and Laird 1986).

    Parameters
    ----------
    value : ndarray, shape (n,)
    variance : ndarray, shape (n,)
        Of the errors; infinite for a value that says nothing.
    """
    seen = np.isfinite(variance)
    if seen.sum() < 2:
        return 0.0
    precision = 1.0 / np.maximum(variance[seen], 1e-12)
    mean = np.average(value[seen], weights=precision)
    q = precision @ (value[seen] - mean) ** 2
    spare = precision.sum() - precision @ precision / precision.sum()
    return float(max(0.0, (q - (seen.sum() - 1)) / spare))


@dataclass(frozen=True)
class _Judged:
    """Rows that effects of messages and slopes of contrasts are fitted on.

    ``arms`` says which message a row got, shape (n, messages that were sent); ``offset`` is what
    was predicted of it without anything personal, in log odds.
    """

    arms: NDArray[np.float64]
    offset: NDArray[np.float64]
    response: NDArray[np.integer]
    weight: NDArray[np.float64]

    def told(self, parts: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of which parts outcomes could tell a slope of ``MAX_SLOPE`` from none.

        That is by the slope's expected error. Of the others no slope that may be applied would be
        beyond one standard error of zero; fitting one is asking for a number without bounds.
        """
        expected = expit(self.offset)
        information = self.weight * expected * (1 - expected)
        centred = parts - np.average(parts, axis=0, weights=information)
        told = information @ centred**2 >= 1.0 / MAX_SLOPE**2
        return np.asarray(told & (parts.std(axis=0) >= NO_SPREAD), dtype=np.bool_)

    def regress(self, contrast: NDArray[np.float64]) -> LogisticFit:
        """Fit an effect of each arm, which a ridge holds, and a slope of each contrast."""
        return fit_logistic(
            np.column_stack([self.arms, contrast]),
            self.response,
            self.weight,
            offset=self.offset,
            penalty=np.array([ARM_RIDGE] * self.arms.shape[1] + [0.0] * contrast.shape[1]),
        )

    def overall(self, parts: NDArray[np.float64]) -> tuple[float, float]:
        """One slope of all parts together and its standard error; 0 and infinity if untold."""
        contrast = parts.sum(axis=1)[:, None]
        if not self.told(contrast).all():
            return 0.0, float("inf")
        whole = self.regress(contrast)
        return float(whole.coefficients[-1]), float(whole.standard_error[-1])

    def covariance(
        self,
        contrast: NDArray[np.float64],
        coefficients: NDArray[np.float64],
        cluster: NDArray[np.int64] | None,
    ) -> NDArray[np.float64]:
        """Sandwich covariance of a fitted regression, ``(p, p)``; arms come first."""
        x = np.column_stack([self.arms, contrast])
        p = expit(self.offset + x @ coefficients)
        bread = (x * (self.weight * p * (1 - p))[:, None]).T @ x
        ridge = np.where(np.arange(len(bread)) < self.arms.shape[1], ARM_RIDGE, 1e-9)
        bread[np.diag_indices_from(bread)] += ridge
        score = x * (self.weight * (self.response - p))[:, None]
        if cluster is not None:  # what one customer's rows say is said once
            size = int(cluster.max()) + 1
            score = np.column_stack([np.bincount(cluster, c, minlength=size) for c in score.T])
        inverse = np.linalg.inv(bread)
        return np.asarray(inverse @ (score.T @ score) @ inverse, dtype=np.float64)


def _given_prior(
    covariance: NDArray[np.float64],
    known: list[int],
    n_messages: int,
    e_mails: NDArray[np.int64],
    spread: float,
) -> NDArray[np.float64]:
    """Covariance of effects and slopes once e-mails are known to scatter around their mean.

    What a fit says nothing about (a message nobody got, a part without spread) keeps no error:
    nothing is decided by it.
    """
    size = n_messages + len(PARTS)
    precision = np.zeros((size, size))
    precision[np.ix_(known, known)] = np.linalg.inv(covariance)
    told = [k for k in e_mails.tolist() if k in known]
    if len(told) > 1:
        scatter = (np.eye(len(told)) - 1.0 / len(told)) / max(spread, MIN_SPREAD)
        precision[np.ix_(told, told)] += scatter
    out = np.zeros((size, size))
    out[np.ix_(known, known)] = np.linalg.inv(precision[np.ix_(known, known)])
    return out


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
    tau2 = between_variance(value, variance)
    mean = np.average(value[seen], weights=1.0 / (tau2 + variance[seen]))
    pull = np.zeros(len(value))
    pull[seen] = tau2 / (tau2 + variance[seen])
    return np.asarray(mean + pull * (value - mean), dtype=np.float64)
