"""Expected against observed responses, with exact Poisson intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import CalibrationError, EvaluationError
from pentathlon.evaluation.estimate import check_level
from pentathlon.evaluation.gains import score_bins
from pentathlon.evaluation.scored import Floats, check_scored
from pentathlon.special import gammaincinv


def poisson_interval(
    count: NDArray[Any] | float,
    *,
    variance: NDArray[Any] | float | None = None,
    largest_weight: NDArray[Any] | float = 1.0,
    confidence: float = 0.95,
) -> tuple[Floats, Floats]:
    r"""Interval for the mean of a Poisson count, exact for unweighted counts.

    .. math:: L = \tfrac{1}{2} \chi^2_{2k}(\alpha / 2), \qquad
              U = \tfrac{1}{2} \chi^2_{2k + 2}(1 - \alpha / 2)

    For a weighted count ``k = sum(w)`` over the events with variance ``v = sum(w^2)`` and
    largest weight ``m``, the gamma interval of Fay and Feuer, equal to the exact one for weights
    of 1: ``L`` has mean ``k`` and variance ``v``, ``U`` mean ``k + m`` and variance ``v + m^2``.

    Parameters
    ----------
    count : float or ndarray
        Observed (weighted) count.
    variance : float or ndarray, optional
        Sum of the squared weights of the events; the count itself by default.
    largest_weight : float or ndarray
        Largest weight that an event could have had.
    confidence : float
        Two-sided.

    Returns
    -------
    (ndarray, ndarray)
        Lower and upper ends, of the shape of ``count``.

    References
    ----------
    Garwood (1936), "Fiducial limits for the Poisson distribution"; Fay, Feuer (1997),
    "Confidence intervals for directly standardized rates: a method based on the gamma
    distribution".
    """
    tail = (1.0 - check_level(confidence)) / 2.0
    k = np.asarray(count, dtype=np.float64)
    v = k if variance is None else np.asarray(variance, dtype=np.float64)
    m = np.asarray(largest_weight, dtype=np.float64)
    safe_k, safe_v = np.where(k > 0, k, 1.0), np.where(k > 0, v, 1.0)
    lower = safe_v / safe_k * gammaincinv(safe_k**2 / safe_v, tail)
    upper = (v + m**2) / (k + m) * gammaincinv((k + m) ** 2 / (v + m**2), 1.0 - tail)
    return np.where(k > 0, lower, 0.0), np.asarray(upper)


def expected_observed(
    response: NDArray[Any],
    probability: NDArray[Any],
    *,
    sampling_weight: NDArray[Any] | None = None,
    message: NDArray[Any] | None = None,
    names: Sequence[str] | None = None,
    bins: int = 10,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Count expected and observed responses overall, by message and by bin of the probability.

    Parameters
    ----------
    response : ndarray, shape (n,)
        0 or 1, of natural-rate rows or with the weights that restore the natural rate.
    probability : ndarray of float, shape (n,)
        Calibrated purchase probabilities.
    sampling_weight : ndarray of float, shape (n,), optional
    message : ndarray of int, shape (n,), optional
        Message of each row; adds rows by message, and by message and bin (bins within the
        message).
    names : sequence of str, optional
        Message names by code; needed with ``message``.
    bins : int
        10 for deciles.
    confidence : float
        Of the Poisson intervals, each on its own.

    Returns
    -------
    DataFrame
        Columns ``group`` ("all", "message", "bin", "message x bin", "top 1 %"), ``message``
        (name or "all"), ``bin`` (from 1 for the highest probabilities, 0 where there is none),
        ``rows``, ``expected``, ``observed``, ``ratio`` (observed over expected), ``lower`` and
        ``upper`` (interval of the observed count), ``agrees`` (expected lies inside).

    Raises
    ------
    EvaluationError
        When columns do not fit, or names are missing.
    """
    y, p, w = check_scored(response, probability, sampling_weight)
    bin_of = score_bins(p, bins, w)
    nothing = np.zeros(len(y), dtype=np.intp)
    numbers = range(1, bins + 1)
    everyone = (["all"], [0])
    tables = [_count("all", (y, p, w), nothing, everyone, confidence)]
    by_bin = _count("bin", (y, p, w), bin_of, (["all"] * bins, numbers), confidence)
    if message is None:
        tables.append(by_bin)
    else:
        if names is None:
            raise EvaluationError("names: the names of the messages are needed with message.")
        code = np.asarray(message)
        if code.shape != y.shape or code.min() < 0 or code.max() >= len(names):
            raise EvaluationError(
                f"message: expected {len(y)} codes below {len(names)}, one for each name."
            )
        by_message = (names, [0] * len(names))
        tables.append(_count("message", (y, p, w), code, by_message, confidence))
        cell = np.empty(len(y), dtype=np.intp)
        for k in range(len(names)):
            rows = np.flatnonzero(code == k)
            if len(rows):
                cell[rows] = k * bins + score_bins(p[rows], bins, w[rows])
        labels = ([name for name in names for _ in numbers], [*numbers] * len(names))
        tables += [by_bin, _count("message x bin", (y, p, w), cell, labels, confidence)]
    top = score_bins(p, 100, w) == 0
    tables.append(_count("top 1 %", (y[top], p[top], w[top]), nothing[top], everyone, confidence))
    return pd.concat(tables, ignore_index=True)


def check_expected_observed(
    response: NDArray[Any],
    probability: NDArray[Any],
    *,
    sampling_weight: NDArray[Any] | None = None,
    message: NDArray[Any] | None = None,
    names: Sequence[str] | None = None,
    confidence: float = 0.999,
    tolerance: float = 0.0,
    source: str = "The model",
) -> None:
    """Refuse probabilities whose expected responses disagree with the observed ones.

    Overall, and under each message when messages are given. The confidence holds for all checks
    together (Bonferroni), so calibrated probabilities are refused with a chance of at most
    ``1 - confidence``, as far as the error of the calibration itself is small: probabilities
    calibrated on few responses deserve a higher confidence or a tolerance.

    Parameters
    ----------
    response, probability : ndarray, shape (n,)
        Natural-rate rows that did not fit the model, or rows with weights.
    sampling_weight : ndarray of float, shape (n,), optional
    message : ndarray of int, shape (n,), optional
    names : sequence of str, optional
        Needed with ``message``.
    confidence : float
        Of all checks together.
    tolerance : float
        Relative difference that is allowed whatever the number of rows, for instance 0.02.
    source : str
        What made the probabilities, for the message of the error.

    Raises
    ------
    CalibrationError
        Naming each group with its expected and observed counts and the interval.
    EvaluationError
        When columns do not fit.
    """
    if tolerance < 0:
        raise EvaluationError(f"tolerance: expected 0 or more, got {tolerance}.")
    groups = 1 if names is None or message is None else 1 + len(names)
    table = expected_observed(
        response,
        probability,
        sampling_weight=sampling_weight,
        message=message,
        names=names,
        bins=1,
        confidence=1.0 - (1.0 - check_level(confidence)) / groups,
    )
    table = table[table["group"].isin(["all", "message"])]
    apart = (table["observed"] - table["expected"]).abs() > tolerance * table["expected"]
    wrong = table[~table["agrees"] & apart]
    if len(wrong):
        lines = "; ".join(
            f"{row.message}: {row.expected:.1f} expected, {row.observed:.6g} observed "
            f"(Poisson interval {row.lower:.1f} to {row.upper:.1f}, {row.rows} rows)"
            for row in wrong.itertuples()
        )
        raise CalibrationError(
            f"{source}: expected and observed responses disagree beyond chance (confidence "
            f"{confidence:.4g}). {lines}. Check the correction for the sampling of the training "
            "rows, and calibrate on natural-rate rows that did not fit the model."
        )


def _count(
    group: str,
    scored: tuple[Floats, Floats, Floats],
    cell: NDArray[Any],
    labels: tuple[Sequence[str], Sequence[int]],
    confidence: float,
) -> pd.DataFrame:
    response, probability, weight = scored
    messages, bins = labels
    n_cells = len(messages)
    bought = weight * response
    expected = np.bincount(cell, weight * probability, minlength=n_cells)
    observed = np.bincount(cell, bought, minlength=n_cells)
    largest = np.zeros(n_cells)
    np.maximum.at(largest, cell, weight)
    lower, upper = poisson_interval(
        observed,
        variance=np.bincount(cell, bought * weight, minlength=n_cells),
        largest_weight=np.where(largest > 0, largest, 1.0),
        confidence=confidence,
    )
    return pd.DataFrame(
        {
            "group": group,
            "message": list(messages),
            "bin": list(bins),
            "rows": np.bincount(cell, minlength=n_cells),
            "expected": expected,
            "observed": observed,
            "ratio": np.divide(
                observed, expected, out=np.full(n_cells, np.nan), where=expected > 0
            ),
            "lower": lower,
            "upper": upper,
            "agrees": (expected >= lower) & (expected <= upper),
        }
    )
