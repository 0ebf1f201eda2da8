"""Finding the files of a table and making them readable as UTF-8."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from pentathlon.errors import DataError
from pentathlon.events.settings import TableSource

_CHUNK = 1 << 24
_SUFFIXES: dict[str, Literal["parquet", "csv"]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".txt": "csv",
}


@dataclass(frozen=True)
class RawFile:
    """One file of a table.

    Attributes
    ----------
    name : str
        As people know it: its path below the folder of the raw tables.
    path : Path
        Where it can be read as UTF-8 or Parquet.
    """

    name: str
    path: Path


def find_files(folder: Path, source: TableSource, table: str) -> list[Path]:
    """Find the files of a table.

    Parameters
    ----------
    folder : Path
        Of the raw tables.
    source : TableSource
    table : str

    Returns
    -------
    list of Path
        At least one, in alphabetical order.

    Raises
    ------
    DataError
        When there is none.
    """
    whole = folder / source.path
    if whole.is_file():
        return [whole]
    if whole.is_dir():
        found = [p for p in whole.rglob("*") if p.is_file() and suffix_of(p) in _SUFFIXES]
    else:
        found = [p for p in folder.glob(source.path) if p.is_file()]
    hidden = [
        p for p in found if any(x.startswith((".", "_")) for x in p.relative_to(folder).parts)
    ]
    found = sorted(set(found) - set(hidden))
    if not found:
        raise DataError(
            f"There is no file {whole} for the table {table}. Put it there, or correct "
            f"intake.tables.{table}.path in the parameters."
        )
    return found


def format_of(paths: list[Path], source: TableSource, table: str) -> Literal["parquet", "csv"]:
    """Format of a table's files: what the settings say, or else their names.

    Raises
    ------
    DataError
        When names say nothing known, or different things.
    """
    if source.format is not None:
        return source.format
    formats = {_SUFFIXES.get(suffix_of(path)) for path in paths}
    only = formats.pop() if len(formats) == 1 else None
    if only is None:
        raise DataError(
            f"{paths[0]}: the names of the files of {table} do not say whether they are Parquet "
            f"or CSV. Set intake.tables.{table}.format in the parameters."
        )
    return only


def readable_csv(path: Path, name: str, source: TableSource, scratch: Path) -> RawFile:
    """Make a CSV file readable as UTF-8, keeping its rows.

    What is not valid in its encoding becomes the replacement character U+FFFD, by which the
    checks find it.

    Parameters
    ----------
    path : Path
    name : str
        How people know it.
    source : TableSource
    scratch : Path
        Where a copy goes, if one is needed.

    Returns
    -------
    RawFile
    """
    utf8 = codecs.lookup(source.encoding).name in {"utf-8", "utf-8-sig"}
    if utf8 and _is_utf8(path, name):
        return RawFile(name, path)
    copy = scratch / f"{hashlib.sha256(str(path).encode()).hexdigest()[:16]}.csv"
    encoding = "utf-8-sig" if utf8 else source.encoding
    with (
        _open(path) as raw,
        io.TextIOWrapper(raw, encoding, errors="replace", newline="") as text,
        copy.open("w", encoding="utf-8", newline="") as out,
    ):
        while chunk := text.read(_CHUNK):
            out.write(chunk)
    return RawFile(name, copy)


def header_of(file: RawFile, source: TableSource) -> list[str]:
    """Column names of a CSV file.

    Raises
    ------
    DataError
        When the file is empty or names a column twice.
    """
    with (
        _open(file.path) as raw,
        io.TextIOWrapper(raw, "utf-8-sig", newline="") as text,
    ):
        rows = csv.reader(text, delimiter=_delimiter(file.path, source), quotechar=source.quote)
        header = [name.strip() for name in next(rows, [])]
    repeated = sorted({name for name in header if header.count(name) > 1})
    if not header or repeated:
        what = f"names {repeated} more than once" if repeated else "is empty"
        raise DataError(f"{file.name} {what}. Export it again with one row of distinct names.")
    return header


def delimiter_of(file: RawFile, source: TableSource) -> str:
    """What separates the fields of a CSV file."""
    return _delimiter(file.path, source)


def _delimiter(path: Path, source: TableSource) -> str:
    tabs = suffix_of(path).startswith(".tsv") and source.delimiter == ","
    return "\t" if tabs else source.delimiter


def _is_utf8(path: Path, name: str) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for chunk in _chunks(path):
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    except (OSError, EOFError) as error:
        raise DataError(f"{name} cannot be read: {error}. Copy or export it again.") from error
    return True


def _chunks(path: Path) -> Iterator[bytes]:
    with _open(path) as raw:
        while chunk := raw.read(_CHUNK):
            yield chunk


def _open(path: Path) -> IO[bytes]:
    if path.suffix == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def suffix_of(path: Path) -> str:
    """Extension in small letters, with ``.gz`` and what is before it."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:]) if suffixes[-1:] == [".gz"] else "".join(suffixes[-1:])
