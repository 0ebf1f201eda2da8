"""What the first pass leaves for the second: scores and wishes, in files, never all in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.decisions import Prediction
from pentathlon.decision.limiting import scope_code
from pentathlon.decision.plan import Wishes
from pentathlon.decision.profit import expected_profit

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
    probability, order_value = (_table(batch, kind, len(messages)) for kind in _SCORES)
    profit = expected_profit(probability, order_value, messages)
    return Prediction(probability, order_value, profit, {})


def _table(batch: pa.RecordBatch | pa.Table, kind: str, n_messages: int) -> NDArray[np.float32]:
    columns = [batch.column(f"{kind}_{k}").to_numpy() for k in range(n_messages)]
    return np.ascontiguousarray(np.stack(columns, axis=1), dtype=np.float32)


@dataclass(frozen=True)
class Block:
    """Customers of one row group, as limits see them.

    Attributes
    ----------
    part : ndarray of int32, shape (n,)
        Position of the partition among the spilled parts.
    rows : ndarray of int64, shape (n,)
        Of the partition.
    key : ndarray of int64, shape (n,)
        See :func:`segment_keys`.
    given : ndarray of int8, shape (n,)
        Message that is given, or -1.
    ranked : ndarray of float32, shape (n, n_messages)
    """

    part: NDArray[np.int32]
    rows: NDArray[np.int64]
    key: NDArray[np.int64]
    given: NDArray[np.int8]
    ranked: NDArray[np.float32]


@dataclass(frozen=True)
class Spill:
    """Spilled parts, read a row group at a time.

    Attributes
    ----------
    parts : sequence of (str, Path)
        Name of the partition and its file.
    n_messages : int
    """

    parts: Sequence[tuple[str, Path]]
    n_messages: int

    def blocks(self) -> Iterator[Block]:
        """Every customer once, in the order of the parts."""
        ranked = [f"ranked_{k}" for k in range(self.n_messages)]
        for part, (_, path) in enumerate(self.parts):
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    table = file.read_row_group(
                        group, columns=["row", "segment", "given", *ranked], use_threads=False
                    )
                    yield Block(
                        np.full(len(table), part, dtype=np.int32),
                        table.column("row").to_numpy(),
                        table.column("segment").to_numpy(),
                        table.column("given").to_numpy(),
                        _table(table, "ranked", self.n_messages),
                    )
