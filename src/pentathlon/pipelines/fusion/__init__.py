"""Four sets of scores become one, calibrated."""

from pentathlon.pipelines.fusion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
