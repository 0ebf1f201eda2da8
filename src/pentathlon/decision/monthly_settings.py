"""Settings of a plan per customer over the weeks of a month."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator


class MonthlyPlanSettings(BaseModel):
    """E-mails of a month.

    Attributes
    ----------
    weeks : int
    per_week, per_month : int
        E-mails that a customer gets at most.
    times_each : int
        How often a customer may get the same message.
    different_messages : int, optional
        How many different messages a customer may get; any number by default.
    decay : float
        What an e-mail brings over ``control``, before its cost, as a factor per e-mail that the
        customer was already sent in the month. An assumption: 1 takes e-mails as independent.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    weeks: Annotated[int, Field(ge=1, le=6)] = 4
    per_week: Annotated[int, Field(ge=1)] = 1
    per_month: Annotated[int, Field(ge=1)] = 4
    times_each: Annotated[int, Field(ge=1)] = 1
    different_messages: Annotated[int, Field(ge=1)] | None = None
    decay: Annotated[float, Field(ge=0, le=1)] = 0.7

    @model_validator(mode="after")
    def _fits_the_weeks(self) -> MonthlyPlanSettings:
        if self.per_month > self.weeks * self.per_week:
            raise ValueError(
                f"{self.per_month} e-mails a month do not fit {self.weeks} weeks of at most "
                f"{self.per_week}"
            )
        return self
