"""Many comparisons on the same outcomes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.special import ndtr


def two_sided_p(value: float, standard_error: float) -> float:
    """Normal two-sided p-value of a difference from 0; 1 where there is exactly none."""
    if standard_error <= 0:
        return 1.0 if value == 0 else 0.0
    return float(2 * ndtr(-abs(value) / standard_error))


def holm(p_values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values so that the chance of any false finding keeps its level.

    Parameters
    ----------
    p_values : sequence of float, length n
        Of any dependence, such as policies judged on the same customers.

    Returns
    -------
    ndarray of float64, shape (n,)
        Adjusted, in the same order: findings are those up to the level.

    Raises
    ------
    EvaluationError
        When a p-value is not in [0, 1].

    References
    ----------
    Holm (1979), "A simple sequentially rejective multiple test procedure".
    """
    p = np.asarray(p_values, dtype=np.float64)
    if not ((p >= 0) & (p <= 1)).all():
        raise EvaluationError(f"p-values: expected numbers in [0, 1], got {p.tolist()}.")
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0)
    return adjusted
