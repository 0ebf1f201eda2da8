"""A scoring run: partitions of customers in, partitions of decisions out."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pentathlon.decision.engine import library_versions
from pentathlon.errors import DataError, ParameterError
from pentathlon.scoring.batch import DECISIONS, BatchDecider, DecidedBatch
from pentathlon.scoring.cleaning import columns_asked
from pentathlon.scoring.parts import (
    PartWriter,
    Stamp,
    content_hash,
    fingerprint,
    partitions_in,
    remove_incomplete,
    remove_strangers,
    stamp_of,
)
from pentathlon.scoring.rejected import write_rejected
from pentathlon.scoring.settings import ScoringSettings
from pentathlon.scoring.statistics import Counts
from pentathlon.scoring.stream import Progress, in_order

logger = logging.getLogger(__name__)

FORMAT = 1
RUN = "run.json"
UNREADABLE = (pa.ArrowException, OSError, DataError)
"""What may be wrong with a partition; anything else is wrong with the run."""


@dataclass(frozen=True)
class Partition:
    """A partition that is to be scored."""

    name: str
    path: Path
    fingerprint: str


@dataclass(frozen=True)
class Task:
    """A batch of a partition, or its end, or what is wrong with it."""

    partition: Partition
    batch: pa.RecordBatch | None = None
    first_row: int = 0
    repeated: NDArray[np.int64] | None = None
    error: str | None = None


@dataclass(frozen=True)
class ScoringJob:
    """Customers, how to decide them, and how to go about it.

    Attributes
    ----------
    customers : Path
        Folder of Parquet files.
    decider : BatchDecider
        Its engine was loaded from where it was saved.
    settings : ScoringSettings
    threads : int
        Of the whole run.
    """

    customers: Path
    decider: BatchDecider
    settings: ScoringSettings = field(default_factory=ScoringSettings)
    threads: int = 1

    def write_to(self, folder: Path) -> None:
        """Score what is not scored yet, and leave nothing that is out of date.

        Parameters
        ----------
        folder : Path
            Gets ``decisions/`` and ``rejected/``, a file for each partition, and ``run.json``.

        Raises
        ------
        DataError
            Without a partition, or when none can be used.
        """
        started = time.monotonic()
        partitions = partitions_in(self.customers)
        if not partitions:
            raise DataError(f"There is no Parquet file in {self.customers}.")
        for place in (folder / "decisions", folder / "rejected"):
            place.mkdir(parents=True, exist_ok=True)
            remove_incomplete(place)
            remove_strangers(place, partitions)
        sizes, bad = _sizes(partitions)
        todo = self._to_do(folder, partitions, sizes)
        fresh = sum(sizes[p.name] for p in todo)
        total = sum(sizes.values())
        progress = Progress(total, total - fresh, self.settings.progress_seconds)
        if len(todo) < len(sizes):
            logger.info(
                "%d of %d partitions are scored already", len(sizes) - len(todo), len(sizes)
            )
        with threadpool_limits(1):
            bad |= self._score(todo, folder, progress)
        for name in bad:
            for kind in ("decisions", "rejected"):
                (folder / kind / name).unlink(missing_ok=True)
        if len(bad) == len(partitions):
            name, reason = next(iter(bad.items()))
            raise DataError(f"No partition can be used, for example {name}: {reason}")
        seconds = time.monotonic() - started
        report = {
            "seconds": seconds,
            "customers_scored": fresh,
            "customers_a_second": fresh / max(seconds, 1e-9),
            "partitions": len(partitions),
            "partitions_scored_before": len(sizes) - len(todo),
            "rejected_partitions": bad,
        }
        (folder / RUN).write_text(json.dumps(report, indent=1), encoding="utf-8")

    def fingerprint(self) -> str:
        """SHA-256 of everything but the customers that decisions follow from."""
        decider, engine = self.decider, self.decider.engine
        if not engine.digest:
            raise ParameterError(
                "Only an engine that was saved and loaded again can be told from others; save "
                "this one, load it, and score with that."
            )
        sources = {
            name: None if table is None else fingerprint(rows=table.to_csv(index=False))
            for name, table in vars(decider.sources).items()
        }
        return fingerprint(
            format=FORMAT,
            engine=engine.digest,
            policy=[engine.policy, engine.constant_worth, engine.shrinkage.to_dict()],
            fusion=engine.fusion.to_dict(),
            messages=engine.messages.to_dict(),
            settings=decider.settings.model_dump(mode="json"),
            campaign=[decider.campaign, decider.on],
            sources=sources,
            edges=decider.edges,
            batch_rows=self.settings.batch_rows,
            versions=[library_versions(), pa.__version__],
        )

    def _to_do(
        self, folder: Path, partitions: Mapping[str, Path], sizes: Mapping[str, int]
    ) -> list[Partition]:
        """Partitions without a part of their own; what is out of date is removed at once."""
        common = self.fingerprint()
        todo = []
        for name in sizes:
            mark = fingerprint(common=common, customers=content_hash(partitions[name]))
            part, rejected = folder / "decisions" / name, folder / "rejected" / name
            stamp = stamp_of(part)
            if stamp is not None and stamp.fingerprint == mark:
                kept = stamp_of(rejected) if rejected.exists() else None
                has_its_rejected = kept is not None and kept.fingerprint == mark
                if has_its_rejected == (stamp.counts.rejected > 0):
                    continue
            part.unlink(missing_ok=True)
            rejected.unlink(missing_ok=True)
            todo.append(Partition(name, partitions[name], mark))
        return todo

    def _score(self, todo: list[Partition], folder: Path, progress: Progress) -> dict[str, str]:
        """Score partitions one after the other; the bad ones with their reasons."""
        bad: dict[str, str] = {}
        tasks = self._tasks(todo)
        results = in_order(self._work, tasks, self.threads, self.settings.read_ahead)
        for partition in todo:
            try:
                self._write(partition, results, folder, progress)
            except _BadPartitionError as error:
                bad[partition.name] = str(error)
                logger.warning("%s is left out: %s", partition.name, error)
        return bad

    def _write(
        self,
        partition: Partition,
        results: Iterator[tuple[Task, DecidedBatch | str | None]],
        folder: Path,
        progress: Progress,
    ) -> None:
        """Take a partition's results off the stream and write its part."""
        counts, rejected, error = Counts(), [], None
        with PartWriter(folder / "decisions" / partition.name, DECISIONS) as writer:
            for _, result in results:
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
            if error is not None:
                raise _BadPartitionError(error)
            stamp = Stamp(partition.fingerprint, counts)
            write_rejected(folder / "rejected" / partition.name, rejected, stamp)
            writer.finish(stamp)

    def _tasks(self, todo: list[Partition]) -> Iterator[Task]:
        needed = columns_asked(self.decider.engine.columns, self.decider.settings)
        for partition in todo:
            try:
                yield from _batches(
                    partition,
                    needed,
                    self.decider.engine.columns.columns,
                    self.settings.batch_rows,
                )
            except UNREADABLE as error:
                yield Task(partition, error=str(error))
            yield Task(partition)

    def _work(self, task: Task) -> tuple[Task, DecidedBatch | str | None]:
        if task.error is not None or task.batch is None:
            return task, task.error
        try:
            return task, self.decider.decide(task.batch, task.first_row, task.repeated)
        except UNREADABLE as error:
            return task, str(error)


class _BadPartitionError(Exception):
    pass


def _sizes(partitions: Mapping[str, Path]) -> tuple[dict[str, int], dict[str, str]]:
    """Rows of every partition that can be opened, and what is wrong with the others."""
    sizes, bad = {}, {}
    for name, path in partitions.items():
        try:
            sizes[name] = int(pq.read_metadata(path).num_rows)
        except UNREADABLE as error:
            bad[name] = f"it is no Parquet file: {error}"
            logger.warning("%s is left out: %s", name, bad[name])
    return sizes, bad


def _batches(
    partition: Partition, asked: list[str], features: list[str], batch_rows: int
) -> Iterator[Task]:
    """Batches of a partition, with the rows whose customer occurs before in it."""
    with pq.ParquetFile(partition.path, memory_map=False) as file:
        names = set(file.schema_arrow.names)
        lost = [c for c in ("customer_id", *features) if c not in names]
        if lost:
            raise DataError(f"it has no columns {lost}; it has {sorted(names)}.")
        repeated = _repeated(file)
        first_row = 0
        for batch in file.iter_batches(
            batch_rows, columns=[c for c in asked if c in names], use_threads=False
        ):
            yield Task(partition, batch, first_row, repeated)
            first_row += batch.num_rows


def _repeated(file: pq.ParquetFile) -> NDArray[np.int64]:
    """Rows whose customer occurs in an earlier row."""
    ids = file.read(columns=["customer_id"], use_threads=False).column(0).to_pandas()
    return np.flatnonzero(ids.duplicated().to_numpy()).astype(np.int64)
