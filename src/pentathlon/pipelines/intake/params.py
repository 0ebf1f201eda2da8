"""Parameters of the pipeline."""

from pentathlon.events.settings import IntakeSettings


class IntakeParams(IntakeSettings):
    """``intake`` in the parameters: where raw tables lie and what is done at the door."""
