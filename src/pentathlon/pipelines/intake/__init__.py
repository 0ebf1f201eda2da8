"""Raw tables to clean ones; what is unusable is quarantined, and nobody stays named."""

from pentathlon.pipelines.intake.pipeline import create_pipeline

__all__ = ["create_pipeline"]
