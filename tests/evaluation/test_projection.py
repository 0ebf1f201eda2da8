import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import Estimate, paired_gain, percent_gain, project
from pentathlon.evaluation.policy_value import AIPW

VALUE = Estimate(0.60, 0.05, 1_000, 300.0)
GAIN = Estimate(0.10, 0.02, 1_000, 200.0)


def test_by_hand():
    result = project(VALUE, GAIN, 5_000_000)
    assert result.policy.value == pytest.approx(3_000_000.0)
    assert result.gain.value == pytest.approx(500_000.0)
    assert result.gain.standard_error == pytest.approx(100_000.0)
    assert result.baseline == pytest.approx(2_500_000.0)
    assert result.gain_percent == pytest.approx(20.0)
    assert result.gain_interval[0] == pytest.approx(500_000 - 1.959964 * 100_000, rel=1e-6)
    assert result.gain_percent_interval[1] == pytest.approx(20 + 1.959964 * 4, rel=1e-6)
    assert result.policy_interval == result.policy.interval()


@pytest.mark.parametrize("customers", [1, 180_000, 5_000_000])
def test_both_sides_use_the_same_scale(customers):
    result = project(VALUE, GAIN, customers)
    assert result.policy.value / VALUE.value == pytest.approx(customers, rel=1e-12)
    assert result.baseline / (VALUE.value - GAIN.value) == pytest.approx(customers, rel=1e-12)
    assert result.gain.value == pytest.approx(result.policy.value - result.baseline, rel=1e-9)
    assert result.gain_percent == pytest.approx(project(VALUE, GAIN, 1).gain_percent, rel=1e-12)


def test_the_per_cent_can_carry_the_noise_of_the_baseline(campaign):
    drawn = campaign(1_000)
    policy = drawn.expected_profit.argmax(axis=1)
    arguments = (drawn.outcomes, drawn.expected_profit)
    value, gain = AIPW().estimate(policy, *arguments), paired_gain(policy, 0, *arguments)
    percent = percent_gain(policy, 0, *arguments)
    result = project(value, gain, 1_000, percent=percent, confidence=0.9)
    assert result.gain_percent == pytest.approx(percent.value, rel=1e-9)
    assert result.gain_percent_interval == percent.interval(0.9)


def test_no_per_cent_of_nothing():
    result = project(GAIN, VALUE, 10)
    assert result.baseline < 0
    assert result.gain_percent is None
    assert result.gain_percent_interval is None


def test_refuses_no_customers_and_other_rows():
    with pytest.raises(EvaluationError, match=r"campaign.customers"):
        project(VALUE, GAIN, 0)
    with pytest.raises(EvaluationError, match="same rows"):
        project(VALUE, Estimate(0.1, 0.02, 999, 200.0), 10)
