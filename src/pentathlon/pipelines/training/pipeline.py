"""From the models' input to each model's study, model and scores."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.training.nodes import (
    collect_scores,
    cross_fit_scores,
    fit_final_model,
    select,
    tune,
)

SHARED_INPUTS = ("observations", "model_input", "design_builder")


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        One instance of the template per response model, in the namespace ``training.<model>``.
    """
    return sum((_instance(model) for model in MODEL_NAMES), Pipeline([]))


def _template() -> Pipeline:
    common = [*SHARED_INPUTS]
    settings = ["params:messages", "params:settings", "params:randomness"]
    return Pipeline(
        [
            Node(
                tune,
                inputs=[*common, "study_store", *settings],
                outputs=["study", "trials"],
                name="tune",
            ),
            Node(
                select,
                inputs=[*common, "study", *settings],
                outputs="feature_selection",
                name="select",
            ),
            Node(
                cross_fit_scores,
                inputs=[*common, "study", "feature_selection", *settings],
                outputs=["cross_fitted_scores", "importance"],
                name="cross_fit",
            ),
            Node(
                fit_final_model,
                inputs=[*common, "study", "feature_selection", *settings],
                outputs="model",
                name="fit_final_model",
            ),
            Node(
                collect_scores,
                inputs=[*common, "model", "cross_fitted_scores", "params:messages"],
                outputs="scores",
                name="collect_scores",
            ),
        ]
    )


def _instance(model: str) -> Pipeline:
    return Pipeline(
        _template(),
        namespace=f"training.{model}",
        inputs={
            **{name: name for name in SHARED_INPUTS},
            "study_store": f"{model}_study_store",
        },
        outputs={
            "study": f"{model}_study",
            "trials": f"{model}_trials",
            "feature_selection": f"{model}_feature_selection",
            "importance": f"{model}_importance",
            "model": f"{model}_model",
            "scores": f"{model}_scores",
        },
        parameters={
            "params:messages": "params:messages",
            "params:randomness": "params:randomness",
            "params:settings": f"params:training.{model}",
        },
        tags=["training", model],
    )
