"""Nodes of the pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from pentathlon.contract import FeatureColumns
from pentathlon.contract.scores import scores_array
from pentathlon.decision import (
    PERSONALISED,
    ContrastBlend,
    ContrastShrinkage,
    DecisionEngine,
    PolicyChoice,
)
from pentathlon.decision.attribution import explain_decisions, feature_reference
from pentathlon.decision.challengers import SegmentVerdict
from pentathlon.decision.decisions import decisions_table, limits_table, rule_effects
from pentathlon.decision.leads import MessageLeads
from pentathlon.decision.monthly import month_of, monthly_summary, no_month
from pentathlon.decision.policies import BY_SEGMENT, POLICY_TREE
from pentathlon.decision.routing import Router
from pentathlon.decision.rules import Screen, Sources, further_contact_costs, screen_customers
from pentathlon.decision.verdicts import challenge_confidence
from pentathlon.evaluation import customer_clusters, emails_to_settle
from pentathlon.evaluation.provenance import check_fold_provenance
from pentathlon.features import DesignBuilder
from pentathlon.fusion import FusionModel
from pentathlon.models.order_value import OrderValueModel
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.decision.params import DecisionParams
from pentathlon.pipelines.params import CampaignParams, MessagesParams
from pentathlon.recipe import Observed, decide_policy

logger = logging.getLogger(__name__)


def choose_policy(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    fused_scores: pd.DataFrame,
    order_value_scores: pd.DataFrame,
    messages: MessagesParams,
    settings: DecisionParams,
    *model_scores: pd.DataFrame,
) -> dict[str, Any]:
    """Let the gate choose between the personalised policy and the best constant.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
    design_builder : DesignBuilder
    fused_scores, order_value_scores : DataFrame, n rows
        Cross-fitted on training rows; only those are looked at.
    messages : MessagesParams
    settings : DecisionParams
    *model_scores : DataFrame, n rows
        Of the single models, cross-fitted too, in the order of
        :data:`pentathlon.models.registry.MODEL_NAMES`.

    Returns
    -------
    dict
        The policy, the gate's verdict with its numbers, and the shrinkage of contrasts.
    """
    message_set = messages.message_set()
    for scores in (fused_scores, order_value_scores, *model_scores):
        check_fold_provenance(observations, scores)
    train = (observations["split"] == "train").to_numpy()
    rows = Observed.training_rows(observations, model_input, design_builder, message_set)
    choice = decide_policy(
        rows,
        scores_array(fused_scores[train], message_set),
        scores_array(order_value_scores[train], message_set),
        message_set,
        settings,
        customer_clusters(observations.loc[train, "customer_id"].to_numpy()),
        {
            name: scores_array(scores[train], message_set)
            for name, scores in zip(MODEL_NAMES, model_scores, strict=True)
        },
        model_input[train],
    )
    by_outcomes, gain = choice.gate.gain, choice.gain
    logger.info("gate: %s %s ships.", choice.reason, choice.policy)
    return {
        "policy": choice.policy,
        "best_constant": message_set.names[choice.gate.best_constant],
        "personalised_ships": choice.policy in (PERSONALISED, BY_SEGMENT),
        "contrasts_real": choice.contrasts_real,
        "gain": gain.value,
        "gain_standard_error": gain.standard_error,
        "gain_lower_bound": gain.lower_bound(settings.confidence),
        "confidence": settings.confidence,
        "gain_by_outcomes": by_outcomes.value,
        "gain_by_outcomes_standard_error": by_outcomes.standard_error,
        "estimator": settings.estimator,
        "emails_to_settle": emails_to_settle(gain, confidence=settings.confidence),
        "reason": choice.reason,
        "blend": choice.blend.to_dict(),
        "shrinkage": choice.shrinkage.to_dict(),
        "leads": list(choice.leads.factors),
        "promised_profit": choice.promised_profit,
        "router": None if choice.router is None else choice.router.to_dict(),
        "policy_tree": _tree_record(choice, settings),
        "segments": [_segment_record(verdict) for verdict in choice.segments],
        "constant_worth": dict(zip(message_set, choice.constant_worth, strict=True)),
    }


def _tree_record(choice: PolicyChoice, settings: DecisionParams) -> dict[str, Any] | None:
    if choice.tree is None:
        return None
    gain = choice.tree.gain
    return {
        "groups": choice.tree.router.rules(),
        "gain": gain.value,
        "gain_standard_error": gain.standard_error,
        "gain_lower_bound": gain.lower_bound(challenge_confidence(settings.confidence)),
        "gain_over_incumbent": choice.tree.over_incumbent.value,
        "gain_over_incumbent_standard_error": choice.tree.over_incumbent.standard_error,
        "ships": choice.policy == POLICY_TREE,
    }


def _segment_record(verdict: SegmentVerdict) -> dict[str, Any]:
    return {
        "segment": verdict.segment,
        "share": verdict.share,
        "gain": verdict.gain.value,
        "gain_standard_error": verdict.gain.standard_error,
        "gain_by_outcomes": verdict.by_outcomes.value,
        "gain_by_outcomes_standard_error": verdict.by_outcomes.standard_error,
        "adjusted_p_value": verdict.p_value,
        "personalised": verdict.personalised,
    }


def assemble_engine(
    messages: MessagesParams,
    features: FeatureColumns,
    design_builder: DesignBuilder,
    fusion_model: FusionModel,
    order_value_model: OrderValueModel,
    policy_choice: dict[str, Any],
    *models: ResponseModel,
) -> DecisionEngine:
    """Put the parts of the decision engine together.

    Parameters
    ----------
    messages : MessagesParams
    features : FeatureColumns
    design_builder : DesignBuilder
    fusion_model : FusionModel
    order_value_model : OrderValueModel
    policy_choice : dict
    *models : ResponseModel
        In the order of :data:`pentathlon.models.registry.MODEL_NAMES`.
    """
    return DecisionEngine(
        messages=messages.message_set(),
        columns=features,
        builder=design_builder,
        models=dict(zip(MODEL_NAMES, models, strict=True)),
        fusion=fusion_model,
        order_value=order_value_model,
        shrinkage=ContrastShrinkage.from_dict(policy_choice["shrinkage"]),
        leads=MessageLeads.of(policy_choice["leads"]),
        policy=policy_choice["policy"],
        constant_worth=tuple(policy_choice["constant_worth"][m] for m in messages),
        blend=ContrastBlend.from_dict(policy_choice["blend"]),
        router=Router.from_dict(policy_choice["router"]) if policy_choice["router"] else None,
    )


def screen(
    customers: pd.DataFrame,
    customer_attributes: pd.DataFrame | None,
    suppression_list: pd.DataFrame | None,
    contact_history: pd.DataFrame | None,
    purchase_history: pd.DataFrame | None,
    messages: MessagesParams,
    settings: DecisionParams,
    campaign: CampaignParams,
) -> pd.DataFrame:
    """Ask every rule about every customer.

    Parameters
    ----------
    customers : DataFrame, n rows
    customer_attributes, suppression_list, contact_history, purchase_history : DataFrame or None
        What else is known; see :class:`pentathlon.decision.rules.Sources`.
    messages : MessagesParams
    settings : DecisionParams
    campaign : CampaignParams
        Its date ends every window.

    Returns
    -------
    DataFrame, n rows
        See :class:`pentathlon.decision.rules.Screen`.
    """
    message_set = messages.message_set()
    screened = screen_customers(
        customers,
        message_set,
        settings.rules,
        settings.limits,
        Sources(customer_attributes, suppression_list, contact_history, purchase_history),
        campaign.date,
    )
    return screened.to_table(message_set)


def decide(
    decision_engine: DecisionEngine,
    customers: pd.DataFrame,
    screened_customers: pd.DataFrame,
    settings: DecisionParams,
    campaign: CampaignParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Decide for every customer, within rules and limits.

    Parameters
    ----------
    decision_engine : DecisionEngine
    customers, screened_customers : DataFrame, n rows
    settings : DecisionParams
        Its limits hold for all decisions together, its exploration is what is left to chance.
    campaign : CampaignParams
        Its name is part of the draw.

    Returns
    -------
    decisions, rule_effects, limit_outcomes : DataFrame
        See :mod:`pentathlon.decision.decisions`.
    """
    messages = decision_engine.messages
    prediction, plan = decision_engine.plan(
        customers, settings, Screen.from_table(screened_customers, messages), campaign.name
    )
    customer_id = customers["customer_id"].astype(str).to_numpy(dtype=object)
    decisions = decisions_table(customer_id, prediction, plan, messages, decision_engine.policy)
    shares = decisions["message"].value_counts(normalize=True)
    logger.info(
        "decided for %s customers: %s",
        f"{len(decisions):,}",
        ", ".join(f"{name} {share:.1%}" for name, share in shares.items()),
    )
    return decisions, rule_effects(plan, messages), limits_table(plan.limits)


def plan_month(
    decision_engine: DecisionEngine,
    customers: pd.DataFrame,
    screened_customers: pd.DataFrame,
    customer_attributes: pd.DataFrame | None,
    contact_history: pd.DataFrame | None,
    settings: DecisionParams,
    campaign: CampaignParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Plan each customer's e-mails of a month, where the settings ask for it.

    Parameters
    ----------
    decision_engine : DecisionEngine
    customers, screened_customers : DataFrame, n rows
    customer_attributes, contact_history : DataFrame or None
        Contact pressure may need them.
    settings : DecisionParams
    campaign : CampaignParams
        Its date ends every window.

    Returns
    -------
    monthly_plan, monthly_summary : DataFrame
        See :mod:`pentathlon.decision.monthly`; empty without the setting.
    """
    month = settings.monthly_plan
    if month is None:
        table = no_month()
        return table, monthly_summary(table)
    costs = further_contact_costs(
        customers,
        settings.rules,
        month.per_month,
        Sources(attributes=customer_attributes, contacts=contact_history),
        campaign.date,
    )
    screen = Screen.from_table(screened_customers, decision_engine.messages)
    table = month_of(decision_engine, customers, screen, costs, settings, month)
    logger.info(
        "planned %s e-mails of a month for %s customers.",
        f"{len(table):,}",
        f"{table['customer_id'].nunique():,}",
    )
    return table, monthly_summary(table)


def explain(
    decision_engine: DecisionEngine,
    observations: pd.DataFrame,
    customers: pd.DataFrame,
    decisions: pd.DataFrame,
    settings: DecisionParams,
) -> tuple[pd.DataFrame, dict[str, float | str]]:
    """Say which features moved the decisions of the customers asked for.

    Parameters
    ----------
    decision_engine : DecisionEngine
    observations : DataFrame
        Their training customers say what is usual.
    customers, decisions : DataFrame, n rows
    settings : DecisionParams

    Returns
    -------
    decision_reasons : DataFrame
        See :func:`pentathlon.decision.attribution.explain_decisions`.
    feature_reference : dict
        The usual value of every feature.
    """
    trained = observations.loc[observations["split"] == "train", "customer_id"].astype(str)
    seen = customers["customer_id"].astype(str).isin(set(trained))
    reference = feature_reference(customers[seen], decision_engine.columns)
    reasons = explain_decisions(decision_engine, customers, decisions, reference, settings.explain)
    return reasons, reference
