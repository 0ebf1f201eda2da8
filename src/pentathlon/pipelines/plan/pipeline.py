"""From judged rows to what the next campaign should leave to chance."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.plan.nodes import plan_learning


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To ``learning_plan`` and ``learning_plan_summary``.
    """
    return Pipeline(
        [
            Node(
                plan_learning,
                inputs=[
                    "judged",
                    "policy_choice",
                    "params:messages",
                    "params:plan",
                    "params:campaign",
                ],
                outputs=["learning_plan", "learning_plan_summary"],
                name="plan_learning",
                namespace="plan",
            )
        ],
        tags=["plan"],
    )
