from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentathlon.models.metrics import log_loss
from pentathlon.models.sampling import case_control_sample, shift_prior
from pentathlon.special import expit, logit


def outcomes(buyers: int, others: int) -> np.ndarray:
    return (
        np.random.default_rng(0).permutation(np.r_[np.ones(buyers), np.zeros(others)]).astype(int)
    )


def test_the_populations_odds_come_back_exactly() -> None:
    y = outcomes(20, 980)
    sample = case_control_sample(y, np.ones(1_000), 4.0, seed=1)
    kept = y[sample.rows]
    assert (kept.sum(), len(kept)) == (20, 100)
    assert sample.logit_offset == pytest.approx(np.log(80 / 980))
    corrected = shift_prior(np.array([kept.mean()]), sample.logit_offset)
    assert corrected[0] == pytest.approx(0.02, rel=1e-6)


def test_a_file_that_over_represents_buyers_gives_the_populations_odds_too() -> None:
    y = outcomes(100, 100)
    weight = np.where(y == 1, 0.2, 1.8)
    sample = case_control_sample(y, weight, 0.5, seed=1)
    kept = y[sample.rows]
    assert (kept.sum(), len(kept)) == (100, 150)
    corrected = shift_prior(np.array([kept.mean()]), sample.logit_offset)
    assert corrected[0] == pytest.approx(0.1, rel=1e-6)


@given(
    buyers=st.integers(1, 50),
    others=st.integers(1, 200),
    ratio=st.none() | st.floats(0.05, 20),
    weights=st.tuples(st.floats(0.01, 10), st.floats(0.01, 10)),
)
def test_odds_come_back_whatever_is_sampled(
    buyers: int, others: int, ratio: float | None, weights: tuple[float, float]
) -> None:
    y = outcomes(buyers, others)
    sample = case_control_sample(y, np.where(y == 1, *weights), ratio, seed=2)
    kept = y[sample.rows]
    odds = kept.sum() / (len(kept) - kept.sum())
    assert np.log(odds) + sample.logit_offset == pytest.approx(
        np.log(buyers * weights[0] / (others * weights[1]))
    )
    assert kept.sum() == buyers
    assert (np.diff(sample.rows) > 0).all()


def test_nothing_is_dropped_unless_asked_or_needed() -> None:
    y = outcomes(10, 30)
    for ratio in (None, 3.0, 99.0):
        sample = case_control_sample(y, np.ones(40), ratio, seed=1)
        assert (len(sample.rows), sample.logit_offset) == (40, 0.0)


def test_one_non_buyer_is_kept_however_few_are_wanted() -> None:
    y = outcomes(10, 30)
    sample = case_control_sample(y, np.ones(40), 0.01, seed=1)
    assert (len(sample.rows), y[sample.rows].sum()) == (11, 10)
    assert sample.logit_offset == pytest.approx(np.log(1 / 30))


def test_a_shifted_probability_starts_from_the_floor_that_is_asked_for() -> None:
    assert shift_prior(np.array([0.0]), 0.0, floor=1e-3)[0] == pytest.approx(1e-3)
    assert shift_prior(np.array([0.0]), 0.0)[0] == pytest.approx(1e-7)


def test_the_seed_decides_which_rows_are_kept() -> None:
    y = outcomes(10, 500)
    first, again, other = (
        case_control_sample(y, np.ones(510), 5.0, seed).rows.tolist() for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("response", [np.ones(5, int), np.zeros(5, int)])
def test_one_outcome_alone_is_refused(response: np.ndarray) -> None:
    with pytest.raises(ValueError, match="both buyers and non-buyers"):
        case_control_sample(response, np.ones(5), 1.0, seed=1)


@given(st.floats(1e-6, 1 - 1e-6))
def test_logit_and_expit_are_inverse(p: float) -> None:
    assert expit(logit(np.array([p])))[0] == pytest.approx(p, rel=1e-9)


def test_extreme_log_odds_neither_overflow_nor_leave_the_unit_interval() -> None:
    with np.errstate(all="raise"):
        assert expit(np.array([-700.0, 0.0, 700.0])).tolist() == [
            pytest.approx(0, abs=1e-300),
            0.5,
            1.0,
        ]
    assert logit(np.array([0.0]), floor=1e-4)[0] == pytest.approx(np.log(1e-4 / (1 - 1e-4)))


@given(
    p=st.lists(st.floats(0, 1), min_size=2, max_size=20),
    offset=st.floats(-20, 20),
)
def test_a_shifted_prior_keeps_ranks_and_stays_a_probability(p: list[float], offset: float) -> None:
    shifted = shift_prior(np.sort(np.array(p)), offset)
    assert shifted.dtype == np.float32
    assert ((shifted >= 0) & (shifted <= 1)).all()
    assert (np.diff(shifted) >= 0).all()


def test_log_loss_by_hand() -> None:
    y, p = np.array([1, 0]), np.array([0.8, 0.4])
    assert log_loss(y, p) == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)
    assert log_loss(y, p, np.array([3.0, 1.0])) == pytest.approx(
        -(3 * np.log(0.8) + np.log(0.6)) / 4
    )


def test_certainty_that_is_wrong_costs_much_but_not_infinitely() -> None:
    assert log_loss(np.array([1]), np.array([0.0])) == pytest.approx(-np.log(1e-12))
    assert log_loss(np.array([0]), np.array([0.0])) == pytest.approx(0, abs=1e-11)
