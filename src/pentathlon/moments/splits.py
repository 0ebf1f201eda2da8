"""Divisions in time: train on the past, judge on the more recent, with a gap between them.

An assignment's outcome is known only when its window is over. A row trains a model that judges
from a moment on if its outcome was known at that moment; rows in between do neither.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import DataError


@dataclass(frozen=True)
class TimeFold:
    """One division in time.

    Attributes
    ----------
    start : int
        Moment, in the unit of the moments, from which rows judge.
    train, test : ndarray of int64
        Positions of rows. Where the fold is one of several, rows from the next one's start on
        are in neither.
    """

    start: int
    train: NDArray[np.int64]
    test: NDArray[np.int64]


def judging_start(moments: NDArray[np.int64], test_share: float, horizon: int) -> int:
    """Moment from which the most recent share of rows judges.

    Parameters
    ----------
    moments : ndarray of int64, shape (n,)
        Times of assignment.
    test_share : float
        In (0, 1). Rows of one time stay together, so the share is met from above.
    horizon : int
        Time after which an outcome is known, in the unit of the moments.

    Returns
    -------
    int

    Raises
    ------
    DataError
        When no row's outcome was known at that moment.
    """
    if not len(moments):
        raise DataError("There is no observation to divide into training and test rows.")
    ordered = np.sort(moments)
    first = min(int(len(ordered) * (1 - test_share) + 1e-9), len(ordered) - 1)
    start = int(ordered[first])
    if ordered[0] + horizon > start:
        raise DataError(
            f"No observation's outcome is known when the most recent {test_share:.0%} of them "
            "begin: the log is shorter than that share and the outcome window. Bring a longer "
            "log, shorten moments.outcome, or set moments.division.scheme to none."
        )
    return start


def rolling_origin(moments: NDArray[np.int64], n_folds: int, horizon: int) -> list[TimeFold]:
    """Divide at several moments, each judging the stretch after it by all that came before.

    Rolling-origin evaluation (Tashman, 2000, Out-of-sample tests of forecasting accuracy): the
    rows are cut by time into ``n_folds + 1`` stretches of about the same number of rows; fold
    ``k`` judges stretch ``k + 1`` and trains on all rows whose outcome was known at its start.
    Where a log is short or consists of a few busy days, a start is put off until the outcomes of
    half a stretch's rows are known.

    Parameters
    ----------
    moments : ndarray of int64, shape (n,)
    n_folds : int
        1 or more.
    horizon : int
        Time after which an outcome is known, in the unit of the moments.

    Returns
    -------
    list of TimeFold
        No row judges twice, and none judges a model that was fitted after it.

    Raises
    ------
    DataError
        When a fold would have no training or no test rows.
    """
    ordered = np.sort(moments)
    at = [len(ordered) * k // (n_folds + 1) for k in range(1, n_folds + 1)]
    starts: list[int] = []
    if len(ordered):
        earliest = ordered[max(len(ordered) // (2 * (n_folds + 1)), 1) - 1] + horizon
        later = [np.searchsorted(ordered, max(ordered[i], earliest)) for i in at]
        starts = sorted({int(ordered[i]) for i in later if i < len(ordered)})
    folds = []
    for k, start in enumerate(starts):
        until = starts[k + 1] if k + 1 < len(starts) else np.iinfo(np.int64).max
        train = np.flatnonzero(moments + horizon <= start)
        test = np.flatnonzero((moments >= start) & (moments < until))
        if not len(train) or not len(test):
            break
        folds.append(TimeFold(start, train, test))
    if len(folds) < n_folds or not folds:
        raise DataError(
            f"{len(moments)} observations cannot be divided {n_folds} times with a gap of the "
            "outcome window. Take fewer folds, or bring a longer log."
        )
    return folds


def fold_numbers(folds: list[TimeFold], n: int) -> NDArray[np.int8]:
    """Fold in which each row judges, as ``observations`` number them.

    Parameters
    ----------
    folds : list of TimeFold
    n : int
        Number of rows.

    Returns
    -------
    ndarray of int8, shape (n,)
        -1 for rows of the first stretch, which judge nothing.
    """
    number = np.full(n, -1, dtype=np.int8)
    for k, fold in enumerate(folds):
        number[fold.test] = k
    return number
