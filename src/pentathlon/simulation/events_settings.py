"""What to simulate when a retailer writes events instead of a flat file."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pentathlon.simulation.effects import Effects

Rate = Annotated[float, Field(ge=0, le=0.2)]


class EventsConfig(BaseModel):
    """A retailer that writes customers, order lines, sessions, an e-mail log and products.

    Attributes
    ----------
    customers : int
    seed : int
        Of every draw. A customer's events depend on it and on the customer's number only.
    effects : str
        Kind of personal differences, see `personal_effects`.
    strength : float
        Multiplies the personal differences.
    first_campaign : datetime
        When the first campaign starts, naive UTC.
    campaigns : int
    days_between_campaigns : int
        From the start of one campaign to that of the next.
    outcome_days : int
        Window after an assignment in which a customer orders if and only if he or she
        responds.
    history_days : int
        Purchases begin at most so long before the first campaign; 365 or more.
    days_after : int
        From the start of the last campaign to the export of the tables.
    sessions_per_year : float
        Visits without an order, of a customer with a mean number of purchases.
    products_per_department : int
    no_consent_share, opted_out_share, new_share, return_share : float
        Customers who never consented; who had opted out before the first campaign; who
        joined within its last year. Purchases that come back.
    dirty_rate : float
        Bad rows of each kind, added to the good ones, as a share of a table's rows.
    customers_per_file : int
        Customers whose events share a part file; changes no event.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    customers: Annotated[int, Field(ge=1)] = 200_000
    seed: Annotated[int, Field(ge=0)] = 1
    effects: Effects = "affinity"
    strength: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 1.0
    first_campaign: datetime = datetime(2025, 9, 1)
    campaigns: Annotated[int, Field(ge=1)] = 4
    days_between_campaigns: Annotated[int, Field(ge=2)] = 45
    outcome_days: Annotated[int, Field(ge=1)] = 14
    history_days: Annotated[int, Field(ge=365)] = 540
    days_after: Annotated[int, Field(ge=2)] = 30
    sessions_per_year: Annotated[float, Field(ge=0)] = 2.0
    products_per_department: Annotated[int, Field(ge=1)] = 50
    no_consent_share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    opted_out_share: Annotated[float, Field(ge=0, lt=1)] = 0.03
    new_share: Annotated[float, Field(ge=0, le=1)] = 0.15
    return_share: Annotated[float, Field(ge=0, le=1)] = 0.04
    dirty_rate: Rate = 0.001
    customers_per_file: Annotated[int, Field(ge=1)] = 64_000

    @model_validator(mode="after")
    def _windows_fit(self) -> EventsConfig:
        # A campaign takes a day to go out, so windows begin up to a day after its start.
        if min(self.days_between_campaigns, self.days_after) <= self.outcome_days + 1:
            raise ValueError(
                "days_between_campaigns and days_after must exceed outcome_days by 2 or more, so "
                "that every outcome window is complete before the next campaign and the export"
            )
        return self

    @property
    def exported_at(self) -> datetime:
        """Moment after which nothing happens, naive UTC."""
        days = (self.campaigns - 1) * self.days_between_campaigns + self.days_after
        return self.first_campaign + timedelta(days=days)
