"""Parameters of the pipeline."""

from pentathlon.judgement.settings import EvaluationSettings


class EvaluationParams(EvaluationSettings):
    """``evaluation`` in the parameters: how policies are judged."""
