"""Parameters of the pipeline."""

from pentathlon.models.settings import TrainingSettings


class TrainingParams(TrainingSettings):
    """``training.<model>`` in the parameters: how one response model is tuned and fitted."""
