"""A retailer's flat file to observations, customers and quarantined rows."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.pipelines.data_processing.nodes import process_file


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        From ``raw_customers`` to ``observations``, ``customers``, ``rejected_rows`` and
        ``data_quality``.
    """
    return Pipeline(
        [
            Node(
                process_file,
                inputs=[
                    "raw_customers",
                    "params:messages",
                    "params:features",
                    "params:data_processing",
                ],
                outputs=["observations", "customers", "rejected_rows", "data_quality"],
                name="process_file",
                tags=["data_processing"],
            )
        ]
    )
