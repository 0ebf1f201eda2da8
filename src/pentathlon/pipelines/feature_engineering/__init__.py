"""Features of customers as they stood when their message was assigned."""

from pentathlon.pipelines.feature_engineering.pipeline import create_pipeline

__all__ = ["create_pipeline"]
