"""Divisions in time never let a row judge what was fitted after it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentathlon.errors import DataError
from pentathlon.moments.splits import fold_numbers, judging_start, rolling_origin


def test_the_most_recent_share_judges():
    moments = np.arange(100)[::-1].copy()
    assert judging_start(moments, 0.3, horizon=5) == 70
    assert judging_start(np.r_[np.zeros(50, int), np.full(50, 90)], 0.3, horizon=5) == 90


def test_a_log_shorter_than_its_window_is_refused():
    with pytest.raises(DataError, match="longer log"):
        judging_start(np.arange(10), 0.3, horizon=8)
    with pytest.raises(DataError, match="There is no observation"):
        judging_start(np.array([], dtype=int), 0.3, horizon=8)


@given(
    moments=st.lists(st.integers(0, 1_000), min_size=40, max_size=120),
    n_folds=st.integers(1, 4),
    horizon=st.integers(0, 60),
)
def test_training_outcomes_are_known_before_any_row_judges(moments, n_folds, horizon):
    times = np.array(moments)
    try:
        folds = rolling_origin(times, n_folds, horizon)
    except DataError:
        return
    assert len(folds) == n_folds
    judged = np.concatenate([fold.test for fold in folds])
    assert len(np.unique(judged)) == len(judged)
    for fold in folds:
        assert (times[fold.train] + horizon <= fold.start).all()
        assert (times[fold.test] >= fold.start).all()
        assert len(fold.train) > 0
        assert len(fold.test) > 0
    number = fold_numbers(folds, len(times))
    assert ((number >= 0) == np.isin(np.arange(len(times)), judged)).all()


def test_rolling_folds_of_evenly_spaced_rows():
    folds = rolling_origin(np.arange(40), 3, horizon=2)
    assert [fold.start for fold in folds] == [10, 20, 30]
    assert [len(fold.train) for fold in folds] == [9, 19, 29]
    assert [len(fold.test) for fold in folds] == [10, 10, 10]


def test_too_many_folds_for_the_log_are_refused():
    with pytest.raises(DataError, match="fewer folds"):
        rolling_origin(np.zeros(30, dtype=int), 3, horizon=1)


def test_rolling_over_campaign_days_waits_until_outcomes_are_known():
    moments = np.repeat([0, 45, 90], 100).astype(np.int64)
    first, second = rolling_origin(moments, 2, 20)
    assert (first.start, second.start) == (45, 90)
    assert (len(first.train), len(first.test)) == (100, 100)
    assert (len(second.train), len(second.test)) == (200, 100)
    with pytest.raises(DataError, match="cannot be divided 3 times"):
        rolling_origin(moments, 3, 20)


def test_rolling_over_a_short_log_waits_until_outcomes_are_known():
    folds = rolling_origin(np.arange(100, dtype=np.int64), 3, 28)
    assert [fold.start for fold in folds] == [39, 50, 75]
    assert [len(fold.train) for fold in folds] == [12, 23, 48]
