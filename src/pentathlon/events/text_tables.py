"""Tables in text files: how they are written, a person's rows, and the files without them."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from pentathlon.events.files import suffix_of
from pentathlon.events.rewriting import NotErasedError, NotSearchedError, rewriting

Known = Callable[[str], Collection[str]]
"""From the name of a column to the texts by which a person is known in it."""

_CHUNK = 1 << 20
_MARKS = (  # the longer ones first: they begin with the shorter
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAY = "name it in intake.tables of the parameters"


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Attributes
    ----------
    delimiter, quote : str
    encoding : str
        With its byte order, so that a mark at the start stays what it is.
    """

    delimiter: str
    quote: str
    encoding: str

    def rows(self, lines: Iterable[str], *, strict: bool = False) -> Any:
        """A reader of rows."""
        return csv.reader(lines, delimiter=self.delimiter, quotechar=self.quote, strict=strict)

    def header(self, path: Path) -> list[str]:
        """Names of a file's columns."""
        with open_text(path, self.encoding) as file:
            return _names(self.rows(file))


def guess(path: Path, id_columns: Collection[str]) -> Dialect | None:
    """Tell from a text's first line how it is written.

    Parameters
    ----------
    path : Path
    id_columns : collection of str
        Columns that hold identifiers, in small letters.

    Returns
    -------
    Dialect or None
        None for a ``.txt`` that is no table.

    Raises
    ------
    NotSearchedError
        When the file looks like a table that is written in an unusual way.
    """
    encoding = exact_encoding(path, "utf-8")
    with open_text(path, encoding) as file:
        first = file.readline().removeprefix("\ufeff")
    if "\0" in first:
        raise NotSearchedError(f"its encoding is unknown; {_SAY}")
    delimiter = max("\t;|,", key=lambda d: len(next(csv.reader([first], delimiter=d), [])))
    header = next(csv.reader([first], delimiter=delimiter), [])
    single = bool(header) and all(re.fullmatch(r"\s*'.*'\s*", name) for name in header)
    only = header[0].strip(" '\r\n").lower() if len(header) == 1 else ""
    if only and only not in id_columns:
        holds_ids = any(name in only for name in id_columns)
        if suffix_of(path) == ".txt" and not holds_ids:
            return None
        if holds_ids or not re.fullmatch(r"[\w .-]*", only):
            raise NotSearchedError(f"what separates its fields is unknown; {_SAY}")
    return Dialect(delimiter, "'" if single else '"', encoding)


def exact_encoding(path: Path, encoding: str) -> str:
    """An encoding with the byte order that a file's first bytes tell.

    Parameters
    ----------
    path : Path
    encoding : str
        As the parameters name it. A mark of another encoding overrules UTF-8.
    """
    name = codecs.lookup(encoding).name
    with open_bytes(path) as file:
        start = file.read(4)
    marked = next((found for mark, found in _MARKS if start.startswith(mark)), None)
    if name in {"utf-8", "utf-8-sig"}:
        return marked or "utf-8"
    if name in {"utf-16", "utf-32"}:
        native = f"{name}-{'le' if sys.byteorder == 'little' else 'be'}"
        return marked if marked and marked.startswith(name) else native
    return name


class Row(NamedTuple):
    """A row of a text table.

    Attributes
    ----------
    header, fields : list of str
    lines : pair of int
        Its first and last line, from 1.
    text : str
        As it is written.
    known : bool
        Whether the person is named where it must be.
    """

    header: list[str]
    fields: list[str]
    lines: tuple[int, int]
    text: str
    known: bool

    @property
    def place(self) -> str:
        """Its lines, for people."""
        first, last = self.lines
        return f"line {first}" if first == last else f"lines {first} to {last}"

    def fault(self, dialect: Dialect) -> str | None:
        """Why nobody can be certain where the row ends and which field is which, if so."""
        if not self.fields:
            return None
        if len(self.fields) != len(self.header):
            return f"{len(self.fields)} fields instead of {len(self.header)}"
        if self.lines[0] < self.lines[1]:
            try:
                list(dialect.rows(io.StringIO(self.text, newline=""), strict=True))
            except csv.Error:
                return "a quote that ends within a field"
        return None


def read_rows(path: Path, dialect: Dialect, known: Known) -> Iterator[Row]:
    """Every row of a text table.

    Parameters
    ----------
    path : Path
    dialect : Dialect
    known : callable
        See `Known`.
    """
    with open_text(path, dialect.encoding) as file:
        seen: list[str] = []
        reader = dialect.rows(_remembered(file, seen))
        header = _names(reader)
        wanted = [known(name) for name in header]
        before = reader.line_num
        seen.clear()
        for fields in reader:
            lines = (before + 1, reader.line_num)
            before = reader.line_num
            pairs = zip(fields, wanted, strict=False)
            here = any(value.strip() in names for value, names in pairs)
            yield Row(header, fields, lines, "".join(seen), here)
            seen.clear()


def doubt_about(path: Path, dialect: Dialect, known: Known, person: re.Pattern[str]) -> str | None:
    """Say which row may be about a person, if nobody can be certain of one.

    Such a row has too many or too few fields, or has swallowed others after an open quote.

    Parameters
    ----------
    path : Path
    dialect : Dialect
    known : callable
        See `Known`.
    person : pattern
        Finds the person in a text.
    """
    for row in read_rows(path, dialect, known):
        if not row.known and person.search(row.text) and (fault := row.fault(dialect)):
            return (
                f"the row in {row.place} may be about the person, but it has {fault}; correct it "
                "and ask again"
            )
    return None


def cut_rows(
    path: Path,
    dialect: Dialect,
    known: Known,
    expected: int | None = None,
    check: Callable[[Path], None] = lambda _: None,
) -> int:
    """Rewrite a text table without a person's rows; every other byte stays what it is.

    Parameters
    ----------
    path : Path
    dialect : Dialect
    known : callable
        See `Known`.
    expected : int, optional
        How many rows there must be.
    check : callable, optional
        Called with the new file before it takes the old one's place.

    Returns
    -------
    int
        Rows erased; with none the file is left untouched.

    Raises
    ------
    NotErasedError
        When the file cannot be rewritten, or others' rows would change.
    """
    lost = []
    for row in read_rows(path, dialect, known):
        if row.known:
            lost.append(row.lines)
            if row.lines[0] < row.lines[1] and (fault := row.fault(dialect)):
                raise NotErasedError(
                    f"the row in {row.place} has {fault}, and may hold rows of others; correct it"
                )
    if expected is not None and len(lost) != expected:
        raise NotErasedError(
            f"{expected} rows are about the person, but {len(lost)} can be cut out"
        )
    if not lost:
        return 0
    skipped = {number for first, last in lost for number in range(first, last + 1)}
    again = hashlib.sha256()
    with rewriting(path) as draft:
        with (
            open_text(path, dialect.encoding) as old,
            open_bytes(draft, "wb", packed=_is_packed(path)) as new,
        ):
            for number, line in enumerate(old, 1):
                written = line.encode(dialect.encoding, "surrogateescape")
                again.update(written)
                if number not in skipped:
                    new.write(written)
        if again.digest() != _digest(path):
            raise NotErasedError(f"its other rows cannot be kept as they are in {dialect.encoding}")
        check(draft)
    return len(lost)


def open_bytes(path: Path, mode: str = "rb", *, packed: bool | None = None) -> IO[bytes]:
    """Open a file that may be gzipped; by default its name says so."""
    if _is_packed(path) if packed is None else packed:
        return gzip.open(path, mode)  # type: ignore[return-value]
    return path.open(mode)


def open_text(path: Path, encoding: str) -> IO[str]:
    """Open a text so that line ends, and bytes that are no text, pass through as they are."""
    return io.TextIOWrapper(open_bytes(path), encoding, "surrogateescape", newline="")


def _remembered(lines: Iterable[str], seen: list[str]) -> Iterator[str]:
    for line in lines:
        seen.append(line)
        yield line


def _is_packed(path: Path) -> bool:
    return path.suffix == ".gz"


def _names(reader: Iterator[list[str]]) -> list[str]:
    return [name.removeprefix("\ufeff").strip() for name in next(reader, [])]


def _digest(path: Path) -> bytes:
    digest = hashlib.sha256()
    with open_bytes(path) as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.digest()
