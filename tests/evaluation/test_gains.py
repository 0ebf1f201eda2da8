import numpy as np
import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import gains_table, score_bins, wilson_interval


def test_bins_of_distinct_scores_are_equal():
    score = np.random.default_rng(0).permutation(100) / 100
    bins = score_bins(score, 10)
    assert (np.bincount(bins) == 10).all()
    assert bins[np.argmax(score)] == 0
    assert bins[np.argmin(score)] == 9
    assert (bins == 9 - (score * 10 + 1e-9).astype(int)).all()


def test_ties_share_a_bin_whatever_the_order():
    score = np.array([0.5] * 6 + [0.1, 0.9])
    rows = np.random.default_rng(0).permutation(8)
    bins = score_bins(score, 4)
    assert bins.tolist() == [2, 2, 2, 2, 2, 2, 3, 0]
    assert (score_bins(score[rows], 4) == bins[rows]).all()


def test_weighted_bins():
    bins = score_bins(np.array([0.4, 0.3, 0.2, 0.1]), 2, np.array([1.0, 1, 1, 3]))
    assert bins.tolist() == [0, 0, 0, 1]


def test_a_count_is_no_share():
    with pytest.raises(EvaluationError, match="shares must lie between 0 and 1"):
        wilson_interval(np.array([12]), np.array([100.0]))
    # A sum of weights may end a rounding error above 1.
    _, upper = wilson_interval(np.array([1 + 1e-12]), np.array([100.0]))
    assert upper == 1


def test_wilson_interval():
    # Agresti, Coull (1998): 0 of 10 gives 0 to 0.2775; 5 of 10 gives 0.2366 to 0.7634
    lower, upper = wilson_interval(np.array([0.0, 0.5, 1.0]), np.array([10.0, 10, 10]))
    np.testing.assert_allclose(lower, [0, 0.2366, 0.7225], atol=1e-4)
    np.testing.assert_allclose(upper, [0.2775, 0.7634, 1], atol=1e-4)


def test_gains_by_hand():
    y = np.array([1, 1, 1, 0, 0, 1, 0, 0])
    score = np.linspace(0.8, 0.1, 8)
    table = gains_table(y, score, bins=4)
    assert table["bin"].tolist() == [1, 2, 3, 4]
    np.testing.assert_allclose(table["responses"], [2, 1, 1, 0])
    np.testing.assert_allclose(table["response_rate"], [1, 0.5, 0.5, 0])
    np.testing.assert_allclose(table["lift"], [2, 1, 1, 0])
    np.testing.assert_allclose(table["gains"], [0.5, 0.75, 1, 1])
    np.testing.assert_allclose(table["depth"], [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(table["cumulative_lift"], [2, 1.5, 4 / 3, 1])
    # gains rest on four responses, rates on two rows
    low, high = wilson_interval(np.array([0.5]), np.array([4.0]))
    assert table["gains_lower"][0] == pytest.approx(low[0])
    assert table["lift_upper"][0] == pytest.approx(high[0] * 4)
    low, high = wilson_interval(np.array([0.5]), np.array([2.0]))
    assert table["response_rate_lower"][1] == pytest.approx(low[0])


def test_weights_restore_the_natural_rate():
    # all buyers and every second of the others, each standing for two
    y = np.array([1, 0, 1, 0])
    table = gains_table(y, np.array([0.4, 0.3, 0.2, 0.1]), bins=1, sampling_weight=[1, 2, 1, 2])
    assert table["response_rate"][0] == pytest.approx(2 / 6)
    assert table["rows"][0] == 4
    assert table["weight"][0] == 6


def test_a_constant_score_has_no_lift_and_empty_bins():
    table = gains_table(np.array([0, 1, 0, 0]), np.full(4, 0.3), bins=3)
    assert table["rows"].tolist() == [0, 4, 0]
    assert table["lift"][1] == pytest.approx(1.0)
    assert (
        table.loc[[0, 2], ["response_rate", "lift", "lift_lower", "response_rate_upper"]]
        .isna()
        .all(axis=None)
    )


def test_refuses_no_response_and_no_bins():
    with pytest.raises(EvaluationError, match="at least one response"):
        gains_table(np.zeros(3), np.full(3, 0.1))
    with pytest.raises(EvaluationError, match="bins"):
        score_bins(np.ones(3), 0)
