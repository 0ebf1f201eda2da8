import numpy as np
import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import Estimate, covered, true_value

TRUTH = np.array([[1.0, 2.0], [4.0, 1.0], [2.0, 3.0]])


def test_by_hand():
    result = true_value(np.array([1, 0, 0]), TRUTH)
    assert result.value == pytest.approx(8 / 3)
    assert (result.best_constant, result.best_constant_value) == (0, pytest.approx(7 / 3))
    assert result.best_possible == pytest.approx(3.0)
    assert result.regret == pytest.approx(1 / 3)
    assert result.gain == pytest.approx(1 / 3)
    assert result.attainable_gain == pytest.approx(2 / 3)
    assert result.share_of_attainable == pytest.approx(0.5)


def test_weights_and_random_policies():
    weight = np.array([1.0, 0.0, 1.0])
    result = true_value(np.full((3, 2), 0.5), TRUTH, weight)
    assert result.value == pytest.approx((1.5 + 2.5) / 2)
    assert result.best_constant == 1
    assert result.share_of_attainable is None


def test_the_best_constant_captures_nothing_and_a_worse_policy_less():
    assert true_value(0, TRUTH).share_of_attainable == pytest.approx(0.0)
    assert true_value(1, TRUTH).share_of_attainable < 0


def test_covered():
    estimate = Estimate(1.0, 0.1, 10, 10.0)
    assert covered(estimate, 1.19)
    assert not covered(estimate, 1.2)
    assert not covered(estimate, 1.19, confidence=0.9)


def test_refuses_what_is_not_a_truth():
    with pytest.raises(EvaluationError, match="true_profit"):
        true_value(0, np.zeros(3))
    with pytest.raises(EvaluationError, match="true_profit"):
        true_value(0, np.full((2, 2), np.nan))
    with pytest.raises(EvaluationError, match="sampling_weight"):
        true_value(0, TRUTH, np.ones(2))
    with pytest.raises(EvaluationError, match="do not fit"):
        true_value(2, TRUTH)
