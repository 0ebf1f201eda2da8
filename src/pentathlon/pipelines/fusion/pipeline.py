"""From the models' scores to one calibrated purchase probability."""

from __future__ import annotations

from typing import Any

from kedro.pipeline import Node, Pipeline

from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.fusion.nodes import check_calibration, fuse


def create_pipeline(**kwargs: Any) -> Pipeline:
    """Wire the pipeline.

    Returns
    -------
    Pipeline
        To ``fusion_model``, ``fused_scores``, ``fusion_table`` and ``fusion_calibration``.
    """
    return Pipeline(
        [
            Node(
                fuse,
                inputs=[
                    "observations",
                    "params:messages",
                    "params:fusion",
                    *(f"{model}_scores" for model in MODEL_NAMES),
                ],
                outputs=["fusion_model", "fused_scores", "fusion_table"],
                name="fuse",
                namespace="fusion",
            ),
            Node(
                check_calibration,
                inputs=["observations", "fused_scores", "params:messages", "params:fusion"],
                outputs="fusion_calibration",
                name="check_calibration",
                namespace="fusion",
            ),
        ],
        tags=["fusion"],
    )
