"""Runners for Kedro. Nothing here knows the rest of the package: it can be used on its own."""

from pentathlon.runners.fresh import FreshRunner

__all__ = ["FreshRunner"]
