"""The embedded analytical database: bounded memory, spilling to disk that is said so.

Moments are computed in passes of as many as the memory allows. What a pass holds is a row of
aggregates for each of its moments, and with the compiled walk the events of its customers, one
source after the other; without it events stream by. A pass that needs more than the database's
memory is not wrong, it spills.
"""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pentathlon.moments.compiled import can_walk, features_by_walk
from pentathlon.moments.engine import features_as_of
from pentathlon.moments.expand import Feature
from pentathlon.moments.finish import partials_of
from pentathlon.moments.partials import Partial
from pentathlon.moments.passes import Passes
from pentathlon.moments.settings import DatabaseSettings
from pentathlon.moments.sources import SOURCES

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

logger = logging.getLogger(__name__)

GIB = 2**30
BYTES_PER_VALUE = 16
"""Of an aggregate of one moment while it is computed: its value and what goes with it."""
BYTES_PER_EVENT = 128
"""Of an event while it is walked over: time, mask, customer, place, a few quantities, as they were
read and in order."""
SHARE_OF_MEMORY = 0.3
"""Share of the memory that the aggregates of a pass may fill. Each source's are held while they
grow, while they are joined and while the pass is written, and events need room to stream."""


@dataclass(frozen=True)
class Effort:
    """What a computation took.

    Attributes
    ----------
    rows : int
    passes : int
    spilled : int
        Most bytes that one of the queries had on disk.
    """

    rows: int
    passes: int
    spilled: int


class Database:
    """An open database; see :func:`open_database`.

    Attributes
    ----------
    backend : Ibis backend
    settings : DatabaseSettings
    spilled : int
        Most bytes that a query had on disk so far.
    """

    def __init__(self, backend: Any, settings: DatabaseSettings) -> None:
        self.backend = backend
        self.settings = settings
        self.spilled = 0

    def read(self, folders: Mapping[str, Path]) -> dict[str, ir.Table]:
        """Clean tables out of their folders of Parquet part files, nothing loaded.

        Parameters
        ----------
        folders : mapping of str to Path
            Folder, or single file, by name of the table.
        """
        return {
            name: self.backend.read_parquet(
                str(path / "**" / "*.parquet") if path.is_dir() else str(path), table_name=name
            )
            for name, path in folders.items()
        }

    def known(self, name: str, table: pd.DataFrame) -> ir.Table:
        """Make a table known that is in memory already."""
        self.backend.con.register(name, table)
        return self.backend.table(name)

    def keep(self, name: str, table: ir.Table) -> ir.Table:
        """Compute a table once and keep it, in memory or spilled, until the database closes."""
        # Ibis's own way of making a temporary table writes it twice.
        query = self.backend.compile(table)
        self.backend.raw_sql(f'CREATE OR REPLACE TEMPORARY TABLE "{name}" AS {query}')
        self._note_spilled()
        return self.backend.table(name, database=("temp", "main"))

    def rows_per_pass(self, features: Sequence[Feature], events_per_row: float = 0.0) -> int:
        """Moments that a pass computes together.

        Parameters
        ----------
        features : sequence of Feature
        events_per_row : float
            Events held in memory for each moment.
        """
        if self.settings.rows_per_pass is not None:
            return self.settings.rows_per_pass
        partials = {partial for feature in features for partial in partials_of(feature)}
        width = BYTES_PER_VALUE * (len(partials) + len(features) + 1)
        width += int(BYTES_PER_EVENT * events_per_row)
        return max(10_000, int(self.settings.memory_gib * GIB * SHARE_OF_MEMORY / width))

    def write_features(
        self,
        tables: Mapping[str, ir.Table],
        rows: ir.Table,
        features: Sequence[Feature],
        folder: Path,
        *,
        finish: Callable[[ir.Table], ir.Table] = lambda table: table,
    ) -> Effort:
        """Compute features as of the moments of ``rows`` and write them, part by part.

        Parameters
        ----------
        tables : mapping of str to Table
        rows : Table
            As for :func:`pentathlon.moments.engine.features_as_of`, with ``row_id`` from 0 on
            without gaps.
        features : sequence of Feature
        folder : Path
            Gets ``part-00000.parquet`` and so on, ordered by ``row_id``.
        finish : callable, optional
            Last change of each part, such as leaving out ``row_id``; keeps the order.

        Returns
        -------
        Effort
        """
        folder.mkdir(parents=True, exist_ok=True)
        total = int(rows.count().execute())
        partials = {partial for feature in features for partial in partials_of(feature)}
        walked = self.settings.compiled and can_walk(partials)
        size = self.rows_per_pass(
            features, _most_events(tables, partials) / max(total, 1) if walked else 0
        )
        n_passes = max(1, math.ceil(total / size))
        # Passes of the same size: a last one of a few rows would read all events for little.
        size = math.ceil(total / n_passes)
        divided = folder.with_name(f"{folder.name}-divided")
        try:
            for i, found in enumerate(
                self._walked(tables, rows, features, size, n_passes, divided)
                if walked
                else self._aggregated(tables, rows, features, size, n_passes)
            ):
                part = finish(found.order_by("row_id"))
                self.backend.to_parquet(part, folder / f"part-{i:05d}.parquet")
                self._note_spilled()
                logger.info("Features of moments: pass %d of %d is done.", i + 1, n_passes)
        finally:
            # Events of customers do not outlive a run that failed.
            shutil.rmtree(divided, ignore_errors=True)
        if self.spilled:
            logger.warning(
                "The database needed more than its %.3g GiB of memory and spilled up to %.2g GiB "
                "to disk. Raise moments.database.memory_gib, or lower rows_per_pass.",
                self.settings.memory_gib,
                self.spilled / GIB,
            )
        return Effort(total, n_passes, self.spilled)

    def _walked(
        self,
        tables: Mapping[str, ir.Table],
        rows: ir.Table,
        features: Sequence[Feature],
        size: int,
        n_passes: int,
        folder: Path,
    ) -> Iterator[ir.Table]:
        """Features of each pass, by the compiled walk over tables that were divided before."""
        passes = Passes(
            tables,
            rows,
            features,
            size=size,
            n_passes=n_passes,
            keep=self.keep,
            scatter=self._scatter,
            folder=folder,
        )
        for i in range(n_passes):
            yield features_by_walk(passes[i], features, self.keep, self.settings.threads)

    def _aggregated(
        self,
        tables: Mapping[str, ir.Table],
        rows: ir.Table,
        features: Sequence[Feature],
        size: int,
        n_passes: int,
    ) -> Iterator[ir.Table]:
        """Features of each pass, by the database alone."""
        for i in range(n_passes):
            wanted = rows.filter(rows.row_id >= i * size, rows.row_id < (i + 1) * size)
            wanted = self.keep("moments_of_pass", wanted)
            yield features_as_of(tables, wanted, features, self.keep)

    def _scatter(self, table: ir.Table, folder: Path) -> None:
        """Write a table into folders ``pass=<i>`` by its column ``pass``, which is left out."""
        folder.mkdir(parents=True)
        query = self.backend.compile(table)
        self.backend.raw_sql(
            f"COPY ({query}) TO '{folder}' (FORMAT parquet, COMPRESSION lz4, PARTITION_BY (pass))"
        )
        self._note_spilled()

    def _note_spilled(self) -> None:
        """Note what the last query had on disk at the most."""
        told = json.loads(self.backend.con.get_profiling_information())
        self.spilled = max(self.spilled, int(told.get("system_peak_temp_dir_size", 0)))


def _most_events(tables: Mapping[str, ir.Table], partials: set[Partial]) -> int:
    """Rows of the largest table that the aggregates are of."""
    needed = {SOURCES[partial.source].table for partial in partials} & set(tables)
    return max((int(tables[name].count().execute()) for name in needed), default=0)


@contextmanager
def open_database(settings: DatabaseSettings, spill: Path) -> Iterator[Database]:
    """Open an empty database with bounded memory.

    Parameters
    ----------
    settings : DatabaseSettings
    spill : Path
        Folder for what does not fit in memory; made when needed, and removed at the end.

    Yields
    ------
    Database
    """
    import ibis

    made = not spill.exists()
    backend = ibis.duckdb.connect(
        threads=settings.threads,
        memory_limit=f"{int(settings.memory_gib * 1024)}MiB",
        temp_directory=str(spill),
    )
    try:
        backend.raw_sql("SET enable_progress_bar = false")
        backend.raw_sql("PRAGMA enable_profiling = 'no_output'")
        wanted = {"SYSTEM_PEAK_TEMP_DIR_SIZE": "true"}
        backend.raw_sql(f"SET custom_profiling_settings = '{json.dumps(wanted)}'")
        yield Database(backend, settings)
    finally:
        backend.disconnect()
        if made:
            shutil.rmtree(spill, ignore_errors=True)
