"""One template, instantiated once per response model."""

from pentathlon.pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
