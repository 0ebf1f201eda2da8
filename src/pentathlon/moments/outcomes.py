"""What customers did after a message was assigned to them: responses and order values.

An order belongs to every assignment in whose window it lies: with a window of two weeks and two
e-mails a week it answers up to four of them. That is what "bought within the window" says, and
whoever wants each order to count once takes one observation of each customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pentathlon.errors import DataError
from pentathlon.moments.events import DAY, microseconds, source_events
from pentathlon.moments.settings import OutcomeSettings
from pentathlon.moments.sources import MONEY_SCALE

if TYPE_CHECKING:
    import ibis.expr.types as ir

TIMES = {"transactions": "ordered_at", "sessions": "started_at", "email_log": "assigned_at"}
"""When events of each clean table happened."""
LEAST = 0.01
"""Order value of a response that earns nothing or less, in currency."""


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
        With ``transactions``; for ``outcome.value`` "margin" also ``products``, whose costs are
        known (:func:`check_costs`).
    rows : Table
        ``row_id`` (distinct integers), ``customer_id``, ``moment`` of the assignment.
    outcome : OutcomeSettings

    Returns
    -------
    Table
        The columns of ``rows``, ``order_value`` (currency) and ``response`` (1 where something was
        paid). Orders of any department from the moment on and before the window's end count. An
        order's value is what was paid for its lines in the window; with ``net_returns`` less what
        came back of the order until ``return_days`` after the window's end, and not below 0. With
        ``value`` "margin" the cost of what was bought and kept is taken off as well; a response
        that earns less than ``LEAST`` has that value, since a response has one.

    Raises
    ------
    DataError
        When there are no transactions.
    """
    import ibis

    if "transactions" not in tables:
        raise DataError("Outcomes need the table transactions, which is not there. Bring it.")
    engine = rows.get_backend().name
    timed = rows.select("row_id", "customer_id", m=microseconds(rows.moment, engine))
    orders = _orders_in_window(tables, timed, outcome, engine)
    if outcome.net_returns:
        orders = _less_returns(tables, orders, outcome, engine)
    value = orders.group_by("row_id").aggregate(paid=orders.value.sum(), earned=orders.earned.sum())
    joined = rows.left_join(value.rename(of="row_id"), [("row_id", "of")])
    paid = joined.paid.fill_null(0.0) / MONEY_SCALE
    order_value = paid
    if outcome.value == "margin":
        earned = ibis.greatest(joined.earned.fill_null(0.0) / MONEY_SCALE, LEAST)
        order_value = ibis.ifelse(paid > 0, earned, 0.0)
    return joined.select(*rows.columns, order_value=order_value, response=(paid > 0).cast("int8"))


def check_costs(tables: Mapping[str, ir.Table]) -> None:
    """Refuse transactions whose cost is not known.

    Raises
    ------
    DataError
        Without products, or when a product that was bought has no cost.
    """
    if "products" not in tables:
        raise DataError(
            "moments.outcome.value is margin, which needs the table products with their costs, and "
            "it is not there. Bring it, or set moments.outcome.value: revenue."
        )
    bought = tables["transactions"].select("product_id")
    priced = tables["products"].filter(tables["products"].cost.notnull()).select("product_id")
    lost, lines = int(bought.anti_join(priced, "product_id").count().execute()), bought.count()
    if lost:
        raise DataError(
            f"{lost:,} of {int(lines.execute()):,} lines are of products whose cost is not in the "
            "table products. Complete it, or set moments.outcome.value: revenue."
        )


def _with_cost(tables: Mapping[str, ir.Table], lines: ir.Table, outcome: OutcomeSettings) -> Any:
    """Lines with ``cost`` in ten-thousandths, 0 where only what was paid counts."""
    if outcome.value == "revenue":
        return lines.mutate(cost=0.0)
    priced = tables["products"].select("product_id", each="cost")
    joined = lines.left_join(priced, "product_id")
    cost = (joined.pieces * joined.each * MONEY_SCALE).round().cast("float64")
    return joined.select(*lines.columns, cost=cost)


def _orders_in_window(
    tables: Mapping[str, ir.Table], timed: ir.Table, outcome: OutcomeSettings, engine: str
) -> ir.Table:
    """Orders in each window with their customer and order, ``value`` and ``earned``."""
    lines = _with_cost(tables, source_events("order_lines", tables, engine), outcome)
    lines = lines.select("order_id", "t", "revenue", "cost", buyer="customer_id")
    pairs = timed.join(lines, [timed.customer_id == lines.buyer, timed.m <= lines.t])
    pairs = pairs.filter(pairs.t < pairs.m + outcome.window_days * DAY)
    return pairs.group_by("row_id", "m", "customer_id", "order_id").aggregate(
        value=pairs.revenue.sum(), earned=(pairs.revenue - pairs.cost).sum()
    )


def _less_returns(
    tables: Mapping[str, ir.Table], orders: ir.Table, outcome: OutcomeSettings, engine: str
) -> ir.Table:
    import ibis

    returns = _with_cost(tables, source_events("returns", tables, engine), outcome)
    returns = returns.select(
        "t",
        came_back="value",
        restocked="cost",
        order="returns_order_id",
        by="customer_id",
    )
    pairs = orders.left_join(
        returns, [orders.order_id == returns.order, orders.customer_id == returns.by]
    )
    in_time = (pairs.t < pairs.m + horizon(outcome)).fill_null(False)
    netted = pairs.group_by("row_id", "order_id").aggregate(
        paid=pairs.value.max(),
        earned=pairs.earned.max(),
        came_back=in_time.ifelse(pairs.came_back, 0.0).sum(),
        restocked=in_time.ifelse(pairs.restocked, 0.0).sum(),
    )
    value = ibis.greatest(netted.paid - netted.came_back, 0.0)
    earned = netted.earned - netted.came_back + netted.restocked
    return netted.mutate(value=value, earned=ibis.ifelse(value > 0, earned, 0.0))
