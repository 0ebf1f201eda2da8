"""Parameters of the pipeline."""

from pentathlon.judgement.planning import PlanSettings


class PlanParams(PlanSettings):
    """``plan`` in the parameters: what the next campaign should be able to tell."""
