"""Figures, and the report."""

from pentathlon.pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
