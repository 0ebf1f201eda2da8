"""Features of customers, and the one design that every model is given."""

from pentathlon.features.build import build_features
from pentathlon.features.design import Design, DesignBuilder

__all__ = ["Design", "DesignBuilder", "build_features"]
