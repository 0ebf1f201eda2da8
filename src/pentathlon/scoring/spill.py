"""What the first pass leaves for the second: scores and wishes, in files, never all in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.decisions import Prediction
from pentathlon.decision.limiting import scope_code
from pentathlon.decision.plan import Wishes
from pentathlon.decision.profit import expected_profit
from pentathlon.scoring.blocks import AtPrices, Block, Lottery, at_prices, dual_terms
from pentathlon.scoring.parts import opened

_SCORES = ("probability", "order_value")


def spill_schema(messages: MessageSet) -> pa.Schema:
    """Columns of a spilled part: scores and rank of every message, and what limits ask for."""
    floats = [
        (f"{kind}_{k}", pa.float32()) for kind in (*_SCORES, "ranked") for k in range(len(messages))
    ]
    return pa.schema([("row", pa.int64()), ("segment", pa.int64()), ("given", pa.int8()), *floats])


def spilled(
    rows: NDArray[np.int64], prediction: Prediction, wishes: Wishes, messages: MessageSet
) -> pa.RecordBatch:
    """A batch of customers as it is spilled.

    Parameters
    ----------
    rows : ndarray of int64, shape (n,)
        Of the partition.
    prediction : Prediction, n customers
    wishes : Wishes, n customers
    messages : MessageSet
    """
    draw = wishes.drawn(wishes.best, wishes.ranked)
    given = np.where(wishes.given(draw), draw.choice, -1).astype(np.int8)
    arrays = [rows, segment_keys(wishes), given]
    for table in (
        prediction.purchase_probability,
        prediction.expected_order_value,
        wishes.ranked,
    ):
        arrays += [np.ascontiguousarray(table[:, k]) for k in range(len(messages))]
    return pa.RecordBatch.from_arrays(
        [pa.array(values) for values in arrays], schema=spill_schema(messages)
    )


def segment_keys(wishes: Wishes) -> NDArray[np.int64]:
    """What limits tell customers apart by: their scopes, and the bits of a complaint's chance."""
    complaint = wishes.screen.complaint.view(np.int32).astype(np.int64)
    pressure = wishes.settings.rules.pressure
    if pressure is None or pressure.max_complaint_rate is None:
        complaint = np.zeros_like(complaint)
    return (scope_code(wishes.screen) << 32) | complaint


def unspilled(batch: pa.RecordBatch, messages: MessageSet) -> Prediction:
    """Predictions of a spilled batch, to the bit those that were spilled."""
    probability, order_value = (table_of(batch, kind, len(messages)) for kind in _SCORES)
    profit = expected_profit(probability, order_value, messages)
    return Prediction(probability, order_value, profit, {})


def table_of(batch: pa.RecordBatch | pa.Table, kind: str, n_messages: int) -> NDArray[np.float32]:
    """Columns of a kind, side by side, shape ``(n, n_messages)``."""
    columns = [batch.column(f"{kind}_{k}").to_numpy() for k in range(n_messages)]
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float32)


def block_of(batch: pa.RecordBatch | pa.Table, part: NDArray[np.int32], n_messages: int) -> Block:
    """Spilled customers as limits see them."""
    return Block(
        part,
        batch.column("row").to_numpy(),
        batch.column("segment").to_numpy(),
        batch.column("given").to_numpy(),
        table_of(batch, "ranked", n_messages),
    )


@dataclass(frozen=True)
class SpilledParts:
    """Spilled parts, swept a row group at a time; see :class:`pentathlon.scoring.blocks.Sweeps`.

    Attributes
    ----------
    parts : sequence of (str, Path)
        Name of the partition and its file.
    n_messages : int
    """

    parts: Sequence[tuple[str, Path]]
    n_messages: int

    @property
    def names(self) -> list[str]:
        """Names of the partitions."""
        return [name for name, _ in self.parts]

    def blocks(self) -> Iterator[Block]:
        """Every customer once, in the order of the parts."""
        columns = ["row", "segment", "given", *(f"ranked_{k}" for k in range(self.n_messages))]
        for part, (_, path) in enumerate(self.parts):
            with opened(path) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group, columns=columns, use_threads=False)
                    of_part = np.full(len(table), part, dtype=np.int32)
                    yield block_of(table, of_part, self.n_messages)

    def segments(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct keys, ascending, and how many customers have each."""
        total: Counter[int] = Counter()
        for block in self.blocks():
            found, count = np.unique(block.key, return_counts=True)
            total.update(dict(zip(found.tolist(), count.tolist(), strict=True)))
        keys = sorted(total)
        return np.array(keys, dtype=np.int64), np.array([total[k] for k in keys], dtype=np.int64)

    def sample(self, share: float, seed: int) -> Block:
        """A random share of the customers, in the order of parts and rows."""
        lottery = Lottery(self.names, seed)
        return Block.joined([lottery.drawn(block, share) for block in self.blocks()])

    def nearest(
        self, keys: NDArray[np.int64], table: NDArray[np.float64], most: int
    ) -> tuple[Block, NDArray[np.float64], float]:
        """Customers nearest to a tie at prices, and what everybody is sent and worth."""
        counts, value = np.zeros(table.shape), 0.0
        kept: list[Block] = []
        margins: list[NDArray[np.float64]] = []
        for block in self.blocks():
            found: AtPrices = at_prices(block, keys, table)
            counts += found.counts
            value += found.value
            rows = np.flatnonzero(np.isfinite(found.margin))
            kept.append(block.take(rows))
            margins.append(found.margin[rows])
            if sum(map(len, margins)) > 2 * most:
                kept, margins = _closest(kept, margins, most)
        kept, _ = _closest(kept, margins, most)
        return Block.joined(kept), counts, value

    def dual(
        self, keys: NDArray[np.int64], table: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Customers' share of the dual, and what is given, by segment and message."""
        total, taken = 0.0, np.zeros(table.shape)
        for block in self.blocks():
            mine, given = dual_terms(block, keys, table)
            total += mine
            taken += given
        return total, taken


def _closest(
    kept: list[Block], margins: list[NDArray[np.float64]], most: int
) -> tuple[list[Block], list[NDArray[np.float64]]]:
    margin = np.concatenate(margins)
    if len(margin) <= most:
        return kept, margins
    edge = np.partition(margin, most - 1)[most - 1]
    rows = [np.flatnonzero(m <= edge) for m in margins]
    return (
        [block.take(r) for block, r in zip(kept, rows, strict=True)],
        [m[r] for m, r in zip(margins, rows, strict=True)],
    )
