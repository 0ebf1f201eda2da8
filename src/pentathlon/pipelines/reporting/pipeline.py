"""From results to figures and the report."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.reporting.nodes import (
    FIGURES,
    draw_fitting,
    draw_models,
    draw_policies,
    write_report,
)

TABLES = (
    "data_quality",
    "policy_choice",
    "policy_summary",
    "headline",
    "truth_summary",
    "order_value_choice",
    "policy_values",
    "policy_gains",
    "case_questions",
    "truth_policies",
    "overlap",
    "overlap_summary",
    "rule_effects",
    "limit_outcomes",
    "learning_plan",
    "learning_plan_summary",
    "model_metrics",
    "calibration",
    "fusion_table",
    "fusion_calibration",
    "order_value_multipliers",
    "order_value_trials",
)


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To a Plotly figure per subject (``<name>_figure``) and ``report``.
    """
    return Pipeline(
        [
            Node(
                draw_policies,
                inputs=[
                    "policy_choice",
                    "policy_values",
                    "policy_gains",
                    "truth_policies",
                    "params:campaign",
                ],
                outputs=_figures("policy_profit", "policy_gains", "message_shares")
                + _figures("estimators", "truth"),
                name="draw_policies",
                namespace="reporting",
            ),
            Node(
                draw_models,
                inputs=[
                    "model_metrics",
                    "model_gains",
                    "feature_effects",
                    *(f"{model}_importance" for model in MODEL_NAMES),
                ],
                outputs=_figures("model_metrics", "cumulative_gains", "lift")
                + _figures("importance", "feature_effects"),
                name="draw_models",
                namespace="reporting",
            ),
            Node(
                draw_fitting,
                inputs=[
                    "calibration",
                    "fusion_table",
                    "order_value_multipliers",
                    "params:evaluation",
                    *(f"{model}_trials" for model in MODEL_NAMES),
                ],
                outputs=_figures("tuning", "fusion", "calibration", "order_values"),
                name="draw_fitting",
                namespace="reporting",
            ),
            Node(
                write_report,
                inputs={
                    "campaign": "params:campaign",
                    "evaluation": "params:evaluation",
                    "decision": "params:decision",
                    "randomness": "params:randomness",
                    "messages": "params:messages",
                    "decisions": "decisions",
                    **{name: name for name in TABLES},
                    **{f"figure_{name}": f"{name}_figure" for name in FIGURES},
                    **{f"study_{model}": f"{model}_study" for model in MODEL_NAMES},
                    **{f"trials_{model}": f"{model}_trials" for model in MODEL_NAMES},
                    **{f"selection_{m}": f"{m}_feature_selection" for m in MODEL_NAMES},
                },
                outputs="report",
                name="write_report",
                namespace="reporting",
            ),
        ],
        tags=["reporting"],
    )


def _figures(*names: str) -> list[str]:
    return [f"{name}_figure" for name in names]
