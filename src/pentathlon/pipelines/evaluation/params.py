"""Parameters of the pipeline."""

from pentathlon.judgement.settings import CampaignSettings, EvaluationSettings


class EvaluationParams(EvaluationSettings):
    """``evaluation`` in the parameters: how policies are judged."""


class CampaignParams(CampaignSettings):
    """``campaign`` in the parameters: the campaign that results are projected to."""
