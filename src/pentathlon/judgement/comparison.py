"""Every candidate policy valued on the judged rows, and paired against every baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import CONTROL, MessageSet
from pentathlon.decision.policies import (
    PERSONALISED,
    RANDOM,
    TWO_DEPARTMENTS,
    Policy,
    candidate_policies,
    constant_name,
    personalised,
)
from pentathlon.decision.profit import expected_profit
from pentathlon.errors import EvaluationError
from pentathlon.evaluation import (
    AIPW,
    DEFAULT_ESTIMATORS,
    IPS,
    SNIPS,
    agreement,
    emails_to_settle,
    holm,
    honesty,
    honesty_slope,
    paired_gain,
    percent_gain,
    project,
    smoothing_bias,
    two_sided_p,
)
from pentathlon.judgement.judged import Judged
from pentathlon.judgement.settings import CampaignSettings, EvaluationSettings

SHIPPED = "shipped"
KINDS = {
    SHIPPED: "shipped",
    PERSONALISED: "personalised",
    RANDOM: "status quo",
    TWO_DEPARTMENTS: "case's draft",
}


@dataclass(frozen=True)
class PolicyComparison:
    """Values and gains of policies.

    Attributes
    ----------
    policies : DataFrame
        One row per policy: claimed and supported profit per customer with intervals by IPS,
        SNIPS and AIPW, inflation, capped value, share of the value from the ten largest orders,
        share of customers per message.
    gains : DataFrame
        One row per policy (shipped, personalised, single models) and baseline: paired gain per
        customer, in per cent, and projected to the campaign; p-values alone and adjusted for
        the number of policies that are compared with the same baseline.
    alarms : list of str
        Disagreements between estimators, in words.
    headline : dict
        Flat numbers of what ships.
    """

    policies: pd.DataFrame
    gains: pd.DataFrame
    alarms: list[str]
    headline: dict[str, Any]


def judged_policies(judged: Judged) -> tuple[dict[str, Policy], dict[str, NDArray[np.float32]]]:
    """Candidate policies on the judged rows, and the prediction that each one claims by.

    Returns
    -------
    policies : dict of str to policy
        ``shipped`` first.
    claims : dict of str to ndarray of float32, shape (n, n_messages)
        Expected profit by the policy's own model; the fusion's where there is none.
    """
    single = {
        name: expected_profit(judged.probabilities[name], judged.order_values, judged.messages)
        for name in judged.single_models
    }
    policies: dict[str, Policy] = {SHIPPED: judged.decision}
    policies |= candidate_policies(judged.messages, judged.profit, single)
    claims = {name: single.get(name, judged.profit) for name in policies}
    return policies, claims


def compare_policies(
    judged: Judged,
    best_constant: str,
    settings: EvaluationSettings,
    campaign: CampaignSettings,
    promised_profit: float | None = None,
) -> PolicyComparison:
    """Value every policy and pair those that decide against every baseline.

    Parameters
    ----------
    judged : Judged
    best_constant : str
        Message that the training rows found best for everyone.
    settings : EvaluationSettings
    campaign : CampaignSettings
    promised_profit : float, optional
        What the training rows promise of the policy, corrected for the winner's curse. It joins
        the headline where rules, limits and refits leave the policy as it was.

    Returns
    -------
    PolicyComparison
    """
    policies, claims = judged_policies(judged)
    outcomes = judged.outcomes()
    profit = judged.profit
    records, alarms = [], []
    for name, policy in policies.items():
        record: dict[str, Any] = {"policy": name, "kind": kind_of(name, judged.messages)}
        report = honesty(
            policy,
            outcomes,
            profit,
            order_value=judged.keys["order_value"].to_numpy(dtype=np.float64),
            margin=judged.messages.margins,
            own_prediction=claims[name],
            cap_quantile=settings.cap_quantile,
        )
        record["claimed"] = report.claimed.value
        for estimator, label in ((AIPW(), "aipw"), (IPS(), "ips"), (SNIPS(), "snips")):
            estimate = estimator.estimate(policy, outcomes, profit)
            lower, upper = estimate.interval(settings.confidence)
            record |= {
                label: estimate.value,
                f"{label}_standard_error": estimate.standard_error,
                f"{label}_lower": lower,
                f"{label}_upper": upper,
            }
            if label == "aipw":
                record["effective_sample_size"] = estimate.effective_sample_size
        record |= {
            "inflation": report.inflation.value,
            "inflation_standard_error": report.inflation.standard_error,
            "inflation_percent": report.inflation_percent,
            "capped": report.capped.value,
            "capped_standard_error": report.capped.standard_error,
            "top_10_orders_share": report.top_orders_share,
        }
        record |= {
            f"share_{message}": share
            for message, share in zip(judged.messages, message_shares(policy, judged), strict=True)
        }
        records.append(record)
        if name == SHIPPED and _twin(policy, policies) is not None:
            continue  # the same policy under its own name speaks for it
        for alarm in agreement(policy, outcomes, profit, estimators=DEFAULT_ESTIMATORS).alarms:
            alarms.append(f"{name}: {alarm}")
    values = pd.DataFrame(records)
    gains = _gains(judged, policies, best_constant, settings, campaign)
    headline = _headline(judged, values, gains, best_constant, settings, campaign)
    if promised_profit is not None and _twin(policies[SHIPPED], policies) is not None:
        # The training rows know nothing of what contacts cost.
        headline["corrected_claim"] = promised_profit - headline.get("contact_cost", 0.0)
    return PolicyComparison(values, gains, alarms, headline)


def _twin(shipped: Policy, policies: Mapping[str, Policy]) -> str | None:
    """Name of the candidate that is the shipped policy, row by row."""
    for name, policy in policies.items():
        if name != SHIPPED and policy.ndim == 1 and np.array_equal(policy, shipped):
            return name
    return None


def kind_of(policy: str, messages: MessageSet) -> str:
    """What kind of policy a name stands for."""
    if policy in KINDS:
        return KINDS[policy]
    constants = {constant_name(m): m for m in messages}
    if policy in constants:
        return "no e-mail" if constants[policy] == CONTROL else "constant"
    return "single model"


def message_shares(policy: Policy, judged: Judged) -> NDArray[np.float64]:
    """Share of customers who get each message, shape ``(n_messages,)``."""
    w = judged.sampling_weight
    if policy.ndim == 2:
        return np.asarray(np.average(policy, axis=0, weights=w), dtype=np.float64)
    counts = np.bincount(policy, weights=w, minlength=len(judged.messages))
    return np.asarray(counts / w.sum(), dtype=np.float64)


def _gains(
    judged: Judged,
    policies: Mapping[str, Policy],
    best_constant: str,
    settings: EvaluationSettings,
    campaign: CampaignSettings,
) -> pd.DataFrame:
    outcomes, profit = judged.outcomes(), judged.profit
    constants = [constant_name(m) for m in judged.messages]
    deciding = [name for name in policies if name not in constants and name != RANDOM]
    records = []
    for name in deciding:
        for baseline in [b for b in policies if b != name]:
            gain = paired_gain(policies[name], policies[baseline], outcomes, profit)
            value = AIPW().estimate(policies[name], outcomes, profit)
            try:
                percent = percent_gain(policies[name], policies[baseline], outcomes, profit)
            except EvaluationError:  # a baseline that earns nothing: there is no per cent of it
                percent = None
            total = project(
                value, gain, campaign.customers, percent=percent, confidence=settings.confidence
            )
            lower, upper = gain.interval(settings.confidence)
            share = total.gain_percent_interval or (float("nan"), float("nan"))
            records.append(
                {
                    "policy": name,
                    "baseline": baseline,
                    "is_best_constant": baseline == constant_name(best_constant),
                    "gain": gain.value,
                    "standard_error": gain.standard_error,
                    "lower": lower,
                    "upper": upper,
                    "p_value": two_sided_p(gain.value, gain.standard_error),
                    "gain_percent": np.nan if total.gain_percent is None else total.gain_percent,
                    "percent_lower": share[0],
                    "percent_upper": share[1],
                    "campaign_gain": total.gain.value,
                    "campaign_lower": total.gain_interval[0],
                    "campaign_upper": total.gain_interval[1],
                    "emails_to_settle": emails_to_settle(gain, confidence=settings.confidence),
                }
            )
    table = pd.DataFrame(records).astype({"emails_to_settle": "Int64"})
    # Against one baseline the policies that models make are as many tries at beating it.
    table["adjusted_p_value"] = table.groupby("baseline")["p_value"].transform(
        lambda p: pd.Series(holm(p.to_numpy()), index=p.index)
    )
    return table


def _headline(
    judged: Judged,
    values: pd.DataFrame,
    gains: pd.DataFrame,
    best_constant: str,
    settings: EvaluationSettings,
    campaign: CampaignSettings,
) -> dict[str, Any]:
    shipped = records_by(values, "policy")[SHIPPED]
    mine = records_by(gains[gains["policy"] == SHIPPED], "baseline")
    smoothing = smoothing_bias(judged.decision, judged.outcomes(), judged.profit)
    headline: dict[str, Any] = {
        "judged_customers": len(judged),
        "judged_orders": int(judged.response.sum()),
        "confidence": settings.confidence,
        "supported_profit": float(shipped["aipw"]),
        "supported_profit_lower": float(shipped["aipw_lower"]),
        "supported_profit_upper": float(shipped["aipw_upper"]),
        "claimed_profit": float(shipped["claimed"]),
        "inflation_percent": _number(shipped["inflation_percent"]),
        "smoothing_bias_p_value": smoothing.p_value,
        "campaign_customers": campaign.customers,
        "campaign_profit": float(shipped["aipw"]) * campaign.customers,
        "campaign_profit_lower": float(shipped["aipw_lower"]) * campaign.customers,
        "campaign_profit_upper": float(shipped["aipw_upper"]) * campaign.customers,
    }
    # Of the personal policy even where it does not ship: a constant promises the same to all.
    promise = honesty_slope(
        personalised(judged.profit),
        judged.messages.names.index(best_constant),
        judged.outcomes(),
        judged.profit,
    )
    if promise is not None:
        lower, upper = promise.interval(settings.confidence)
        headline |= {
            "honesty_slope": promise.value,
            "honesty_slope_lower": lower,
            "honesty_slope_upper": upper,
        }
    headline |= _contact_cost(judged)
    headline |= _cost_of_rules(judged, settings.confidence)
    for label, baseline in (
        ("no_email", constant_name(CONTROL)),
        ("best_constant", constant_name(best_constant)),
        ("random", RANDOM),
    ):
        if baseline in mine:
            row = mine[baseline]
            headline |= {
                f"gain_over_{label}": float(row["gain"]),
                f"gain_over_{label}_lower": float(row["lower"]),
                f"gain_over_{label}_upper": float(row["upper"]),
                f"campaign_gain_over_{label}": float(row["campaign_gain"]),
            }
    return headline


def _contact_cost(judged: Judged) -> dict[str, float]:
    """What contacts cost by declaration, taken off what ships; nothing where none is declared."""
    costs = judged.contact_costs
    if costs is None:
        return {}
    of_decision = costs[np.arange(len(judged)), judged.decision]
    return {"contact_cost": float(np.average(of_decision, weights=judged.sampling_weight))}


def _cost_of_rules(judged: Judged, confidence: float) -> dict[str, float]:
    """What rules, limits and presets cost on outcomes; nothing where they change nothing."""
    if np.array_equal(judged.preferred, judged.decision):
        return {}
    cost = paired_gain(judged.preferred, judged.decision, judged.outcomes(), judged.profit)
    lower, upper = cost.interval(confidence)
    return {
        "cost_of_rules": cost.value,
        "cost_of_rules_lower": lower,
        "cost_of_rules_upper": upper,
    }


def records_by(table: pd.DataFrame, key: str) -> dict[str, dict[str, Any]]:
    """Rows of a table as dictionaries, by the values of a column."""
    return {str(row[key]): {str(k): v for k, v in row.items()} for row in table.to_dict("records")}


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
