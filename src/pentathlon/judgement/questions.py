"""The case's eight questions, each with what the model claims and what outcomes support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from pentathlon.contract.messages import CONTROL
from pentathlon.decision.policies import PERSONALISED, RANDOM, constant_name
from pentathlon.judgement.comparison import SHIPPED, PolicyComparison, records_by
from pentathlon.judgement.judged import FUSION, Judged
from pentathlon.judgement.settings import CampaignSettings


def case_questions(
    judged: Judged, comparison: PolicyComparison, best_constant: str, campaign: CampaignSettings
) -> pd.DataFrame:
    """Answer the eight questions of the Pentathlon case in one table.

    Parameters
    ----------
    judged : Judged
    comparison : PolicyComparison
    best_constant : str
    campaign : CampaignSettings

    Returns
    -------
    DataFrame
        Columns number, question, claimed (what the model's own predictions say), supported (what
        held-out outcomes support, with an interval; empty for questions about predictions).
    """
    values = records_by(comparison.policies, "policy")
    currency = campaign.currency
    best = constant_name(best_constant)
    by_probability = _shares(judged, judged.probabilities[FUSION])
    by_profit = _shares(judged, judged.profit)
    example = judged.keys["customer_id"].iloc[0]
    names = judged.messages.names

    def supported(policy: str) -> str:
        row = values[policy]
        return f"{row['aipw']:.3f} {currency} ({row['aipw_lower']:.3f} to {row['aipw_upper']:.3f})"

    def claimed(policy: str) -> str:
        return f"{values[policy]['claimed']:.3f} {currency}"

    constants = [constant_name(m) for m in judged.messages]
    rows = [
        (
            "Which message has each customer's highest purchase probability?",
            f"one per customer; {example}: {names[judged.probabilities[FUSION][0].argmax()]}",
            "",
        ),
        ("For which share of customers is each message the likeliest to sell?", by_probability, ""),
        (
            "Which message has each customer's highest expected profit?",
            f"one per customer, in `decisions`; {example}: {names[judged.profit[0].argmax()]}",
            "",
        ),
        ("For which share of customers is each message the most profitable?", by_profit, ""),
        (
            "What does a customer earn when everyone gets their own best message?",
            claimed(PERSONALISED),
            supported(PERSONALISED),
        ),
        (
            "What does a customer earn when everyone gets the same message?",
            "; ".join(f"{c}: {claimed(c)}" for c in constants),
            "; ".join(f"{c}: {supported(c)}" for c in constants),
        ),
        (
            "What does a customer earn under random assignment?",
            claimed(RANDOM),
            supported(RANDOM),
        ),
        (
            f"What would personalising an e-mail to {campaign.customers:,} customers gain?",
            _campaign_claim(values, best, campaign),
            _campaign_support(comparison, best, campaign),
        ),
    ]
    table = pd.DataFrame(rows, columns=["question", "claimed", "supported"])
    table.insert(0, "number", range(1, len(table) + 1))
    return table


def _shares(judged: Judged, scores: np.ndarray) -> str:
    w = judged.sampling_weight
    counts = np.bincount(scores.argmax(axis=1), weights=w, minlength=len(judged.messages))
    shares = counts / w.sum()
    order = np.argsort(-shares, kind="stable")
    return ", ".join(f"{judged.messages.names[k]} {shares[k]:.1%}" for k in order)


def _campaign_claim(
    values: Mapping[str, Mapping[str, Any]], best: str, campaign: CampaignSettings
) -> str:
    parts = []
    for label, baseline in _baselines(values, best):
        level = values[baseline]["claimed"]
        gain = values[PERSONALISED]["claimed"] - level
        total = gain * campaign.customers
        parts.append(f"{label}: {total:+,.0f} {campaign.currency} ({100 * gain / level:+.1f} %)")
    return "; ".join(parts)


def _campaign_support(comparison: PolicyComparison, best: str, campaign: CampaignSettings) -> str:
    parts = []
    for policy, verb in ((PERSONALISED, "personalised"), (SHIPPED, "what ships")):
        gains = records_by(comparison.gains[comparison.gains["policy"] == policy], "baseline")
        for label, baseline in _baselines(gains, best):
            row = gains[baseline]
            parts.append(
                f"{verb} {label}: {row['campaign_gain']:+,.0f} {campaign.currency} "
                f"({row['campaign_lower']:+,.0f} to {row['campaign_upper']:+,.0f})"
            )
    return "; ".join(parts)


def _baselines(known: Mapping[str, Any], best: str) -> list[tuple[str, str]]:
    wanted = [
        ("over the best single message", best),
        ("over random assignment", RANDOM),
        ("over no e-mail", constant_name(CONTROL)),
    ]
    return [(label, name) for label, name in wanted if name in known]
