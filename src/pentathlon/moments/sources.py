"""What can be asked of a retailer's events: the sources of features, and their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MONEY_SCALE = 10_000.0
"""Money adds up in ten-thousandths: sums of whole numbers do not depend on their order."""


@dataclass(frozen=True)
class Column:
    """A quantity of an event.

    Attributes
    ----------
    unit : str
    scale : float
        Values are rounded to whole multiples of ``1 / scale`` before anything adds them up.
    """

    unit: str
    scale: float = 1.0


@dataclass(frozen=True)
class Source:
    """Events of one kind.

    Attributes
    ----------
    table : str
        The clean table that holds them.
    meaning : str
        What one event is.
    columns : mapping of str to Column
        Quantities.
    labels : tuple of str
        Text columns that ``where`` may ask about.
    by : mapping of str to str
        What the source can be divided by (``department``, ``message``), and the column that
        holds it.
    lists : frozenset of str
        Columns of ``by`` that hold several values per event.
    """

    table: str
    meaning: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    by: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()


_MONEY = Column("currency", MONEY_SCALE)
_BOUGHT = {
    "pieces": Column("pieces"),
    "revenue": _MONEY,
    "gross": _MONEY,
    "discount": _MONEY,
}

SOURCES: Mapping[str, Source] = {
    "order_lines": Source(
        "transactions",
        "a line of an order, pieces that came back apart",
        columns=_BOUGHT,
        labels=("department", "product_id"),
        by={"department": "department"},
    ),
    "orders": Source(
        "transactions",
        "an order: its lines at one time, pieces that came back apart",
        columns={**_BOUGHT, "lines": Column("lines")},
    ),
    "returns": Source(
        "transactions",
        "a line of pieces that came back",
        columns={"pieces": Column("pieces"), "value": _MONEY},
        labels=("department", "product_id"),
        by={"department": "department"},
    ),
    "sessions": Source(
        "sessions",
        "a visit to the shop's site",
        columns={
            "duration": Column("seconds", 1_000.0),
            "pages": Column("pages"),
            "carts_left": Column("carts"),
            "departments": Column("departments"),
        },
        by={"department": "departments_viewed"},
        lists=frozenset({"departments_viewed"}),
    ),
    "emails": Source(
        "email_log",
        "an e-mail that was sent, at the time of its assignment",
        labels=("message",),
        by={"message": "message"},
    ),
    "opens": Source(
        "email_log",
        "an e-mail opened, at the time of opening",
        labels=("message",),
        by={"message": "message"},
    ),
    "clicks": Source(
        "email_log",
        "an e-mail clicked, at the time of the click",
        labels=("message",),
        by={"message": "message"},
    ),
    "unsubscribes": Source(
        "email_log",
        "an unsubscribe by an e-mail, at its time",
        labels=("message",),
        by={"message": "message"},
    ),
}
"""Sources of events. Each event counts from its own time on: an e-mail sent before a moment and
opened after it is, at that moment, an e-mail that is not opened."""

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "label": ("region", "gender", "tier"),
    "days_since": ("joined_at",),
    "age": ("birth_year",),
    "consent": ("consented_at",),
}
"""Columns of the customers that each aggregation of the source ``customers`` can take."""

CALENDAR = ("month", "weekday", "hour", "season", "year_sine", "year_cosine")
"""What the source ``calendar`` knows of a moment."""

SEASONS = ("winter", "spring", "summer", "autumn")
"""Meteorological seasons of the north: December to February, and so on."""
