"""What files hold about one person: finding it, and rewriting the files without it.

A file is rewritten as a whole beside the old one and then takes its place in one step, so that
a reader never sees half of it.
"""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import feather

TEXT_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz")
ARROW_FILES = (".feather", ".arrow")
DOCUMENTS = (".json", ".jsonl", ".html", ".txt", ".md", ".yml")

ID_COLUMNS = frozenset(
    {"customer_id", "custid", "external_id", "subscriberkey", "pentathlon customer"}
)
"""Columns that hold customers' identifiers wherever they appear, in small letters."""


@dataclass(frozen=True)
class Person:
    """Whom a request is about.

    Attributes
    ----------
    identifier : str or None
        The retailer's own; looked for in columns of identifiers.
    pseudonyms : tuple of str
        Under every key; looked for in every column.
    id_columns : frozenset of str
        Columns that hold identifiers, in small letters.
    """

    identifier: str | None
    pseudonyms: tuple[str, ...]
    id_columns: frozenset[str] = ID_COLUMNS

    def values(self, column: str) -> list[str]:
        """Texts by which the person is known in a column."""
        named = column.lower() in self.id_columns and self.identifier is not None
        return [*self.pseudonyms, *([str(self.identifier)] if named else [])]


def suffix_of(path: Path) -> str:
    """Extension in small letters, with ``.gz`` and what is before it."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])


def rows_about(path: Path, person: Person) -> list[dict[str, Any]]:
    """Rows of a table about a person.

    Parameters
    ----------
    path : Path
        Parquet, Feather, Arrow, CSV or TSV; anything else holds none.
    person : Person

    Returns
    -------
    list of dict
    """
    suffix = suffix_of(path)
    if suffix in TEXT_TABLES:
        return [dict(zip(header, row, strict=False)) for header, row, _ in _matching(path, person)]
    found: list[dict[str, Any]] = []
    for batch in _batches(path):
        mask = _mask(batch, person)
        if mask is not None:
            found += pa.Table.from_batches([batch]).filter(mask).to_pylist()
    return found


def erase_from(path: Path, person: Person) -> int:
    """Rewrite a table without a person's rows.

    Returns
    -------
    int
        Rows erased; with none the file is left untouched.
    """
    suffix = suffix_of(path)
    if suffix in TEXT_TABLES:
        return _erase_text(path, person)
    if suffix == ".parquet":
        return _erase_parquet(path, person)
    if suffix in ARROW_FILES:
        return _erase_arrow(path, person)
    return 0


def mentions(path: Path, person: Person) -> bool:
    """Whether a document that is no table names one of the person's pseudonyms."""
    if suffix_of(path) not in DOCUMENTS:
        return False
    text = path.read_text(encoding="utf-8", errors="replace")
    return any(pseudonym in text for pseudonym in person.pseudonyms)


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    suffix = suffix_of(path)
    if suffix == ".parquet":
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches()
    elif suffix in ARROW_FILES:
        yield from feather.read_table(path, memory_map=False).to_batches()


def _mask(batch: pa.RecordBatch, person: Person) -> pa.Array | None:
    """Rows about a person; None where there are none."""
    found = None
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values = column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column
        text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
        if not text:
            if name.lower() not in person.id_columns or pa.types.is_nested(values.type):
                continue
            values = pc.cast(values, pa.string())
        wanted = pa.array(person.values(name), values.type if text else pa.string())
        here = pc.is_in(values, value_set=wanted)
        found = here if found is None else pc.or_(found, here)
    return found if found is not None and pc.any(found).as_py() else None


def _erase_parquet(path: Path, person: Person) -> int:
    if not any(_mask(batch, person) is not None for batch in _batches(path)):
        return 0
    draft, erased = _draft(path), 0
    with pq.ParquetFile(path) as file:
        compression = file.metadata.row_group(0).column(0).compression.lower()
        compression = "none" if compression == "uncompressed" else compression
        with pq.ParquetWriter(draft, file.schema_arrow, compression=compression) as writer:
            for batch in file.iter_batches():
                mask = _mask(batch, person)
                kept = batch if mask is None else batch.filter(pc.invert(mask))
                erased += len(batch) - len(kept)
                writer.write_batch(kept)
    _replace(draft, path)
    return erased


def _erase_arrow(path: Path, person: Person) -> int:
    table = feather.read_table(path, memory_map=False)
    kept = []
    for batch in table.to_batches():
        mask = _mask(batch, person)
        kept.append(batch if mask is None else batch.filter(pc.invert(mask)))
    left = pa.Table.from_batches(kept, table.schema)
    if len(left) < len(table):
        draft = _draft(path)
        feather.write_feather(left, draft)
        _replace(draft, path)
    return len(table) - len(left)


def _erase_text(path: Path, person: Person) -> int:
    lost = [lines for _, _, lines in _matching(path, person)]
    if not lost:
        return 0
    skipped = {number for first, last in lost for number in range(first, last + 1)}
    draft = _draft(path)
    with _open(path, "rt") as old, _open(draft, "wt", like=path) as new:
        new.writelines(line for number, line in enumerate(old, 1) if number not in skipped)
    _replace(draft, path)
    return len(lost)


def _matching(path: Path, person: Person) -> Iterator[tuple[list[str], list[str], tuple[int, int]]]:
    """Header, row, and first and last line of every row of a text table about a person."""
    with _open(path, "rt") as file:
        first = file.readline()
        delimiter = max("\t;|,", key=lambda d: len(next(csv.reader([first], delimiter=d), [])))
    with _open(path, "rt") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = [name.strip().removeprefix("\ufeff") for name in next(reader, [])]
        known = [set(person.values(name)) for name in header]
        before = reader.line_num
        for row in reader:
            start, before = before + 1, reader.line_num
            if any(v.strip() in names for v, names in zip(row, known, strict=False)):
                yield header, row, (start, reader.line_num)


def _open(path: Path, mode: str, like: Path | None = None) -> IO[str]:
    # Bytes that are no text pass through as they are, and so do line ends.
    options: dict[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
    if (like or path).suffix == ".gz":
        compressed = gzip.GzipFile(path, mode[0] + "b")
        return io.TextIOWrapper(compressed, **options)
    return path.open(mode[0], **options)


def _draft(path: Path) -> Path:
    return path.with_name(f".{path.name}.erasing")


def _replace(draft: Path, path: Path) -> None:
    draft.chmod(path.stat().st_mode & 0o777)
    with draft.open("rb") as file:
        os.fsync(file.fileno())
    draft.replace(path)


def tables_below(root: Path) -> Iterable[Path]:
    """Every file below a folder, hidden ones included, in order."""
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
