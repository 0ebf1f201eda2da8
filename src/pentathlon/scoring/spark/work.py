"""What executors do with batches of customers; the driver only says to whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from threadpoolctl import threadpool_limits

from pentathlon.contract.messages import MessageSet
from pentathlon.scoring.batch import BatchDecider
from pentathlon.scoring.passes import UNREADABLE
from pentathlon.scoring.spark.files import PART, REPEATED, ROW
from pentathlon.scoring.spark.outcomes import failure_of, outcomes_of
from pentathlon.scoring.spill import spill_schema

Work = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]
SPILLED = "__spilled_"
"""What columns of the spill are called beside the customers' own."""
BROKEN = f"{SPILLED}error"


@dataclass(frozen=True)
class Shipment:
    """What every executor gets once a run; a worker process unpacks it once.

    Attributes
    ----------
    decider : BatchDecider
        Without prices, which are known later and travel by themselves.
    names : tuple of str
        Of the partitions.
    """

    decider: BatchDecider
    names: tuple[str, ...]

    @classmethod
    def of(cls, decider: BatchDecider, names: tuple[str, ...]) -> Self:
        """Pack what deciding takes."""
        from pentathlon.models.compiled import portable

        engine = decider.engine
        models = {name: portable(model) for name, model in engine.models.items()}
        return cls(replace(decider, engine=replace(engine, models=models)), names)


def deciding(shared: Any, prices: Any = None) -> Work:
    """Decide batches of customers.

    Parameters
    ----------
    shared : pyspark.Broadcast of Shipment
    prices : pyspark.Broadcast of Prices, optional
        Where there are limits.

    Returns
    -------
    callable
        From batches with ``PART``, ``ROW``, ``REPEATED`` and the customers' columns, and what
        was spilled where that is known, to batches of outcomes.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        shipment: Shipment = shared.value
        if prices is not None:
            shipment = replace(shipment, decider=replace(shipment.decider, prices=prices.value))
        with threadpool_limits(1):
            for batch in batches:
                for part, mine in by_part(batch):
                    yield from _decided(shipment, part, mine)

    return work


def _decided(shipment: Shipment, part: int, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    try:
        decided = shipment.decider.decide(
            customers_of(batch), *place_of(batch), shipment.names[part], _scores_of(batch)
        )
    except UNREADABLE as error:
        yield failure_of(part, str(error))
        return
    yield from outcomes_of(part, decided)


def spilling(shared: Any) -> Work:
    """Predict for batches of customers, and keep them with their scores and wishes.

    Parameters
    ----------
    shared : pyspark.Broadcast of Shipment

    Returns
    -------
    callable
        From batches of customers to the same with :func:`spilled_schema` appended; empty there
        for rejected rows.
    """

    def work(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        shipment: Shipment = shared.value
        with threadpool_limits(1):
            for batch in batches:
                for _, mine in by_part(batch):
                    yield _spilled(shipment.decider, mine)

    return work


def spilled_schema(messages: MessageSet) -> pa.Schema:
    """Columns of the spill as they stand beside the customers'."""
    own = [(f"{SPILLED}{f.name}", f.type) for f in spill_schema(messages) if f.name != "row"]
    return pa.schema([*own, (BROKEN, pa.string())])


def _spilled(decider: BatchDecider, batch: pa.RecordBatch) -> pa.RecordBatch:
    schema = spilled_schema(decider.engine.messages)
    rows, repeated = place_of(batch)
    error = pa.nulls(len(rows), pa.string())
    try:
        kept = decider.spill(customers_of(batch), rows, repeated).decisions
        usable = np.isin(rows, kept.column("row").to_numpy())
        at = pa.array(np.cumsum(usable) - 1, mask=~usable)
        own = [column.take(at) for column in kept.drop_columns(["row"]).columns]
    except UNREADABLE as broken:
        own = [pa.nulls(len(rows), kind) for kind in schema.types[:-1]]
        error = pa.array([str(broken)] * len(rows), pa.string())
    fields = [*batch.schema, *schema]
    return pa.RecordBatch.from_arrays([*batch.columns, *own, error], schema=pa.schema(fields))


def by_part(batch: pa.RecordBatch) -> Iterator[tuple[int, pa.RecordBatch]]:
    """A batch's customers, partition by partition."""
    parts = batch.column(PART).to_numpy()
    found = np.unique(parts)
    for part in found.tolist():
        mine = batch if len(found) == 1 else batch.take(pa.array(np.flatnonzero(parts == part)))
        yield part, mine


def customers_of(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The customers' own columns."""
    return batch.select([name for name in batch.schema.names if not name.startswith("__")])


def place_of(batch: pa.RecordBatch) -> tuple[Any, Any]:
    """Rows of the partition, and whose customer occurs before in it."""
    return batch.column(ROW).to_numpy(), batch.column(REPEATED).to_numpy(zero_copy_only=False)


def _scores_of(batch: pa.RecordBatch) -> pa.RecordBatch | None:
    """What was spilled of the customers that can be used, or nothing."""
    names = [name for name in batch.schema.names if name.startswith(SPILLED) and name != BROKEN]
    if not names:
        return None
    known = batch.filter(batch.column(f"{SPILLED}segment").is_valid())
    arrays = [known.column(name) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names=[n.removeprefix(SPILLED) for n in names])
