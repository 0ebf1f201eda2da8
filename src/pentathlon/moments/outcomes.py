"""What customers did after a message was assigned to them: responses and order values.

An order belongs to every assignment in whose window it lies: with a window of two weeks and two
e-mails a week it answers up to four of them. That is what "bought within the window" says, and
whoever wants each order to count once takes one observation of each customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from pentathlon.errors import DataError
from pentathlon.moments.events import DAY, microseconds, source_events
from pentathlon.moments.settings import OutcomeSettings
from pentathlon.moments.sources import MONEY_SCALE

if TYPE_CHECKING:
    import ibis.expr.types as ir

TIMES = {"transactions": "ordered_at", "sessions": "started_at", "email_log": "assigned_at"}
"""When events of each clean table happened."""


def end_of_events(tables: Mapping[str, ir.Table]) -> datetime:
    """Latest time in the events: what is known ends there.

    Raises
    ------
    DataError
        When there is no event.
    """
    latest = [
        tables[name][column].max().to_pyarrow().as_py()
        for name, column in TIMES.items()
        if name in tables
    ]
    known: list[datetime] = [time for time in latest if time is not None]
    if not known:
        raise DataError(
            f"The tables {list(TIMES)} hold no event, so there is no moment to take as now. "
            "Bring the events."
        )
    return max(known)


def horizon(outcome: OutcomeSettings) -> int:
    """Microseconds after an assignment until its outcome is known in full."""
    days = outcome.window_days + (outcome.return_days if outcome.net_returns else 0)
    return days * DAY


def with_outcomes(
    tables: Mapping[str, ir.Table], rows: ir.Table, outcome: OutcomeSettings
) -> ir.Table:
    """Response and order value of assignments.

    Parameters
    ----------
    tables : mapping of str to Table
        With ``transactions``.
    rows : Table
        ``row_id`` (distinct integers), ``customer_id``, ``moment`` of the assignment.
    outcome : OutcomeSettings

    Returns
    -------
    Table
        The columns of ``rows``, ``order_value`` (currency) and ``response`` (1 where it is above
        0). Orders of any department from the moment on and before the window's end count. An
        order's value is what was paid for its lines in the window; with ``net_returns`` less what
        came back of the order until ``return_days`` after the window's end, and not below 0.

    Raises
    ------
    DataError
        When there are no transactions.
    """
    if "transactions" not in tables:
        raise DataError("Outcomes need the table transactions, which is not there. Bring it.")
    engine = rows.get_backend().name
    timed = rows.select("row_id", "customer_id", m=microseconds(rows.moment, engine))
    orders = _orders_in_window(tables, timed, outcome, engine)
    if outcome.net_returns:
        orders = _less_returns(tables, orders, outcome, engine)
    value = orders.group_by("row_id").aggregate(value=orders.value.sum()).rename(of="row_id")
    joined = rows.left_join(value, [("row_id", "of")])
    order_value = joined.value.fill_null(0.0) / MONEY_SCALE
    return joined.select(
        *rows.columns, order_value=order_value, response=(order_value > 0).cast("int8")
    )


def _orders_in_window(
    tables: Mapping[str, ir.Table], timed: ir.Table, outcome: OutcomeSettings, engine: str
) -> ir.Table:
    """Orders in each window: ``row_id``, ``m``, ``order_id``, ``customer_id``, ``value``."""
    lines = source_events("order_lines", tables, engine)
    lines = lines.select("order_id", "t", "revenue", buyer="customer_id")
    pairs = timed.join(lines, [timed.customer_id == lines.buyer, timed.m <= lines.t])
    pairs = pairs.filter(pairs.t < pairs.m + outcome.window_days * DAY)
    return pairs.group_by("row_id", "m", "customer_id", "order_id").aggregate(
        value=pairs.revenue.sum()
    )


def _less_returns(
    tables: Mapping[str, ir.Table], orders: ir.Table, outcome: OutcomeSettings, engine: str
) -> ir.Table:
    import ibis

    returns = source_events("returns", tables, engine)
    returns = returns.select("t", came_back="value", order="returns_order_id", by="customer_id")
    pairs = orders.left_join(
        returns, [orders.order_id == returns.order, orders.customer_id == returns.by]
    )
    in_time = (pairs.t < pairs.m + horizon(outcome)).fill_null(False)
    came_back = in_time.ifelse(pairs.came_back, 0.0)
    netted = pairs.group_by("row_id", "order_id").aggregate(
        paid=pairs.value.max(), came_back=came_back.sum()
    )
    return netted.mutate(value=ibis.greatest(netted.paid - netted.came_back, 0.0))
