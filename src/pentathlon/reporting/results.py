"""Everything that a report is written from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from pentathlon.contract import MessageSet
from pentathlon.decision.policies import constant_name
from pentathlon.decision.settings import DecisionSettings
from pentathlon.judgement import CampaignSettings, EvaluationSettings
from pentathlon.models.settings import RandomnessSettings
from pentathlon.reporting import labels
from pentathlon.reporting.formats import Money, percent
from pentathlon.reporting.labels import Record, records


@dataclass(frozen=True)
class Settings:
    """Parameters that the report speaks of.

    Attributes
    ----------
    campaign : CampaignSettings
    evaluation : EvaluationSettings
    decision : DecisionSettings
    randomness : RandomnessSettings
    messages : MessageSet
    """

    campaign: CampaignSettings
    evaluation: EvaluationSettings
    decision: DecisionSettings
    randomness: RandomnessSettings
    messages: MessageSet


@dataclass(frozen=True)
class Results:
    """Results of one run, as the pipelines leave them.

    Attributes
    ----------
    settings : Settings
    data_quality, policy_choice, policy_summary, headline, truth_summary, order_value_choice : dict
    policy_values, policy_gains, case_questions, truth_policies : DataFrame
    model_metrics, calibration, fusion_table, fusion_calibration : DataFrame
    order_value_multipliers, order_value_trials : DataFrame
    overlap : DataFrame
    overlap_summary : dict
    rule_effects, limit_outcomes : DataFrame
        Empty where there are no rules or limits.
    learning_plan : DataFrame
    learning_plan_summary : dict
    decided : dict of str to int
        Customers per message among the decisions.
    studies : dict of str to dict
        By model: hyper-parameters and log loss.
    trials : dict of str to DataFrame
        By model.
    selections : dict of str to DataFrame
        By model: features kept and dropped, with reasons.
    """

    settings: Settings
    data_quality: Record
    policy_choice: Record
    policy_summary: Record
    headline: Record
    truth_summary: Record
    order_value_choice: Record
    policy_values: pd.DataFrame
    policy_gains: pd.DataFrame
    case_questions: pd.DataFrame
    truth_policies: pd.DataFrame
    model_metrics: pd.DataFrame
    calibration: pd.DataFrame
    fusion_table: pd.DataFrame
    fusion_calibration: pd.DataFrame
    order_value_multipliers: pd.DataFrame
    order_value_trials: pd.DataFrame
    overlap: pd.DataFrame
    overlap_summary: Record
    rule_effects: pd.DataFrame
    limit_outcomes: pd.DataFrame
    learning_plan: pd.DataFrame
    learning_plan_summary: Record
    decided: Mapping[str, int]
    studies: Mapping[str, Record]
    trials: Mapping[str, pd.DataFrame]
    selections: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @cached_property
    def money(self) -> Money:
        """Amounts in the campaign's currency."""
        return Money(self.settings.campaign.currency)

    @property
    def ships(self) -> str:
        """Name of the policy that ships."""
        return str(self.policy_choice["policy"])

    @property
    def personalised_ships(self) -> bool:
        """Whether customers get messages of their own, or of their group."""
        return self.ships in (labels.PERSONALISED, labels.BY_SEGMENT, labels.POLICY_TREE)

    @property
    def refused(self) -> bool:
        """Whether the log cannot speak for what ships, so nothing may be concluded."""
        return bool(self.overlap_summary["refused"])

    @property
    def restricted(self) -> bool:
        """Whether rules or limits had a say in what is sent."""
        return not (self.rule_effects.empty and self.limit_outcomes.empty)

    @property
    def best_constant(self) -> str:
        """Name of the constant policy that the gate compared with."""
        return constant_name(str(self.policy_choice["best_constant"]))

    @property
    def refitted(self) -> bool:
        """Whether rows were judged by recipes refitted without them, not by what ships."""
        return self.settings.evaluation.scheme != "test"

    @property
    def confidence(self) -> str:
        """Confidence of the intervals, in per cent."""
        return level(self.settings.evaluation.confidence)

    @property
    def judged_customers(self) -> int:
        """Rows that judge."""
        return int(self.headline["judged_customers"])

    @cached_property
    def judged_responses(self) -> int:
        """Responses among the judged rows at the population's rate."""
        overall = self.calibration[self.calibration["group"] == "all"]
        return round(float(overall["observed"].iloc[0]))

    @cached_property
    def alarms(self) -> list[tuple[str, str]]:
        """Disagreements of estimators: policy and what disagrees.

        What ships is also a candidate, so its alarms come twice unless evaluation refits.
        """
        found = []
        for alarm in self.policy_summary["alarms"]:
            policy, _, what = str(alarm).rpartition(": ")
            if policy == self.ships and not self.refitted:
                policy = labels.SHIPPED
            if (policy, what) not in found:
                found.append((policy, what))
        return found

    @property
    def compared_policies(self) -> int:
        """How many policies are compared, one that ships counted once."""
        return len(self.policy_values) - (0 if self.refitted else 1)

    @cached_property
    def policies(self) -> dict[str, Record]:
        """Rows of ``policy_values`` by policy."""
        return records(self.policy_values, "policy")

    @cached_property
    def gains(self) -> dict[str, Record]:
        """Gains of what ships by baseline."""
        mine = self.policy_gains[self.policy_gains["policy"] == labels.SHIPPED]
        return records(mine, "baseline")


def level(confidence: float) -> str:
    """A confidence as per cent, with no more digits than it has: 95 %, 99.9 %."""
    decimals = 0 if abs(confidence * 100 - round(confidence * 100)) < 1e-9 else 1
    return percent(confidence, decimals)
