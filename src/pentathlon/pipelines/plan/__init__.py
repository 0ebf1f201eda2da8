"""What the next campaign will be able to tell, and what learning it costs."""

from pentathlon.pipelines.plan.pipeline import create_pipeline

__all__ = ["create_pipeline"]
