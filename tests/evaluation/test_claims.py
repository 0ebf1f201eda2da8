from dataclasses import replace

import numpy as np
import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import (
    AIPW,
    IPS,
    LoggedOutcomes,
    cap_order_value,
    honesty,
    honesty_slope,
    paired_gain,
)

EXACT = {"rel": 1e-12, "abs": 1e-12}
ORDERS = np.array([10.0, 0.0, 40.0, 100.0, 0.0])
MARGIN = np.array([0.5, 0.25])
MESSAGE = np.array([0, 1, 1, 0, 0])
POLICY = np.array([0, 1, 1, 0, 1])
MU = np.array([[4.0, 1.0], [1.0, 2.0], [3.0, 6.0], [9.0, 1.0], [1.0, 2.0]])


@pytest.fixture
def outcomes():
    return LoggedOutcomes(
        message=MESSAGE,
        propensity=np.full(5, 0.5),
        profit=MARGIN[MESSAGE] * ORDERS - np.array([0.0, 0.1])[MESSAGE],
    )


def test_by_hand(outcomes):
    result = honesty(
        POLICY, outcomes, MU, order_value=ORDERS, margin=MARGIN, top_orders=1, cap_quantile=0.5
    )
    claim = np.array([4.0, 2.0, 6.0, 9.0, 2.0])
    scores = np.array([4 + 2 * (5 - 4), 2 + 2 * (-0.1 - 2), 6 + 2 * (9.9 - 6), 9 + 2 * 41, 2])
    assert result.claimed.value == pytest.approx(claim.mean(), **EXACT)
    assert result.supported.value == pytest.approx(scores.mean(), **EXACT)
    assert result.inflation.value == pytest.approx((claim - scores).mean(), **EXACT)
    assert result.inflation.standard_error == pytest.approx(
        (claim - scores).std(ddof=1) / np.sqrt(5), **EXACT
    )
    assert result.inflation_percent == pytest.approx(
        100 * (claim.mean() / scores.mean() - 1), **EXACT
    )
    # credited margin 2 * (5, 0, 10, 50, 0)
    assert result.top_orders_share == pytest.approx(50 / 65, **EXACT)
    assert result.cap == 40.0
    capped = scores - np.array([0, 0, 0, 2 * 0.5 * 60, 0])
    assert result.capped.value == pytest.approx(capped.mean(), **EXACT)


def test_own_predictions_are_the_claim(outcomes):
    options = {"order_value": ORDERS, "margin": MARGIN}
    same = honesty(POLICY, outcomes, MU, **options)
    bold = honesty(POLICY, outcomes, MU, own_prediction=2 * MU, **options)
    assert bold.claimed.value == pytest.approx(2 * same.claimed.value, **EXACT)
    assert bold.supported == same.supported


def test_a_scalar_margin_and_another_estimator(outcomes):
    result = honesty(POLICY, outcomes, MU, order_value=ORDERS, margin=0.5, estimator=IPS())
    assert result.supported == IPS().estimate(POLICY, outcomes, MU)
    assert result.top_orders_share == 1.0


def test_all_orders_are_the_top_orders_and_no_orders_have_no_share(outcomes):
    nothing = replace(outcomes, profit=np.full(5, -0.1))
    result = honesty(POLICY, nothing, MU, order_value=np.zeros(5), margin=MARGIN)
    assert result.top_orders_share is None
    assert result.cap == 0.0
    assert result.capped == result.supported


def test_no_per_cent_of_a_loss(outcomes):
    losing = replace(outcomes, profit=outcomes.profit - 100)
    assert honesty(POLICY, losing, MU, order_value=ORDERS, margin=MARGIN).inflation_percent is None


def test_cap_is_a_quantile_of_the_orders():
    assert cap_order_value(np.array([0, 0, 1.0, 2, 3, 4]), 0.75) == 3.0
    assert cap_order_value(np.array([0, 1.0, 2.0]), 0.5, np.array([9.0, 1, 3])) == 2.0
    with pytest.raises(EvaluationError, match="negative"):
        cap_order_value(np.array([-1.0, 2.0]), 0.5)
    with pytest.raises(EvaluationError, match="cap_quantile"):
        cap_order_value(np.array([1.0]), 1.0)


def test_the_maximum_of_noisy_predictions_is_inflated(campaign):
    drawn = campaign(5_000)
    noisy = drawn.true_profit + np.random.default_rng(0).normal(0, 1, drawn.true_profit.shape)
    policy = noisy.argmax(axis=1)
    result = honesty(policy, drawn.outcomes, noisy, order_value=drawn.order_value, margin=0.4)
    assert result.inflation.interval()[0] > 0
    assert result.supported.value == AIPW().estimate(policy, drawn.outcomes, noisy).value


def test_weights_count_in_every_number(outcomes):
    weight = np.array([1.0, 1.0, 2.0, 0.5, 0.5])
    weighted = replace(outcomes, sampling_weight=weight)
    result = honesty(POLICY, weighted, MU, order_value=ORDERS, margin=MARGIN, top_orders=1)
    assert result.claimed.value == pytest.approx((4 + 2 + 12 + 4.5 + 1) / 5, **EXACT)
    # credited margin 2 * (5, 0, 20, 25, 0)
    assert result.top_orders_share == pytest.approx(25 / 50, **EXACT)


def test_refuses_columns_that_do_not_fit(outcomes):
    with pytest.raises(EvaluationError, match="order_value: expected shape"):
        honesty(POLICY, outcomes, MU, order_value=ORDERS[:4], margin=MARGIN)
    with pytest.raises(EvaluationError, match="margin: expected one number or 2"):
        honesty(POLICY, outcomes, MU, order_value=ORDERS, margin=np.ones(5))
    with pytest.raises(EvaluationError, match="expected_profit"):
        honesty(
            POLICY, outcomes, MU, order_value=ORDERS, margin=MARGIN, own_prediction=np.ones((4, 2))
        )


def test_the_honesty_slope_by_hand(outcomes):
    # Against message 0 the policy claims (0, 1, 3, 0, 1) and AIPW gives gain = claim plus what
    # residuals add: rows 1 and 2 were sent message 1, which only the policy sends there.
    claim = np.array([0.0, 1.0, 3.0, 0.0, 1.0])
    # row 4: message 0 was sent and the policy sends 1, so its residual counts against it.
    gain = claim + np.array([0, 2 * (-0.1 - 2), 2 * (9.9 - 6), 0, -2 * (0 - 1)])
    slope, intercept = np.polyfit(claim, gain, 1)
    found = honesty_slope(POLICY, 0, outcomes, MU)
    assert found.value == pytest.approx(slope, **EXACT)
    residual = gain - slope * claim - intercept
    centred = claim - claim.mean()
    bread = (centred**2).mean()
    variance = ((centred * residual) ** 2).sum() / bread**2 / 5 / 4
    assert found.standard_error == pytest.approx(np.sqrt(variance), **EXACT)
    assert paired_gain(POLICY, 0, outcomes, MU).value == pytest.approx(gain.mean(), **EXACT)


def test_promises_twice_as_large_have_half_the_slope(outcomes):
    honest = honesty_slope(POLICY, 0, outcomes, MU)
    bold = honesty_slope(POLICY, 0, outcomes, MU, own_prediction=2 * MU)
    assert bold.value == pytest.approx(honest.value / 2, **EXACT)


def test_equal_promises_have_no_slope(outcomes):
    assert honesty_slope(1, 0, outcomes, np.tile([1.0, 2.0], (5, 1))) is None
    assert honesty_slope(POLICY, POLICY, outcomes, MU) is None


def test_weights_of_the_honesty_slope_count_like_copies(outcomes):
    copies = np.array([0, 0, 1, 2, 2, 3, 4])
    weighted = replace(outcomes, sampling_weight=np.array([2.0, 1.0, 2.0, 1.0, 1.0]))
    assert honesty_slope(POLICY, 0, weighted, MU).value == pytest.approx(
        honesty_slope(POLICY[copies], 0, outcomes.take(copies), MU[copies]).value, **EXACT
    )
