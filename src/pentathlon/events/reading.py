"""SQL that reads a table as it lies on disk and gives its columns their types.

Every value is read as it is, and what cannot be of its column's type stays visible: a row is
never lost because it is malformed.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pentathlon.errors import DataError
from pentathlon.events.contracts import SQL_TYPES, Column, TableContract
from pentathlon.events.database import literal, literals, quoted
from pentathlon.events.files import (
    RawFile,
    delimiter_of,
    find_files,
    format_of,
    header_of,
    readable_csv,
)
from pentathlon.events.settings import ColumnSource, TableSource

if TYPE_CHECKING:
    import duckdb

_WHOLE = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_MORE = "_more_fields"
_ABSENT = "\x01absent"  # no field of a file is this text, so only what is not there becomes NULL


@dataclass(frozen=True)
class RawTable:
    """A table as it lies on disk.

    Attributes
    ----------
    contract : TableContract
    source : TableSource
    files : tuple of str
        Names of its files, for people; positions are ``_file_no``.
    columns : dict of str to str
        Column of the files by column of the contract; ``""`` where it is no column.
    unused : tuple of str
        Columns of the files that nothing reads.
    rows_sql : str
        Selects ``_file_no``, ``_row_number`` (from 1), ``_malformed`` (a reason, or NULL) and
        the files' columns.
    """

    contract: TableContract
    source: TableSource
    files: tuple[str, ...]
    columns: dict[str, str]
    unused: tuple[str, ...]
    rows_sql: str


def open_table(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    contract: TableContract,
    source: TableSource,
    scratch: Path,
) -> RawTable:
    """Find a table's files and columns.

    Parameters
    ----------
    connection : DuckDBPyConnection
    folder : Path
        Of the raw tables.
    contract : TableContract
    source : TableSource
    scratch : Path
        For copies of files that are not UTF-8.

    Returns
    -------
    RawTable

    Raises
    ------
    DataError
        When files or columns are missing, or a file cannot be read.
    """
    paths = find_files(folder, source, contract.name)
    names = [
        p.relative_to(folder).as_posix() if p.is_relative_to(folder) else p.name for p in paths
    ]
    if format_of(paths, source, contract.name) == "parquet":
        rows_sql, available = _parquet_rows(connection, paths, contract.name)
    else:
        files = [
            readable_csv(p, name, source, scratch) for p, name in zip(paths, names, strict=True)
        ]
        rows_sql, available = _csv_rows(files, source)
    columns = _resolve(contract, source, available)
    unused = tuple(sorted(set(available) - set(columns.values())))
    return RawTable(contract, source, tuple(names), columns, unused, rows_sql)


def _parquet_rows(
    connection: duckdb.DuckDBPyConnection, paths: list[Path], table: str
) -> tuple[str, list[str]]:
    import duckdb

    connection.execute(f"CREATE OR REPLACE TEMP TABLE files_{table}(path VARCHAR, no INTEGER)")
    connection.executemany(
        f"INSERT INTO files_{table} VALUES (?, ?)", [(str(p), i) for i, p in enumerate(paths)]
    )
    listed = f"[{', '.join(literal(str(path)) for path in paths)}]"
    read = (
        f"read_parquet({listed}, filename='_file', file_row_number=true, union_by_name=true, "
        "hive_partitioning=true)"
    )
    try:
        described = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
    except duckdb.Error as error:
        raise DataError(
            f"The Parquet files of {table} cannot be read: {str(error).splitlines()[0]} "
            "Copy or export them again."
        ) from error
    available = [row[0] for row in described if row[0] not in {"_file", "file_row_number"}]
    rows = (
        f"SELECT no AS _file_no, file_row_number + 1 AS _row_number, NULL::VARCHAR AS _malformed, "
        f"r.* EXCLUDE (_file, file_row_number) FROM {read} r JOIN files_{table} ON path = _file"
    )
    return rows, available


def _csv_rows(files: list[RawFile], source: TableSource) -> tuple[str, list[str]]:
    parts, available = [], list[str]()
    for number, file in enumerate(files):
        header = header_of(file, source)
        available += [name for name in header if name not in available]
        types = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in [*header, _MORE])
        # One thread, because rows are numbered and padded; a field more than the header has
        # lands in a column of its own, a field less is NULL, and no row is refused.
        read = (
            f"read_csv({literal(str(file.path))}, columns={{{types}}}, auto_detect=false, "
            f"header=true, delim={literal(delimiter_of(file, source))}, "
            f"quote={literal(source.quote)}, escape={literal(source.quote)}, "
            f"nullstr={literal(_ABSENT)}, null_padding=true, strict_mode=false, parallel=false)"
        )
        parts.append(
            f"SELECT {number} AS _file_no, row_number() OVER () AS _row_number, CASE "
            f"WHEN {quoted(_MORE)} IS NOT NULL THEN 'too many fields' "
            f"WHEN {quoted(header[-1])} IS NULL THEN 'too few fields' END AS _malformed, "
            f"* EXCLUDE ({quoted(_MORE)}) FROM {read}"
        )
    return " UNION ALL BY NAME ".join(parts), available


def _resolve(contract: TableContract, source: TableSource, available: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for column in contract.columns:
        given = source.columns.get(column.name)
        if given is not None and given.column is None:
            found[column.name] = ""
        elif given is not None and given.column not in available:
            raise DataError(_lost(contract, column, given.column or "", available))
        elif given is not None:
            found[column.name] = given.column or ""
        elif column.name in available:
            found[column.name] = column.name
        elif column.declared or not column.nullable:
            raise DataError(_lost(contract, column, column.name, available))
    return found


def _lost(contract: TableContract, column: Column, wanted: str, available: list[str]) -> str:
    close = difflib.get_close_matches(wanted, available, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    place = f"intake.tables.{contract.name}"
    otherwise = f", or take it out of {place}.extra" if column.declared else ""
    return (
        f"The table {contract.name} has no column '{wanted}' for {column.name}; it has "
        f"{', '.join(available)}.{hint} Name it in {place}.columns{otherwise}."
    )


def value_sql(table: RawTable, column: Column, missing: list[str], native: str) -> str:
    """SQL for a column's value as it was read; NULL where there is none.

    What a Parquet file holds as a number, a time or a list stays one; everything that is text
    loses its outer blanks.
    """
    given = table.source.columns.get(column.name)
    name = table.columns.get(column.name)
    if name is None:
        return "NULL::VARCHAR"
    if given is not None and given.column is None:
        return _fixed(given)
    spellings = table.source.values.get(column.name, {})
    if column.kind == "texts" or (column.kind != "text" and native != "VARCHAR" and not spellings):
        return quoted(name)
    text = f"trim({quoted(name)}::VARCHAR)"
    value = f"CASE WHEN {text} IN {literals(missing)} THEN NULL ELSE {text} END"
    if spellings:
        cases = " ".join(f"WHEN {literal(k)} THEN {literal(v)}" for k, v in spellings.items())
        value = f"CASE {value} {cases} ELSE {value} END"
    return value


def _fixed(given: ColumnSource) -> str:
    return "_row_number::VARCHAR" if given.row_number else literal(str(given.constant))


def typed_sql(column: Column, value: str, source: TableSource, native: str) -> str:
    """SQL for a column's value in its type; NULL where it cannot be had.

    Parameters
    ----------
    column : Column
    value : str
        SQL for the value as text.
    source : TableSource
    native : str
        Type of the column in the database, as `open_table` finds it.
    """
    given = source.columns.get(column.name)
    if given is not None and given.constant is not None:  # written as parameters are, not files
        source = source.model_copy(update={"decimal": ".", "timestamp_format": None})
    kinds = {
        "text": lambda: value,
        "boolean": lambda: f"TRY_CAST({value} AS BOOLEAN)",
        "texts": lambda: _list(value, source, native),
        "timestamp": lambda: _timestamp(value, source, native),
        "integer": lambda: _integer(value, source, native),
        "number": lambda: _number(value, source, native),
    }
    return kinds[column.kind]()


def _list(value: str, source: TableSource, native: str) -> str:
    if native.endswith("[]"):
        return f"TRY_CAST({value} AS VARCHAR[])"
    text = f"trim(coalesce({value}::VARCHAR, ''))"
    split = f"string_split({text}, {literal(source.list_separator)})"
    items = f"list_transform({split}, x -> trim(x))"
    return f"CASE WHEN {text} = '' THEN []::VARCHAR[] ELSE {items} END"


def _as_double(value: str, source: TableSource, native: str) -> str:
    if native == "VARCHAR" and source.decimal == ",":
        value = f"replace(replace({value}, '.', ''), ',', '.')"
    return f"TRY_CAST({value} AS DOUBLE)"


def _number(value: str, source: TableSource, native: str) -> str:
    number = _as_double(value, source, native)
    return f"CASE WHEN isfinite({number}) THEN {number} END"


def _integer(value: str, source: TableSource, native: str) -> str:
    if native in _WHOLE:
        return f"TRY_CAST({value} AS INTEGER)"
    number = _as_double(value, source, native)
    whole = f"{number} = floor({number}) AND abs({number}) < 2147483647"
    return f"CASE WHEN {whole} THEN {number}::{SQL_TYPES['integer']} END"


def _timestamp(value: str, source: TableSource, native: str) -> str:
    if native == "TIMESTAMP WITH TIME ZONE":
        return f"timezone('UTC', {value})"
    local = f"TRY_CAST({value} AS TIMESTAMP)"
    if source.timestamp_format is not None and native == "VARCHAR":
        local = f"TRY_STRPTIME({value}, {literal(source.timestamp_format)})"
    if source.timezone != "UTC":
        local = f"timezone('UTC', timezone({literal(source.timezone)}, {local}))"
    if source.timestamp_format is not None or native != "VARCHAR":
        return local
    # A cast to TIMESTAMP would drop an offset without a word.
    offset = f"regexp_matches({value}, '[0-9]([+-][0-9]{{2}}(:?[0-9]{{2}})?|[zZ])$') "
    offset += f"AND {value} LIKE '%:%'"
    absolute = f"timezone('UTC', TRY_CAST({value} AS TIMESTAMPTZ))"
    return f"CASE WHEN {offset} THEN {absolute} ELSE {local} END"
