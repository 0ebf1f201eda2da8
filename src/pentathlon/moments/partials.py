"""What is aggregated, once, for features to be made of: sums, extremes, decayed sums.

Many features share an aggregate: the orders of 30 days are a feature, the mean basket's
denominator and part of a share. Conditions are products with 0 and 1 rather than filters: on
DuckDB, forty sums of masked values take a third of the time of forty filtered sums.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from pentathlon.moments.events import DAY
from pentathlon.moments.sources import SOURCES

if TYPE_CHECKING:
    import ibis.expr.types as ir

Measure = Literal["sum", "max", "min", "latest", "first", "decayed"]
ADDED_UP = frozenset({"sum", "decayed"})
DECAYED_SCALE = 1_000_000.0
"""Weights of decayed sums are rounded to millionths, so that sums do not depend on their order."""


class Selection(NamedTuple):
    """Which events of a source count.

    Attributes
    ----------
    by, value : str or None
        ``value`` is the department or message that alone counts.
    where : tuple of (str, tuple of str)
        Labels, each with the values that are allowed.
    """

    by: str | None = None
    value: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Partial(NamedTuple):
    """One aggregate of a source's events before a moment.

    Attributes
    ----------
    source : str
    measure : str
        ``sum`` of a column or of events, ``max`` and ``min`` of a column, time of the
        ``latest`` and the ``first`` event, ``decayed`` sum of a column or of events.
    selection : Selection
    column : str or None
        ``None`` counts events.
    window, half_life : int or None
        Days.
    """

    source: str
    measure: Measure
    selection: Selection = Selection()
    column: str | None = None
    window: int | None = None
    half_life: int | None = None


def aggregate(pairs: ir.Table, partials: Sequence[Partial]) -> ir.Table:
    """Aggregate the events before each moment.

    Parameters
    ----------
    pairs : Table
        Pairs of a moment and an earlier event of the customer: ``row_id``, the moment ``m`` and
        the event's ``t`` in microseconds, and the event's columns. A moment without an earlier
        event has one pair, whose event is missing.
    partials : sequence of Partial
        Of one source.

    Returns
    -------
    Table
        ``row_id`` and a column ``p0``, ``p1``, ... for each partial. Sums of no events are 0;
        extremes and times of none are missing.
    """
    selections = list(dict.fromkeys(partial.selection for partial in partials))
    values = [(p.selection, p.column) for p in partials if p.measure in ADDED_UP]
    values = list(dict.fromkeys(values))
    windows = sorted({p.window for p in partials if p.window is not None})
    half_lives = sorted({p.half_life for p in partials if p.half_life is not None})

    # In steps, so that what many aggregates share is computed once.
    flagged = pairs.mutate(
        **{f"s{i}": selected(pairs, partials[0].source, s) for i, s in enumerate(selections)},
        **{f"w{days}": (pairs.t >= pairs.m - days * DAY).fill_null(False) for days in windows},
        **{f"h{days}": _weight(pairs, days) for days in half_lives},
    )

    def flag(selection: Selection) -> ir.BooleanValue:
        return flagged[f"s{selections.index(selection)}"]

    def value(selection: Selection, column: str | None) -> ir.NumericValue:
        one = flag(selection).cast("float64")
        return one if column is None else flagged[column].fill_null(0.0) * one

    def extreme(partial: Partial) -> ir.NumericValue:
        chosen = flag(partial.selection)
        if partial.window is not None:
            chosen = chosen & flagged[f"w{partial.window}"]
        return chosen.ifelse(flagged[partial.column or "t"], None)

    masked = flagged.mutate(
        **{f"v{i}": value(*of) for i, of in enumerate(values)},
        **{f"w{days}": flagged[f"w{days}"].cast("float64") for days in windows},
        **{f"x{i}": extreme(p) for i, p in enumerate(partials) if p.measure not in ADDED_UP},
    )

    def reduced(i: int, partial: Partial) -> ir.Value:
        if partial.measure not in ADDED_UP:
            found = masked[f"x{i}"]
            return found.max() if partial.measure in {"max", "latest"} else found.min()
        number = masked[f"v{values.index((partial.selection, partial.column))}"]
        if partial.window is not None:
            number = number * masked[f"w{partial.window}"]
        if partial.half_life is not None:
            number = (number * masked[f"h{partial.half_life}"]).round().cast("float64")
        return number.sum()

    return masked.group_by("row_id").aggregate(
        **{f"p{i}": reduced(i, partial) for i, partial in enumerate(partials)}
    )


def selected(pairs: ir.Table, source: str, selection: Selection) -> ir.BooleanValue:
    """Whether there is an event, and it counts.

    Parameters
    ----------
    pairs : Table
        Events, or pairs with moments: ``t``, labels and what the source is divided by.
    source : str
    selection : Selection
    """
    condition = pairs.t.notnull()
    for label, allowed in selection.where:
        condition = condition & pairs[label].isin(list(allowed))
    if selection.value is not None:
        column = SOURCES[source].by[str(selection.by)]
        if column in SOURCES[source].lists:
            condition = condition & pairs[column].contains(selection.value)
        else:
            condition = condition & (pairs[column] == selection.value)
    return condition.fill_null(False)


def _weight(pairs: ir.Table, half_life: int) -> ir.FloatingValue:
    """Weight of an event, in millionths: half of it is gone after each half-life."""
    age = (pairs.m - pairs.t).cast("float64").fill_null(0.0)
    return (age * (-math.log(2) / (half_life * DAY))).exp() * DECAYED_SCALE
