import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import (
    AIPW,
    IPS,
    SNIPS,
    LoggedOutcomes,
    best_constant,
    constant_values,
    one_hot,
    paired_gain,
    percent_gain,
    smoothing_bias,
)
from pentathlon.evaluation.policy_value import expected_error

EXACT = {"rtol": 1e-12, "atol": 1e-12}
POLICY = np.array([0, 1, 0, 1])
PROBABILITIES = np.array([[0.5, 0.5], [0.2, 0.8], [1.0, 0.0], [0.25, 0.75]])


def close(first, second):
    np.testing.assert_allclose(first, second, **EXACT)


def standard_error(values):
    return np.std(values, ddof=1) / math.sqrt(len(values))


def test_ips_by_hand(four):
    # rows 0 and 1 got what the policy sends: ratios 2, 4, 0, 0
    estimate = IPS().estimate(POLICY, four)
    close(IPS().influence(POLICY, four), [4.0, 16.0, 0.0, 0.0])
    close(estimate.value, 5.0)
    close(estimate.standard_error, standard_error([4, 16, 0, 0]))
    close(estimate.effective_sample_size, 36 / 20)


def test_snips_by_hand(four):
    # V = 20 / 6, mean ratio 1.5
    value = 10 / 3
    linear = [value + 2 * (2 - value) / 1.5, value + 4 * (4 - value) / 1.5, value, value]
    estimate = SNIPS().estimate(POLICY, four)
    close(SNIPS().influence(POLICY, four), linear)
    close(estimate.value, value)
    close(estimate.standard_error, standard_error(linear))


def test_aipw_by_hand(four, four_predictions):
    scores = [1 + 2 * (2 - 1), 1 + 4 * (4 - 1), 0.5, 5.0]
    estimate = AIPW().estimate(POLICY, four, four_predictions)
    close(AIPW().influence(POLICY, four, four_predictions), scores)
    close(estimate.value, (3 + 13 + 0.5 + 5) / 4)
    close(estimate.standard_error, standard_error(scores))


def test_aipw_of_a_random_policy_by_hand(four, four_predictions):
    scores = [
        1.5 + 0.5 / 0.5 * (2 - 1),
        0.2 * 3 + 0.8 * 1 + 0.8 / 0.25 * (4 - 1),
        0.5 + 0.0,
        0.25 * 4 + 0.75 * 5 + 0.25 / 0.8 * (8 - 4),
    ]
    close(AIPW().influence(PROBABILITIES, four, four_predictions), scores)


def test_smoothed_aipw_by_hand(four, four_predictions):
    # Message 1 sold once, at 1 less than predicted and credited four times. Message 0 sold once
    # too (row 3, the other holds what costs leave), to a customer whom the policy sends nothing.
    scores = [1 + 2 * (1 - 1), 1 + 4 * (5 - 1) - 4, 0.5, 5.0]
    close(AIPW(smoothed=True).influence(POLICY, four, four_predictions), scores)
    assert AIPW(smoothed=True).name == "AIPW, smoothed"


def test_order_sizes_are_credited_by_message_by_hand():
    # Two orders of message 0, 1 and 5 above what was predicted; the policy sends it to the first
    # customer alone. R = 2 * 2 / (2 + 4), t = (1 + 5) / (2 + 4).
    outcomes = LoggedOutcomes(
        message=np.array([0, 0, 0, 1]),
        propensity=np.full(4, 0.5),
        profit=np.array([3.0, 9.0, 0.0, 0.0]),
        smoothed_profit=np.array([2.0, 4.0, 0.0, 0.0]),
    )
    found = AIPW(smoothed=True).influence(np.array([0, 1, 1, 0]), outcomes, np.zeros((4, 2)))
    credit = [2 / 3 * 1 + (2 - 2 / 3) * 2, 2 / 3 * 5 + (0 - 2 / 3) * 4, 0.0, 0.0]
    close(found, np.array([2 * 2.0, 0, 0, 0]) + credit)
    # Nothing is lost: the orders' excess of 6 counts with the message's mean ratio.
    close(sum(credit), 2 / 3 * 6)


def test_a_constant_is_worth_the_same_with_and_without_smoothing(campaign):
    drawn = campaign(400)
    outcomes = replace(drawn.outcomes, propensity=np.full(400, 1 / 3))
    for message in range(3):
        plain = AIPW().estimate(message, outcomes, drawn.expected_profit)
        smoothed = AIPW(smoothed=True).estimate(message, outcomes, drawn.expected_profit)
        close(smoothed.value, plain.value)
        close(smoothed.standard_error, plain.standard_error)


def test_snips_under_weights_by_hand(four):
    weight = np.array([1.0, 2.0, 3.0, 4.0])
    outcomes = replace(four, sampling_weight=weight)
    policy = np.array([0, 1, 1, 0])  # agrees with what was sent everywhere
    ratio = 1 / four.propensity
    value = (weight * ratio * four.profit).sum() / (weight * ratio).sum()
    influence = value + ratio * (four.profit - value) / np.average(ratio, weights=weight)
    close(SNIPS().influence(policy, outcomes), influence)
    found = SNIPS().estimate(policy, outcomes)
    close(found.value, value)
    both = ratio * weight
    close(found.effective_sample_size, both.sum() ** 2 / (both**2).sum())


def test_both_policies_of_a_gain_must_fit_the_predictions(four, four_predictions):
    for pair in ((np.array([0, 1, 2, 0]), POLICY), (POLICY, np.array([0, 1, 2, 0]))):
        with pytest.raises(EvaluationError, match="2"):
            paired_gain(*pair, four, four_predictions)


@pytest.mark.parametrize("estimator", [IPS(), SNIPS(), AIPW()])
def test_rows_on_which_policies_agree_add_nothing_to_the_size_of_a_gain(
    four, four_predictions, estimator
):
    baseline = np.array([0, 1, 1, 1])  # apart from POLICY in the third row alone
    gain = paired_gain(POLICY, baseline, four, four_predictions, estimator)
    assert gain.effective_sample_size == pytest.approx(1.0)


def test_smoothing_bias_by_hand(four, four_predictions):
    result = smoothing_bias(POLICY, four, four_predictions)
    difference = [2 * (1 - 2), 0.0, 0.0, 0.0]
    close(result.difference.value, -0.5)
    close(result.difference.standard_error, standard_error(difference))
    close(result.smoothed.value - result.plain.value, -0.5)
    close(result.p_value, 2 * stats.norm.sf(0.5 / standard_error(difference)))
    with pytest.raises(EvaluationError, match="smoothed_profit"):
        smoothing_bias(POLICY, replace(four, smoothed_profit=None), four_predictions)


@pytest.mark.parametrize("estimator", [IPS(), SNIPS(), AIPW()])
def test_codes_one_hot_and_constants_agree(four, four_predictions, estimator):
    codes = estimator.estimate(POLICY, four, four_predictions)
    matrix = estimator.estimate(one_hot(POLICY, 2), four, four_predictions)
    close([codes.value, codes.standard_error], [matrix.value, matrix.standard_error])
    everyone = estimator.estimate(1, four, four_predictions)
    ones = estimator.estimate(np.ones(4, dtype=np.int8), four, four_predictions)
    assert everyone == ones


def test_sampling_weights_by_hand(four, four_predictions):
    weight = np.array([0.5, 0.5, 2.0, 1.0])
    weighted = replace(four, sampling_weight=weight)
    scores = np.array([3.0, 13.0, 0.5, 5.0])
    value = (weight * scores).sum() / 4
    estimate = AIPW().estimate(POLICY, weighted, four_predictions)
    close(estimate.value, value)
    residual = weight * (scores - value)
    close(estimate.standard_error, math.sqrt((residual**2).sum() / 16 * 4 / 3))
    # ratios 2, 4, 0, 0 times weights: 1, 2
    close(estimate.effective_sample_size, 9 / 5)
    close(SNIPS().estimate(POLICY, weighted).value, (0.5 * 4 + 0.5 * 16) / (0.5 * 2 + 0.5 * 4))


def test_customers_with_several_emails_by_hand(four, four_predictions):
    clustered = replace(four, cluster=np.array([1, 1, 0, 2]))
    estimate = AIPW().estimate(POLICY, clustered, four_predictions)
    residual = np.array([3.0, 13.0, 0.5, 5.0]) - 5.375
    sums = [residual[0] + residual[1], residual[2], residual[3]]
    close(estimate.standard_error, math.sqrt(np.square(sums).sum() / 16 * 3 / 2))


def test_doubling_every_row_within_its_customer_changes_nothing(four, four_predictions):
    twice = np.repeat(np.arange(4), 2)
    doubled = replace(four.take(twice), cluster=twice)
    first = AIPW().estimate(POLICY, four, four_predictions)
    second = AIPW().estimate(POLICY[twice], doubled, four_predictions[twice])
    close([first.value, first.standard_error], [second.value, second.standard_error])


def test_paired_gain_by_hand(four, four_predictions):
    gain = paired_gain(POLICY, 0, four, four_predictions)
    # the policies differ on rows 1 and 3 only
    apart = [0.0, 13.0 - 3.0, 0.0, 5.0 - (4 + (8 - 4) / 0.8)]
    close(gain.value, sum(apart) / 4)
    close(gain.standard_error, standard_error(apart))
    # ratios that tell them apart: 4 on row 1, 1.25 on row 3
    close(gain.effective_sample_size, 5.25**2 / (16 + 1.25**2))


def test_paired_gain_by_ips_and_snips_by_hand(four):
    gain = paired_gain(POLICY, 0, four, estimator=IPS())
    close(gain.value, (16 - 10) / 4)
    close(gain.standard_error, standard_error([0, 16, 0, -10]))
    gain = paired_gain(POLICY, 0, four, estimator=SNIPS())
    base = (2 * 2 + 1.25 * 8) / 3.25
    close(gain.value, 10 / 3 - base)
    linear = SNIPS().influence(POLICY, four) - SNIPS().influence(0, four)
    close(gain.standard_error, standard_error(linear))


@pytest.mark.parametrize("estimator", [IPS(), AIPW()])
def test_rows_on_which_the_policies_agree_are_exact_zeros(campaign, estimator):
    drawn = campaign(500)
    rng = np.random.default_rng(2)
    first = rng.dirichlet(np.ones(3), 500)
    second = first.copy()
    apart = rng.random(500) < 0.1
    second[apart] = rng.dirichlet(np.ones(3), apart.sum())
    terms = estimator.terms(first, second, drawn.outcomes, drawn.expected_profit)
    assert (terms[1][~apart] == 0).all()
    assert (terms[1][apart] != 0).any()


def test_codes_against_a_matrix_are_exact_zeros_where_they_agree(campaign):
    drawn = campaign(300)
    codes = np.arange(300) % 3
    matrix = one_hot(codes, 3)
    gain = paired_gain(codes, matrix, drawn.outcomes, drawn.expected_profit)
    assert (gain.value, gain.standard_error, gain.effective_sample_size) == (0.0, 0.0, 0.0)


def test_percent_gain_is_the_ratio_with_its_delta_method_error(four, four_predictions):
    result = percent_gain(POLICY, 0, four, four_predictions)
    baseline = AIPW().influence(0, four, four_predictions)
    difference = AIPW().influence(POLICY, four, four_predictions) - baseline
    ratio = difference.mean() / baseline.mean()
    close(result.value, 100 * ratio)
    close(
        result.standard_error,
        100 * standard_error((difference - ratio * baseline) / baseline.mean()),
    )
    losing = replace(four, profit=four.profit - 50)
    with pytest.raises(EvaluationError, match="positive"):
        percent_gain(POLICY, 0, losing, four_predictions)


def test_constant_values(four, four_predictions):
    table = constant_values(four, four_predictions, ["control", "shoes"], confidence=0.9)
    assert table["estimator"].tolist() == ["IPS", "SNIPS", "AIPW"] * 2
    assert table["sent"].tolist() == [2] * 6
    row = table.iloc[3]
    assert row["message"] == "shoes"
    close(row["value"], (4 * 4 + 2 * -1) / 4)
    expected = IPS().estimate(1, four)
    close(row["lower"], expected.interval(0.9)[0])
    with pytest.raises(EvaluationError, match="names"):
        constant_values(four, four_predictions, ["control"])


def test_a_message_that_was_never_sent_cannot_be_valued(four):
    predictions = np.full((4, 3), 1e9)
    with pytest.raises(EvaluationError, match=r"\['c'\] were never sent"):
        constant_values(four, predictions, ["a", "b", "c"])
    for estimator in (IPS(), SNIPS(), AIPW()):
        with pytest.raises(EvaluationError, match="None of the 4 rows"):
            estimator.estimate(2, four, predictions)
    assert best_constant(four, predictions) != 2


@pytest.mark.parametrize("weighted", [False, True])
def test_best_constant_is_the_best_of_the_table(campaign, weighted):
    drawn = campaign(800)
    weight = np.random.default_rng(0).gamma(2, 0.5, 800) if weighted else None
    outcomes = replace(drawn.outcomes, sampling_weight=weight)
    values = [AIPW().estimate(k, outcomes, drawn.expected_profit).value for k in range(3)]
    assert best_constant(outcomes, drawn.expected_profit) == int(np.argmax(values))


def test_float32_predictions_lose_little(campaign):
    drawn = campaign(500)
    exact = AIPW().estimate(1, drawn.outcomes, drawn.expected_profit)
    short = AIPW().estimate(1, drawn.outcomes, drawn.expected_profit.astype(np.float32))
    assert short.value == pytest.approx(exact.value, rel=1e-6)


def test_aipw_is_exact_without_noise_when_the_predictions_are():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=(200, 3))
    message = rng.integers(0, 3, 200)
    outcomes = LoggedOutcomes(message, np.full(200, 1 / 3), truth[np.arange(200), message])
    policy = rng.dirichlet(np.ones(3), 200)
    close(AIPW().influence(policy, outcomes, truth), (policy * truth).sum(axis=1))


def few_who_differ(seed: int, n: int = 4_000) -> tuple[Any, ...]:
    """Seven messages at random that do nothing; a policy that differs for four customers."""
    rng = np.random.default_rng(seed)
    order = rng.random(n) < 0.02
    outcomes = LoggedOutcomes(
        message=rng.integers(0, 7, n),
        propensity=np.full(n, 1 / 7),
        profit=np.where(order, rng.gamma(1.0, 20.0, n), 0.0),
    )
    policy = np.zeros(n, dtype=np.int64)
    policy[:4] = 1
    expected = np.full((n, 7), 0.4)
    expected[:4, 1] = 0.8  # a model that is wrong about these four
    return policy, outcomes, expected


def test_few_without_orders_do_not_make_a_gain_certain() -> None:
    values, errors, covered = [], [], []
    for seed in range(2_000):
        policy, outcomes, expected = few_who_differ(seed)
        gain = paired_gain(policy, 0, outcomes, expected)
        told = AIPW().contrast(policy, 0, outcomes, expected)
        assert gain.value == told.value
        values.append(gain.value)
        errors.append(gain.standard_error)
        covered.append([abs(e.value) <= 1.96 * e.standard_error for e in (gain, told)])
    with_floor, without = np.mean(covered, axis=0)
    assert without < 0.85  # what a normal interval made of their spread alone covers
    assert with_floor >= 0.95
    assert np.mean(errors) < 1.5 * np.std(values)  # and it is no wider than it has to be


def test_the_expected_error_by_hand() -> None:
    outcomes = LoggedOutcomes(
        message=np.array([0, 1, 0, 1]),
        propensity=np.full(4, 0.5),
        profit=np.array([10.0, 0.0, 0.0, 30.0]),
        sampling_weight=np.array([1.0, 2.0, 1.0, 1.0]),
    )
    expected = np.array([[1.0, 3.0], [2.0, -1.0], [0.5, 0.5], [1.0, 1.0]])
    # Rows 0 and 1 differ. Orders: (10^2 + 30^2) / (10 + 30) = 25; shares sent: 2/5 and 3/5.
    first = 1.0 / 0.4 + 3.0 / 0.6
    second = 2.0**2 * (2.0 / 0.4 + 0.0)
    error = expected_error(np.array([1, 1, 0, 0]), 0, outcomes, expected)
    assert error == pytest.approx(np.sqrt(25 * (first + second)) / 5, rel=1e-12)
    probabilities = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    assert expected_error(probabilities, 0, outcomes, expected) == pytest.approx(error, rel=1e-12)


def test_many_orders_speak_for_themselves() -> None:
    policy, outcomes, expected = few_who_differ(1, 20_000)
    differ = np.arange(len(policy)) % 2  # half of the customers, some sixty orders among them
    gain = paired_gain(differ, 0, outcomes, expected)
    assert expected_error(differ, 0, outcomes, expected) is None
    assert gain == AIPW().contrast(differ, 0, outcomes, expected)
