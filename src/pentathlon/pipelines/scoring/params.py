"""Parameters of the pipeline."""

from pentathlon.scoring.settings import ScoringSettings


class ScoringParams(ScoringSettings):
    """``scoring`` in the parameters: how customers are read, decided and checked."""
