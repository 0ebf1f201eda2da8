"""Parameters of the pipeline."""

from __future__ import annotations

from pydantic import Field

from pentathlon.simulation import SimulationConfig


class SimulateParams(SimulationConfig):
    """``simulation`` in the parameters: the retailer to simulate.

    Attributes
    ----------
    enabled : bool
        False in environments for real data, where simulating would be a mistake.
    """

    enabled: bool = True
    # An environment for real data says `enabled: false` and nothing else.
    rows: int = Field(default=200_000, ge=1_000)
    seed: int = Field(default=1, ge=0)
