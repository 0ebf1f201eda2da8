"""From a retailer's raw tables to clean ones; nothing disappears and nobody stays named."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from pentathlon.errors import DataError
from pentathlon.events.checks import Known, phrases
from pentathlon.events.contracts import CUSTOMER_ID, SQL_TYPES, TableContract
from pentathlon.events.database import literal, open_database, quoted
from pentathlon.events.folders import TableFolder
from pentathlon.events.pseudonyms import PseudonymKey, require_key
from pentathlon.events.reading import RawTable, open_table
from pentathlon.events.settings import IntakeSettings
from pentathlon.events.staging import (
    count_warnings,
    find_misplaced,
    misplaced_json,
    stage,
    usable,
)

if TYPE_CHECKING:
    import duckdb

logger = logging.getLogger(__name__)

SUPPRESSED = "suppressed"
_PARQUET = "(FORMAT parquet, COMPRESSION zstd)"
_PARTS = "(FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES '256MB')"


@dataclass(frozen=True)
class RawEvents:
    """Where a retailer's raw tables lie, and what is needed to read them.

    Attributes
    ----------
    folder : Path
        Folder that the tables' paths start at.
    scratch : Path
        Folder for work in progress, below the data root.
    key : PseudonymKey, optional
    """

    folder: Path
    scratch: Path
    key: PseudonymKey | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CheckedEvents:
    """What came of checking.

    Attributes
    ----------
    tables : TableFolder
        A folder of Parquet files for each clean table and for ``suppressed``: customers who
        have not consented or have opted out, with the reason.
    quarantine : TableFolder
        Rows that cannot be used: ``table``, ``source_file``, ``row_number`` (from 1),
        ``reason``, ``customer_id`` (pseudonym), ``row`` (JSON, without what identifies).
    quality : dict
        Rows read, used and quarantined by table and reason, rows used with a warning, and what
        the parameters say of every row.
    """

    tables: TableFolder
    quarantine: TableFolder
    quality: dict[str, Any]


def check_events(
    raw: RawEvents, settings: IntakeSettings, messages: Sequence[str]
) -> CheckedEvents:
    """Read, check, divide and pseudonymise a retailer's tables.

    Memory is bounded by ``settings.database``; no table is loaded as a whole.

    Parameters
    ----------
    raw : RawEvents
    settings : IntakeSettings
    messages : sequence of str
        Names of the messages, control included.

    Returns
    -------
    CheckedEvents

    Raises
    ------
    DataError
        When files or columns are missing or cannot be read.
    ParameterError
        Without a key that suits the data.
    """
    key = require_key(raw.key, development_allowed=settings.privacy.allow_development_key)
    shutil.rmtree(raw.scratch, ignore_errors=True)
    out, quarantine = raw.scratch / "checked", raw.scratch / "quarantine"
    as_of = _naive(settings.as_of or datetime.now(UTC))
    skew = timedelta(minutes=settings.clock_skew_minutes)
    with open_database(raw.scratch / "database", settings.database) as (connection, spill):
        key.install(connection)
        copies = raw.scratch / "database" / "copies"
        copies.mkdir()
        sources = settings.tables.present()
        tables: dict[str, dict[str, Any]] = {}
        departments = list(settings.departments or [])
        for name, contract in settings.contracts().items():
            folder = out / name
            folder.mkdir(parents=True)
            if name not in sources:
                _write_empty(connection, contract, folder)
                continue
            table = open_table(connection, raw.folder, contract, sources[name], copies)
            known = Known(as_of, skew, departments, messages)
            hashed = settings.hashed(contract)
            stage(connection, table, known, settings.missing_values, hashed)
            find_misplaced(connection, contract, known, products="products" in sources)
            if name == "customers":
                _make_ids(connection)
            if name == "products" and settings.departments is None:
                departments = _departments(connection)
            _write_clean(connection, contract, folder, hashed)
            _write_quarantine(connection, table, quarantine)
            tables[name] = _count(connection, table, settings, known)
        quality = {
            "as_of": as_of.isoformat(),
            "tables": tables,
            "suppressed_customers": _write_suppressed(connection, out / SUPPRESSED, as_of),
        }
    quality["spilled_mib"] = round(spill.peak_bytes / 2**20, 1)
    return CheckedEvents(
        TableFolder(out, temporary=True), TableFolder(quarantine, temporary=True), quality
    )


def _naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)


def _make_ids(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "CREATE OR REPLACE TABLE ids AS SELECT customer_id AS raw_id, pseudonym(customer_id) AS "
        f"customer_id, joined_at, consented_at, opted_out_at FROM ({usable('customers')})"
    )
    doubled = connection.execute(
        "SELECT count(*) - count(DISTINCT customer_id) FROM ids"
    ).fetchone()
    if doubled and doubled[0]:
        raise DataError(
            f"{doubled[0]} pseudonyms are shared by two customers. Rotate the key of the "
            "credentials `pseudonyms` and run the intake again."
        )


def _departments(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(f"SELECT DISTINCT department FROM ({usable('products')}) ORDER BY 1")
    return [row[0] for row in rows.fetchall()]


def _write_clean(
    connection: duckdb.DuckDBPyConnection,
    contract: TableContract,
    folder: Path,
    hashed: list[str],
) -> None:
    personal = any(column.name == CUSTOMER_ID for column in contract.columns)
    columns = [
        "c.customer_id" if column.name == CUSTOMER_ID else f"s.{quoted(column.name)}"
        for column in contract.clean
    ]
    columns += [f"s.{quoted(column + '_hash')}" for column in hashed]
    join = "JOIN ids c ON c.raw_id = s.customer_id" if personal else ""
    rows = f"SELECT {', '.join(columns)} FROM ({usable(contract.name)}) s {join}"
    folder.rmdir()
    connection.execute(f"COPY ({rows}) TO {literal(str(folder))} {_PARTS}")
    if not list(folder.glob("*.parquet")):
        folder.mkdir(exist_ok=True)
        target = literal(str(folder / "data_0.parquet"))
        connection.execute(f"COPY ({rows}) TO {target} {_PARQUET}")


def _write_empty(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, folder: Path
) -> None:
    columns = ", ".join(
        f"NULL::{SQL_TYPES[column.kind]} AS {quoted(column.name)}" for column in contract.clean
    )
    target = literal(str(folder / "data_0.parquet"))
    connection.execute(f"COPY (SELECT {columns} LIMIT 0) TO {target} {_PARQUET}")


def _write_quarantine(connection: duckdb.DuckDBPyConnection, table: RawTable, folder: Path) -> None:
    name = table.contract.name
    folder.mkdir(parents=True, exist_ok=True)
    files = f"[{', '.join(literal(file) for file in table.files)}]"
    columns = {column.name for column in table.contract.columns}
    who = "pseudonym(s.customer_id)" if CUSTOMER_ID in columns else "NULL::VARCHAR"
    row = misplaced_json(table.contract)
    target = literal(str(folder / f"{name}.parquet"))
    connection.execute(
        f'COPY (SELECT {literal(name)} AS "table", {files}[s.file_no + 1] AS source_file, '
        f"s.row_number, coalesce(s.reason, m.reason) AS reason, {who} AS customer_id, "
        f'CASE WHEN s.reason IS NULL THEN {row} ELSE s.raw END AS "row" '
        f"FROM stage_{name} s LEFT JOIN misplaced_{name} m ON "
        "m.file_no = s.file_no AND m.row_number = s.row_number "
        "WHERE s.reason IS NOT NULL OR m.reason IS NOT NULL "
        f"ORDER BY s.file_no, s.row_number) TO {target} {_PARQUET}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW quarantine_{name} AS SELECT * FROM read_parquet({target})"
    )


def _count(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    settings: IntakeSettings,
    known: Known,
) -> dict[str, Any]:
    name = table.contract.name

    def number(sql: str) -> int:
        row = connection.execute(sql).fetchone()
        return int(row[0]) if row else 0

    def told(reason: str, phrase: str, rows: int, limit: float, example: str) -> dict[str, Any]:
        return {
            "reason": reason,
            "phrase": phrase,
            "rows": rows,
            "share": rows / read,
            "limit": limit,
            "example": example,
        }

    read = number(f"SELECT count(*) FROM stage_{name}")
    used = number(f"SELECT count(*) FROM ({usable(name)})")
    found = connection.execute(
        "SELECT reason, count(*), min_by(source_file || ', row ' || row_number, row_number) "
        f"FROM quarantine_{name} GROUP BY reason ORDER BY 2 DESC, 1"
    ).fetchall()
    quarantined = sum(count for _, count, _ in found)
    if read != used + quarantined:
        raise DataError(
            f"{name}: {read} rows were read, but {used} are used and {quarantined} quarantined. "
            "This is a mistake of the program; please report it."
        )
    words = phrases(table.contract)
    limits = settings.limits.get(name, {})  # type: ignore[call-overload]
    logger.info(
        "%s: %s rows read, %s used, %s quarantined.",
        name,
        f"{read:,}",
        f"{used:,}",
        f"{quarantined:,}",
    )
    warnings = count_warnings(connection, table, known)
    for check, count, _ in warnings:
        logger.warning("%s of %s %s.", f"{count:,}", table.contract.label, check.phrase)
    return {
        "label": table.contract.label,
        "files": len(table.files),
        "rows_read": read,
        "rows_used": used,
        "rows_quarantined": quarantined,
        "unused_columns": list(table.unused),
        "reasons": [
            told(reason, words[reason], count, limits.get(reason, settings.limit), example)
            for reason, count, example in found
        ],
        "warnings": [
            told(check.reason, check.phrase, count, limits.get(check.reason, 1.0), example)
            for check, count, example in warnings
        ],
        "constants": {
            column: source.constant
            for column, source in table.source.columns.items()
            if source.constant is not None
        },
    }


def _write_suppressed(connection: duckdb.DuckDBPyConnection, folder: Path, as_of: datetime) -> int:
    folder.mkdir(parents=True)
    moment = f"TIMESTAMP '{as_of}'"
    target = literal(str(folder / "data_0.parquet"))
    connection.execute(
        "COPY (SELECT customer_id, CASE WHEN opted_out_at IS NOT NULL "
        "THEN 'opted out' ELSE 'no consent' END AS reason FROM ids "
        f"WHERE opted_out_at IS NOT NULL OR consented_at IS NULL OR consented_at > {moment} "
        f"ORDER BY customer_id) TO {target} {_PARQUET}"
    )
    row = connection.execute(f"SELECT count(*) FROM read_parquet({target})").fetchone()
    return int(row[0]) if row else 0


def suppressed_customers(tables: TableFolder) -> pd.DataFrame:
    """Customers who may be neither scored nor mailed, in the form that rules read.

    Parameters
    ----------
    tables : TableFolder
        See `CheckedEvents`.

    Returns
    -------
    DataFrame
        ``customer_id`` (pseudonym) and ``reason``: ``no consent`` or ``opted out``.
    """
    frame: pd.DataFrame = pd.read_parquet((tables / SUPPRESSED).path)
    return frame.astype({"customer_id": "str", "reason": "str"})
