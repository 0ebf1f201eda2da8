"""Settings of the fusion."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from pentathlon.fusion.pooling import METHODS, Method


class FusionSettings(BaseModel):
    """How the models' probabilities become one.

    Attributes
    ----------
    methods : list of str
        Candidates; the one with the lowest cross-validated log loss is used.
    stacking_penalty : float
        Ridge that pulls stacking weights to equal ones, in observations.
    calibration_confidence : float
        The run fails when observed responses fall outside this interval around the expected
        ones, overall or (corrected for their number) for a message.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    methods: Annotated[list[Method], Field(min_length=1)] = list(METHODS)
    stacking_penalty: Annotated[float, Field(ge=0)] = 10.0
    calibration_confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.999
