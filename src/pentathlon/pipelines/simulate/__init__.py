"""A simulated retailer's file and the truth behind it."""

from pentathlon.pipelines.simulate.pipeline import create_pipeline

__all__ = ["create_pipeline"]
