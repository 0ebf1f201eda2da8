"""From aggregates to the values of features."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from pentathlon.moments.events import DAY
from pentathlon.moments.expand import Feature
from pentathlon.moments.partials import DECAYED_SCALE, Measure, Partial, Selection
from pentathlon.moments.sources import SEASONS, SOURCES

if TYPE_CHECKING:
    import ibis.expr.types as ir

Values = Callable[[Partial], "ir.NumericValue"]


def partials_of(feature: Feature) -> list[Partial]:
    """Aggregates that a feature is made of; none for attributes and the calendar."""
    if feature.aggregation == "share" and feature.of is not None and feature.over is not None:
        return partials_of(feature.of) + partials_of(feature.over)
    if feature.source not in SOURCES:
        return []
    one = _partial(feature)
    aggregation = feature.aggregation
    if aggregation == "distinct":
        return [one("sum", value) for value in feature.among]
    if aggregation == "last":
        return [one("latest", value) for value in feature.among]
    measures: dict[str, list[Measure]] = {
        "recency": ["latest"],
        "cadence": ["first", "latest", "sum"],
        "max": ["max"],
        "min": ["min"],
        "decayed": ["decayed"],
        "mean": ["sum"],
    }
    parts = [one(measure) for measure in measures.get(aggregation, ["sum"])]
    return [*parts, parts[0]._replace(column=None)] if aggregation == "mean" else parts


def _partial(feature: Feature) -> Callable[..., Partial]:
    def one(measure: Measure, value: str | None = feature.value) -> Partial:
        timed = measure in {"latest", "first"}
        return Partial(
            source=str(feature.source),
            measure=measure,
            selection=Selection(feature.by if value else None, value, feature.where),
            column=feature.column,
            # The latest event of all is the latest of a window, or the window has none.
            window=None if timed else feature.window,
            half_life=feature.half_life,
        )

    return one


def finish(feature: Feature, rows: ir.Table, values: Values) -> ir.Value:
    """Value of a feature.

    Parameters
    ----------
    feature : Feature
    rows : Table
        Moments: ``moment``, ``m`` in microseconds, and the attributes of the customer as
        ``customer__<column>`` (dates in microseconds).
    values : callable
        From a partial to its column.

    Returns
    -------
    Value
        float64 or text, with ``feature.empty`` where there is nothing to tell.
    """
    found = _found(feature, rows, values)
    if feature.kind == "number":
        found = found.cast("float64")
    if feature.empty is None:
        return found
    empty = float(feature.empty) if feature.kind == "number" else str(feature.empty)
    return found.fill_null(empty)


def _found(feature: Feature, rows: ir.Table, values: Values) -> ir.Value:
    if feature.source == "calendar":
        return _calendar(str(feature.column), rows)
    if feature.source == "customers":
        return _attribute(feature, rows)
    if feature.aggregation == "share":
        return _share(feature, values)
    return _of_events(feature, rows, values)


def _sum(partial: Partial, values: Values) -> ir.NumericValue:
    """Sum in the unit of its column."""
    scale = DECAYED_SCALE if partial.half_life is not None else 1.0
    if partial.column is not None:
        scale *= SOURCES[partial.source].columns[partial.column].scale
    total = values(partial)
    return total if scale == 1.0 else total / scale


def _share(feature: Feature, values: Values) -> ir.NumericValue:
    part, whole = (_sum(partial, values) for partial in partials_of(feature))
    return part / whole.nullif(0.0)


def _of_events(feature: Feature, rows: ir.Table, values: Values) -> ir.Value:
    parts = partials_of(feature)
    match feature.aggregation:
        case "mean":
            found = _sum(parts[0], values) / _sum(parts[1], values).nullif(0.0)
        case "max" | "min":
            scale = SOURCES[str(feature.source)].columns[str(feature.column)].scale
            found = values(parts[0]) / scale
        case "distinct":
            seen = [(_sum(part, values) > 0).cast("int64") for part in parts]
            found = sum(seen[1:], start=seen[0])
        case "recency":
            ago = rows.m - values(parts[0])
            found = ago.cast("float64") / DAY
            if feature.window is not None:
                found = (ago <= feature.window * DAY).ifelse(found, None)
        case "cadence":
            first, latest = (values(part) for part in parts[:2])
            gaps = _sum(parts[2], values) - 1.0
            found = (latest - first).cast("float64") / DAY / (gaps > 0).ifelse(gaps, None)
        case "last":
            found = _last(feature, parts, values)
        case _:
            found = _sum(parts[0], values)
    return found


def _last(feature: Feature, parts: list[Partial], values: Values) -> ir.Value:
    """The value whose latest event is the latest; the first declared where several tie."""
    import ibis

    times = [values(part).fill_null(-1) for part in parts]
    latest = times[0] if len(times) == 1 else ibis.greatest(*times)
    cases = [
        ((time == latest) & (latest >= 0), value)
        for time, value in zip(times, feature.among, strict=True)
    ]
    return ibis.cases(*cases, else_=ibis.null("string"))


def _attribute(feature: Feature, rows: ir.Table) -> ir.Value:
    import ibis

    column = rows[f"customer__{feature.column}"]
    match feature.aggregation:
        case "days_since":
            days = (rows.m - column).cast("float64") / DAY
            return ibis.ifelse(column < rows.m, days, ibis.null())
        case "age":
            return rows.moment.year() - column
        case "consent":
            out = rows.customer__opted_out_at
            given = (column < rows.m).fill_null(False)
            return (given & ~(out < rows.m).fill_null(False)).cast("int64")
        case _:
            return column.cast("string")


def _calendar(column: str, rows: ir.Table) -> ir.Value:
    import ibis

    month = rows.moment.month()
    angle = (rows.moment.day_of_year() - 1).cast("float64") * (2 * math.pi / 365.25)
    match column:
        case "month":
            return month
        case "weekday":
            return rows.moment.day_of_week.index()
        case "hour":
            return rows.moment.hour()
        case "year_sine":
            return angle.sin()
        case "year_cosine":
            return angle.cos()
        case _:
            quarter = (month % 12).cast("int64")
            cases = [(quarter < 3 * (i + 1), season) for i, season in enumerate(SEASONS)]
            return ibis.cases(*cases)
