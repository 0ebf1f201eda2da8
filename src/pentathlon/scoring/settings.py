"""Settings of scoring."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ScoringSettings(BaseModel):
    """How customers are read, decided and checked, whatever their number.

    Attributes
    ----------
    batch_rows : int
        Customers that a thread decides at once. Memory grows with it and with nothing else.
    read_ahead : int
        Batches that are read while threads are busy.
    limit_customers : int
        Customers in memory at a time while the prices of limits are found; with no more
        customers than that each gets what the engine decides for all of them at once, with more
        the plan is nearly as good.
    max_rejected_share : float
        Largest share of customers that cannot be used; with more, nothing may be sent.
    max_shift : float
        Largest population stability index between the scores of these customers and those of the
        training data; beyond it, nothing may be sent. Below 0.1 is usual, above 0.25 is another
        population.
    reference_customers : int
        Customers of the training data whose scores are compared with.
    progress_seconds : float
        How often progress is logged.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch_rows: Annotated[int, Field(ge=1)] = 65_536
    read_ahead: Annotated[int, Field(ge=0)] = 2
    limit_customers: Annotated[int, Field(ge=1_000)] = 1_000_000
    max_rejected_share: Annotated[float, Field(ge=0, le=1)] = 0.01
    max_shift: Annotated[float, Field(gt=0)] = 0.25
    reference_customers: Annotated[int, Field(ge=100)] = 50_000
    progress_seconds: Annotated[float, Field(gt=0)] = 10.0
