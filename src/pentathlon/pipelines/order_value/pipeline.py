"""From the models' input to expected order values."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.order_value.nodes import choose_and_fit, score_order_values


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To ``order_value_choice``, ``order_value_trials``, ``order_value_model``,
        ``order_value_multipliers`` and ``order_value_scores``.
    """
    shared = ["observations", "model_input", "design_builder"]
    return Pipeline(
        [
            Node(
                choose_and_fit,
                inputs=[
                    *shared,
                    "params:messages",
                    "params:order_value",
                    "params:randomness",
                ],
                outputs=[
                    "order_value_choice",
                    "order_value_trials",
                    "order_value_model",
                    "order_value_multipliers",
                ],
                name="choose_and_fit_order_value",
                namespace="order_value",
            ),
            Node(
                score_order_values,
                inputs=[
                    *shared,
                    "order_value_choice",
                    "order_value_model",
                    "params:messages",
                    "params:randomness",
                ],
                outputs="order_value_scores",
                name="score_order_values",
                namespace="order_value",
            ),
        ],
        tags=["order_value"],
    )
