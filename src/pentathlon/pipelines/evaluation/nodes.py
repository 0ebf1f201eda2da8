"""Nodes of the pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from pentathlon.contract import FeatureColumns
from pentathlon.decision import DecisionEngine
from pentathlon.decision.rules import Screen
from pentathlon.judgement import (
    Judged,
    Sending,
    compare_policies,
    compare_with_truth,
    judge_cross_fitted,
    judge_rolling_origin,
    judge_test_rows,
)
from pentathlon.judgement.judged import FUSION
from pentathlon.judgement.models import assess_models, feature_effects
from pentathlon.judgement.overlap import assess_overlap
from pentathlon.judgement.questions import case_questions
from pentathlon.pipelines.decision.params import DecisionParams
from pentathlon.pipelines.evaluation.params import EvaluationParams
from pentathlon.pipelines.fusion.params import FusionParams
from pentathlon.pipelines.order_value.params import OrderValueParams
from pentathlon.pipelines.params import CampaignParams, MessagesParams, RandomnessParams
from pentathlon.pipelines.training.params import TrainingParams
from pentathlon.recipe import RecipeSettings, fit_recipe

logger = logging.getLogger(__name__)


def judge(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    decision_engine: DecisionEngine,
    screened_customers: pd.DataFrame,
    messages: MessagesParams,
    features: FeatureColumns,
    evaluation: EvaluationParams,
    order_value: OrderValueParams,
    fusion: FusionParams,
    decision: DecisionParams,
    randomness: RandomnessParams,
    *training: TrainingParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Let parties that never saw a row predict and decide for it.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
    decision_engine : DecisionEngine
        Decides for test rows; cross-fitted and rolling-origin evaluation make their own.
    screened_customers : DataFrame
        What rules say; decisions are judged within rules and limits.
    messages, features, evaluation, order_value, fusion, decision, randomness, *training
        The parameters of every step, which these evaluations repeat.

    Returns
    -------
    judged : DataFrame
        See :class:`pentathlon.judgement.Judged`.
    policy_scores : DataFrame
        What anyone needs to recompute the value of what ships.
    """
    message_set = messages.message_set()
    sending = Sending(decision, Screen.from_table(screened_customers, message_set))
    if evaluation.scheme == "test":
        judged = judge_test_rows(decision_engine, observations, model_input, sending)
    else:
        recipe = RecipeSettings(
            training={settings.model: settings for settings in training},
            order_value=order_value,
            fusion=fusion,
            decision=decision,
            randomness=randomness,
        )

        def refit(observations: pd.DataFrame, model_input: pd.DataFrame) -> DecisionEngine:
            return fit_recipe(observations, model_input, features, message_set, recipe).engine

        if evaluation.scheme == "cross_fitted":
            judged = judge_cross_fitted(observations, model_input, refit, logger.info, sending)
        else:
            judged = judge_rolling_origin(
                *(observations, model_input, refit, evaluation.origins, evaluation.outcome_days),
                *(logger.info, sending),
            )
    return judged.to_table(), judged.policy_scores()


def evaluate_models(
    judged: pd.DataFrame,
    customers: pd.DataFrame,
    messages: MessagesParams,
    features: FeatureColumns,
    evaluation: EvaluationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Judge models.

    Returns
    -------
    model_metrics, model_gains, calibration, feature_effects : DataFrame
    """
    rows = Judged.from_table(judged, messages.message_set())
    assessment = assess_models(rows, evaluation.confidence)
    effects = feature_effects(rows, customers, features, evaluation.confidence)
    return assessment.metrics, assessment.gains, assessment.calibration, effects


def evaluate_policies(
    judged: pd.DataFrame,
    policy_choice: dict[str, Any],
    messages: MessagesParams,
    evaluation: EvaluationParams,
    campaign: CampaignParams,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], pd.DataFrame]:
    """Value every policy and pair those that decide against every baseline.

    Returns
    -------
    policy_values, policy_gains : DataFrame
    policy_summary : dict
        Headline numbers of what ships, and the alarms.
    case_questions : DataFrame
    """
    rows = Judged.from_table(judged, messages.message_set())
    best = policy_choice["best_constant"]
    promised = policy_choice["promised_profit"]
    comparison = compare_policies(rows, best, evaluation, campaign, promised)
    for alarm in comparison.alarms:
        logger.warning("estimators disagree. %s", alarm)
    summary = {"headline": comparison.headline, "alarms": comparison.alarms}
    questions = case_questions(rows, comparison, best, campaign)
    return comparison.policies, comparison.gains, summary, questions


def check_overlap(
    judged: pd.DataFrame,
    customers: pd.DataFrame,
    messages: MessagesParams,
    features: FeatureColumns,
    evaluation: EvaluationParams,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Check that the log reaches the customers that what ships sends something to.

    Returns
    -------
    overlap : DataFrame
    overlap_summary : dict
        ``unreached_share`` of the judged customers, the limit, and whether a conclusion is
        ``refused``.
    """
    rows = Judged.from_table(judged, messages.message_set())
    found = assess_overlap(rows, customers, features)
    refused = found.unreached_share > evaluation.max_unreached_share
    if refused:
        logger.warning(
            "the log never reaches %.1f %% of the judged customers with what ships: no conclusion.",
            100 * found.unreached_share,
        )
    return found.table, {
        "unreached_share": found.unreached_share,
        "max_unreached_share": evaluation.max_unreached_share,
        "refused": refused,
    }


def check_against_truth(
    judged: pd.DataFrame,
    truth: pd.DataFrame | None,
    messages: MessagesParams,
    evaluation: EvaluationParams,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Set estimates against the truth, where there is one.

    Returns
    -------
    truth_summary : dict
    truth_policies : DataFrame
    """
    rows = Judged.from_table(judged, messages.message_set())
    return compare_with_truth(rows, truth, evaluation.confidence)


def summarise(
    policy_summary: dict[str, Any],
    truth_summary: dict[str, Any],
    policy_choice: dict[str, Any],
    model_metrics: pd.DataFrame,
    overlap_summary: dict[str, Any],
) -> dict[str, Any]:
    """Collect the headline numbers of a run.

    Returns
    -------
    dict
        Flat: what ships, what it earns with its interval, gains, AUC, and the truth if known.
    """
    overall = model_metrics[
        (model_metrics["model"] == FUSION) & (model_metrics["message"] == "all")
    ]
    metrics = overall.set_index("metric")["value"]
    headline = {"ships": policy_choice["policy"], "best_constant": policy_choice["best_constant"]}
    headline |= policy_summary["headline"]
    headline |= {
        "auc": float(metrics["roc_auc"]),
        "log_loss": float(metrics["log_loss"]),
        "alarms": len(policy_summary["alarms"]),
        "unreached_share": overlap_summary["unreached_share"],
    }
    if truth_summary["known"]:
        headline |= {
            key: truth_summary[key]
            for key in ("true_value", "true_gain_percent", "captured_share", "value_covered")
        }
    logger.info(
        "%s ships: %.4f a customer (%.4f to %.4f), claimed %.4f.",
        headline["ships"],
        headline["supported_profit"],
        headline["supported_profit_lower"],
        headline["supported_profit_upper"],
        headline["claimed_profit"],
    )
    return headline
