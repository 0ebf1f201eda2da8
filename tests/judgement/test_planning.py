from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.evaluation import AIPW, LoggedOutcomes
from pentathlon.judgement import CampaignSettings, Judged
from pentathlon.judgement.planning import PlanSettings, learning_plan

MESSAGES = MessageSet({m: {"margin": 1.0} for m in ("control", "team", "water")})
N = 20_000


def make(
    rng: np.random.Generator, propensity: np.ndarray, decision: np.ndarray, level: np.ndarray
) -> Judged:
    """Customers whose profit is known but for noise, sent messages with given probabilities."""
    n = len(level)
    draw = rng.random(n)[:, None] > np.cumsum(propensity, axis=1)
    message = draw.sum(axis=1)
    rows = np.arange(n)
    truth = level[:, None] * np.array([0.8, 1.0, 1.1]) * np.ones((n, 3))
    buys = rng.random(n) < 0.2
    order = np.where(buys, truth[rows, message] * 5 * rng.gamma(2.0, 0.5, n), 0.0)
    names = np.array(MESSAGES.names, dtype=object)
    keys = pd.DataFrame(
        {
            "customer_id": rows.astype(str),
            "fold": 0,
            "message": names[message],
            "propensity": propensity[rows, message],
            "response": buys.astype(int),
            "order_value": order,
            "sampling_weight": 1.0,
            "natural_rate": True,
            "decision": names[decision],
            "policy": "personalised",
        }
    )
    p = np.full((n, 3), 0.2, dtype=np.float32)
    return Judged(
        keys, {"fusion": p}, (5 * truth).astype(np.float32), truth.astype(np.float32), MESSAGES
    )


@pytest.fixture(scope="module")
def past() -> Judged:
    rng = np.random.default_rng(0)
    level = rng.gamma(2.0, 0.5, N)
    decision = np.where(level > 1, 2, 1)
    return make(rng, np.full((N, 3), 1 / 3), decision, level)


def plan(
    judged: Judged, customers: int = N, **settings: Any
) -> tuple[pd.DataFrame, dict[str, Any]]:
    return learning_plan(
        judged, "team", PlanSettings(**settings), CampaignSettings(customers=customers)
    )


@pytest.mark.parametrize(("question", "share"), [("exploration", 0.1), ("holdout", 0.05)])
def test_what_is_foretold_is_what_campaigns_then_detect(
    past: Judged, question: str, share: float
) -> None:
    """The standard error over many campaigns that leave a share to chance is the planned one."""
    table, _ = plan(past, shares=(share,), confidence=0.95, power=0.8)
    row = table.set_index("question").loc[question]
    foretold = row["detectable_gain"] / (1.6449 + 0.8416)
    decision, rows = past.decision, np.arange(N)
    propensity = np.zeros((N, 3))
    if question == "exploration":
        propensity += share / 3
        propensity[rows, decision] += 1 - share
        baseline = np.ones(N, dtype=np.int64)
    else:
        propensity[:, 0] = share
        propensity[rows, decision] += 1 - share
        baseline = np.zeros(N, dtype=np.int64)
    level = past.profit[:, 1].astype(np.float64)
    gains = []
    for seed in range(200):
        next_one = make(np.random.default_rng(seed + 1), propensity, decision, level)
        keys = next_one.keys
        outcomes = LoggedOutcomes(
            message=next_one.message,
            propensity=keys["propensity"].to_numpy(),
            profit=keys["order_value"].to_numpy(),
        )
        gain = AIPW().contrast(decision, baseline, outcomes, next_one.profit)
        gains.append(gain.value)
    # Customers are the same in every campaign here, so what differs between them does not count.
    lead = past.profit[rows, decision] - past.profit[rows, baseline]
    noise = np.sqrt(foretold**2 - np.var(lead) / N)
    assert np.std(gains, ddof=1) == pytest.approx(noise, rel=0.15)


def test_more_customers_and_larger_shares_detect_less(past: Judged) -> None:
    table, _ = plan(past)
    for _, rows in table.groupby("question"):
        assert rows["detectable_gain"].is_monotonic_decreasing
    four_times, _ = plan(past, customers=4 * N)
    np.testing.assert_allclose(2 * four_times["detectable_gain"], table["detectable_gain"])
    np.testing.assert_allclose(
        table["detectable_percent"] / table["detectable_gain"],
        100 / AIPW().estimate(past.decision, past.outcomes(), past.profit).value,
    )


def test_the_smallest_share_detects_the_gain_and_a_smaller_one_does_not(past: Judged) -> None:
    _, summary = plan(past, customers=10 * N, gain_percent=10.0)
    for question, found in summary["questions"].items():
        share = found["share"]
        assert share is not None
        near, _ = plan(past, customers=10 * N, shares=(share - 0.001, share))
        gains = near[near["question"] == question]["detectable_gain"].tolist()
        assert gains[1] <= summary["gain"] < gains[0]
        assert found["cost"] == pytest.approx(near[near["question"] == question]["cost"].iloc[1])


def test_what_no_share_detects_takes_several_campaigns(past: Judged) -> None:
    table, summary = plan(past, customers=200, gain_percent=2.0)
    found = summary["questions"]["holdout"]
    assert found["share"] is None
    assert found["cost"] is None
    most = table[table["question"] == "holdout"]["detectable_gain"].iloc[-1]
    assert found["campaigns"] == int(np.ceil((most / summary["gain"]) ** 2))


def test_a_holdout_costs_what_e_mails_earn(past: Judged) -> None:
    table, _ = plan(past, shares=(0.1,))
    row = table.set_index("question").loc["holdout"]
    outcomes = past.outcomes()
    gain = AIPW().contrast(past.decision, np.zeros(N, dtype=np.int64), outcomes, past.profit)
    assert row["cost"] == pytest.approx(0.1 * N * gain.value)
    assert row["customers"] == 0.1 * N


def test_where_one_message_ships_personal_messages_are_asked_about(past: Judged) -> None:
    constant = Judged(
        past.keys.assign(decision="team"),
        past.probabilities,
        past.order_values,
        past.profit,
        MESSAGES,
    )
    table, _ = plan(constant, shares=(0.1,))
    # Personal messages would all be water here, which exploration alone sends.
    mine, _ = plan(past, shares=(0.1,))
    assert set(table["question"]) == {"exploration", "holdout"}
    gain = table.set_index("question")["detectable_gain"]
    assert gain["exploration"] > mine.set_index("question")["detectable_gain"]["exploration"]


def test_without_e_mails_or_differences_there_is_nothing_to_plan(past: Judged) -> None:
    nothing = Judged(
        past.keys.assign(decision="control"),
        past.probabilities,
        past.order_values,
        np.zeros_like(past.profit),
        MESSAGES,
    )
    table, summary = learning_plan(nothing, "control", PlanSettings(), CampaignSettings())
    assert table.empty
    assert summary["questions"] == {}
