"""Parameters of the pipeline."""

from pentathlon.fusion.settings import FusionSettings


class FusionParams(FusionSettings):
    """``fusion`` in the parameters: how the models' probabilities become one."""
