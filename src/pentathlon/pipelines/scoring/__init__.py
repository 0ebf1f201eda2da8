"""From a saved engine and partitions of customers to partitions of decisions."""

from pentathlon.pipelines.scoring.pipeline import create_pipeline

__all__ = ["create_pipeline"]
