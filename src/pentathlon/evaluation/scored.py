"""Responses with the probabilities that models gave them: what every metric starts from."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.outcomes import check_finite

Floats: TypeAlias = NDArray[np.float64]


def check_scored(
    response: NDArray[Any], probability: NDArray[Any], sampling_weight: NDArray[Any] | None
) -> tuple[Floats, Floats, Floats]:
    """Return responses, probabilities and weights as float64 columns that fit each other.

    Raises
    ------
    EvaluationError
        On different lengths, responses other than 0 and 1, probabilities outside [0, 1], or
        negative weights.
    """
    y, p = np.asarray(response), np.asarray(probability)
    w = np.ones(len(y)) if sampling_weight is None else np.asarray(sampling_weight)
    for name, column in (("response", y), ("probability", p), ("sampling_weight", w)):
        if column.shape != (len(y),):
            raise EvaluationError(f"{name}: expected shape ({len(y)},), got {column.shape}.")
        check_finite(column, name)
    if not np.isin(y, (0, 1)).all():
        raise EvaluationError("response: expected 0 and 1 only.")
    if len(p) and (p.min() < 0 or p.max() > 1):
        raise EvaluationError(
            f"probability: expected numbers in [0, 1], got {p.min():.4g} to {p.max():.4g}."
        )
    if len(w) and (w.min() < 0 or w.sum() <= 0):
        raise EvaluationError("sampling_weight: weights must be non-negative, and not all 0.")
    return y.astype(np.float64), p.astype(np.float64), w.astype(np.float64)


def tie_groups(probability: Floats) -> tuple[NDArray[np.intp], int]:
    """Rank of each row's score among the distinct scores, from the lowest, and their number."""
    order = np.argsort(probability)
    ranked = probability[order]
    new = np.ones(len(ranked), dtype=bool)
    new[1:] = ranked[1:] != ranked[:-1]
    group = np.empty(len(ranked), dtype=np.intp)
    group[order] = np.cumsum(new) - 1
    return group, int(new.sum())
