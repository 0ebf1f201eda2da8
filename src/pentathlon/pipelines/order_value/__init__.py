"""What a buyer spends, by message."""

from pentathlon.pipelines.order_value.pipeline import create_pipeline

__all__ = ["create_pipeline"]
