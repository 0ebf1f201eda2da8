"""Raw files that the parameters of the intake describe, searched as the intake reads them.

A person's rows are those that the intake's own reading takes for the person's. A text file loses
exactly the lines of these rows, and takes the old one's place only after the intake's reading
has found everybody else in it, and the person no more.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pentathlon.errors import DataError
from pentathlon.events.contracts import CUSTOMER_ID, TABLES, TableContract
from pentathlon.events.database import literal, literals, open_database, quoted
from pentathlon.events.files import RawFile, delimiter_of, find_files, format_of
from pentathlon.events.holdings import Person, drop_rows
from pentathlon.events.reading import RawTable, open_table, value_sql
from pentathlon.events.rewriting import BROKEN, NotErasedError, first_line
from pentathlon.events.settings import IntakeSettings, TableSource
from pentathlon.events.text_tables import Dialect, Known, cut_rows, doubt_about, exact_encoding

if TYPE_CHECKING:
    import duckdb

_LATER_LAYER = re.compile(r"0[2-8]_")
_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())
_OURS = {"_file_no", "_row_number", "_malformed"}
_TEXT = {"VARCHAR", "BLOB", "JSON", "UUID"}
_RECORDS = ("STRUCT", "MAP", "UNION")


@dataclass
class RawFindings:
    """What described files hold.

    Attributes
    ----------
    rows : dict of Path to dict of int to dict
        By file that was searched: the person's rows, by their number from 1.
    erased : dict of Path to int
        Rows that are gone.
    not_erased : dict of Path to str
        Files from which rows could not be taken, and why.
    unreadable : dict of Path to str
        Files that could not be read as the intake reads them, and why.
    doubts : dict of Path to str
        Files in which a malformed row may be about the person.
    named : set of Path
        Files in which identifiers of customers were read.
    """

    rows: dict[Path, dict[int, dict[str, Any]]] = field(default_factory=dict)
    erased: dict[Path, int] = field(default_factory=dict)
    not_erased: dict[Path, str] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)
    doubts: dict[Path, str] = field(default_factory=dict)
    named: set[Path] = field(default_factory=set)


@dataclass(frozen=True)
class _Table:
    """Files of one table in one folder."""

    table: str
    source: TableSource
    folder: Path
    paths: list[Path]

    @property
    def contract(self) -> TableContract:
        """The contract, as far as it says who the customer is: nothing else need be right.

        Where it does not, the key must be there, or the file is another.
        """
        whole = TABLES[self.table]
        needed = {CUSTOMER_ID} if self.has_customers else set(whole.key)
        return replace(whole, columns=tuple(c for c in whole.columns if c.name in needed))

    @property
    def has_customers(self) -> bool:
        """Whether rows of the table are about customers."""
        return any(column.name == CUSTOMER_ID for column in TABLES[self.table].columns)

    def only(self, path: Path) -> _Table:
        """The same for one file, wherever it lies."""
        source = self.source.model_copy(update={"path": path.name})
        return _Table(self.table, source, path.parent, [path])


def search_described(
    root: Path,
    files: Collection[Path],
    person: Person,
    settings: IntakeSettings,
    *,
    erasing: bool,
) -> RawFindings:
    """Look for a person in every file that the intake's settings describe.

    The folder of the raw tables can be named anew for every run, so the settings' paths are
    looked for in every folder below the data root that is no later layer.

    Parameters
    ----------
    root : Path
        The data root; work in progress goes below it, and is removed.
    files : collection of Path
        What may be read and rewritten.
    person : Person
    settings : IntakeSettings
    erasing : bool
        Whether to rewrite the files without the person's rows.

    Returns
    -------
    RawFindings
    """
    found = RawFindings()
    known = {path.resolve(): path for path in files}
    tables = []
    for table in _tables(root, files, settings):
        for path in table.paths:
            if not path.resolve().is_relative_to(root.resolve()):
                found.unreadable[path] = "it lies outside the data root"
        if any(path.resolve() in known for path in table.paths):
            tables.append(table)
    if tables:
        with _workplace(root, person, settings) as work:
            for table in tables:
                _search(work, table, known, found, erasing=erasing)
    found.unreadable = {p: why for p, why in found.unreadable.items() if p not in found.named}
    for path in found.unreadable:  # whoever read it without its customers has not searched it
        if path not in found.erased:
            found.rows.pop(path, None)
    return found


def is_later(path: Path, root: Path) -> bool:
    """Whether a file lies in a layer behind that of the raw files."""
    below = path.relative_to(root).parts if path.is_relative_to(root) else ()
    return bool(below and _LATER_LAYER.match(below[0]))


def _tables(root: Path, files: Collection[Path], settings: IntakeSettings) -> Iterator[_Table]:
    """Files that the paths of the settings lead to, from every folder that may be theirs."""
    raw = [path for path in files if not is_later(path, root)]
    folders = {folder for path in raw for folder in path.parents if folder.is_relative_to(root)}
    for name, source in settings.tables.present().items():
        seen: set[Path] = set()
        for folder in sorted(folders, key=lambda f: (len(f.parts), f)):
            try:
                paths = find_files(folder, source, name)
            except (DataError, NotImplementedError, ValueError):  # no file, or no such pattern
                continue
            if seen.issuperset(paths) or any(is_later(path, root) for path in paths):
                continue
            seen.update(paths)
            yield _Table(name, source, folder, paths)


def _search(
    work: _Work, table: _Table, known: dict[Path, Path], found: RawFindings, *, erasing: bool
) -> None:
    import duckdb

    try:
        rows = work.rows(table)
        nameless = work.nameless(table)
    except (DataError, duckdb.Error, *BROKEN) as error:
        if len(table.paths) == 1:
            path = table.paths[0]
            found.unreadable.setdefault(known.get(path.resolve(), path), first_line(error))
            return
        for path in table.paths:  # one file may keep the others from being read
            _search(work, table.only(path), known, found, erasing=erasing)
        return
    for path, mine in rows.items():
        file = known.get(path.resolve())
        if file is None:
            continue
        if path in nameless:
            found.unreadable.setdefault(file, nameless[path])
            continue
        found.rows.setdefault(file, {}).update(mine)
        if table.has_customers:
            found.named.add(file)
        alone = table.only(path)
        if erasing and mine:
            try:
                gone = work.erase(alone, file, mine)
                found.erased[file] = found.erased.get(file, 0) + gone
            except (DataError, duckdb.Error, *BROKEN) as error:
                found.not_erased[file] = first_line(error)
                continue
        try:
            doubt = work.doubt(alone, file)
        except BROKEN as error:
            doubt = f"it cannot be read to its end: {first_line(error)}"
        if doubt:
            found.doubts[file] = doubt


@contextmanager
def _workplace(root: Path, person: Person, settings: IntakeSettings) -> Iterator[_Work]:
    with tempfile.TemporaryDirectory(prefix=".privacy-", dir=root) as folder:
        scratch = Path(folder)
        for name in ("copies", "draft"):
            (scratch / name).mkdir()
        with open_database(scratch / "database", settings.database) as (connection, _):
            yield _Work(connection, scratch, person, settings.missing_values)


@dataclass(frozen=True)
class _Work:
    """A database in which tables are read, and whom they are read for."""

    connection: duckdb.DuckDBPyConnection
    scratch: Path
    person: Person
    missing: list[str]

    def rows(self, table: _Table) -> dict[Path, dict[int, dict[str, Any]]]:
        """The person's rows by file and number; files that have none are there too."""
        raw = self._open(table)
        found: dict[Path, dict[int, dict[str, Any]]] = {path: {} for path in table.paths}
        query = f"SELECT * FROM ({raw.rows_sql}) WHERE {self._about(raw)}"
        cursor = self.connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        for values in cursor.fetchall():
            row = dict(zip(names, values, strict=True))
            file, number = table.paths[row["_file_no"]], row["_row_number"]
            found[file][number] = {k: v for k, v in row.items() if k not in _OURS}
        return found

    def nameless(self, table: _Table) -> dict[Path, str]:
        """Files of which no row has a customer, beside others that have some, and why."""
        raw = self._open(table)
        name = raw.columns.get(CUSTOMER_ID)
        if name is None:
            return {}
        value = value_sql(raw, raw.contract.column(CUSTOMER_ID), self.missing, "VARCHAR")
        counts = self.connection.execute(
            f"SELECT _file_no FROM ({raw.rows_sql}) GROUP BY 1 HAVING count({value}) = 0"
        )
        why = f"no row of it has a customer in '{name}', as intake.tables.{table.table} says it has"
        return {table.paths[number]: why for (number,) in counts.fetchall()}

    def erase(self, table: _Table, file: Path, rows: Collection[int]) -> int:
        """Rewrite the only file of a table without some rows, and say how many are gone."""
        if format_of(table.paths, table.source, table.table) == "parquet":
            return drop_rows(file, _at(frozenset(rows)))
        total, _ = self._count(table)

        def check(draft: Path) -> None:
            link = self.scratch / "draft" / table.paths[0].name
            link.symlink_to(draft.absolute())
            try:
                left = self._count(replace(table, folder=link.parent, paths=[link]))
            finally:
                link.unlink()
            if left != (total - len(rows), 0):
                raise NotErasedError(
                    f"without the person's {len(rows)} rows the intake would read {left[0]} rows "
                    f"instead of {total - len(rows)}"
                )

        dialect, known = self._written(table, file)
        return cut_rows(file, dialect, known, expected=len(rows), check=check)

    def doubt(self, table: _Table, file: Path) -> str | None:
        """Say which row of a table's only file may be the person's, if nobody can be certain."""
        if format_of(table.paths, table.source, table.table) == "parquet":
            return None
        return doubt_about(file, *self._written(table, file), self.person.pattern)

    def _written(self, table: _Table, file: Path) -> tuple[Dialect, Known]:
        """How a text file is written, and the person in it."""
        delimiter = delimiter_of(RawFile(file.name, table.paths[0]), table.source)
        encoding = exact_encoding(file, table.source.encoding)
        given = table.source.columns.get(CUSTOMER_ID)
        identifies = (given and given.column) or CUSTOMER_ID
        accepted = self._accepted(table.source)
        return (
            Dialect(delimiter, table.source.quote, encoding),
            lambda name: accepted if name == identifies else self.person.values(name),
        )

    def _open(self, table: _Table) -> RawTable:
        raw = open_table(
            self.connection, table.folder, table.contract, table.source, self.scratch / "copies"
        )
        if raw.columns.get(CUSTOMER_ID) == "":
            raise DataError(f"intake.tables.{table.table}.columns names no column with customers")
        return raw

    def _count(self, table: _Table) -> tuple[int, int]:
        """Rows of a table, and those about the person."""
        raw = self._open(table)
        counts = f"count(*), count(*) FILTER (WHERE {self._about(raw)})"
        row = self.connection.execute(f"SELECT {counts} FROM ({raw.rows_sql})").fetchone()
        return (int(row[0]), int(row[1])) if row else (0, 0)

    def _about(self, raw: RawTable) -> str:
        """SQL for whether a row is about the person."""
        tests = []
        described = self.connection.execute(f"DESCRIBE {raw.rows_sql}").fetchall()
        for name, kind in ((row[0], row[1]) for row in described if row[0] not in _OURS):
            text = f"trim({quoted(name)}::VARCHAR, {literal(_BLANKS)})"
            if name == raw.columns.get(CUSTOMER_ID):
                read = value_sql(raw, raw.contract.column(CUSTOMER_ID), self.missing, kind)
                tests.append(f"{read} IN {literals(sorted(self.person.wanted))}")
                tests.append(f"{text} IN {literals(sorted(self._accepted(raw.source)))}")
            elif kind in _TEXT or self.person.is_named_in(name):
                tests.append(f"{text} IN {literals(sorted(self.person.values(name)))}")
            elif kind.endswith("]") or kind.startswith(_RECORDS):
                tests += [f"contains({text}, {literal(p)})" for p in self.person.pseudonyms]
        return " OR ".join(tests) or "false"

    def _accepted(self, source: TableSource) -> frozenset[str]:
        """How the column of identifiers may spell the person, as the settings read it."""
        spelled = source.values.get(CUSTOMER_ID, {})
        wanted = self.person.wanted
        meant = {spelling for spelling, value in spelled.items() if value in wanted}
        return frozenset((wanted - spelled.keys() | meant) - set(self.missing))


def _at(numbers: frozenset[int]) -> Any:
    """Mark rows by their number, from 1."""

    def about(batch: pa.RecordBatch, before: int) -> pa.Array | None:
        here = [before + place in numbers for place in range(1, len(batch) + 1)]
        return pa.array(here) if any(here) else None

    return about
