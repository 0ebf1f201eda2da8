"""The tables against direct calls of the estimators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pentathlon.decision import expected_profit
from pentathlon.decision.policies import two_departments
from pentathlon.evaluation import AIPW, IPS, SNIPS, agreement, paired_gain, percent_gain
from pentathlon.judgement import (
    CampaignSettings,
    EvaluationSettings,
    Judged,
    PolicyComparison,
    compare_policies,
)
from pentathlon.judgement.comparison import judged_policies, kind_of, message_shares

SETTINGS = EvaluationSettings(confidence=0.9)
CAMPAIGN = CampaignSettings(customers=1_000, currency="EUR")
CONSTANTS = ["no e-mail", "send water", "send sea_team"]


@pytest.fixture(scope="module")
def comparison(judged: Judged) -> PolicyComparison:
    return compare_policies(judged, "water", SETTINGS, CAMPAIGN)


def test_every_policy_is_there_with_its_kind(judged: Judged, comparison: PolicyComparison) -> None:
    kinds = dict(zip(comparison.policies["policy"], comparison.policies["kind"], strict=True))
    assert kinds == {
        "shipped": "shipped",
        "no e-mail": "no e-mail",
        "send water": "constant",
        "send sea_team": "constant",
        "random": "status quo",
        "two_departments": "case's draft",
        "logistic_regression": "single model",
        "xgboost": "single model",
        "personalised": "personalised",
    }
    assert next(iter(kinds)) == "shipped"
    assert kind_of("random_forest", judged.messages) == "single model"


def test_values_are_the_estimators_own(judged: Judged, comparison: PolicyComparison) -> None:
    outcomes = judged.outcomes()
    xgboost = expected_profit(judged.probabilities["xgboost"], judged.order_values, judged.messages)
    policies = {
        "shipped": judged.decision,
        "no e-mail": 0,
        "send sea_team": 2,
        "random": np.full((len(judged), 3), 1 / 3, dtype=np.float32),
        "two_departments": two_departments(judged.profit, judged.messages),
        "xgboost": xgboost.argmax(axis=1),
        "personalised": judged.profit.argmax(axis=1),
    }
    values = comparison.policies.set_index("policy")
    for name, policy in policies.items():
        row = values.loc[name]
        for label, estimator in (("aipw", AIPW()), ("ips", IPS()), ("snips", SNIPS())):
            estimate = estimator.estimate(policy, outcomes, judged.profit)
            assert row[label] == pytest.approx(estimate.value), (name, label)
            assert row[f"{label}_standard_error"] == pytest.approx(estimate.standard_error)
            lower, upper = estimate.interval(0.9)
            assert (row[f"{label}_lower"], row[f"{label}_upper"]) == pytest.approx((lower, upper))
        assert row["inflation"] == pytest.approx(row["claimed"] - row["aipw"], abs=1e-6)
        assert row["inflation_percent"] == pytest.approx(100 * row["inflation"] / row["aipw"])


def test_a_policy_claims_by_its_own_predictions(
    judged: Judged, comparison: PolicyComparison
) -> None:
    claimed = comparison.policies.set_index("policy")["claimed"]
    w = judged.sampling_weight
    xgboost = expected_profit(judged.probabilities["xgboost"], judged.order_values, judged.messages)
    assert claimed["xgboost"] == pytest.approx(np.average(xgboost.max(axis=1), weights=w))
    best = np.average(judged.profit.max(axis=1), weights=w)
    assert claimed["personalised"] == pytest.approx(best)
    assert claimed["send water"] == pytest.approx(np.average(judged.profit[:, 1], weights=w))
    assert claimed["random"] == pytest.approx(np.average(judged.profit.mean(axis=1), weights=w))


def test_shares_of_customers_per_message(judged: Judged, comparison: PolicyComparison) -> None:
    columns = [f"share_{m}" for m in judged.messages]
    shares = comparison.policies.set_index("policy")[columns]
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares.loc["send water"], [0, 1, 0])
    np.testing.assert_allclose(shares.loc["random"], 1 / 3, rtol=1e-6)
    w = judged.sampling_weight
    by_hand = [w[judged.decision == k].sum() / w.sum() for k in range(3)]
    np.testing.assert_allclose(shares.loc["shipped"], by_hand)
    np.testing.assert_allclose(message_shares(judged.decision, judged), by_hand)


def test_gains_are_paired_and_projected(judged: Judged, comparison: PolicyComparison) -> None:
    outcomes, profit = judged.outcomes(), judged.profit
    policies, _ = judged_policies(judged)
    gains = comparison.gains.set_index(["policy", "baseline"])
    deciding = {"shipped", "two_departments", "logistic_regression", "xgboost", "personalised"}
    assert set(gains.index) == {(a, b) for a in deciding for b in policies if a != b}
    for pair in [("shipped", "send water"), ("xgboost", "random"), ("personalised", "xgboost")]:
        row = gains.loc[pair]
        first, second = (policies[name] for name in pair)
        gain = paired_gain(first, second, outcomes, profit)
        percent = percent_gain(first, second, outcomes, profit)
        assert row["gain"] == pytest.approx(gain.value)
        assert row["standard_error"] == pytest.approx(gain.standard_error)
        assert (row["lower"], row["upper"]) == pytest.approx(gain.interval(0.9))
        assert row["gain_percent"] == pytest.approx(percent.value)
        interval = (row["percent_lower"], row["percent_upper"])
        assert interval == pytest.approx(percent.interval(0.9))
        for money in ("gain", "lower", "upper"):
            assert row[f"campaign_{money}"] == pytest.approx(1_000 * row[money])
    values = comparison.policies.set_index("policy")["aipw"]
    for (policy, baseline), row in gains.iterrows():
        assert row["gain"] == pytest.approx(values[policy] - values[baseline], abs=1e-6)
    best = gains["is_best_constant"]
    assert set(gains.index[best].get_level_values("baseline")) == {"send water"}


def test_the_headline_is_what_ships(comparison: PolicyComparison, judged: Judged) -> None:
    headline = comparison.headline
    row = comparison.policies.set_index("policy").loc["shipped"]
    assert headline["supported_profit"] == row["aipw"]
    assert headline["claimed_profit"] == row["claimed"]
    assert headline["campaign_profit"] == pytest.approx(1_000 * row["aipw"])
    assert headline["judged_customers"] == len(judged)
    gains = comparison.gains.set_index(["policy", "baseline"])
    for label, baseline in {
        "no_email": "no e-mail",
        "best_constant": "send water",
        "random": "random",
    }.items():
        gain = gains.loc[("shipped", baseline)]
        assert headline[f"gain_over_{label}"] == gain["gain"]
        assert headline[f"gain_over_{label}_lower"] == gain["lower"]
        assert headline[f"campaign_gain_over_{label}"] == gain["campaign_gain"]


def test_alarms_name_the_policy_whose_estimators_disagree(judged: Judged) -> None:
    """Predictions that are far off under every message make nothing of AIPW; wrong odds do."""
    keys = judged.keys.assign(propensity=np.where(judged.message == 1, 0.1, 0.9))
    wrong = replace(judged, keys=keys)
    alarms = compare_policies(wrong, "water", SETTINGS, CAMPAIGN).alarms
    outcomes = wrong.outcomes()
    policies = judged_policies(wrong)[0]
    shipped = policies.pop("shipped")
    if not any(np.array_equal(shipped, policy) for policy in policies.values()):
        policies = {"shipped": shipped, **policies}
    expected = [
        f"{name}: {alarm}"
        for name, policy in policies.items()
        for alarm in agreement(policy, outcomes, wrong.profit).alarms
    ]
    assert alarms == expected
    assert any(alarm.startswith("send water: ") for alarm in alarms)


def test_what_ships_gains_nothing_over_itself(judged: Judged) -> None:
    shipped = replace(judged, keys=judged.keys.assign(decision="water"))
    gains = compare_policies(shipped, "water", SETTINGS, CAMPAIGN).gains
    row = gains.set_index(["policy", "baseline"]).loc[("shipped", "send water")]
    assert (row["gain"], row["lower"], row["upper"], row["campaign_gain"]) == (0, 0, 0, 0)
    assert pd.isna(row["emails_to_settle"])


def test_rules_cost_what_the_own_choice_is_worth_more_by_outcomes(
    judged: Judged, comparison: PolicyComparison
) -> None:
    assert "cost_of_rules" not in comparison.headline
    own = judged.keys["decision"]
    keys = judged.keys.assign(preferred=own, decision=np.where(own == "water", "control", own))
    within = replace(judged, keys=keys)
    headline = compare_policies(within, "water", EvaluationSettings(), CampaignSettings()).headline
    gain = paired_gain(judged.decision, within.decision, judged.outcomes(), judged.profit)
    assert headline["cost_of_rules"] == gain.value
    assert (headline["cost_of_rules_lower"], headline["cost_of_rules_upper"]) == gain.interval(0.95)
    values = Judged.from_table(within.to_table(), judged.messages)
    np.testing.assert_array_equal(values.preferred, judged.decision)


def test_declared_contact_costs_come_off_what_ships_and_off_its_baselines(
    judged: Judged, comparison: PolicyComparison
) -> None:
    rng = np.random.default_rng(0)
    each = rng.uniform(0, 0.5, len(judged)).astype(np.float32)
    pressed = replace(judged, keys=judged.keys.assign(contact_cost=each))
    found = compare_policies(
        pressed, "water", EvaluationSettings(), CampaignSettings(), promised_profit=3.0
    )
    gross, net = (c.policies.set_index("policy") for c in (comparison, found))
    w = judged.sampling_weight
    mean = float(np.average(each, weights=w))
    off = {"no e-mail": 0.0, "send water": mean, "send sea_team": mean, "random": 2 / 3 * mean}
    sent = np.where(judged.decision == 0, 0.0, each)
    off["shipped"] = float(np.average(sent, weights=w))
    for policy, cost in off.items():
        for column in ("aipw", "ips", "snips", "claimed", "capped"):
            assert net.loc[policy, column] == pytest.approx(gross.loc[policy, column] - cost)
    assert found.headline["contact_cost"] == pytest.approx(off["shipped"])
    assert found.headline["corrected_claim"] == pytest.approx(3.0 - off["shipped"])
    before, after = (c.gains.set_index(["policy", "baseline"])["gain"] for c in (comparison, found))
    pair = ("shipped", "no e-mail")
    assert after[pair] == pytest.approx(before[pair] - off["shipped"])
    assert "contact_cost" in pressed.policy_scores()
    again = Judged.from_table(pressed.to_table(), judged.messages)
    np.testing.assert_array_equal(again.contact_costs, pressed.contact_costs)
    np.testing.assert_array_equal(pressed.contact_costs[:, 0], 0)


def test_without_declared_costs_nothing_is_taken_off(
    judged: Judged, comparison: PolicyComparison
) -> None:
    assert judged.contact_costs is None
    assert judged.outcomes().known_cost is None
    assert "contact_cost" not in comparison.headline
    free = replace(judged, keys=judged.keys.assign(contact_cost=np.float32(0)))
    one, other = (
        compare_policies(rows, "water", EvaluationSettings(), CampaignSettings())
        for rows in (judged, free)
    )
    pd.testing.assert_frame_equal(one.policies, other.policies, check_exact=True)
    pd.testing.assert_frame_equal(one.gains, other.gains, check_exact=True)
