"""Parameters of the pipeline."""

from pentathlon.moments.settings import MomentSettings


class MomentsParams(MomentSettings):
    """``moments`` in the parameters: features, outcomes, divisions and the database."""
