"""The embedded database: DuckDB with a memory limit, and a folder to spill to."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pentathlon.errors import DataError
from pentathlon.events.settings import DatabaseSettings

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

_SAMPLING_SECONDS = 0.1


def quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A text, number or boolean as SQL writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def literals(values: list[str]) -> str:
    """A list of texts as SQL writes it inside ``IN``; never empty."""
    return f"({', '.join(literal(value) for value in values) or 'NULL'})"


@dataclass
class SpillWatch:
    """How much of the database's work did not fit its memory.

    Attributes
    ----------
    folder : Path
    peak_bytes : int
        Largest size of the spilled files seen so far.
    """

    folder: Path
    peak_bytes: int = 0
    _done: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look at the folder until told to stop."""
        while not self._done.wait(_SAMPLING_SECONDS):
            self.look()

    def look(self) -> None:
        """Look at the folder once."""
        try:
            size = sum(p.stat().st_size for p in self.folder.iterdir() if p.is_file())
        except OSError:  # a file that the database has just removed
            return
        self.peak_bytes = max(self.peak_bytes, size)

    def stop(self) -> None:
        """End `watch`."""
        self._done.set()


@contextmanager
def open_database(
    scratch: Path, settings: DatabaseSettings
) -> Iterator[tuple[duckdb.DuckDBPyConnection, SpillWatch]]:
    """Open a database of its own, on disk, and remove it afterwards.

    Parameters
    ----------
    scratch : Path
        Folder for the database and for what does not fit its memory. It is emptied before
        and removed after.
    settings : DatabaseSettings

    Yields
    ------
    connection : DuckDBPyConnection
        Times are UTC in it.
    spill : SpillWatch

    Raises
    ------
    DataError
        When memory or disk do not suffice.
    """
    import duckdb

    shutil.rmtree(scratch, ignore_errors=True)
    folder = scratch / "spilled"
    folder.mkdir(parents=True)
    connection = duckdb.connect(
        str(scratch / "work.duckdb"),
        config={
            "memory_limit": f"{int(settings.memory_gib * 1024)}MiB",
            "threads": str(settings.threads),
            "temp_directory": str(folder),
        },
    )
    spill = SpillWatch(folder)
    watcher = threading.Thread(target=spill.watch, daemon=True)
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        watcher.start()
        yield connection, spill
        spill.look()
    except duckdb.OutOfMemoryException as error:
        raise DataError(
            f"The database needs more than its {settings.memory_gib:g} GiB or than the disk "
            f"of {scratch} has free: {str(error).splitlines()[0]}. Raise intake.database."
            "memory_gib, or free some disk."
        ) from error
    finally:
        spill.stop()
        watcher.join(timeout=2)
        connection.close()
        shutil.rmtree(scratch, ignore_errors=True)
    if spill.peak_bytes:
        logger.info(
            "Spilled up to %s MiB to %s: the work did not fit the %s GiB that it may use.",
            f"{spill.peak_bytes / 2**20:,.0f}",
            folder,
            f"{settings.memory_gib:g}",
        )
