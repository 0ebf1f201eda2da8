"""Parameters of the pipeline."""

from pentathlon.decision.settings import DecisionSettings


class DecisionParams(DecisionSettings):
    """``decision`` in the parameters: how the policy that ships is chosen, and what it sends."""
