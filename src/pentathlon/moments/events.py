"""Events of every source, out of the clean tables, in one shape and on any engine.

An event has ``customer_id``, its time ``t`` in microseconds, its quantities as whole multiples of
their scale, and its labels. Times are whole numbers, because every engine compares and subtracts
these alike, whatever it thinks of time zones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pentathlon.errors import DataError
from pentathlon.moments.sources import SOURCES

if TYPE_CHECKING:
    import ibis.expr.types as ir

DAY = 86_400_000_000
"""Microseconds."""

COLUMNS_READ: Mapping[str, tuple[str, ...]] = {
    "transactions": (
        *("customer_id", "order_id", "ordered_at", "department", "product_id"),
        *("quantity", "unit_price", "discount"),
    ),
    "sessions": (
        *("customer_id", "started_at", "duration_seconds", "pages"),
        *("departments_viewed", "carts_left"),
    ),
    "email_log": (
        *("customer_id", "message", "sent", "assigned_at", "opened_at", "clicked_at"),
        "unsubscribed_at",
    ),
}
"""Columns of the clean tables that features look at; ``product_id`` only where a feature names
products."""


def microseconds(time: ir.TimestampValue, engine: str) -> ir.IntegerValue:
    """Microseconds since 1970 of a naive UTC timestamp.

    Parameters
    ----------
    time : timestamp expression
    engine : {"duckdb", "pyspark"}
        The engines count under different names; DuckDB's own way of counting through a portable
        expression would be a difference of dates, several times slower.
    """
    if engine == "pyspark":
        zoned = _builtin("to_timestamp", "timestamp", "timestamp")(time)
        return _builtin("unix_micros", "timestamp", "int64")(zoned)
    return _builtin("epoch_us", "timestamp", "int64")(time)


@cache
def _builtin(name: str, argument: str, result: str) -> Callable[[Any], Any]:
    """Give access to a function of the engine that Ibis has no word for."""
    import ibis

    def function(value: Any) -> Any: ...

    signature = ((ibis.dtype(argument),), ibis.dtype(result))
    declared = ibis.udf.scalar.builtin(function, name=name, signature=signature)
    return declared  # type: ignore[no-any-return]


def source_events(source: str, tables: Mapping[str, ir.Table], engine: str) -> ir.Table:
    """Events of a source.

    Parameters
    ----------
    source : str
        One of `pentathlon.moments.sources.SOURCES`.
    tables : mapping of str to Table
        Clean tables by name.
    engine : str

    Returns
    -------
    Table
        ``customer_id``, ``t``, the source's columns as float64 (whole multiples of
        ``1 / scale``), its labels, and what it can be divided by.

    Raises
    ------
    DataError
        When the clean table is absent.
    """
    about = SOURCES[source]
    if about.table not in tables:
        raise DataError(
            f"Features of the source {source} need the table {about.table}, which is not there. "
            "Bring the table, or take these features out of moments.features."
        )
    return _BUILDERS[source](tables[about.table], engine)


def _scaled(source: str, column: str, value: ir.NumericValue) -> ir.FloatingValue:
    scale = SOURCES[source].columns[column].scale
    number = value.cast("float64")
    return number if scale == 1.0 else (number * scale).round().cast("float64")


def _bought(lines: ir.Table, engine: str) -> ir.Table:
    gross = lines.quantity * lines.unit_price
    amounts = {
        "pieces": lines.quantity,
        "revenue": gross - lines.discount,
        "gross": gross,
        "discount": lines.discount,
    }
    return lines.filter(lines.quantity > 0).select(
        "customer_id",
        "order_id",
        "department",
        *_there(lines, "product_id"),
        t=microseconds(lines.ordered_at, engine),
        **{name: _scaled("order_lines", name, value) for name, value in amounts.items()},
    )


def _there(table: ir.Table, *names: str) -> list[str]:
    return [name for name in names if name in table.columns]


def _order_lines(transactions: ir.Table, engine: str) -> ir.Table:
    return _bought(transactions, engine)


def _orders(transactions: ir.Table, engine: str) -> ir.Table:
    # By time as well: a line that is added to an order later is later, and must not change what
    # was known of the order before.
    lines = _bought(transactions, engine)
    amounts = ("pieces", "revenue", "gross", "discount")
    return (
        lines.group_by("customer_id", "order_id", "t")
        .aggregate(
            **{name: lines[name].sum() for name in amounts},
            lines=lines.count().cast("float64"),
        )
        .drop("order_id")
    )


def _returns(transactions: ir.Table, engine: str) -> ir.Table:
    pieces = -transactions.quantity
    value = pieces * transactions.unit_price - transactions.discount
    return transactions.filter(transactions.quantity < 0).select(
        "customer_id",
        "department",
        *_there(transactions, "product_id", "returns_order_id"),
        t=microseconds(transactions.ordered_at, engine),
        pieces=pieces.cast("float64"),
        value=_scaled("returns", "value", value),
    )


def _sessions(sessions: ir.Table, engine: str) -> ir.Table:
    amounts = {
        "duration": sessions.duration_seconds,
        "pages": sessions.pages,
        "carts_left": sessions.carts_left,
        "departments": sessions.departments_viewed.length(),
    }
    return sessions.select(
        "customer_id",
        "departments_viewed",
        t=microseconds(sessions.started_at, engine),
        **{name: _scaled("sessions", name, value) for name, value in amounts.items()},
    )


def _of_the_log(column: str) -> Callable[[ir.Table, str], ir.Table]:
    def build(email_log: ir.Table, engine: str) -> ir.Table:
        happened = email_log.sent if column == "assigned_at" else email_log[column].notnull()
        return email_log.filter(happened).select(
            "customer_id", "message", t=microseconds(email_log[column], engine)
        )

    return build


_BUILDERS: Mapping[str, Callable[[Any, str], Any]] = {
    "order_lines": _order_lines,
    "orders": _orders,
    "returns": _returns,
    "sessions": _sessions,
    "emails": _of_the_log("assigned_at"),
    "opens": _of_the_log("opened_at"),
    "clicks": _of_the_log("clicked_at"),
    "unsubscribes": _of_the_log("unsubscribed_at"),
}
