"""A simulated retailer whose truth is known, calibrated to the published Pentathlon case."""

from pentathlon.simulation.effects import (
    SEGMENTS,
    Effects,
    fatigued,
    personal_effects,
    segments,
)
from pentathlon.simulation.gain import attainable_gain
from pentathlon.simulation.published import AGES, DEPARTMENTS, MESSAGES, published_statistics
from pentathlon.simulation.simulate import SimulatedRetailer, SimulationConfig, simulate_retailer

__all__ = [
    "AGES",
    "DEPARTMENTS",
    "MESSAGES",
    "SEGMENTS",
    "Effects",
    "SimulatedRetailer",
    "SimulationConfig",
    "attainable_gain",
    "fatigued",
    "personal_effects",
    "published_statistics",
    "segments",
    "simulate_retailer",
]
