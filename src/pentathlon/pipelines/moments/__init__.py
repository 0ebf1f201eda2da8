"""Clean tables to observations and customers, with features as they stood at a moment."""

from pentathlon.pipelines.moments.pipeline import create_pipeline

__all__ = ["create_pipeline"]
