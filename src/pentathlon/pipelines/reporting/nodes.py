"""Nodes of the pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.decision.params import DecisionParams
from pentathlon.pipelines.evaluation.params import EvaluationParams
from pentathlon.pipelines.params import CampaignParams, MessagesParams, RandomnessParams

FIGURES = (
    "policy_profit",
    "policy_gains",
    "message_shares",
    "estimators",
    "truth",
    "model_metrics",
    "cumulative_gains",
    "lift",
    "importance",
    "feature_effects",
    "tuning",
    "fusion",
    "calibration",
    "order_values",
)


def draw_policies(
    policy_choice: dict[str, Any],
    policy_values: pd.DataFrame,
    policy_gains: pd.DataFrame,
    truth_policies: pd.DataFrame,
    campaign: CampaignParams,
) -> tuple[Any, ...]:
    """Draw what policies claim, earn, gain and send.

    Returns
    -------
    policy_profit, policy_gains, message_shares, estimators, truth : Figure
    """
    from pentathlon.decision.policies import constant_name
    from pentathlon.reporting import figures_policies

    ships, currency = policy_choice["policy"], campaign.currency
    best = constant_name(policy_choice["best_constant"])
    return (
        figures_policies.policy_profit(policy_values, ships, currency),
        figures_policies.policy_gains(policy_gains, ships, currency, campaign.customers),
        figures_policies.message_shares(policy_values, ships),
        figures_policies.estimators(policy_values, ships, best, currency),
        figures_policies.truth(truth_policies, policy_values, ships, currency),
    )


def draw_models(
    model_metrics: pd.DataFrame,
    model_gains: pd.DataFrame,
    feature_effects: pd.DataFrame,
    *importances: pd.DataFrame,
) -> tuple[Any, ...]:
    """Draw how well models rank and what they look at.

    Parameters
    ----------
    model_metrics, model_gains, feature_effects : DataFrame
    *importances : DataFrame
        In the order of :data:`pentathlon.models.registry.MODEL_NAMES`.

    Returns
    -------
    model_metrics, cumulative_gains, lift, importance, feature_effects : Figure
    """
    from pentathlon.reporting import figures_models

    return (
        figures_models.model_metrics(model_metrics),
        figures_models.cumulative_gains(model_gains),
        figures_models.lift(model_gains),
        figures_models.importance(dict(zip(MODEL_NAMES, importances, strict=True))),
        figures_models.feature_effects(feature_effects),
    )


def draw_fitting(
    calibration: pd.DataFrame,
    fusion_table: pd.DataFrame,
    order_value_multipliers: pd.DataFrame,
    evaluation: EvaluationParams,
    *trials: pd.DataFrame,
) -> tuple[Any, ...]:
    """Draw tuning, fusion, calibration and order values.

    Parameters
    ----------
    calibration, fusion_table, order_value_multipliers : DataFrame
    evaluation : EvaluationParams
    *trials : DataFrame
        In the order of :data:`pentathlon.models.registry.MODEL_NAMES`.

    Returns
    -------
    tuning, fusion, calibration, order_values : Figure
    """
    from pentathlon.reporting import figures_fitting

    return (
        figures_fitting.tuning(dict(zip(MODEL_NAMES, trials, strict=True))),
        figures_fitting.fusion(fusion_table),
        figures_fitting.calibration(calibration),
        figures_fitting.order_values(order_value_multipliers, evaluation.confidence),
    )


def write_report(
    campaign: CampaignParams,
    evaluation: EvaluationParams,
    decision: DecisionParams,
    randomness: RandomnessParams,
    messages: MessagesParams,
    decisions: pd.DataFrame,
    **inputs: Any,
) -> str:
    """Write the report.

    Parameters
    ----------
    campaign, evaluation, decision, randomness, messages
        The parameters that the report speaks of.
    decisions : DataFrame
    **inputs
        Figures (``figure_<name>``), studies (``study_<model>``), trials (``trials_<model>``),
        selected features (``selection_<model>``), and by their own names the other fields of
        :class:`pentathlon.reporting.results.Results`.

    Returns
    -------
    str
        HTML.
    """
    from pentathlon.reporting.report import render_report
    from pentathlon.reporting.results import Results, Settings

    figures = {name: inputs.pop(f"figure_{name}") for name in FIGURES}
    studies = {name: inputs.pop(f"study_{name}") for name in MODEL_NAMES}
    trials = {name: inputs.pop(f"trials_{name}") for name in MODEL_NAMES}
    selections = {name: inputs.pop(f"selection_{name}") for name in MODEL_NAMES}
    results = Results(
        settings=Settings(campaign, evaluation, decision, randomness, messages.message_set()),
        decided={str(k): int(v) for k, v in decisions["message"].value_counts().items()},
        studies=studies,
        trials=trials,
        selections=selections,
        **inputs,
    )
    return render_report(results, figures)
