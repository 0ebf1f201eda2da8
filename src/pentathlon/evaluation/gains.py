"""Gains and lift: how many of the buyers are among the highest scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import check_level, dot, normal_quantile
from pentathlon.evaluation.scored import Floats, check_scored


def score_bins(
    score: NDArray[Any], bins: int = 10, sampling_weight: NDArray[Any] | None = None
) -> NDArray[np.intp]:
    """Bin of each row by score, equal in weight, 0 for the highest scores.

    Equal scores share a bin (that of their middle rank), so the order of the rows never
    matters; a bin stays empty where one score spans it.

    Parameters
    ----------
    score : ndarray of float, shape (n,)
    bins : int
        10 for deciles, 100 for percentiles.
    sampling_weight : ndarray of float, shape (n,), optional

    Returns
    -------
    ndarray of int, shape (n,)
        From 0 to ``bins - 1``.

    Raises
    ------
    EvaluationError
        On fewer than one bin.
    """
    if bins < 1:
        raise EvaluationError(f"bins: expected at least 1, got {bins}.")
    score = np.asarray(score)
    order = np.argsort(score)[::-1]
    ranked = score[order]
    weight = np.ones(len(score)) if sampling_weight is None else np.asarray(sampling_weight)[order]
    first = np.ones(len(ranked), dtype=bool)
    first[1:] = ranked[1:] != ranked[:-1]
    group = np.cumsum(first) - 1
    per_group = np.bincount(group, weight) if len(score) else np.zeros(0)
    middle = np.cumsum(per_group) - 0.5 * per_group
    total = per_group.sum()
    position = np.minimum((middle / total * bins).astype(np.intp), bins - 1)
    result = np.empty(len(score), dtype=np.intp)
    result[order] = position[group]
    return result


def wilson_interval(
    share: NDArray[Any], size: NDArray[Any], confidence: float = 0.95
) -> tuple[Floats, Floats]:
    """Score interval of a share (Wilson 1927); sensible at 0 and 1, unlike the normal one.

    Parameters
    ----------
    share : ndarray of float
        Observed shares in [0, 1].
    size : ndarray of float
        Rows, or effective rows (Kish), behind each share.
    confidence : float

    Returns
    -------
    (ndarray, ndarray)
        Lower and upper ends; missing where there are no rows.

    Raises
    ------
    EvaluationError
        If a share is not between 0 and 1, such as a count.
    """
    if np.any((np.asarray(share) < 0) | (np.asarray(share) > 1 + 1e-9)):
        raise EvaluationError("shares must lie between 0 and 1; counts have no Wilson interval.")
    z2 = normal_quantile(0.5 + check_level(confidence) / 2) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum(share, 1.0)
        centre = (share + z2 / (2 * size)) / (1 + z2 / size)
        reach = np.sqrt(z2 * (share * (1 - share) + z2 / (4 * size)) / size) / (1 + z2 / size)
    lower, upper = centre - reach, centre + reach
    return np.where(share == 0, 0.0, lower), np.where(share == 1, 1.0, upper)


def gains_table(
    response: NDArray[Any],
    score: NDArray[Any],
    *,
    bins: int = 10,
    sampling_weight: NDArray[Any] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Response rate, lift and cumulative gains by bin of the score, with intervals.

    Intervals are Wilson's with effective sizes: of the rows in the bin for the response rate,
    of the responses for lift and gains (the share of the responses found). The bins count as
    given.

    Parameters
    ----------
    response : ndarray, shape (n,)
        0 or 1.
    score : ndarray of float, shape (n,)
        Purchase probabilities.
    bins : int
        10 for deciles, 100 for percentiles.
    sampling_weight : ndarray of float, shape (n,), optional
    confidence : float

    Returns
    -------
    DataFrame
        One row per bin from the highest scores: ``bin`` (from 1), ``rows``, ``weight``,
        ``responses`` (weighted), ``response_rate``, ``response_rate_lower``,
        ``response_rate_upper``, ``lift`` (rate over the overall rate), ``lift_lower``,
        ``lift_upper``, ``depth`` (share of the weight so far), ``gains`` (share of the responses
        so far), ``gains_lower``, ``gains_upper``, ``cumulative_lift``. Empty bins have missing
        rates.

    Raises
    ------
    EvaluationError
        Without any response, or when columns do not fit.
    """
    y, p, w = check_scored(response, score, sampling_weight)
    bought = w * y
    total, total_bought = w.sum(), bought.sum()
    if total_bought <= 0:
        raise EvaluationError("Gains and lift need at least one response.")
    bin_of = score_bins(p, bins, w)
    weight = np.bincount(bin_of, w, minlength=bins)
    squares = np.bincount(bin_of, w * w, minlength=bins)
    responses = np.bincount(bin_of, bought, minlength=bins)
    buyers = total_bought**2 / dot(bought, bought)
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = responses / weight
        rows = weight**2 / squares
        share = responses / total_bought
        rate_lower, rate_upper = wilson_interval(rate, rows, confidence)
        lower, upper = wilson_interval(share, np.full(bins, buyers), confidence)
        lift, lift_lower, lift_upper = (s * total / weight for s in (share, lower, upper))
    empty = weight == 0
    for column in (rate_lower, rate_upper, lift, lift_lower, lift_upper):
        column[empty] = np.nan
    depth = np.cumsum(weight) / total
    gains = np.minimum(np.cumsum(share), 1.0)
    gains_lower, gains_upper = wilson_interval(gains, np.full(bins, buyers), confidence)
    return pd.DataFrame(
        {
            "bin": np.arange(1, bins + 1),
            "rows": np.bincount(bin_of, minlength=bins),
            "weight": weight,
            "responses": responses,
            "response_rate": rate,
            "response_rate_lower": rate_lower,
            "response_rate_upper": rate_upper,
            "lift": lift,
            "lift_lower": lift_lower,
            "lift_upper": lift_upper,
            "depth": depth,
            "gains": gains,
            "gains_lower": gains_lower,
            "gains_upper": gains_upper,
            "cumulative_lift": np.divide(gains, depth, out=np.full(bins, np.nan), where=depth > 0),
        }
    )
