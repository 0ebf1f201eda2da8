"""From the decision engine to what its decisions are worth."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.evaluation.nodes import (
    check_against_truth,
    check_overlap,
    evaluate_models,
    evaluate_policies,
    judge,
    summarise,
)


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To judged rows, model metrics, policy values and gains, the comparison with the truth
        where it is known, and the headline numbers.
    """
    return Pipeline(
        [
            Node(
                judge,
                inputs=[
                    "observations",
                    "model_input",
                    "decision_engine",
                    "screened_customers",
                    "params:messages",
                    "params:features",
                    "params:evaluation",
                    "params:order_value",
                    "params:fusion",
                    "params:decision",
                    "params:randomness",
                    *(f"params:training.{model}" for model in MODEL_NAMES),
                ],
                outputs=["judged", "policy_scores"],
                name="judge",
                namespace="evaluation",
            ),
            Node(
                evaluate_models,
                inputs=[
                    "judged",
                    "customers",
                    "params:messages",
                    "params:features",
                    "params:evaluation",
                ],
                outputs=["model_metrics", "model_gains", "calibration", "feature_effects"],
                name="evaluate_models",
                namespace="evaluation",
            ),
            Node(
                evaluate_policies,
                inputs=[
                    "judged",
                    "policy_choice",
                    "params:messages",
                    "params:evaluation",
                    "params:campaign",
                ],
                outputs=["policy_values", "policy_gains", "policy_summary", "case_questions"],
                name="evaluate_policies",
                namespace="evaluation",
            ),
            Node(
                check_overlap,
                inputs=[
                    "judged",
                    "customers",
                    "params:messages",
                    "params:features",
                    "params:evaluation",
                ],
                outputs=["overlap", "overlap_summary"],
                name="check_overlap",
                namespace="evaluation",
            ),
            Node(
                check_against_truth,
                inputs=["judged", "truth", "params:messages", "params:evaluation"],
                outputs=["truth_summary", "truth_policies"],
                name="check_against_truth",
                namespace="evaluation",
            ),
            Node(
                summarise,
                inputs=[
                    "policy_summary",
                    "truth_summary",
                    "policy_choice",
                    "model_metrics",
                    "overlap_summary",
                ],
                outputs="headline",
                name="summarise",
                namespace="evaluation",
            ),
        ],
        tags=["evaluation"],
    )
