"""One pass over partitions: batches in order through threads, a part for each partition."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pentathlon.errors import DataError
from pentathlon.scoring.batch import DecidedBatch
from pentathlon.scoring.parts import PartWriter, Stamp, opened, stamp_of
from pentathlon.scoring.rejected import write_rejected
from pentathlon.scoring.settings import ScoringSettings
from pentathlon.scoring.statistics import Counts
from pentathlon.scoring.stream import Progress, in_order

logger = logging.getLogger(__name__)

UNREADABLE = (pa.ArrowException, OSError, DataError)
"""What may be wrong with a partition; anything else is wrong with the run."""


@dataclass(frozen=True)
class Partition:
    """A partition, and the fingerprint of what its part is to follow from."""

    name: str
    path: Path
    fingerprint: str


@dataclass(frozen=True)
class Task:
    """A batch of a partition with what was spilled of it, or its end, or what is wrong with it."""

    partition: Partition
    batch: pa.RecordBatch | None = None
    first_row: int = 0
    repeated: NDArray[np.int64] | None = None
    scores: pa.RecordBatch | None = None
    error: str | None = None

    @property
    def rows(self) -> NDArray[np.int64]:
        """Where the batch's customers stand in the partition, shape ``(n,)``."""
        n = 0 if self.batch is None else self.batch.num_rows
        return np.arange(self.first_row, self.first_row + n, dtype=np.int64)

    @property
    def again(self) -> NDArray[np.bool_]:
        """Which of the batch's customers occur before in the partition, shape ``(n,)``."""
        return np.isin(self.rows, [] if self.repeated is None else self.repeated)


@dataclass(frozen=True)
class Columns:
    """Columns to read: those that a partition must have, and those that rules may ask for."""

    needed: tuple[str, ...]
    asked: tuple[str, ...]


@dataclass(frozen=True)
class BatchWork:
    """What is done with every batch, and where it goes.

    Attributes
    ----------
    parts : Path
    rejected : Path or None
        Folder for rejected rows; ``None`` in a pass that leaves them to another.
    spill : Path or None
        Folder of what an earlier pass made of the same batches.
    schema : Schema
    columns : Columns
    work : callable
    settings : ScoringSettings
    threads : int
    """

    parts: Path
    rejected: Path | None
    spill: Path | None
    schema: pa.Schema
    columns: Columns
    work: Callable[[Task], DecidedBatch]
    settings: ScoringSettings
    threads: int

    def to_do(self, partitions: list[Partition]) -> list[Partition]:
        """Partitions without a part of their own; what is out of date is removed at once."""
        todo = []
        for partition in partitions:
            part = self.parts / partition.name
            stamp = stamp_of(part)
            if stamp is None or not self._is_whole(partition, stamp):
                self.remove(partition.name)
                todo.append(partition)
        return todo

    def remove(self, name: str) -> None:
        """Remove what there is of a partition."""
        (self.parts / name).unlink(missing_ok=True)
        if self.rejected is not None:
            (self.rejected / name).unlink(missing_ok=True)

    def _is_whole(self, partition: Partition, stamp: Stamp) -> bool:
        """Whether a part is what this partition would give, and its rejected rows are there."""
        if stamp.fingerprint != partition.fingerprint:
            return False
        if self.rejected is None:
            return True
        path = self.rejected / partition.name
        if not stamp.counts.rejected:
            return not path.exists()
        kept = stamp_of(path)
        return kept is not None and kept.fingerprint == partition.fingerprint

    def run(self, todo: list[Partition], progress: Progress) -> dict[str, str]:
        """Make the parts of partitions; the bad ones are returned with their reasons."""
        bad: dict[str, str] = {}
        results = in_order(self._done, self._tasks(todo), self.threads, self.settings.read_ahead)
        for partition in todo:
            error = self._write(partition, results, progress)
            if error is not None:
                bad[partition.name] = error
                logger.warning("%s is left out: %s", partition.name, error)
        return bad

    def _write(
        self,
        partition: Partition,
        results: Iterator[DecidedBatch | str | None],
        progress: Progress,
    ) -> str | None:
        """Take a partition's results off the stream and write its part, or say what is wrong."""
        counts, rejected, error = Counts(), [], None
        with PartWriter(self.parts / partition.name, self.schema) as writer:
            for result in results:
                if result is None:
                    break
                if isinstance(result, str):
                    error = error or result
                    continue
                writer.write(result.decisions)
                counts.add(result.counts)
                progress.advance(result.counts.decided + result.counts.rejected)
                if len(result.rejected):
                    rejected.append(result.rejected)
            if error is None:
                stamp = Stamp(partition.fingerprint, counts)
                if self.rejected is not None:
                    write_rejected(self.rejected / partition.name, rejected, stamp)
                writer.finish(stamp)
        return error

    def _tasks(self, todo: list[Partition]) -> Iterator[Task]:
        for partition in todo:
            try:
                yield from self._batches(partition)
            except UNREADABLE as error:
                yield Task(partition, error=str(error))
            yield Task(partition)

    def _done(self, task: Task) -> DecidedBatch | str | None:
        if task.error is not None or task.batch is None:
            return task.error
        try:
            return self.work(task)
        except UNREADABLE as error:
            return str(error)

    def _batches(self, partition: Partition) -> Iterator[Task]:
        """Batches of a partition, with the rows whose customer occurs before in it."""
        with opened(partition.path) as file:
            names = set(file.schema_arrow.names)
            lost = [c for c in ("customer_id", *self.columns.needed) if c not in names]
            if lost:
                raise DataError(f"it has no columns {lost}; it has {sorted(names)}.")
            repeated = _repeated(file)
            scores = None if self.spill is None else _Spilled(self.spill / partition.name)
            first = 0
            for batch in file.iter_batches(
                self.settings.batch_rows,
                columns=[c for c in self.columns.asked if c in names],
                use_threads=False,
            ):
                end = first + batch.num_rows
                mine = None if scores is None else scores.until(end)
                yield Task(partition, batch, first, repeated, mine)
                first = end


class _Spilled:
    """A spilled part, read along with the batches that it was made of."""

    def __init__(self, path: Path) -> None:
        self._file = opened(path)
        self._group = 0

    def until(self, end: int) -> pa.RecordBatch:
        """What was spilled of rows before ``end`` and not read yet: one row group, or nothing."""
        empty = self._file.schema_arrow.empty_table()
        table = empty
        if self._group < self._file.num_row_groups:
            statistics = self._file.metadata.row_group(self._group).column(0).statistics
            if statistics.min < end:
                table = self._file.read_row_group(self._group, use_threads=False)
                self._group += 1
        columns = [column.combine_chunks() for column in table.itercolumns()]
        return pa.RecordBatch.from_arrays(columns, schema=empty.schema)


def _repeated(file: pq.ParquetFile) -> NDArray[np.int64]:
    """Rows whose customer occurs in an earlier row."""
    ids = file.read(columns=["customer_id"], use_threads=False).column(0)
    ids = ids.to_pandas(use_threads=False)
    return np.flatnonzero(ids.duplicated().to_numpy()).astype(np.int64)
