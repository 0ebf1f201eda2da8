"""Typed settings of features as of a moment: the parameters of ``moments``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pentathlon.moments.sources import ATTRIBUTES, CALENDAR, SOURCES, Source

Aggregation = Literal[
    "count",
    "sum",
    "mean",
    "max",
    "min",
    "distinct",
    "last",
    "recency",
    "decayed",
    "cadence",
    "share",
    "label",
    "days_since",
    "age",
    "consent",
    "calendar",
]
Days = Annotated[int, Field(ge=1, le=36_500)]
Window = Days | Literal["all"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

OF_A_COLUMN = {"sum", "mean", "max", "min"}
OF_EVENTS = OF_A_COLUMN | {"count", "distinct", "last", "recency", "decayed", "cadence"}


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureDeclaration(_Settings):
    """One line of the declarations; it expands over windows, half-lives, departments, messages.

    Attributes
    ----------
    source : str or None
        One of `pentathlon.moments.sources.SOURCES`, ``customers`` or ``calendar``; ``None``
        for a ``share``.
    aggregation : str
        What is made of the events: ``count``, ``sum``, ``mean``, ``max``, ``min`` of a column;
        ``distinct`` and ``last`` departments or messages; ``recency``, days since the last
        event; ``decayed`` count, or sum of a column; ``cadence``, mean days between events;
        ``share`` of one declaration over another. Of customers: ``label``, ``days_since``,
        ``age``, ``consent``. Of the moment itself: ``calendar``.
    column : str or None
        The quantity, attribute or part of the calendar.
    windows : list of int or "all"
        Days before the moment.
    half_lives : list of int
        Days in which an event loses half its weight, for ``decayed``.
    by : {"department", "message"} or None
        One feature for each; for ``distinct`` and ``last``, what they are about.
    where : dict of str to list of str
        Only events whose label is one of these.
    of, over : str or None
        The declarations that a ``share`` divides. Windows and ``by`` are those of the share.
    empty : float, str or None
        Value where there is nothing to tell. Counts and sums are then 0 whatever this says;
        ``None`` leaves the value missing.
    """

    source: str | None = None
    aggregation: Aggregation
    column: str | None = None
    windows: list[Window] = ["all"]
    half_lives: list[Days] = []
    by: Literal["department", "message"] | None = None
    where: dict[str, list[str]] = {}
    of: str | None = None
    over: str | None = None
    empty: float | str | None = None

    @model_validator(mode="after")
    def _consistent(self) -> FeatureDeclaration:
        if not self.windows:
            raise ValueError("windows: name at least one, in days, or all")
        if len(set(self.windows)) < len(self.windows):
            raise ValueError(f"windows: {self.windows} names one twice")
        if self.aggregation == "share":
            self._check_share()
        elif self.source == "customers":
            self._check_choice(ATTRIBUTES.get(self.aggregation, ()), "customers")
        elif self.source == "calendar":
            allowed = CALENDAR if self.aggregation == "calendar" else ()
            self._check_choice(allowed, "calendar")
        elif self.source is not None and self.source in SOURCES:
            self._check_events(SOURCES[self.source])
        else:
            known = [*SOURCES, "customers", "calendar"]
            raise ValueError(f"source: {self.source} is none of {known}")
        return self

    def _check_share(self) -> None:
        if self.of is None or self.over is None:
            raise ValueError("a share needs of and over, the names of two declarations")
        if self.source is not None or self.column is not None or self.where:
            raise ValueError("a share takes source, column and where from its of and over")

    def _check_choice(self, allowed: tuple[str, ...], source: str) -> None:
        if self.column not in allowed:
            known = dict(ATTRIBUTES) if source == "customers" else {"calendar": CALENDAR}
            raise ValueError(
                f"aggregation {self.aggregation} of column {self.column}: the source {source} "
                f"has {known}"
            )
        if self.windows != ["all"] or self.by or self.where or self.half_lives:
            raise ValueError(f"the source {source} takes no windows, half_lives, by or where")

    def _check_events(self, source: Source) -> None:
        if self.aggregation not in OF_EVENTS:
            raise ValueError(
                f"aggregation: {self.aggregation} is not one of the source {self.source}"
            )
        takes_column = self.aggregation in OF_A_COLUMN or self.aggregation == "decayed"
        if self.column is None and self.aggregation in OF_A_COLUMN:
            raise ValueError(f"column: {self.aggregation} needs one of {list(source.columns)}")
        if self.column is not None and (not takes_column or self.column not in source.columns):
            raise ValueError(
                f"column: {self.aggregation} of the source {self.source} cannot take "
                f"{self.column}; its columns are {list(source.columns)}"
            )
        if self.by is not None and self.by not in source.by:
            raise ValueError(f"by: the source {self.source} can be divided by {list(source.by)}")
        if self.aggregation in {"distinct", "last"} and self.by is None:
            raise ValueError(f"by: {self.aggregation} must say of what, of {list(source.by)}")
        if self.aggregation in {"last", "cadence"} and self.windows != ["all"]:
            raise ValueError(f"windows: {self.aggregation} looks at all events")
        if (self.aggregation == "decayed") != bool(self.half_lives):
            raise ValueError("half_lives go with the aggregation decayed, which needs them")
        if self.aggregation == "decayed" and self.windows != ["all"]:
            raise ValueError("windows: decayed looks at all events")
        stray = sorted(set(self.where) - set(source.labels))
        if stray:
            raise ValueError(f"where: {stray} are no labels of {self.source}: {source.labels}")


class OutcomeSettings(_Settings):
    """What a response is.

    Attributes
    ----------
    window_days : int
        Days after the assignment in which an order is a response to it.
    net_returns : bool
        Whether pieces of these orders that came back are taken off the order value.
    return_days : int
        Days after the window in which returns of the window's orders are waited for.
    value : {"revenue", "margin"}
        What the order value is: what was paid, or what of it is left after the cost of the
        products.
    """

    window_days: Days = 14
    net_returns: bool = True
    return_days: Annotated[int, Field(ge=0, le=365)] = 14
    value: Literal["revenue", "margin"] = "revenue"


class ObservationSettings(_Settings):
    """Which assignments become observations.

    Attributes
    ----------
    per_customer : {"one", "all"}
        ``one`` draws one assignment of each customer. The engine's tables have one row of
        features per customer, so that is what it reads.
    seed : int
        Of the draw.
    """

    per_customer: Literal["one", "all"] = "one"
    seed: Annotated[int, Field(ge=0)] = 1


class DivisionSettings(_Settings):
    """How observations are divided in time.

    Attributes
    ----------
    scheme : {"temporal", "none"}
        ``temporal``: train on the past, judge on the more recent. ``none`` leaves the division
        to ``data_processing``.
    test_share : float
        Share of the observations that are the most recent and judge, in (0, 1).
    """

    scheme: Literal["temporal", "none"] = "temporal"
    test_share: Annotated[float, Field(gt=0, lt=1)] = 0.3


class DatabaseSettings(_Settings):
    """The embedded analytical database.

    Attributes
    ----------
    memory_gib : float
        What it may hold in memory; beyond it, it spills to disk.
    threads : int
    rows_per_pass : int or None
        Moments that are computed together; ``None`` chooses by the memory.
    scratch : str
        Folder for work in progress and for what does not fit in memory.
    compiled : bool
        Whether events are added up by a compiled walk instead of by the database.
    """

    memory_gib: Annotated[float, Field(gt=0)] = 6.0
    threads: Annotated[int, Field(ge=1)] = 2
    rows_per_pass: Annotated[int, Field(ge=1)] | None = None
    scratch: str = "data/02_intermediate/.moments"
    compiled: bool = True


class MomentSettings(_Settings):
    """``moments`` in the parameters.

    Attributes
    ----------
    now : datetime or None
        The moment of the customers' features and the end of what is known, UTC; ``None`` is
        the latest time in the events.
    departments : list of str or None
        What ``by: department`` expands to; ``None`` takes the departments of the messages.
    outcome : OutcomeSettings
    observations : ObservationSettings
    division : DivisionSettings
    database : DatabaseSettings
    features : dict of str to FeatureDeclaration
    """

    now: datetime | None = None
    departments: list[Name] | None = None
    outcome: OutcomeSettings = OutcomeSettings()
    observations: ObservationSettings = ObservationSettings()
    division: DivisionSettings = DivisionSettings()
    database: DatabaseSettings = DatabaseSettings()
    features: dict[Name, FeatureDeclaration]

    @model_validator(mode="after")
    def _check(self) -> MomentSettings:
        if not self.features:
            raise ValueError("features: declare at least one")
        if self.now is not None and self.now.tzinfo is not None:
            raise ValueError("now: times are UTC and written without a time zone")
        check_shares(self.features)
        return self


def check_shares(features: Mapping[str, FeatureDeclaration]) -> None:
    """Check that shares name declarations that can be divided.

    Raises
    ------
    ValueError
    """
    for name, share in features.items():
        for part in (share.of, share.over) if share.aggregation == "share" else ():
            other = features.get(str(part))
            if other is None or other.aggregation not in {"count", "sum"}:
                raise ValueError(
                    f"features.{name}: {part} must be a declaration that counts or sums up"
                )
            if share.by is not None and share.by not in SOURCES[str(other.source)].by:
                raise ValueError(f"features.{name}: {part} cannot be divided by {share.by}")
