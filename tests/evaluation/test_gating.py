import math

import numpy as np
import pytest
from scipy import stats

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import (
    AIPW,
    IPS,
    SNIPS,
    Estimate,
    LoggedOutcomes,
    agreement,
    emails_to_settle,
    gate,
    paired_gain,
)

EXACT = {"rel": 1e-12, "abs": 1e-12}
POLICY = np.array([0, 1, 0, 1])


def test_gate_by_hand(four, four_predictions):
    result = gate(POLICY, four, four_predictions, minimum_effective_size=0.0)
    # constants: 0 scores 3, 3, 0.5, 9 and 1 scores 2, 13, -2, 5
    assert result.best_constant == 1
    # the policy differs from message 1 on rows 0 and 2: 3 - 2 and 0.5 + 2
    apart = np.array([1.0, 0.0, 2.5, 0.0])
    error = apart.std(ddof=1) / 2
    assert result.gain.value == pytest.approx(3.5 / 4, **EXACT)
    assert result.gain.standard_error == pytest.approx(error, **EXACT)
    assert result.lower_bound == pytest.approx(3.5 / 4 - stats.norm.ppf(0.95) * error, **EXACT)
    assert not result.ships
    reach = stats.norm.ppf(0.95) + stats.norm.ppf(0.8)
    assert result.emails_to_settle == math.ceil(reach**2 * apart.var(ddof=1) / (3.5 / 4) ** 2)
    assert "not above 0" in result.reason


def test_gate_ships_at_a_lower_confidence(four, four_predictions):
    result = gate(POLICY, four, four_predictions, confidence=0.8, minimum_effective_size=0.0)
    assert result.ships
    assert result.lower_bound > 0
    assert "above 0" in result.reason


def test_gate_takes_the_constant_as_given(four, four_predictions):
    result = gate(POLICY, four, four_predictions, best_constant=0, minimum_effective_size=0.0)
    expected = paired_gain(POLICY, 0, four, four_predictions)
    assert (result.best_constant, result.gain) == (0, expected)


def test_gate_refuses_a_handful_of_rows(four, four_predictions):
    result = gate(POLICY, four, four_predictions, confidence=0.8)
    assert not result.ships
    assert result.lower_bound > 0
    assert "effective rows" in result.reason


def test_gate_does_not_ship_the_constant_itself(four, four_predictions):
    result = gate(np.ones(4, dtype=int), four, four_predictions, minimum_effective_size=0.0)
    assert not result.ships
    assert (result.gain.value, result.lower_bound, result.emails_to_settle) == (0.0, 0.0, None)
    assert "exactly the best constant" in result.reason


def test_emails_to_settle_by_hand():
    gain = Estimate(0.1, 0.2, 1_000, 500.0)
    reach = stats.norm.ppf(0.975) + stats.norm.ppf(0.9)
    assert emails_to_settle(gain, confidence=0.975, power=0.9) == math.ceil(
        reach**2 * 0.04 * 1_000 / 0.01
    )
    assert emails_to_settle(gain, hypothesised_gain=0.2) * 4 == pytest.approx(
        emails_to_settle(gain), abs=4
    )


def test_spend_as_noisy_as_in_a_real_experiment_needs_this_many():
    # two arms of n, spend with sd 15: the difference of 0.10 has variance 2 * 15^2 / n
    gain = Estimate(0.10, math.sqrt(2 * 15.0**2 / 10_000), 20_000, 20_000.0)
    assert emails_to_settle(gain, confidence=0.975) == pytest.approx(2 * 353_000, rel=0.01)


@pytest.mark.parametrize("value", [0.0, -0.1])
def test_nothing_settles_a_gain_that_is_not_there(value):
    assert emails_to_settle(Estimate(value, 0.2, 1_000, 500.0)) is None


def test_refuses_levels_that_are_not_probabilities(four, four_predictions):
    with pytest.raises(EvaluationError, match="confidence"):
        gate(POLICY, four, four_predictions, confidence=95)
    with pytest.raises(EvaluationError, match="power"):
        gate(POLICY, four, four_predictions, power=1.0)
    with pytest.raises(EvaluationError, match="hypothesised_gain"):
        gate(POLICY, four, four_predictions, hypothesised_gain=math.nan)


def test_agreement_by_hand(four, four_predictions):
    result = agreement(POLICY, four, four_predictions)
    assert list(result.estimates) == ["IPS", "SNIPS", "AIPW"]
    pairs = [(c.first, c.second) for c in result.comparisons]
    assert pairs == [("IPS", "SNIPS"), ("IPS", "AIPW"), ("SNIPS", "AIPW")]
    apart = np.array([4.0 - 3.0, 16.0 - 13.0, 0.0 - 0.5, 0.0 - 5.0])
    difference = result.comparisons[1].difference
    assert difference.value == pytest.approx(apart.mean(), **EXACT)
    assert difference.standard_error == pytest.approx(apart.std(ddof=1) / 2, **EXACT)
    assert result.agrees
    assert result.alarms == ()


def test_alarm_uses_the_standard_error_of_the_difference():
    # a noisy profit that all estimators share, and predictions that are far too high for the
    # policy's message: the values differ by far less than their own standard errors
    rng = np.random.default_rng(0)
    n = 4_000
    message = rng.integers(0, 2, n)
    outcomes = LoggedOutcomes(message, np.where(message == 1, 0.4, 0.6), rng.normal(5, 100, n))
    mu = np.tile([5.0, 45.0], (n, 1))
    result = agreement(1, outcomes, mu)
    named = {(c.first, c.second) for c in result.alarms}
    assert ("IPS", "AIPW") in named
    alarm = result.alarms[0]
    assert abs(alarm.difference.value) < 3 * result.estimates["AIPW"].standard_error * 2
    assert alarm.first in str(alarm)
    assert "standard errors" in str(alarm)


def test_identical_estimators_never_alarm():
    # everyone was sent the message for sure: three times the plain mean
    outcomes = LoggedOutcomes(np.zeros(5, dtype=int), np.ones(5), np.array([1.0, 2, 3, 4, 1e6]))
    result = agreement(0, outcomes, np.full((5, 2), 0.1))
    assert result.agrees
    assert len({e.value for e in result.estimates.values()}) <= 3


def test_agreement_of_the_gain(four, four_predictions):
    result = agreement(
        POLICY, four, four_predictions, baseline=1, estimators=(IPS(), AIPW()), threshold=0.0
    )
    ips = paired_gain(POLICY, 1, four, estimator=IPS())
    aipw = paired_gain(POLICY, 1, four, four_predictions)
    assert result.estimates == {"IPS": ips, "AIPW": aipw}
    (comparison,) = result.comparisons
    assert comparison.difference.value == pytest.approx(ips.value - aipw.value, **EXACT)
    assert comparison.alarm


def test_agreement_without_predictions(four):
    result = agreement(POLICY, four, estimators=(IPS(), SNIPS()))
    assert set(result.estimates) == {"IPS", "SNIPS"}
