"""From clean tables to observations and customers with their features."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.moments.nodes import (
    describe_features,
    list_unmailable,
    make_customers,
    make_observations,
)

TABLES = ["clean_customers", "clean_transactions", "clean_sessions", "clean_email_log"]


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        From ``clean_<table>`` to ``moment_observations``, ``moment_customers``,
        ``unmailable_customers`` and the feature dictionary.
    """
    return Pipeline(
        [
            Node(
                make_observations,
                inputs=[*TABLES, "clean_products", "params:messages", "params:moments"],
                outputs=["moment_observations", "moment_summary"],
                name="make_observations",
                namespace="moments",
            ),
            Node(
                make_customers,
                inputs=[*TABLES, "suppressed_customers", "params:messages", "params:moments"],
                outputs="moment_customers",
                name="make_customers",
                namespace="moments",
            ),
            Node(
                list_unmailable,
                inputs=["suppressed_customers", "suppression_list"],
                outputs="unmailable_customers",
                name="list_unmailable",
                namespace="moments",
            ),
            Node(
                describe_features,
                inputs=["moment_customers", "params:messages", "params:moments"],
                outputs=["feature_dictionary", "feature_dictionary_page"],
                name="describe_features",
                namespace="moments",
            ),
        ],
        tags=["moments"],
    )
