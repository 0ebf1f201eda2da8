"""Turning several models' calibrated log odds into one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pentathlon.fusion.logistic_fit import fit_logistic
from pentathlon.special import expit, logit

Method = Literal["equal", "average_probability", "average_logit", "stacking"]
METHODS: tuple[Method, ...] = ("equal", "average_probability", "average_logit", "stacking")


def pool(
    method: Method, index: NDArray[np.float64], weights: NDArray[np.float64], intercept: float
) -> NDArray[np.float64]:
    """Combine calibrated log odds.

    Parameters
    ----------
    method : str
        ``average_probability`` averages probabilities (linear pool); the others average log odds
        (logarithmic pool; Genest and Zidek 1986), stacking with free weights and an intercept.
    index : ndarray, shape (..., n_models)
        Calibrated log odds.
    weights : ndarray, shape (n_models,)
    intercept : float

    Returns
    -------
    ndarray, shape (...)
        Log odds.
    """
    if method == "average_probability":
        return logit(expit(index) @ weights) + intercept
    return np.asarray(index @ weights + intercept, dtype=np.float64)


def fit_pool(
    method: Method,
    index: NDArray[np.float64],
    response: NDArray[np.integer],
    sampling_weight: NDArray[np.float64],
    stacking_penalty: float,
) -> tuple[NDArray[np.float64], float]:
    """Weights and intercept with the lowest log loss.

    Parameters
    ----------
    method : str
    index : ndarray, shape (n, n_models)
        Calibrated held-out log odds under the logged message.
    response, sampling_weight : ndarray, shape (n,)
    stacking_penalty : float
        Ridge that pulls stacking weights to equal ones, in observations.

    Returns
    -------
    weights : ndarray, shape (n_models,)
        Non-negative and summing to one, but for stacking.
    intercept : float
    """
    m = index.shape[1]
    equal = np.full(m, 1.0 / m)
    if method == "equal" or m == 1:
        return equal, 0.0
    if method == "stacking":
        # Stacked generalisation (Wolpert 1992; Breiman 1996), shrunk to the equal average.
        x = np.column_stack([np.ones(len(index)), index])
        fit = fit_logistic(
            x,
            response,
            sampling_weight,
            penalty=np.r_[0.0, np.full(m, stacking_penalty)],
            centre=np.r_[0.0, equal],
        )
        return fit.coefficients[1:], float(fit.coefficients[0])
    y = np.asarray(response, dtype=np.float64)
    w = sampling_weight / sampling_weight.sum()
    probability = expit(index)

    def loss_and_gradient(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        if method == "average_probability":
            p = np.clip(probability @ weights, 1e-12, 1 - 1e-12)
            loss = -(w @ (y * np.log(p) + (1 - y) * np.log1p(-p)))
            return float(loss), probability.T @ (w * (p - y) / (p * (1 - p)))
        z = index @ weights
        loss = w @ (np.logaddexp(0, z) - y * z)
        return float(loss), index.T @ (w * (expit(z) - y))

    return _minimise_on_simplex(loss_and_gradient, equal), 0.0


def _minimise_on_simplex(
    loss_and_gradient: Callable[[NDArray[np.float64]], tuple[float, NDArray[np.float64]]],
    start: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Convex minimum over non-negative weights that sum to one.

    Sequential quadratic programming; the losses are scaled because their changes are tiny
    beside their level.
    """
    # A third of a second that only fitting should pay.
    from scipy.optimize import minimize  # noqa: PLC0415

    level, _ = loss_and_gradient(start)

    def scaled(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = loss_and_gradient(weights)
        return 1e3 * (loss / level - 1.0), 1e3 * gradient / level

    found = minimize(
        scaled,
        start,
        jac=True,
        method="SLSQP",
        bounds=[(0.0, 1.0)] * len(start),
        constraints=[{"type": "eq", "fun": lambda v: v.sum() - 1.0, "jac": np.ones_like}],
        options={"maxiter": 200, "ftol": 1e-9},
    )
    weights = np.clip(found.x, 0.0, None)
    weights[weights < 1e-4] = 0.0
    return np.asarray(weights / weights.sum(), dtype=np.float64)
