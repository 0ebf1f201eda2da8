"""From fused scores and order values to decisions and the engine that makes them."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.decision.nodes import (
    assemble_engine,
    choose_policy,
    decide,
    explain,
    plan_month,
    screen,
)


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To ``policy_choice``, ``decision_engine`` and ``decisions``, with what rules and limits
        did to them.
    """
    return Pipeline(
        [
            Node(
                choose_policy,
                inputs=[
                    "observations",
                    "model_input",
                    "design_builder",
                    "fused_scores",
                    "order_value_scores",
                    "params:messages",
                    "params:decision",
                    *(f"{model}_scores" for model in MODEL_NAMES),
                ],
                outputs="policy_choice",
                name="choose_policy",
                namespace="decision",
            ),
            Node(
                assemble_engine,
                inputs=[
                    "params:messages",
                    "params:features",
                    "design_builder",
                    "fusion_model",
                    "order_value_model",
                    "policy_choice",
                    *(f"{model}_model" for model in MODEL_NAMES),
                ],
                outputs="decision_engine",
                name="assemble_engine",
                namespace="decision",
            ),
            Node(
                screen,
                inputs=[
                    "customers",
                    "customer_attributes",
                    "suppression_list",
                    "contact_history",
                    "purchase_history",
                    "params:messages",
                    "params:decision",
                    "params:campaign",
                ],
                outputs="screened_customers",
                name="screen",
                namespace="decision",
            ),
            Node(
                decide,
                inputs=[
                    "decision_engine",
                    "customers",
                    "screened_customers",
                    "params:decision",
                    "params:campaign",
                ],
                outputs=["decisions", "rule_effects", "limit_outcomes"],
                name="decide",
                namespace="decision",
            ),
            Node(
                explain,
                inputs=[
                    "decision_engine",
                    "observations",
                    "customers",
                    "decisions",
                    "params:decision",
                ],
                outputs=["decision_reasons", "feature_reference"],
                name="explain",
                namespace="decision",
            ),
            Node(
                plan_month,
                inputs=[
                    "decision_engine",
                    "customers",
                    "screened_customers",
                    "customer_attributes",
                    "contact_history",
                    "params:decision",
                    "params:campaign",
                ],
                outputs=["monthly_plan", "monthly_summary"],
                name="plan_month",
                namespace="decision",
            ),
        ],
        tags=["decision"],
    )
