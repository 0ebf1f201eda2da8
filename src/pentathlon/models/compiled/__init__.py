"""Predictions compiled for speed: all messages of a customer at once, the same numbers."""

from pentathlon.models.compiled.models import compiled, portable

__all__ = ["compiled", "portable"]
