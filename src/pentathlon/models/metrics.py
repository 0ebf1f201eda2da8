"""The objective of tuning: log loss at the population's rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_loss(
    response: NDArray[np.integer],
    probability: NDArray[np.floating],
    sampling_weight: NDArray[np.floating] | None = None,
) -> float:
    """Weighted mean log loss.

    Parameters
    ----------
    response : ndarray of 0 and 1, shape (n,)
    probability : ndarray, shape (n,)
    sampling_weight : ndarray, shape (n,), optional

    Returns
    -------
    float
        In nats.
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-12, 1 - 1e-12)
    loss = -np.where(response == 1, np.log(p), np.log1p(-p))
    return float(np.average(loss, weights=sampling_weight))
