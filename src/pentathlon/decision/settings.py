"""Settings of the decision."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class DecisionSettings(BaseModel):
    """How the policy that ships is chosen.

    Attributes
    ----------
    confidence : float
        One-sided confidence with which the personalised policy must beat the best constant.
    estimator : {"smoothed", "plain"}
        Estimator of the gate's paired gain: AIPW with order-size smoothing (tighter, valid when
        the order-value model is unbiased under every message; evaluation tests that) or without.
    shrink_contrasts : bool
        Whether personal contrasts are shrunk by their reliability before the choice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    estimator: Literal["smoothed", "plain"] = "smoothed"
    shrink_contrasts: bool = True
