"""What a campaign will be able to tell, and what learning it costs, before it is sent.

A campaign that leaves nothing to chance proves nothing afterwards. How much must be left to chance
follows from the outcomes at hand: from the spread of profit (not of conversions) of the customers
on whom two policies differ, for only they carry information.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pentathlon.evaluation import AIPW, paired_gain
from pentathlon.evaluation.estimate import normal_quantile
from pentathlon.judgement.judged import Judged
from pentathlon.judgement.settings import CampaignSettings

COLUMNS = [
    *("question", "share", "detectable_gain", "detectable_percent", "customers", "cost"),
    "cost_standard_error",
]
EXPLORATION, HOLDOUT = "exploration", "holdout"
MOST = {EXPLORATION: 1.0, HOLDOUT: 0.5}
"""Largest shares that are searched: all of the e-mails, half of the customers."""


class PlanSettings(BaseModel):
    """What the next campaign should be able to tell.

    Attributes
    ----------
    gain_percent : float
        Gain to detect, in per cent of the supported profit of what ships.
    confidence : float
        One-sided, of the test afterwards.
    power : float
        Probability of detecting a gain of that size.
    shares : tuple of float
        Shares left to chance that the table shows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    gain_percent: Annotated[float, Field(gt=0)] = 5.0
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.8
    shares: tuple[Annotated[float, Field(gt=0, le=0.5)], ...] = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Spread:
    """What the variance of a gain is made of, in currency squared per customer.

    Attributes
    ----------
    policy, baseline : float
        Mean squared residual of either message on customers for whom the two differ; counts with
        the inverse of the message's propensity.
    between : float
        Variance of the predicted gain between customers.
    """

    policy: float
    baseline: float
    between: float

    def variance(self, policy_propensity: float, baseline_propensity: float) -> float:
        """Variance of the gain per customer."""
        noise = self.policy / policy_propensity + self.baseline / baseline_propensity
        return noise + self.between


@dataclass(frozen=True)
class Question:
    """Something that only chance can answer.

    Attributes
    ----------
    name : str
        ``exploration`` or ``holdout``.
    spread : Spread
        Of the difference that is asked for.
    propensities : callable
        From the share left to chance to the probabilities with which the next campaign sends the
        policy's message and the baseline's, where they differ.
    cost : float
        What one customer left to chance costs on average, in currency.
    cost_standard_error : float
    """

    name: str
    spread: Spread
    propensities: Callable[[float], tuple[float, float]]
    cost: float
    cost_standard_error: float


def learning_plan(
    judged: Judged, best_constant: str, settings: PlanSettings, campaign: CampaignSettings
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Plan how much of a campaign to leave to chance.

    Two questions: does what ships earn more than one message for everyone (``exploration`` of
    every message with the same probability answers it; where one message ships, whether personal
    messages would earn more), and does it earn more than no e-mail at all (a ``holdout``).

    Parameters
    ----------
    judged : Judged
        Rows with outcomes; their spread of profit is that of the next campaign.
    best_constant : str
        Message that was found best for everyone.
    settings : PlanSettings
    campaign : CampaignSettings
        How many customers will be mailed.

    Returns
    -------
    table : DataFrame
        One row per question and share: ``detectable_gain`` (per customer, in currency),
        ``detectable_percent`` of the supported profit, ``customers`` left to chance, ``cost`` of
        the campaign in currency with ``cost_standard_error``.
    summary : dict
        By question: the ``share`` that detects the gain asked for (``None`` where none within
        reach does), its ``cost``, and ``campaigns``: how many campaigns of this size detect it
        together with the largest share of the table.

    References
    ----------
    Cohen (1988), "Statistical power analysis for the behavioral sciences"; Dudik, Langford, Li
    (2011), "Doubly robust policy evaluation and learning", for the variance.
    """
    value = AIPW().estimate(judged.decision, judged.outcomes(), judged.profit).value
    wanted = abs(value) * settings.gain_percent / 100
    reach = normal_quantile(settings.confidence) + normal_quantile(settings.power)
    n = campaign.customers
    records, summary = [], {}
    for question in _questions(judged, best_constant):

        def detectable(share: float, asked: Question = question) -> float:
            variance = asked.spread.variance(*asked.propensities(share))
            return float(reach * np.sqrt(variance / n))

        for share in settings.shares:
            gain = detectable(share)
            records.append(
                {
                    "question": question.name,
                    "share": share,
                    "detectable_gain": gain,
                    "detectable_percent": 100 * gain / abs(value) if value else np.nan,
                    "customers": round(share * n),
                    "cost": share * n * question.cost,
                    "cost_standard_error": share * n * question.cost_standard_error,
                }
            )
        enough = _smallest(detectable, wanted, MOST[question.name])
        most = detectable(max(settings.shares))
        summary[question.name] = {
            "share": enough,
            "cost": None if enough is None else enough * n * question.cost,
            "cost_standard_error": None
            if enough is None
            else enough * n * question.cost_standard_error,
            "campaigns": int(np.ceil((most / wanted) ** 2)) if wanted > 0 else None,
            "most_share": max(settings.shares),
        }
    return pd.DataFrame(records, columns=COLUMNS).astype({"question": "str"}), {
        "gain_percent": settings.gain_percent,
        "gain": wanted,
        "confidence": settings.confidence,
        "power": settings.power,
        "customers": n,
        "questions": summary,
    }


def _questions(judged: Judged, best_constant: str) -> list[Question]:
    messages, profit = judged.messages, judged.profit
    outcomes = judged.outcomes()
    shipped = judged.decision
    n, k = profit.shape
    found = []
    rival = np.full(n, messages.names.index(best_constant), dtype=np.int64)
    policy = shipped
    if (shipped == rival).all():
        policy = np.asarray(profit.argmax(axis=1), dtype=np.int64)
    if (policy != rival).any():
        random = np.full((n, k), 1.0 / k)
        loss = paired_gain(shipped, random, outcomes, profit)
        sends_rival = bool((shipped == rival).all())

        def explored(share: float) -> tuple[float, float]:
            chosen, other = 1 - share + share / k, share / k
            return (other, chosen) if sends_rival else (chosen, other)

        found.append(
            Question(
                EXPLORATION,
                _spread(judged, policy, rival),
                explored,
                loss.value,
                loss.standard_error,
            )
        )
    if messages.control is not None and (shipped != messages.control).any():
        nothing = np.full(n, messages.control, dtype=np.int64)
        loss = paired_gain(shipped, nothing, outcomes, profit)
        found.append(
            Question(
                HOLDOUT,
                _spread(judged, shipped, nothing),
                lambda share: (1 - share, share),
                loss.value,
                loss.standard_error,
            )
        )
    return found


def _spread(judged: Judged, policy: NDArray[np.int64], baseline: NDArray[np.int64]) -> Spread:
    """Variance per customer of the doubly robust gain of a policy, whatever the odds of sending.

    A residual will count with the inverse of its new propensity; the rows at hand stand for all
    customers by the inverse of the old one.
    """
    outcomes = judged.outcomes()
    rows, sent = np.arange(len(judged)), judged.message
    weight = judged.sampling_weight / outcomes.propensity
    squared = weight * (outcomes.profit - judged.profit[rows, sent]) ** 2
    squared *= policy != baseline
    profit = judged.profit if judged.contact_costs is None else judged.profit - judged.contact_costs
    lead = profit[rows, policy] - profit[rows, baseline]
    return Spread(
        float(squared @ (sent == policy)) / len(judged),
        float(squared @ (sent == baseline)) / len(judged),
        float(np.cov(lead, aweights=judged.sampling_weight)),
    )


def _smallest(detectable: Callable[[float], float], wanted: float, most: float) -> float | None:
    """Smallest share that detects a gain, to a tenth of a per cent of the customers."""
    shares = np.arange(0.001, most + 5e-4, 0.001)
    for share in shares:
        if detectable(float(share)) <= wanted:
            return float(round(share, 3))
    return None
