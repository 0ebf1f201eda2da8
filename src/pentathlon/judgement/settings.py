"""Settings of the evaluation and of the campaign that it speaks about."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class EvaluationSettings(BaseModel):
    """How policies are judged.

    Attributes
    ----------
    scheme : {"test", "cross_fitted", "rolling_origin"}
        ``test`` judges on the test rows. ``cross_fitted`` refits the whole recipe without each
        fold and judges it there, so that every row judges; for small data. ``rolling_origin``
        refits it at several moments on what was known then and judges it on what came after;
        for logs that span months.
    origins : int
        Moments of ``rolling_origin``.
    outcome_days : int
        Days after which an assignment's outcome is known, for ``rolling_origin``; the window in
        which orders count, and returns are waited for.
    confidence : float
        Of every interval, two-sided.
    cap_quantile : float
        Quantile of the order values at which the capped secondary metric caps them.
    max_unreached_share : float
        Share of the judged customers to whom a message may be sent that the log never sends
        people like them; beyond it the report refuses a conclusion.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scheme: Literal["test", "cross_fitted", "rolling_origin"] = "test"
    origins: Annotated[int, Field(ge=1, le=20)] = 3
    outcome_days: Annotated[int, Field(ge=0)] = 28
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    cap_quantile: Annotated[float, Field(gt=0.5, lt=1)] = 0.99
    max_unreached_share: Annotated[float, Field(ge=0, lt=1)] = 0.05


class CampaignSettings(BaseModel):
    """The campaign that results are projected to.

    Attributes
    ----------
    customers : int
        Customers who get a decision each.
    currency : str
        Symbol or code, for people.
    name : str
        For the report's title, and part of every draw.
    date : date, optional
        Day on which it is sent; rules with windows and days need it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    customers: Annotated[int, Field(ge=1)] = 5_000_000
    currency: str = "EUR"
    name: str = "Pentathlon"
    date: datetime.date | None = None
