"""Raw file to ``observations`` and ``customers``; what is unusable is quarantined."""

from pentathlon.pipelines.data_processing.pipeline import create_pipeline

__all__ = ["create_pipeline"]
