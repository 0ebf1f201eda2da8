"""From predictions to the policy that ships, and a decision for every customer."""

from pentathlon.pipelines.decision.pipeline import create_pipeline

__all__ = ["create_pipeline"]
