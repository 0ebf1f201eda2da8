"""From a saved engine and partitions of customers to partitions of decisions."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.scoring.nodes import (
    check_before_sending,
    plan_scoring,
    score_training_customers,
    sum_up,
)


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To ``scored_decisions`` and ``scoring_summary``.
    """
    return Pipeline(
        [
            Node(
                score_training_customers,
                inputs=[
                    "decision_engine",
                    "observations",
                    "customers",
                    "params:data_processing",
                    "params:scoring",
                    "params:randomness",
                ],
                outputs="scoring_reference",
                name="score_training_customers",
                namespace="scoring",
            ),
            Node(
                plan_scoring,
                inputs=[
                    "decision_engine",
                    "customers_to_score",
                    "customer_attributes",
                    "suppression_list",
                    "contact_history",
                    "purchase_history",
                    "scoring_reference",
                    "params:decision",
                    "params:campaign",
                    "params:scoring",
                    "params:randomness",
                ],
                outputs="scored_decisions",
                name="score",
                namespace="scoring",
            ),
            Node(
                sum_up,
                inputs=["scored_decisions", "scoring_reference", "params:scoring"],
                outputs=["scoring_summary", "scored_partitions"],
                name="sum_up",
                namespace="scoring",
            ),
            Node(
                check_before_sending,
                inputs="scoring_summary",
                outputs=None,
                name="check_before_sending",
                namespace="scoring",
            ),
        ],
        tags=["scoring"],
    )
