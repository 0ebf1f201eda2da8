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
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.moments.events import DAY
from pentathlon.moments.partials import ADDED_UP, DECAYED_SCALE, Partial, selected

if TYPE_CHECKING:
    import ibis.expr.types as ir

MOST_SELECTIONS = 62
"""Bits of a mask."""
RANGES = 4
"""Of customers, per thread: nobody waits long for the one with the busiest customers."""


class CompiledReducer:
    """Aggregates events before moments in this process.

    Parameters
    ----------
    backend : Ibis backend
        DuckDB's.
    threads : int
    """

    def __init__(self, backend: Any, threads: int) -> None:
        self._backend = backend
        self._threads = threads
        self._moments: tuple[ir.Table, _Moments] | None = None

    def __call__(
        self, moments: ir.Table, events: ir.Table, partials: Sequence[Partial]
    ) -> ir.Table:
        """Aggregate; see :func:`pentathlon.moments.partials.aggregate`.

        Parameters
        ----------
        moments : Table
            ``row_id``, ``customer_id``, ``m``.
        events : Table
            ``customer_id``, ``t`` and the source's columns.
        partials : sequence of Partial
            Of one source.
        """
        import pyarrow as pa

        if self._moments is None or self._moments[0] is not moments:
            self._moments = (moments, self._read_moments(moments))
        known = self._moments[1]
        found = self._walk(known, events, partials)
        table = {"row_id": pa.array(known.row_id)}
        for i, partial in enumerate(partials):
            table[f"p{i}"] = _as_arrow(found[i], partial)
        name = f"walked_{partials[0].source}"
        self._backend.con.register(name, pa.table(table))
        return self._backend.table(name)

    def _read_moments(self, moments: ir.Table) -> _Moments:
        import ibis

        from pentathlon.moments.walk import bounds, order_by

        codes = moments.select("customer_id").distinct()
        codes = codes.mutate(code=ibis.row_number().over(order_by=codes.customer_id))
        self._backend.con.register("customer_codes", codes.to_pyarrow())
        codes = self._backend.table("customer_codes")
        read = moments.join(codes, "customer_id").select("row_id", "m", "code").to_pyarrow()
        row_id, m, code = (_whole(read[name]) for name in ("row_id", "m", "code"))
        start = bounds(code, int(code.max(initial=-1)) + 1)
        order = order_by(code, start)
        return _Moments(row_id[order], m[order], start, codes)

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
        read = named.join(moments.codes, "customer_id")
        read = read.select("code", "t", "mask", *columns).to_pyarrow()
        code = _whole(read["code"])
        start = bounds(code, len(moments.start) - 1)
        order = order_by(code, start)
        values = np.empty((len(columns), len(order)))
        for i, name in enumerate(columns):
            values[i] = _numbers(read[name])[order]
        t, mask = _whole(read["t"])[order], _whole(read["mask"])[order]
        half_lives = sorted({p.half_life for p in partials if p.half_life is not None})
        found = np.empty((len(partials), len(moments.m)))
        orders = _orders(partials, selections, columns, half_lives)
        rates = np.array([-math.log(2) / (days * DAY) for days in half_lives])
        edges = _even(moments.start + start, RANGES * self._threads)

        def walk_range(i: int) -> None:
            first, last = edges[i : i + 2]
            data = (moments.m, moments.start, t, mask, values, start)
            walk(first, last, *data, orders, rates, DECAYED_SCALE, found)

        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(walk_range, range(len(edges) - 1)))
        return found


class _Moments:
    """Moments in the order of customers."""

    def __init__(
        self,
        row_id: NDArray[np.int64],
        m: NDArray[np.int64],
        start: NDArray[np.int64],
        codes: ir.Table,
    ) -> None:
        self.row_id, self.m, self.start, self.codes = row_id, m, start, codes


def _orders(
    partials: Sequence[Partial],
    selections: Sequence[Any],
    columns: Sequence[str],
    half_lives: Sequence[int],
) -> Any:
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
    return walk.Orders(*np.array(rows, dtype=np.int64).T.copy())


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
