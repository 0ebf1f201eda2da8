import numpy as np
import pytest
from sklearn.metrics import f1_score

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import profit_threshold

P = np.array([0.1, 0.4, 0.2, 0.3, 0.3])
FREE = {"cost": 0.0, "margin": 0.3, "mean_order_value": 100.0}


def test_break_even_of_an_email_that_costs():
    assert profit_threshold(P, cost=0.1, margin=0.4, mean_order_value=50.0) == pytest.approx(0.005)


def test_free_email_goes_as_deep_as_predicted_gain_grows():
    # from the top: 3, then 1 - 2 for the tied pair, then 4, then -1
    gain = np.array([-1.0, 3.0, 4.0, 1.0, -2.0])
    threshold = profit_threshold(P, **FREE, predicted_gain=gain)
    assert (threshold < P).tolist() == [False, True, True, True, True]
    nobody = profit_threshold(P, **FREE, predicted_gain=-np.ones(5))
    assert not (nobody < P).any()
    everyone = profit_threshold(P, **FREE, predicted_gain=np.ones(5))
    assert (everyone < P).all()


def test_weights_move_the_depth():
    gain = np.array([-1.0, 3.0, 2.0, -1.0, -0.5])
    weight = np.array([1.0, 1, 1, 2, 1])
    light, heavy = (
        profit_threshold(P, **FREE, predicted_gain=gain, sampling_weight=w) for w in (None, weight)
    )
    assert (light < P).sum() == 4
    assert (heavy < P).sum() == 1


def test_otherwise_the_f1_expected_under_the_probabilities_is_highest():
    rng = np.random.default_rng(0)
    p = rng.beta(1, 20, 20_000)
    threshold = profit_threshold(p, **FREE)
    y = rng.random(20_000) < p
    best = max(f1_score(y, p > t) for t in np.quantile(p, np.linspace(0.5, 0.999, 60)))
    assert f1_score(y, p > threshold) == pytest.approx(best, abs=0.01)
    # the optimal threshold is half of the optimal F1
    assert threshold == pytest.approx(f1_score(y, p > threshold) / 2, abs=0.01)


def test_nobody_who_cannot_buy():
    assert profit_threshold(np.zeros(3), **FREE) == 0.0


def test_refuses_impossible_money():
    with pytest.raises(EvaluationError, match="cost"):
        profit_threshold(P, cost=-1.0, margin=0.3, mean_order_value=10.0)
    with pytest.raises(EvaluationError, match="margin"):
        profit_threshold(P, cost=0.0, margin=0.0, mean_order_value=10.0)
    with pytest.raises(EvaluationError, match="predicted_gain"):
        profit_threshold(P, **FREE, predicted_gain=np.full(5, np.nan))
