"""Parameters of the pipeline."""

from __future__ import annotations

from pentathlon.simulation.events_settings import EventsConfig


class SimulateEventsParams(EventsConfig):
    """``simulate_events`` in the parameters: the retailer to simulate.

    Attributes
    ----------
    enabled : bool
        False in environments for real data, where simulating would be a mistake.
    """

    enabled: bool = True
