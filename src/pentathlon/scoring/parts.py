"""Files of a scoring run: found, recognised, and written so that there is never half of one."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pentathlon.scoring.statistics import Counts

INCOMPLETE = ".incomplete"
_FINGERPRINT, _COUNTS = b"pentathlon.fingerprint", b"pentathlon.counts"


@dataclass(frozen=True)
class Stamp:
    """What a finished part says of itself.

    Attributes
    ----------
    fingerprint : str
        Of everything that the part follows from.
    counts : Counts
    """

    fingerprint: str
    counts: Counts


def partitions_in(folder: Path) -> dict[str, Path]:
    """Parquet files below a folder by relative name, in the order of their names."""
    found = (p for p in folder.rglob("*.parquet") if p.is_file() and not p.name.startswith("."))
    return {p.relative_to(folder).as_posix(): p for p in sorted(found)}


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(**parts: Any) -> str:
    """SHA-256 of what a part follows from, given as JSON-able values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def opened(path: Path) -> pq.ParquetFile:
    """A file to be read by the thread that asks, with none of Arrow's fetching ahead."""
    return pq.ParquetFile(path, memory_map=False, pre_buffer=False)


def stamp_of(path: Path) -> Stamp | None:
    """Stamp of a part, or ``None`` where there is no finished part of this project."""
    try:
        metadata: Mapping[bytes, bytes] = pq.read_metadata(path).metadata or {}
        return Stamp(metadata[_FINGERPRINT].decode(), Counts.from_json(metadata[_COUNTS].decode()))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError):
        return None


def remove_incomplete(folder: Path) -> None:
    """Remove what an interrupted run left."""
    for path in folder.rglob(f"*{INCOMPLETE}"):
        path.unlink()


def remove_strangers(folder: Path, names: Mapping[str, Any]) -> None:
    """Remove parts of partitions that are not there any more, and folders left empty."""
    for name, path in partitions_in(folder).items():
        if name not in names:
            path.unlink()
    for below in sorted((p for p in folder.rglob("*") if p.is_dir()), reverse=True):
        with suppress(OSError):
            below.rmdir()


def as_batch(table: pd.DataFrame, schema: pa.Schema | None = None) -> pa.RecordBatch:
    """A table as one record batch, nothing of pandas left in its schema.

    Scoring has threads of its own; Arrow's would run beside them.
    """
    arrow = pa.Table.from_pandas(table, schema, preserve_index=False, nthreads=1)
    arrow = arrow.replace_schema_metadata(None)
    columns = [column.combine_chunks() for column in arrow.itercolumns()]
    return pa.RecordBatch.from_arrays(columns, schema=arrow.schema)


class PartWriter:
    """Writes one part batch by batch; it appears under its name only when it is complete.

    Parameters
    ----------
    path : Path
    schema : Schema
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._staging = path.with_name(f"{path.name}{INCOMPLETE}")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(self._staging, schema, compression="zstd")
        self._open = True

    def write(self, batch: pa.RecordBatch) -> None:
        """Append a batch as a row group of its own."""
        if batch.num_rows:
            self._writer.write_batch(batch, row_group_size=batch.num_rows)

    def finish(self, stamp: Stamp) -> None:
        """Complete the part and give it its name, in one step that cannot be half done."""
        self._writer.add_key_value_metadata(
            {_FINGERPRINT: stamp.fingerprint.encode(), _COUNTS: stamp.counts.to_json().encode()}
        )
        self._close()
        _to_disk(self._staging)
        self._staging.replace(self._path)
        _to_disk(self._path.parent)

    def _close(self) -> None:
        if self._open:
            self._open = False
            self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()
        self._staging.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is there completely or not at all."""
    staging = path.with_name(f"{path.name}{INCOMPLETE}")
    staging.write_text(text, encoding="utf-8")
    _to_disk(staging)
    staging.replace(path)
    _to_disk(path.parent)


def remove_for_good(path: Path) -> None:
    """Remove a file if it is there, and wait until the disk knows."""
    path.unlink(missing_ok=True)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def stamps_in(folder: Path) -> Iterator[tuple[str, Stamp]]:
    """Finished parts below a folder with their stamps."""
    for name, path in partitions_in(folder).items():
        stamp = stamp_of(path)
        if stamp is not None:
            yield name, stamp
