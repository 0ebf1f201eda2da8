"""Sweeps over spilled customers as Spark aggregations; see :mod:`pentathlon.scoring.blocks`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pentathlon.scoring.blocks import Block, Lottery, at_prices, dual_terms
from pentathlon.scoring.spark.files import PART, ROW
from pentathlon.scoring.spark.work import SPILLED
from pentathlon.scoring.spill import block_of

Figures = Iterator[tuple[str, NDArray[np.int64], NDArray[np.float64]]]
"""What is summed: a name, keys, and a number for each of them."""
_SUMS = pa.schema([("what", pa.string()), ("key", pa.int64()), ("n", pa.float64())])
_SHIFTS = (42, 21, 0)
"""Bits of a margin are looked at in three steps, the highest first."""


@dataclass(frozen=True)
class SparkSweeps:
    """All spilled customers on a cluster.

    Attributes
    ----------
    spilled : pyspark.sql.DataFrame
        What :func:`pentathlon.scoring.spark.work.spilling` made.
    names : sequence of str
        Of the partitions.
    n_messages : int
    """

    spilled: Any
    names: Sequence[str]
    n_messages: int

    def segments(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct keys, ascending, and how many customers have each."""
        rows = self._known.groupBy("segment").count().collect()
        found = sorted((row["segment"], row["count"]) for row in rows)
        keys, customers = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return np.ascontiguousarray(keys), np.ascontiguousarray(customers)

    def sample(self, share: float, seed: int) -> Block:
        """A random share of the customers, in the order of parts and rows."""
        lottery = Lottery(tuple(self.names), seed)
        return self._collected(lambda block: lottery.drawn(block, share))

    def nearest(
        self, keys: NDArray[np.int64], table: NDArray[np.float64], most: int
    ) -> tuple[Block, NDArray[np.float64], float]:
        """Customers nearest to a tie at prices, and what everybody is sent and worth."""

        def first(block: Block) -> Figures:
            found = at_prices(block, keys, table)
            yield from _by_bits(found.margin, _SHIFTS[0])
            yield from _by_cell(found.counts)
            yield "value", np.zeros(1, dtype=np.int64), np.array([found.value])

        sums = self._summed(first)
        edge = self._edge(sums.get("bits", {}), keys, table, most)

        def near(block: Block) -> Block:
            margin = at_prices(block, keys, table).margin
            return block.take(np.flatnonzero(np.isfinite(margin) & (margin <= edge)))

        value = sums.get("value", {}).get(0, 0.0)
        return self._collected(near), _cells(sums, table), value

    def _edge(
        self,
        highest: dict[int, float],
        keys: NDArray[np.int64],
        table: NDArray[np.float64],
        most: int,
    ) -> float:
        """The ``most``-th smallest margin, to the bit; infinite where there are no more."""
        if sum(highest.values()) <= most:
            return np.inf
        before, prefix = 0.0, 0
        counted = highest
        for step, shift in enumerate(_SHIFTS):
            for key in sorted(counted):
                if before + counted[key] >= most:
                    prefix = key
                    break
                before += counted[key]
            if step + 1 < len(_SHIFTS):
                within = (shift, prefix)
                counted = self._summed(_bits_within(keys, table, _SHIFTS[step + 1], within))["bits"]
        return float(np.int64(prefix).view(np.float64))

    def dual(
        self, keys: NDArray[np.int64], table: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Customers' share of the dual, and what is given, by segment and message."""

        def terms(block: Block) -> Figures:
            total, taken = dual_terms(block, keys, table)
            yield "total", np.zeros(1, dtype=np.int64), np.array([total])
            yield from _by_cell(taken)

        sums = self._summed(terms)
        return sums.get("total", {}).get(0, 0.0), _cells(sums, table)

    @property
    def _known(self) -> Any:
        """Customers as limits see them, without the rejected rows."""
        from pyspark.sql import functions as sf

        names = ["segment", "given", *(f"ranked_{k}" for k in range(self.n_messages))]
        columns = [sf.col(f"{SPILLED}{name}").alias(name) for name in names]
        known = self.spilled.where(sf.col(f"{SPILLED}segment").isNotNull())
        return known.select(sf.col(PART).alias("part"), sf.col(ROW).alias("row"), *columns)

    def _summed(self, figures: Callable[[Block], Figures]) -> dict[str, dict[int, float]]:
        """Sums over all customers of what is found for some, by name and key."""
        from pyspark.sql import functions as sf

        n_messages = self.n_messages

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                for what, keys, numbers in figures(_block(batch, n_messages)):
                    rows = [[what] * len(keys), keys, numbers]
                    yield pa.RecordBatch.from_pydict(
                        dict(zip(_SUMS.names, rows, strict=True)), schema=_SUMS
                    )

        rows = self._known.mapInArrow(work, spark_schema(_SUMS)).groupBy("what", "key")
        found: dict[str, dict[int, float]] = {}
        for what, key, n in rows.agg(sf.sum("n").alias("n")).collect():
            found.setdefault(what, {})[key] = n
        return found

    def _collected(self, choose: Callable[[Block], Block]) -> Block:
        """Some customers on the driver, in the order of parts and rows."""
        n_messages = self.n_messages

        def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            for batch in batches:
                yield _batch(choose(_block(batch, n_messages)), batch.schema)

        known = self._known
        block = _block(known.mapInArrow(work, known.schema).toArrow(), n_messages)
        return block.take(np.lexsort((block.rows, block.part)))


def _block(batch: pa.RecordBatch | pa.Table, n_messages: int) -> Block:
    return block_of(batch, batch.column("part").to_numpy(), n_messages)


def _batch(block: Block, schema: pa.Schema) -> pa.RecordBatch:
    """The inverse of :func:`_block`."""
    ranked = [np.ascontiguousarray(column) for column in block.ranked.T]
    arrays = [block.part, block.rows, block.key, block.given, *ranked]
    return pa.RecordBatch.from_arrays([pa.array(values) for values in arrays], schema=schema)


def _by_bits(
    margin: NDArray[np.float64], shift: int, above: tuple[int, int] | None = None
) -> Figures:
    """Customers with something to choose by the leading bits of their margin.

    Bits of positive numbers are in the order of the numbers.

    Parameters
    ----------
    margin : ndarray of float64, shape (n,)
    shift : int
        Bits that are left out.
    above : (int, int), optional
        Only margins whose bits without so many are these.
    """
    bits = margin[np.isfinite(margin)].view(np.int64)
    if above is not None:
        bits = bits[bits >> above[0] == above[1]]
    keys, counts = np.unique(bits >> shift, return_counts=True)
    yield "bits", keys, counts.astype(np.float64)


def _bits_within(
    keys: NDArray[np.int64], table: NDArray[np.float64], shift: int, within: tuple[int, int]
) -> Callable[[Block], Figures]:
    """A sweep that looks closer at the margins of one bin; see :func:`_by_bits`."""

    def figures(block: Block) -> Figures:
        return _by_bits(at_prices(block, keys, table).margin, shift, within)

    return figures


def _by_cell(counts: NDArray[np.float64]) -> Figures:
    cells = np.flatnonzero(counts)
    yield "cell", cells, counts.ravel()[cells]


def _cells(sums: dict[str, dict[int, float]], table: NDArray[np.float64]) -> NDArray[np.float64]:
    counts = np.zeros(table.shape)
    for cell, n in sums.get("cell", {}).items():
        counts.flat[cell] = n
    return counts


def spark_schema(schema: pa.Schema) -> Any:
    """An Arrow schema as Spark writes it."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)
