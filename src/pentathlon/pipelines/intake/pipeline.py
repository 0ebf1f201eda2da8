"""From raw tables to clean ones."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.intake.nodes import CLEAN, accept, check, describe


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        From ``raw_events`` to ``clean_<table>``, ``quarantined_events``,
        ``suppressed_customers`` and the report on their quality.
    """
    return Pipeline(
        [
            Node(
                check,
                inputs=["raw_events", "params:intake", "params:messages"],
                outputs=["checked_events", "quarantined_events", "event_quality"],
                name="check",
                namespace="intake",
            ),
            Node(
                describe,
                inputs="event_quality",
                outputs=["event_quality_table", "event_quality_report"],
                name="describe",
                namespace="intake",
            ),
            Node(
                accept,
                inputs=["checked_events", "event_quality_table"],
                outputs=[*(f"clean_{table}" for table in CLEAN), "suppressed_customers"],
                name="accept",
                namespace="intake",
            ),
        ],
        tags=["intake"],
    )
