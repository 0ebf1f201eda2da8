"""What each message does to the order value, as far as the orders can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pentathlon.models.order_value import Orders

NO_SPREAD = 1e-9
"""A few orders that agree to this variance say nothing of their own uncertainty."""


@dataclass(frozen=True)
class MessageMultipliers:
    """What each message does to the order value, shrunk toward nothing.

    The raw multiplier of message ``k`` is observed over expected order value among its buyers,
    on held-out predictions. On the log scale it carries the sampling variance
    ``v_k = Var(sum w y) / (sum w m)^2``; the spread of true effects ``tau^2`` is the method of
    moments' (DerSimonian and Laird 1986), and each effect is pulled to their precision-weighted
    mean by ``tau^2 / (tau^2 + v_k)``.

    Attributes
    ----------
    raw, shrunk : ndarray, shape (n_messages,)
    standard_error : ndarray, shape (n_messages,)
        Of the logarithm of the raw multiplier.
    tau : float
        Standard deviation of the true effects on the log scale.
    """

    raw: NDArray[np.float64]
    shrunk: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    tau: float

    @classmethod
    def fit(cls, orders: Orders, level: NDArray[np.float64], n_messages: int) -> MessageMultipliers:
        """Estimate from orders and their held-out levels.

        Parameters
        ----------
        orders : Orders, n buyers
        level : ndarray, shape (n,)
            Expected order value before message effects.
        n_messages : int
        """
        log_raw = np.zeros(n_messages)
        variance = np.full(n_messages, np.inf)
        for k in range(n_messages):
            mine = orders.message == k
            if mine.sum() < 2:
                continue
            w, y, m = orders.sampling_weight[mine], orders.value[mine], level[mine]
            ratio = float((w * y).sum() / (w * m).sum())
            log_raw[k] = np.log(ratio)
            residual = w * (y - ratio * m)
            spread = float((residual**2).sum() / (ratio * (w * m).sum()) ** 2)
            if spread > NO_SPREAD:
                variance[k] = spread
        seen = np.isfinite(variance)
        precision = np.where(seen, 1.0 / np.where(seen, variance, 1.0), 0.0)
        if seen.sum() < 2:
            ones = np.ones(n_messages)
            return cls(np.exp(log_raw), ones, np.sqrt(variance), 0.0)
        mean = float(np.average(log_raw, weights=precision))
        q = float((precision * (log_raw - mean) ** 2).sum())
        spare = precision.sum() - (precision**2).sum() / precision.sum()
        tau2 = max(0.0, (q - (seen.sum() - 1)) / spare)
        weight = np.where(seen, tau2 / (tau2 + np.where(seen, variance, 1.0)), 0.0)
        pooled_precision = np.where(seen, 1.0 / (tau2 + np.where(seen, variance, 1.0)), 0.0)
        mean = float(np.average(log_raw, weights=pooled_precision))
        shrunk = np.exp(mean + weight * (log_raw - mean))
        return cls(np.exp(log_raw), shrunk, np.sqrt(variance), float(np.sqrt(tau2)))
