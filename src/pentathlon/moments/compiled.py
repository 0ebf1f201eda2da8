"""The same aggregates as :mod:`pentathlon.moments.partials`, by a compiled walk.

A database that groups pairs of moments and events does the same for every pair and aggregate: it
masks a value and adds it to a sum somewhere in memory. A walk over one customer's events after the
other keeps the sums of a moment in the processor, skips what an event does not count for, and
makes no pairs at all. The database still reads, joins and filters the tables, and finishes the
features.

Sums are of whole numbers (see :mod:`pentathlon.moments.sources`), so they are the same numbers in
any order, and equal those of the expressions bit for bit; tests hold both against each other.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pentathlon.moments.engine import Keep, features_as_of
from pentathlon.moments.events import DAY
from pentathlon.moments.expand import Feature
from pentathlon.moments.partials import ADDED_UP, DECAYED_SCALE, Partial, selected
from pentathlon.moments.passes import Pass

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_SELECTIONS = 62
"""Bits of a mask."""
RANGES = 4
"""Of customers, per thread: nobody waits long for the one with the busiest customers."""


def features_by_walk(
    asked: Pass, features: Sequence[Feature], keep: Keep, threads: int
) -> ir.Table:
    """The same as :func:`pentathlon.moments.engine.features_as_of`, on DuckDB, compiled.

    Parameters
    ----------
    asked : Pass
        Customers have numbers: identifiers are compared once a table, not once a source.
    features : sequence of Feature
    keep : callable
    threads : int
    """
    walk = Walk(asked.rows.get_backend(), threads)
    found = features_as_of(asked.tables, asked.rows, features, keep, walk)
    return found.drop("customer_id").rename(customer_id="person")


class Walk:
    """Adds events up in this process; customers are numbers from 0 on without gaps.

    Parameters
    ----------
    backend : Ibis backend
        DuckDB's.
    threads : int
    """

    def __init__(self, backend: Any, threads: int) -> None:
        self._backend = backend
        self._threads = threads

    def __call__(
        self,
        moments: ir.Table,
        events: Mapping[str, ir.Table],
        partials: Mapping[str, Sequence[Partial]],
    ) -> ir.Table:
        """Aggregate every source; see :func:`pentathlon.moments.engine.features_as_of`."""
        import pyarrow as pa

        known = _read_moments(moments)
        table = {"row_id": pa.array(known.row_id)}
        for source, own in partials.items():
            found = self._walk(known, events[source], own)
            for i, partial in enumerate(own):
                table[f"{source}_{i}"] = _as_arrow(found[i], partial)
        self._backend.con.register("walked", pa.table(table))
        return self._backend.table("walked")

    def _walk(
        self, moments: _Moments, events: ir.Table, partials: Sequence[Partial]
    ) -> NDArray[np.float64]:
        from pentathlon.moments.walk import bounds, order_by, walk

        selections = list(dict.fromkeys(p.selection for p in partials))
        columns = sorted({p.column for p in partials if p.column is not None})
        source = partials[0].source
        bits = [
            selected(events, source, s).cast("int64") * (1 << i) for i, s in enumerate(selections)
        ]
        named = events.select("customer_id", "t", *columns, mask=sum(bits[1:], start=bits[0]))
        read = named.to_pyarrow()
        code = _whole(read["customer_id"])
        start = bounds(code, len(moments.start) - 1)
        order = order_by(code, start)
        values = np.empty((len(columns), len(order)))
        for i, name in enumerate(columns):
            values[i] = _numbers(read[name])[order]
        t, mask = _whole(read["t"])[order], _whole(read["mask"])[order]
        half_lives = sorted({p.half_life for p in partials if p.half_life is not None})
        found = np.empty((len(partials), len(moments.m)))
        asked = _asked(partials, selections, columns, half_lives)
        rates = np.array([-math.log(2) / (days * DAY) for days in half_lives])
        edges = _even(moments.start + start, RANGES * self._threads)

        def walk_range(i: int) -> None:
            first, last = edges[i : i + 2]
            data = (moments.m, moments.start, t, mask, values, start)
            walk(first, last, *data, asked, rates, DECAYED_SCALE, found)

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(walk_range, range(len(edges) - 1)))
        return found


class _Moments(NamedTuple):
    """Moments in the order of customers, and where those of each begin."""

    row_id: NDArray[np.int64]
    m: NDArray[np.int64]
    start: NDArray[np.int64]


def _read_moments(moments: ir.Table) -> _Moments:
    from pentathlon.moments.walk import bounds, order_by

    read = moments.select("row_id", "m", "customer_id").to_pyarrow()
    row_id, m, code = (_whole(read[name]) for name in ("row_id", "m", "customer_id"))
    start = bounds(code, int(code.max(initial=-1)) + 1)
    order = order_by(code, start)
    return _Moments(row_id[order], m[order], start)


def _asked(
    partials: Sequence[Partial],
    selections: Sequence[Any],
    columns: Sequence[str],
    half_lives: Sequence[int],
) -> NDArray[np.int64]:
    from pentathlon.moments import walk

    measures = {
        ("sum", False): walk.COUNT,
        ("sum", True): walk.SUM,
        ("max", True): walk.MAX,
        ("min", True): walk.MIN,
        ("decayed", False): walk.FADING_COUNT,
        ("decayed", True): walk.FADING_SUM,
    }
    times = {"latest": walk.LATEST, "first": walk.FIRST}
    rows = [
        (
            times.get(p.measure, measures.get((p.measure, p.column is not None), walk.COUNT)),
            selections.index(p.selection),
            -1 if p.column is None else columns.index(p.column),
            -1 if p.window is None else p.window * DAY,
            -1 if p.half_life is None else half_lives.index(p.half_life),
        )
        for p in partials
    ]
    return np.ascontiguousarray(np.array(rows, dtype=np.int64).T)


def _even(work: NDArray[np.int64], parts: int) -> NDArray[np.int64]:
    """Edges of ranges with about as much work each; ``work`` is summed up from 0."""
    wanted = np.linspace(0, work[-1], parts + 1)[1:-1]
    inner = np.searchsorted(work, wanted).astype(np.int64)
    return np.unique(np.concatenate([[0], inner, [len(work) - 1]]))


def can_walk(partials: Iterable[Partial]) -> bool:
    """Whether masks have a bit for each selection of every source."""
    selections = Counter(source for source, _ in {(p.source, p.selection) for p in partials})
    return all(n <= MOST_SELECTIONS for n in selections.values())


def _whole(column: Any) -> NDArray[np.int64]:
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _numbers(column: Any) -> NDArray[np.float64]:
    return np.asarray(column.cast("float64").to_numpy(), dtype=np.float64)


def _as_arrow(values: NDArray[np.float64], partial: Partial) -> Any:
    """Sums as they are; extremes and times with gaps, times as whole numbers."""
    import pyarrow as pa

    if partial.measure in ADDED_UP:
        return pa.array(values)
    missing = np.isnan(values)
    if partial.measure in {"latest", "first"}:
        return pa.array(np.where(missing, 0, values).astype(np.int64), mask=missing)
    return pa.array(values, mask=missing)
