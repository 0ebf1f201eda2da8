"""From parameters to raw tables and their truth."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.simulate_events.nodes import simulate_events


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        From ``params:simulate_events`` to ``simulated_events``.
    """
    return Pipeline(
        [
            Node(
                simulate_events,
                inputs="params:simulate_events",
                outputs="simulated_events",
                name="simulate_events",
                tags=["simulate_events"],
            )
        ]
    )
