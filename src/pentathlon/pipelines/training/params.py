"""Parameters of the pipeline."""

from pentathlon.models.settings import RandomnessSettings, TrainingSettings


class TrainingParams(TrainingSettings):
    """``training.<model>`` in the parameters: how one response model is tuned and fitted."""


class RandomnessParams(RandomnessSettings):
    """``randomness`` in the parameters: seed and threads of every step."""
