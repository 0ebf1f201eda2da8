"""Settings of the decision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pentathlon.decision.exploration import NO_EXPLORATION, ExplorationSettings
from pentathlon.decision.monthly_settings import MonthlyPlanSettings
from pentathlon.decision.rules.settings import LimitSettings, RuleSettings, TopDepartments


class SendingSettings(BaseModel):
    """What a campaign may send, whatever policy ships.

    Attributes
    ----------
    rules : RuleSettings
        Who may get what; nothing is forbidden by default.
    limits : tuple of LimitSettings
        What all decisions together may use; no limit by default.
    top_departments : TopDepartments, optional
        A preset: a rule and limits that leave the e-mails to a few departments, in shares.
    levers : dict of str to float
        Factor on what a message, or each of a department's, is taken to be worth when messages
        compete; 1 by default. A message's own goes before its department's. What that costs is
        reported.
    exploration : ExplorationSettings
        What decisions leave to chance; nothing by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: RuleSettings = RuleSettings()
    limits: tuple[LimitSettings, ...] = ()
    top_departments: TopDepartments | None = None
    levers: dict[str, Annotated[float, Field(gt=0)]] = {}
    exploration: ExplorationSettings = NO_EXPLORATION


FREE = SendingSettings()
"""No rule, no limit, nothing left to chance."""


class PolicyTreeSettings(BaseModel):
    """The challenger that a person can read.

    Attributes
    ----------
    depth : {1, 2, 3}
        Questions on the way to a group.
    smallest_group : float
        Least share of the customers in a group.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    depth: Literal[1, 2, 3] = 2
    smallest_group: Annotated[float, Field(gt=0, lt=0.5)] = 0.05


POLICY_TREE = PolicyTreeSettings()


class ExplainSettings(BaseModel):
    """Whose decisions are explained by features, and by how many.

    Attributes
    ----------
    features : int
        Per customer, those that moved the choice most.
    customers : int
        How many customers, evenly spaced over all; 0 for none but those named.
    customer_ids : tuple of str
        Customers who are explained in any case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    features: Annotated[int, Field(ge=1)] = 3
    customers: Annotated[int, Field(ge=0)] = 1000
    customer_ids: tuple[str, ...] = ()


class DecisionSettings(SendingSettings):
    """How the policy that ships is chosen, and what it may send.

    Attributes
    ----------
    confidence : float
        One-sided confidence with which the personalised policy must beat the best constant, by
        the personal differences that held-out outcomes confirmed; also of the veto of outcomes
        alone.
    contrast_confidence : float
        One-sided confidence with which personal contrasts must be real at all: the slope of
        held-out responses on them must be above 0. It costs little power, because every row
        informs it, and keeps noise from shipping.
    estimator : {"smoothed", "plain"}
        Estimator of the best constant and of the veto: AIPW with order-size smoothing (tighter,
        valid when the order-value model is unbiased under every message; evaluation tests that)
        or without.
    shrink_contrasts : bool
        Whether leads of messages and personal contrasts are shrunk by their reliability before
        the choice.
    blend_contrasts : bool
        Whether personal contrasts are blended from the single models by weights of their own
        before they are shrunk; otherwise the fused contrasts are taken. Not without shrinking.
    policy_tree : PolicyTreeSettings or None
        A small tree of questions that challenges the personalised policy; None for no challenger.
    segments : str or None
        Feature by which the personalised policy is tested segment by segment, to be sent where its
        gain holds, with the best constant elsewhere: a segment per value of a text, quarters of a
        number.
    monthly_plan : MonthlyPlanSettings, optional
        A plan per customer over the weeks of a month; none by default.
    explain : ExplainSettings
        Which decisions say what features moved them.
    """

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    contrast_confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    estimator: Literal["smoothed", "plain"] = "smoothed"
    shrink_contrasts: bool = True
    blend_contrasts: bool = True
    policy_tree: PolicyTreeSettings | None = POLICY_TREE
    segments: str | None = None
    monthly_plan: MonthlyPlanSettings | None = None
    explain: ExplainSettings = ExplainSettings()
