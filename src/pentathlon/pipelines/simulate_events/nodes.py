"""Nodes of the pipeline."""

from __future__ import annotations

from pentathlon.errors import ParameterError
from pentathlon.pipelines.simulate_events.params import SimulateEventsParams
from pentathlon.simulation.events_write import SimulatedEvents


def simulate_events(params: SimulateEventsParams) -> SimulatedEvents:
    """Prepare a retailer that is simulated, piece by piece, while it is saved.

    Raises
    ------
    ParameterError
        In an environment for real data.
    """
    if not params.enabled:
        raise ParameterError(
            "This environment is for real data and does not simulate. "
            "Use `--pipelines intake` for raw tables of your own."
        )
    return SimulatedEvents(params)
