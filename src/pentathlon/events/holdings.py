"""What files hold about one person: finding it, and rewriting the files without it.

A file that cannot be read is never passed over in silence: `NotSearchedError` says why.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import feather

from pentathlon.events.files import suffix_of
from pentathlon.events.rewriting import BROKEN, NotSearchedError, first_line, rewriting
from pentathlon.events.text_tables import (
    Dialect,
    cut_rows,
    doubt_about,
    guess,
    read_rows,
)

TEXT_TABLES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt")
ARROW_FILES = (".feather", ".arrow")
DOCUMENTS = (".json", ".jsonl", ".html", ".txt", ".md", ".yml", ".yaml", ".log")

ID_COLUMNS = frozenset(
    {"customer_id", "custid", "external_id", "subscriberkey", "pentathlon customer"}
)
"""Columns that hold customers' identifiers wherever they appear, in small letters."""

_WHOLE = re.compile(r"(-?(?:0|[1-9]\d*))(?:\.0+)?")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
_BINARY = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_fixed_size_binary,
    pa.types.is_binary_view,
)

Mask = Callable[[pa.RecordBatch, int], "pa.Array | None"]
"""From rows, and how many lie before them, to which are about a person; None: none."""


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

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The identifier as files spell it; none where only a pseudonym is known."""
        return () if self.identifier is None else spellings(self.identifier)

    @cached_property
    def wanted(self) -> frozenset[str]:
        """Names and pseudonyms."""
        return frozenset({*self.names, *self.pseudonyms})

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Finds pseudonyms, and names as words, in a text."""
        written = {w for n in self.names for w in (n, json.dumps(n)[1:-1], html.escape(n))}
        words = "|".join(re.escape(word) for word in sorted(written)) or "(?!)"
        # Not a part of a word, nor of a number: 20001 is neither in 1.20001 nor in 20001.5.
        whole = rf"(?<![^\W_])(?<!\d\.)(?:{words})(?![^\W_])(?!\.\d)"
        return re.compile("|".join([whole, *self.pseudonyms]))

    def values(self, column: str) -> frozenset[str]:
        """Texts by which the person is known in a column."""
        return self.wanted if self.is_named_in(column) else frozenset(self.pseudonyms)

    def is_named_in(self, column: str) -> bool:
        """Whether a column holds identifiers."""
        return column.lower() in self.id_columns

    def without(self, path: str) -> str:
        """A path without the person: folders and files may be called as customers are."""
        return "/".join(self._without(part) for part in path.split("/"))

    def _without(self, part: str) -> str:
        column, equals, value = part.partition("=")
        if equals and self.is_named_in(column) and value in self.wanted:
            return f"{column}=…"
        ending = "".join(PurePath(part).suffixes)
        return f"…{ending}" if part.removesuffix(ending) in self.wanted else part


def spellings(identifier: str) -> tuple[str, ...]:
    """An identifier and, where it is a whole number, how columns of decimals spell it.

    Examples
    --------
    >>> spellings("20001")
    ('20001', '20001.0', '20001.00')
    """
    whole = _WHOLE.fullmatch(identifier)
    if whole is None:
        return (identifier,)
    number = whole.group(1)
    return tuple(dict.fromkeys((identifier, number, f"{number}.0", f"{number}.00")))


def files_below(root: Path) -> list[Path]:
    """Every file below a folder, hidden ones included, in order. Links are none."""
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())


def links_out_of(root: Path) -> list[Path]:
    """Links below a folder to something that is not below it."""
    inside = root.resolve()
    links = (path for path in root.rglob("*") if path.is_symlink() and path.exists())
    return sorted(path for path in links if not path.resolve().is_relative_to(inside))


def rows_about(path: Path, person: Person) -> list[dict[str, Any]]:
    """Rows of a table about a person; a document has none.

    Parameters
    ----------
    path : Path
    person : Person

    Returns
    -------
    list of dict

    Raises
    ------
    NotSearchedError
        When the file is neither a table nor a document that can be read.
    """
    with _readable(path):
        if dialect := _dialect(path, person):
            found = (row for row in read_rows(path, dialect, _spelled(person)) if row.known)
            return [dict(zip(row.header, row.fields, strict=False)) for row in found]
        rows: list[dict[str, Any]] = []
        for batch in _batches(path):
            mask = _mask(batch, person)
            for place in _places(mask):
                rows += batch.slice(place, 1).to_pylist()
        return rows


def erase_from(path: Path, person: Person) -> int:
    """Rewrite a table without a person's rows.

    Returns
    -------
    int
        Rows erased; with none the file is left untouched.

    Raises
    ------
    NotSearchedError
        When the file is neither a table nor a document that can be read.
    NotErasedError
        When it cannot be rewritten.
    """
    with _readable(path):
        if dialect := _dialect(path, person):
            return cut_rows(path, dialect, _spelled(person))
        if all(_mask(batch, person) is None for batch in _batches(path)):
            return 0
        if suffix_of(path) == ".parquet":
            return drop_rows(path, lambda batch, _: _mask(batch, person))
        return _erase_arrow(path, person)


def columns_of(path: Path, person: Person) -> list[str]:
    """Names of a table's columns; a text that is no table has none."""
    with _readable(path):
        if dialect := _dialect(path, person):
            return dialect.header(path)
        if suffix_of(path) == ".parquet":
            return list(pq.read_schema(path).names)
        return [name for batch in _batches(path) for name in batch.schema.names]


def mentions(path: Path, person: Person) -> bool:
    """Whether a text names the person: by a pseudonym, or by the identifier as a word."""
    if suffix_of(path) not in {*DOCUMENTS, *TEXT_TABLES} or path.suffix == ".gz":
        return False
    with path.open("rb") as file:
        # Without zeros, UTF-16 is readable enough.
        texts = (line.replace(b"\0", b"").decode("utf-8", "replace") for line in file)
        return any(person.pattern.search(text) for text in texts)


def doubt(path: Path, person: Person) -> str | None:
    """Say which row of a text table may be about the person, if nobody can be certain of one."""
    with _readable(path):
        if dialect := _dialect(path, person):
            return doubt_about(path, dialect, _spelled(person), person.pattern)
        return None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Call what goes wrong in reading a file `NotSearchedError`."""
    known = {".parquet", *ARROW_FILES, *TEXT_TABLES, *DOCUMENTS}
    try:
        if suffix_of(path) not in known and path.stat().st_size:
            raise NotSearchedError("it is neither a table nor a text that this command reads")
        yield
    except BROKEN as error:
        raise NotSearchedError(f"it cannot be read: {first_line(error)}") from error


def _dialect(path: Path, person: Person) -> Dialect | None:
    return guess(path, person.id_columns) if suffix_of(path) in TEXT_TABLES else None


def _spelled(person: Person) -> Callable[[str], Collection[str]]:
    """Texts of a person, also as a western file that is not UTF-8 spells them."""

    def texts(column: str) -> Collection[str]:
        known = person.values(column)
        western = (t.encode("cp1252", "ignore").decode("utf-8", "surrogateescape") for t in known)
        return known | {w for w, t in zip(western, known, strict=True) if len(w) == len(t)}

    return texts


# --- files of columns


def drop_rows(path: Path, about: Mask) -> int:
    """Rewrite a Parquet file without some rows.

    Parameters
    ----------
    path : Path
    about : callable
        See `Mask`.

    Returns
    -------
    int
        Rows erased.

    Raises
    ------
    NotErasedError
        When the file cannot be rewritten.
    """
    before, erased = 0, 0
    with rewriting(path) as draft, pq.ParquetFile(path) as file:
        compression = file.metadata.row_group(0).column(0).compression.lower()
        compression = "none" if compression == "uncompressed" else compression
        with pq.ParquetWriter(draft, file.schema_arrow, compression=compression) as writer:
            for batch in file.iter_batches():
                kept = _without(batch, about(batch, before))
                before += len(batch)
                erased += len(batch) - len(kept)
                writer.write_table(kept)
    return erased


def _erase_arrow(path: Path, person: Person) -> int:
    table = feather.read_table(path, memory_map=False)
    kept = [_without(batch, _mask(batch, person)) for batch in table.to_batches()]
    left = pa.concat_tables(kept)
    with rewriting(path) as draft:
        feather.write_feather(left, draft)
    return len(table) - len(left)


def _without(batch: pa.RecordBatch, mask: pa.Array | None) -> pa.Table:
    # Slices, because Arrow cannot filter every type that it can read.
    ends = [-1, *_places(mask), len(batch)]
    slices = [batch.slice(a + 1, b - a - 1) for a, b in pairwise(ends)]
    return pa.Table.from_batches(slices, batch.schema)


def _places(mask: pa.Array | None) -> list[int]:
    return [] if mask is None else [i for i, marked in enumerate(mask.to_pylist()) if marked]


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
        here = _equal(column, name, person)
        if here is not None:
            here = pc.fill_null(here, False)
            found = here if found is None else pc.or_(found, here)
    return found if found is not None and pc.any(found).as_py() else None


def _equal(values: pa.Array, name: str, person: Person) -> pa.Array | None:
    """Which values of a column are the person, or hold it in a list or a record; None: none."""
    values = _plain(values)
    leaves = [_leaf_equal(leaf, inner, person) for inner, leaf in _leaves(values, name)]
    if not pa.types.is_nested(values.type):
        return leaves[0]
    if not any(found is not None and pc.any(found).as_py() for found in leaves):
        return None
    return pa.array([_holds(value, name, person) for value in values.to_pylist()])


def _plain(values: pa.Array) -> pa.Array:
    while isinstance(values, pa.DictionaryArray | pa.ExtensionArray):
        coded = isinstance(values, pa.DictionaryArray)
        values = values.dictionary_decode() if coded else values.storage
    return values


def _leaves(values: pa.Array, name: str) -> Iterator[tuple[str, pa.Array]]:
    values = _plain(values)
    if isinstance(values, pa.MapArray):
        yield from (*_leaves(values.keys, name), *_leaves(values.items, name))
    elif pa.types.is_struct(values.type):
        for field, inner in zip(values.type, values.flatten(), strict=True):
            yield from _leaves(inner, field.name)
    elif pa.types.is_nested(values.type):
        yield from _leaves(values.flatten(), name)
    else:
        yield name, values


def _leaf_equal(values: pa.Array, name: str, person: Person) -> pa.Array | None:
    kind, wanted = values.type, sorted(person.values(name))
    if any(test(kind) for test in _BINARY):
        binary = pa.array([text.encode() for text in wanted], pa.binary())
        return pc.is_in(pc.cast(values, pa.binary()), value_set=binary)
    if any(test(kind) for test in _TEXT):
        texts = pc.utf8_trim_whitespace(pc.cast(values, pa.large_string()))
        return pc.is_in(texts, value_set=pa.array(wanted, pa.large_string()))
    if not person.is_named_in(name):
        return None
    if pa.types.is_floating(kind):
        numbers = [float(text) for text in wanted if _NUMBER.fullmatch(text)]
        return pc.is_in(pc.cast(values, pa.float64()), value_set=pa.array(numbers, pa.float64()))
    return pc.is_in(pc.cast(values, pa.string()), value_set=pa.array(wanted, pa.string()))


def _holds(value: Any, name: str, person: Person) -> bool:
    if isinstance(value, dict):
        return any(_holds(inner, key, person) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return any(_holds(inner, name, person) for inner in value)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text.strip() in person.values(name)
