"""From observations and customers to the models' input."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.feature_engineering.nodes import engineer_features, fit_design


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        From ``observations`` and ``customers`` to ``model_input`` and ``design_builder``.
    """
    return Pipeline(
        [
            Node(
                engineer_features,
                inputs=["observations", "customers", "params:features"],
                outputs="model_input",
                name="engineer_features",
            ),
            Node(
                fit_design,
                inputs=["model_input", "observations", "params:features", "params:messages"],
                outputs="design_builder",
                name="fit_design",
            ),
        ],
        tags=["feature_engineering"],
    )
