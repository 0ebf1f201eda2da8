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
    return float(np.average(log_losses(response, probability), weights=sampling_weight))


def log_losses(
    response: NDArray[np.integer], probability: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Log loss of every row, in nats.

    Parameters
    ----------
    response : ndarray of 0 and 1, shape (n,)
    probability : ndarray, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    p = np.clip(np.asarray(probability, dtype=np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(-np.where(response == 1, np.log(p), np.log1p(-p)))
