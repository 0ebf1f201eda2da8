"""Features of customers as they stood at given moments: one expression for any engine.

Every event of a customer strictly before the moment counts, and nothing else does. The work grows
with the events and the moments of each customer, not with the number of features' windows: each
source is read once, paired with its customers' moments, and reduced to all its aggregates
together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pentathlon.errors import DataError
from pentathlon.moments.events import microseconds, source_events
from pentathlon.moments.expand import Feature
from pentathlon.moments.finish import finish, partials_of
from pentathlon.moments.partials import Partial, aggregate
from pentathlon.moments.sources import SOURCES

if TYPE_CHECKING:
    import ibis.expr.types as ir

_DATES = ("joined_at", "consented_at", "opted_out_at")
Keep = Callable[[str, "ir.Table"], "ir.Table"]
Reduce = Callable[["ir.Table", Mapping[str, "ir.Table"], Mapping[str, list[Partial]]], "ir.Table"]


def _not_kept(name: str, table: ir.Table) -> ir.Table:
    return table


def features_as_of(
    tables: Mapping[str, ir.Table],
    rows: ir.Table,
    features: Sequence[Feature],
    keep: Keep = _not_kept,
    reduce: Reduce | None = None,
) -> ir.Table:
    """Features of customers as they stood at given moments.

    Parameters
    ----------
    tables : mapping of str to Table
        Clean tables by name; only those that the features need.
    rows : Table
        ``row_id`` (distinct integers), ``customer_id``, ``moment`` (naive UTC). A customer may
        have any number of moments, also equal ones. Other columns are passed on.
    features : sequence of Feature
    keep : callable, optional
        Computes and keeps a table under a name, where the engine gains from it; without it the
        result is one expression.
    reduce : callable, optional
        From moments (``row_id``, ``customer_id``, ``m``), events by source and aggregates by
        source to a table of ``row_id`` and ``<source>_<i>`` for the ``i``-th aggregate of each
        source; by default what :func:`pentathlon.moments.partials.aggregate` makes of pairs of a
        moment and an event.

    Returns
    -------
    Table
        The columns of ``rows``, then a column for each feature: float64, or text for labels.

    Raises
    ------
    DataError
        When a table that a feature needs is absent.
    """
    engine = rows.get_backend().name
    partials = list(dict.fromkeys(p for feature in features for p in partials_of(feature)))
    timed = rows.mutate(m=microseconds(rows.moment, engine))
    moments = keep("all_moments", timed.select("row_id", "customer_id", "m"))
    found = _with_attributes(timed, tables, features, engine)
    own = {source: [p for p in partials if p.source == source] for source in SOURCES}
    own = {source: wanted for source, wanted in own.items() if wanted}
    events = {source: _events(source, tables, moments, engine) for source in own}
    names = {p: f"{source}_{i}" for source in own for i, p in enumerate(own[source])}
    if reduce is None:
        for source, wanted in own.items():
            pairs = _pairs(moments, events[source], wanted)
            reduced = keep(f"of_{source}", aggregate(pairs, wanted))
            columns = {names[partial]: f"p{i}" for i, partial in enumerate(wanted)}
            found = _joined(found, reduced.rename(columns), source)
    elif own:
        found = _joined(found, reduce(moments, events, own), "all")
    return found.select(
        *rows.columns,
        **{
            feature.name: finish(feature, found, lambda partial: found[names[partial]])
            for feature in features
        },
    )


def _joined(rows: ir.Table, reduced: ir.Table, name: str) -> ir.Table:
    own_id = f"row_id_of_{name}"
    return rows.left_join(reduced.rename({own_id: "row_id"}), [("row_id", own_id)])


def _events(
    source: str, tables: Mapping[str, ir.Table], moments: ir.Table, engine: str
) -> ir.Table:
    table = SOURCES[source].table
    if source == "orders" and table in tables:
        # Lines are put together to orders before moments are looked at: only lines in question.
        tables = {**tables, table: tables[table].semi_join(moments, "customer_id")}
    return source_events(source, tables, engine)


def _pairs(moments: ir.Table, events: ir.Table, partials: Sequence[Partial]) -> ir.Table:
    """Moments with each earlier event of their customer, or with a missing one."""
    about = SOURCES[partials[0].source]
    used = {p.column for p in partials if p.column is not None}
    for partial in partials:
        used |= {label for label, _ in partial.selection.where}
        if partial.selection.by is not None:
            used.add(about.by[partial.selection.by])
    events = events.select("t", *sorted(used), events_of="customer_id")
    joined = moments.left_join(
        events, [moments.customer_id == events.events_of, moments.m > events.t]
    )
    return joined.select("row_id", "m", "t", *sorted(used))


def _with_attributes(
    rows: ir.Table, tables: Mapping[str, ir.Table], features: Sequence[Feature], engine: str
) -> ir.Table:
    wanted = sorted({str(f.column) for f in features if f.source == "customers"})
    if not wanted:
        return rows
    if "customers" not in tables:
        raise DataError(
            "Features of the source customers need the table customers, which is not there. "
            "Bring the table, or take these features out of moments.features."
        )
    if "consented_at" in wanted:
        wanted.append("opted_out_at")
    customers = tables["customers"]
    attributes = customers.select(
        "customer_id",
        **{
            f"customer__{column}": microseconds(customers[column], engine)
            if column in _DATES
            else customers[column]
            for column in wanted
        },
    )
    attributes = attributes.rename(customer__customer_id="customer_id")
    return rows.left_join(attributes, rows.customer_id == attributes.customer__customer_id)
