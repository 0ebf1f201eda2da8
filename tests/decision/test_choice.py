"""Which policy ships."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import DecisionSettings, choose_policy, logged_outcomes
from pentathlon.decision.choice import constant_values
from pentathlon.evaluation import AIPW, best_constant, paired_gain
from pentathlon.special import expit

MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        "water": {"margin": 0.4, "send_cost": 0.1},
        "team": {"margin": 0.5, "send_cost": 0.1},
    }
)
N = 1_200


def test_outcomes_in_money_by_hand() -> None:
    outcomes = logged_outcomes(
        message=np.array([0, 1, 2]),
        propensity=np.full(3, 1 / 3),
        response=np.array([1, 1, 0]),
        order_value=np.array([50.0, 100.0, 0.0]),
        sampling_weight=np.ones(3),
        expected_order_value=np.array([[40, 1, 1], [1, 60, 1], [1, 1, 80]], dtype=np.float32),
        messages=MESSAGES,
    )
    np.testing.assert_allclose(outcomes.profit, [20, 39.9, -0.1])
    np.testing.assert_allclose(outcomes.smoothed_profit, [16, 23.9, -0.1])


def campaign(personal: float, **changes: Any) -> dict[str, Any]:
    """A randomised campaign; the best message of a customer is their segment's, if ``personal``."""
    rng = np.random.default_rng(2)
    segment = rng.integers(0, 3, N)
    contrast = np.where(np.arange(3) == segment[:, None], personal, 0.0)
    p = expit(rng.normal(-0.5, 0.3, (N, 1)) + contrast + rng.normal(0, 0.05, (N, 3)))
    message = rng.integers(0, 3, N)
    response = (rng.random(N) < p[np.arange(N), message]).astype(int)
    values = np.full((N, 3), 50.0, dtype=np.float32)
    outcomes = logged_outcomes(
        message,
        np.full(N, 1 / 3),
        response,
        np.where(response == 1, rng.gamma(4.0, 12.5, N), 0.0),
        np.ones(N),
        values,
        MESSAGES,
    )
    return {
        "purchase_probability": p.astype(np.float32),
        "expected_order_value": values,
        "outcomes": outcomes,
        "response": response,
        "fold": np.arange(N) % 3,
        "messages": MESSAGES,
        "settings": DecisionSettings(**changes),
    }


def test_a_policy_that_truly_personalises_ships() -> None:
    arguments = campaign(1.5)
    choice = choose_policy(**arguments)
    assert choice.policy == "personalised"
    assert choice.gate.ships
    assert choice.shrinkage.raw_slope > 0.7
    assert choice.expected_profit.dtype == np.float32


def test_otherwise_the_best_constant_ships() -> None:
    choice = choose_policy(**campaign(0.0))
    assert not choice.gate.ships
    # Without an effect, the message with the highest margin is best.
    assert choice.policy == "send team"
    assert choice.gate.best_constant == 2


@pytest.mark.parametrize(("estimator", "smoothed"), [("smoothed", True), ("plain", False)])
def test_the_gate_uses_the_estimator_and_the_confidence_asked_for(
    estimator: str, smoothed: bool
) -> None:
    arguments = campaign(0.5, estimator=estimator, confidence=0.8)
    choice = choose_policy(**arguments)
    outcomes, profit = arguments["outcomes"], choice.expected_profit
    used = AIPW(smoothed=smoothed)
    values = [used.estimate(k, outcomes, profit).value for k in range(3)]
    assert best_constant(outcomes, profit, used) == choice.gate.best_constant == np.argmax(values)
    gain = paired_gain(profit.argmax(axis=1), choice.gate.best_constant, outcomes, profit, used)
    assert choice.gate.gain == gain
    assert choice.gate.confidence == 0.8


def test_without_shrinkage_profit_is_what_the_models_say() -> None:
    arguments = campaign(0.5, shrink_contrasts=False)
    choice = choose_policy(**arguments)
    p = arguments["purchase_probability"]
    np.testing.assert_allclose(
        choice.expected_profit, p * 50 * MESSAGES.margins - MESSAGES.costs, rtol=1e-5
    )
    assert (choice.shrinkage.slopes, choice.shrinkage.raw_slope) == ((1, 1, 1), 1)


def test_a_folds_own_outcomes_do_not_shrink_its_contrasts() -> None:
    arguments = campaign(0.5)
    held_out = arguments["fold"] == 1
    response = np.where(held_out, 1 - arguments["response"], arguments["response"])
    before = choose_policy(**arguments)
    after = choose_policy(**arguments | {"response": response})
    np.testing.assert_array_equal(after.expected_profit[held_out], before.expected_profit[held_out])
    assert (after.expected_profit[~held_out] != before.expected_profit[~held_out]).any()
    assert after.shrinkage != before.shrinkage


def test_a_constant_is_promised_with_its_lead_shrunk() -> None:
    """Of equal messages the best looks better than it is; the promise does not."""
    arguments = campaign(0.0)
    choice = choose_policy(**arguments)
    assert choice.policy != "personalised"
    values = [
        AIPW(smoothed=True).estimate(k, arguments["outcomes"], choice.expected_profit).value
        for k in range(3)
    ]
    best = int(np.argmax(values))
    assert choice.promised_profit <= values[best] + 1e-12
    # What each message is worth keeps its order, and its level is the promise.
    assert int(np.argmax(choice.constant_worth)) == best
    e_mails = sorted([1, 2], key=lambda k: values[k])
    apart = choice.constant_worth[e_mails[1]] - choice.constant_worth[e_mails[0]]
    assert 0 < apart < (values[e_mails[1]] - values[e_mails[0]])
    gross = choice.expected_profit + MESSAGES.costs.astype(np.float32)
    level = float(gross.mean())
    np.testing.assert_allclose(choice.constant_worth[best] * level, choice.promised_profit)


def test_an_e_mail_that_ships_is_not_overruled_by_control_after_shrinking() -> None:
    """Leads among e-mails that are mere luck shrink below a control nearly as good."""
    messages = MessageSet({name: {"margin": 1.0} for name in ("control", "a", "b", "c", "d")})
    message, place = np.repeat(np.arange(5), 400), np.tile(np.arange(400), 5)
    response = (place < np.array([130, 136, 110, 112, 114])[message]).astype(int)
    value = np.where(response == 1, 10.0, 0.0)
    even, ones, usual = np.full(2_000, 0.2), np.ones(2_000), np.full((2_000, 5), 10.0)
    outcomes = logged_outcomes(message, even, response, value, ones, usual, messages)
    profit = np.full((2_000, 5), 3.0, dtype=np.float32)
    estimator = AIPW()
    estimates = [estimator.estimate(k, outcomes, profit).value for k in range(5)]
    assert int(np.argmax(estimates)) == 1
    worth = constant_values(outcomes, profit, estimator, messages)
    assert worth[1] < estimates[0]
    assert worth[0] == worth[1] == worth.max()


def test_a_personalised_policy_is_promised_its_gain_by_its_reliability() -> None:
    choice = choose_policy(**campaign(2.0))
    assert choice.policy == "personalised"
    gain = choice.gain
    gross = choice.expected_profit + MESSAGES.costs.astype(np.float32)
    constant = choice.constant_worth[choice.gate.best_constant] * float(gross.mean())
    kept = gain.value * (1 - (gain.standard_error / gain.value) ** 2)
    np.testing.assert_allclose(choice.promised_profit, constant + kept, rtol=1e-6)
