"""What models and policies are worth on rows that played no part in making them."""

from pentathlon.pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
