"""Weighted logistic regression with few columns, an offset and a ridge, by Newton's method.

Calibration, stacking and shrinkage all come down to it; scikit-learn's estimator has no offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import PentathlonError
from pentathlon.special import expit

FURTHEST = 5.0
"""Log odds that one step of Newton's method may move a row by."""
SEPARATED = 1e-8
"""Mean log loss below which outcomes are foretold, and coefficients grow without end."""


@dataclass(frozen=True)
class LogisticFit:
    """A fitted regression.

    Attributes
    ----------
    coefficients : ndarray, shape (p,)
    standard_error : ndarray, shape (p,)
        From the sandwich covariance, so that sampling weights count for what they are.
    """

    coefficients: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def fit_logistic(
    x: NDArray[np.floating],
    response: NDArray[np.integer],
    sampling_weight: NDArray[np.floating],
    *,
    offset: NDArray[np.floating] | None = None,
    penalty: NDArray[np.floating] | None = None,
    centre: NDArray[np.floating] | None = None,
    max_iterations: int = 100,
) -> LogisticFit:
    """Minimise weighted log loss plus ``sum(penalty * (b - centre)^2) / 2``.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    response : ndarray of 0 and 1, shape (n,)
    sampling_weight : ndarray, shape (n,)
    offset : ndarray, shape (n,), optional
        Added to the index with coefficient one.
    penalty, centre : ndarray, shape (p,), optional
        Ridge strength per coefficient (in units of observations) and what it pulls to.

    Returns
    -------
    LogisticFit

    Raises
    ------
    PentathlonError
        When Newton's method does not converge, as under perfect separation.
    """
    x = np.asarray(x, dtype=np.float64)
    y = np.asarray(response, dtype=np.float64)
    w = np.asarray(sampling_weight, dtype=np.float64)
    base = np.zeros(len(y)) if offset is None else np.asarray(offset, dtype=np.float64)
    ridge = np.zeros(x.shape[1]) if penalty is None else np.asarray(penalty, dtype=np.float64)
    target = np.zeros(x.shape[1]) if centre is None else np.asarray(centre, dtype=np.float64)
    b = target.copy()

    def objective(b: NDArray[np.float64]) -> float:
        z = base + x @ b
        return float(w @ (np.logaddexp(0, z) - y * z) + 0.5 * ridge @ (b - target) ** 2)

    value = objective(b)
    for _ in range(max_iterations):
        p = expit(base + x @ b)
        gradient = x.T @ (w * (p - y)) + ridge * (b - target)
        hessian = (x * (w * p * (1 - p))[:, None]).T @ x + np.diag(ridge + 1e-10)
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        # Where probabilities are all near 0 or 1 the curvature vanishes and a full step overshoots.
        scale = min(1.0, FURTHEST / max(float(np.abs(x @ step).max()), 1e-12))
        while scale > 1e-8:
            moved = objective(b - scale * step)
            if moved <= value + 1e-12 * abs(value):
                break
            scale /= 2
        b, previous, value = b - scale * step, value, moved
        if abs(previous - value) <= 1e-11 * (1 + abs(value)) and np.abs(gradient @ step) < 1e-6:
            break
    else:
        raise _no_minimum()
    if value <= SEPARATED * w.sum():
        raise _no_minimum()
    p = expit(base + x @ b)
    hessian = (x * (w * p * (1 - p))[:, None]).T @ x + np.diag(ridge + 1e-10)
    inverse = np.linalg.pinv(hessian)
    score = x * (w * (p - y))[:, None]
    covariance = inverse @ (score.T @ score) @ inverse
    return LogisticFit(b, np.sqrt(np.maximum(np.diag(covariance), 0.0)))


def _no_minimum() -> PentathlonError:
    return PentathlonError(
        "A calibration did not converge: the scores separate buyers from the others "
        "perfectly, or hold no information at all. Look at the scores it was given."
    )
