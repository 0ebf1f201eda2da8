"""From parameters to a raw file and its truth."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.simulate.nodes import simulate


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        From ``params:simulation`` to ``simulated_customers`` and ``truth``.
    """
    return Pipeline(
        [
            Node(
                simulate,
                inputs="params:simulation",
                outputs=["simulated_customers", "truth"],
                name="simulate",
                tags=["simulate"],
            )
        ]
    )
