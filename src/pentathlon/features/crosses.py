"""Crossed features: coarse segments of customers, for models that are additive otherwise.

Customers of a segment (younger women, families with means) may respond to a message as neither
women nor the young do. Crossing coarse indicators in pairs lets an additive model see them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pentathlon.features.design import DesignBuilder, FloatArray

MAX_INDICATORS = 12
MAX_LEVELS = 8


def choose_split(
    values: NDArray[np.floating],
    candidates: Sequence[float],
    message: NDArray[np.int64],
    residual: NDArray[np.floating],
    information: NDArray[np.floating],
) -> float:
    """Choose the candidate at which the effects of messages differ most.

    Parameters
    ----------
    values : ndarray, shape (n,)
    candidates : sequence of float
    message : ndarray of int64, shape (n,)
    residual, information : ndarray, shape (n,)
        Response minus its probability without personal effects, and ``p (1 - p)``.

    Returns
    -------
    float
        The candidate with the largest score statistic: per message, the squared difference of
        the mean residuals above and below over its variance, added up over messages. The
        message's share of the difference that all messages have is taken out first, because it
        says who buys and not who is moved.
    """
    ordered = sorted(candidates)
    k, bins = int(message.max()) + 1, len(ordered) + 1
    # Rows of bin j lie above the first j candidates and no other: one count serves all of them.
    splits = np.array(ordered, dtype=values.dtype)
    cell = np.searchsorted(splits, values, side="left") * k + message

    def below_and_above(weights: NDArray[np.floating]) -> NDArray[np.float64]:
        by_bin = np.bincount(cell, weights=weights, minlength=bins * k).reshape(bins, k)
        below = np.cumsum(by_bin, axis=0)[:-1]
        return np.stack([below, by_bin.sum(axis=0) - below])

    g = below_and_above(residual)
    h = np.maximum(below_and_above(information), 0.0) + 1e-12
    gap = (g[1] / h[1]) - (g[0] / h[0])
    weight = 1.0 / (1.0 / h).sum(axis=0)
    common = (weight * gap).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
    return ordered[int(np.argmax((weight * (gap - common) ** 2).sum(axis=1)))]


def cross_columns(
    base: FloatArray, builder: DesignBuilder, splits: Mapping[str, float]
) -> FloatArray:
    """Coarse indicators of numeric features, and the products of all pairs of indicators.

    Parameters
    ----------
    base : ndarray of float32, shape (n, n_base)
        Base columns of a design, not standardised.
    builder : DesignBuilder
    splits : mapping of str to float
        Value at which each numeric feature is split.

    Returns
    -------
    ndarray of float32, shape (n, n_crosses)
        Indicators come from the splits of numeric features and the levels of categorical ones
        (one of two levels, all of more; features of many levels are left out). At most
        ``MAX_INDICATORS`` are crossed, numeric features first.
    """
    names = builder.base_names
    indicators: list[tuple[str, FloatArray]] = [
        (name, (base[:, names.index(name)] > np.float32(split)).astype(np.float32))
        for name, split in splits.items()
    ]
    columns = [values for _, values in indicators]
    for feature, levels in builder.levels.items():
        if len(levels) > MAX_LEVELS:
            continue
        kept = levels[1:] if len(levels) == 2 else levels
        indicators += [(feature, base[:, names.index(f"{feature}={level}")]) for level in kept]
    indicators = indicators[:MAX_INDICATORS]
    for (feature, first), (other, second) in combinations(indicators, 2):
        if feature != other:
            columns.append(first * second)
    if not columns:
        return np.zeros((len(base), 0), dtype=np.float32)
    return np.stack(columns, axis=1)
