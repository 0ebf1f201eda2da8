"""The tables of a retailer's events: columns, types, units, and what identifies a person.

Contracts are data. Reading, checking, writing and the documentation all take them from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

Kind = Literal["text", "integer", "number", "boolean", "timestamp", "texts"]
"""Type of a column. ``timestamp`` is naive UTC in microseconds, ``texts`` a list of text."""

SQL_TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "integer": "INTEGER",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "texts": "VARCHAR[]",
}

KIND_WORDS: dict[Kind, str] = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "a yes or a no",
    "timestamp": "a time",
    "texts": "a list",
}

CUSTOMER_ID = "customer_id"
"""The one column that names a person in every table; only its pseudonym is kept."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name : str
    kind : str
        See `Kind`.
    noun : str
        What a person calls it, as in "have no *customer*".
    nullable : bool
        Whether a row may lack it.
    unit : str
        Unit or meaning of the values.
    personal : bool
        Whether it identifies a person directly. Such a column is dropped or hashed when the
        table is read; it is never part of a clean table.
    declared : bool
        Whether the parameters declare it beside the contract's own columns. A file must then
        have it, although rows may lack it.
    lowest, highest : float, optional
        Ends of the range of a declared number, both included.
    later : bool
        Whether a declared time may be later than the export.
    """

    name: str
    kind: Kind
    noun: str
    nullable: bool = False
    unit: str = ""
    personal: bool = False
    declared: bool = False
    lowest: float | None = None
    highest: float | None = None
    later: bool = False


@dataclass(frozen=True)
class TableContract:
    """One table.

    Attributes
    ----------
    name : str
    label : str
        What a person calls its rows, in the plural.
    columns : tuple of Column
    key : tuple of str
        Columns that tell rows apart.
    required : bool
        Whether a retailer must have it.
    moment : str or None
        Column with the time of the event.
    """

    name: str
    label: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    required: bool = False
    moment: str | None = None

    @property
    def clean(self) -> tuple[Column, ...]:
        """Columns of the clean table: all that are not personal."""
        return tuple(column for column in self.columns if not column.personal)

    @property
    def declared(self) -> tuple[Column, ...]:
        """Columns that the parameters declare beside the contract's own."""
        return tuple(column for column in self.columns if column.declared)

    def extended(self, columns: Sequence[Column]) -> TableContract:
        """The same contract with further columns behind its own."""
        return replace(self, columns=(*self.columns, *columns))

    def column(self, name: str) -> Column:
        """One column by its name."""
        return next(column for column in self.columns if column.name == name)


_CUSTOMER = Column(CUSTOMER_ID, "text", "customer", unit="pseudonym of the customer")

CUSTOMERS = TableContract(
    "customers",
    "customers",
    (
        _CUSTOMER,
        Column("joined_at", "timestamp", "joining time", unit="UTC"),
        Column("region", "text", "region", unit="label"),
        Column("gender", "text", "gender", nullable=True, unit="label"),
        Column("birth_year", "integer", "birth year", nullable=True, unit="year"),
        Column("tier", "text", "tier", nullable=True, unit="label of the loyalty programme"),
        Column("consented_at", "timestamp", "time of consent", nullable=True, unit="UTC"),
        Column("opted_out_at", "timestamp", "time of opt-out", nullable=True, unit="UTC"),
        Column("name", "text", "name", nullable=True, personal=True),
        Column("email", "text", "e-mail address", nullable=True, personal=True),
        Column("phone", "text", "telephone number", nullable=True, personal=True),
        Column("address", "text", "postal address", nullable=True, personal=True),
    ),
    key=(CUSTOMER_ID,),
    required=True,
    moment="joined_at",
)

TRANSACTIONS = TableContract(
    "transactions",
    "order lines",
    (
        Column("order_id", "text", "order"),
        Column("line_number", "integer", "line number", unit="position in the order"),
        _CUSTOMER,
        Column("ordered_at", "timestamp", "order time", unit="UTC"),
        Column("department", "text", "department", unit="label"),
        Column("product_id", "text", "product"),
        Column("quantity", "integer", "quantity", unit="pieces; negative where they come back"),
        Column("unit_price", "number", "price", unit="currency, before the discount"),
        Column("discount", "number", "discount", unit="currency off the line"),
        Column("returns_order_id", "text", "returned order", nullable=True),
    ),
    key=("order_id", "line_number"),
    required=True,
    moment="ordered_at",
)

SESSIONS = TableContract(
    "sessions",
    "sessions",
    (
        Column("session_id", "text", "session"),
        _CUSTOMER,
        Column("started_at", "timestamp", "starting time", unit="UTC"),
        Column("duration_seconds", "number", "duration", unit="seconds"),
        Column("pages", "integer", "number of pages", unit="pages"),
        Column("departments_viewed", "texts", "list of departments", unit="labels"),
        Column("carts_left", "integer", "number of carts left", unit="carts not ordered"),
    ),
    key=("session_id",),
    moment="started_at",
)

EMAIL_LOG = TableContract(
    "email_log",
    "assigned e-mails",
    (
        Column("assignment_id", "text", "assignment"),
        _CUSTOMER,
        Column("message", "text", "message", unit="name in `messages`, control included"),
        Column("assigned_at", "timestamp", "time of assignment", unit="UTC"),
        Column("sent", "boolean", "mark of being sent", unit="false for control"),
        Column("propensity", "number", "propensity", nullable=True, unit="probability"),
        Column("opened_at", "timestamp", "time of opening", nullable=True, unit="UTC"),
        Column("clicked_at", "timestamp", "time of the click", nullable=True, unit="UTC"),
        Column("unsubscribed_at", "timestamp", "time of leaving", nullable=True, unit="UTC"),
    ),
    key=("assignment_id",),
    moment="assigned_at",
)

PRODUCTS = TableContract(
    "products",
    "products",
    (
        Column("product_id", "text", "product"),
        Column("department", "text", "department", unit="label"),
        Column("name", "text", "name", unit="name of the product"),
        Column("price", "number", "price", unit="currency"),
        Column("cost", "number", "cost", nullable=True, unit="currency, cost of goods"),
    ),
    key=("product_id",),
)

TABLES: dict[str, TableContract] = {
    # In the order in which they are checked: what others refer to comes first.
    table.name: table
    for table in (PRODUCTS, CUSTOMERS, TRANSACTIONS, SESSIONS, EMAIL_LOG)
}
"""Contracts by the name of the table."""

TableName = Literal["products", "customers", "transactions", "sessions", "email_log"]


def personal_columns(
    contracts: Iterable[TableContract] = tuple(TABLES.values()),
) -> set[tuple[str, str]]:
    """Every pair of table and column that identifies a person directly.

    Parameters
    ----------
    contracts : iterable of TableContract
        With the columns that parameters declare; by default without any.
    """
    return {
        (table.name, column.name)
        for table in contracts
        for column in table.columns
        if column.personal
    }
