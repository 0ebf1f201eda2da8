"""A retailer that is simulated while it is saved, so that its size is no matter."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pentathlon.simulation.events_settings import EventsConfig

SUMMARY = "simulated.json"
"""File with the rows of every table and the bad rows among them, by reason."""


@dataclass(frozen=True)
class SimulatedEvents:
    """The raw tables of a simulated retailer, before they are written.

    Attributes
    ----------
    config : EventsConfig
    """

    config: EventsConfig

    def save(self, folder: Path) -> None:
        """Simulate, and write the tables into a folder.

        Parameters
        ----------
        folder : Path
            See `pentathlon.simulation.events_stream.write_events`.
        """
        from pentathlon.simulation.events_stream import write_events

        write_events(self.config, folder)
