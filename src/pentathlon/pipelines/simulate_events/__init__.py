"""A simulated retailer's raw tables, with the truth behind them."""

from pentathlon.pipelines.simulate_events.pipeline import create_pipeline

__all__ = ["create_pipeline"]
