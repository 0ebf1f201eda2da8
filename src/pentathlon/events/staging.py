"""From a raw table to typed rows in the database, each with the reason against it, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pentathlon.errors import DataError
from pentathlon.events.checks import (
    BROKEN_TEXT,
    RETURN_BEFORE_ORDER,
    RETURN_WITHOUT_ORDER,
    WARNINGS,
    Check,
    Known,
    place_checks,
    row_checks,
)
from pentathlon.events.contracts import CUSTOMER_ID, Column, TableContract
from pentathlon.events.database import literal, quoted
from pentathlon.events.reading import RawTable, typed_sql, value_sql

if TYPE_CHECKING:
    import duckdb

ORDER = "(file_no::BIGINT << 40) + row_number"
"""SQL for a row's place in its table."""


def stage(
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    known: Known,
    missing: list[str],
    hashed: list[str],
) -> None:
    """Make ``stage_<table>``: typed rows, and what is wrong with each by itself.

    Parameters
    ----------
    connection : DuckDBPyConnection
    table : RawTable
    known : Known
    missing : list of str
        Texts that mean "no value".
    hashed : list of str
        Personal columns of which a keyed hash is kept.

    Raises
    ------
    DataError
        When the files cannot be read to their end.
    """
    import duckdb

    contract, name = table.contract, table.contract.name
    native = dict(row[:2] for row in connection.execute(f"DESCRIBE {table.rows_sql}").fetchall())
    kept = [column for column in contract.columns if not column.personal or column.name in hashed]
    raw, typed = [], []
    for column in kept:
        kind = native.get(table.columns.get(column.name) or "", "VARCHAR")
        spelled = column.kind == "texts" or not table.source.values.get(column.name)
        kind = kind if spelled else "VARCHAR"
        raw.append(f"{value_sql(table, column, missing, kind)} AS raw_{column.name}")
        value = typed_sql(column, f"raw_{column.name}", table.source, kind)
        typed.append(f"{value} AS {quoted(column.name)}")
    texts = [
        f"contains(raw_{c.name}, chr(65533))"
        for c in kept
        if c.kind == "text" and table.columns.get(c.name)
    ]
    cases = [
        "WHEN malformed IS NOT NULL THEN malformed",
        f"WHEN {' OR '.join(texts) or 'false'} THEN {literal(BROKEN_TEXT)}",
        *(_case(check, known) for check in row_checks(contract)),
    ]
    read = (
        "SELECT _file_no AS file_no, _row_number AS row_number, _malformed AS malformed, "
        f"{', '.join(raw)} FROM ({table.rows_sql})"
    )
    read = f"SELECT *, {', '.join(typed)} FROM ({read})"
    if table.source.one_row_per_key:
        read = _one_row_per_key(read, contract, kept)
    shown = [c for c in contract.clean if c.name != CUSTOMER_ID]
    as_json = _json({c.name: f"raw_{c.name}" for c in shown})
    columns = [quoted(c.name) for c in contract.clean]
    columns += [f"keyed_hash(lower({quoted(c)})) AS {quoted(c + '_hash')}" for c in hashed]
    try:
        connection.execute(
            f"CREATE OR REPLACE TABLE stage_{name} AS SELECT file_no, row_number, reason, "
            # Of a row with fields too many or too few nobody knows which field holds what.
            f"CASE WHEN reason IS NOT NULL AND malformed IS NULL THEN {as_json} END AS raw, "
            f"{', '.join(columns)} FROM (SELECT *, "
            f"CASE {' '.join(cases)} END AS reason FROM ({read}))"
        )
    except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
        raise DataError(
            f"The files of {name} cannot be read to their end: {str(error).splitlines()[0]} "
            "Copy or export them again."
        ) from error


def _case(check: Check, known: Known) -> str:
    return f"WHEN {known.fill(check.condition)} THEN {literal(check.reason)}"


def _json(values: dict[str, str]) -> str:
    pairs = ", ".join(f"{literal(name)}: {value}" for name, value in values.items())
    return f"to_json({{{pairs}}})::VARCHAR"


def _one_row_per_key(read: str, contract: TableContract, kept: list[Column]) -> str:
    keys = [f"raw_{name}" for name in contract.key]
    chosen = [f"arg_min({x}, {ORDER}) AS {x}" for x in ("file_no", "row_number", "malformed")]
    for column in kept:
        raw, name = f"raw_{column.name}", quoted(column.name)
        first = f"min({name})" if column.name == contract.moment else f"arg_min({name}, {ORDER})"
        chosen.append(f"{first} AS {name}")
        chosen.append(raw if raw in keys else f"arg_min({raw}, {ORDER}) AS {raw}")
    return f"SELECT {', '.join(chosen)} FROM ({read}) GROUP BY {', '.join(keys)}"


def find_misplaced(
    connection: duckdb.DuckDBPyConnection, contract: TableContract, known: Known, *, products: bool
) -> None:
    """Make ``misplaced_<table>``: rows that are wrong only beside others, with the reason.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With ``stage_<table>`` and, for tables that refer to them, ``ids`` (customers) and
        ``stage_products`` with ``misplaced_products``.
    contract : TableContract
    known : Known
    products : bool
        Whether there is a table of products.
    """
    name = contract.name
    _find_duplicates(connection, contract)
    joins = "LEFT JOIN duplicates d ON d.file_no = s.file_no AND d.row_number = s.row_number"
    if CUSTOMER_ID in {c.name for c in contract.columns} and name != "customers":
        joins += " LEFT JOIN ids c ON c.raw_id = s.customer_id"
    if name == "transactions" and products:
        joins += f" LEFT JOIN ({usable('products', 'product_id')}) p ON p.product_id = s.product_id"
    cases = " ".join(_case(check, known) for check in place_checks(contract, products=products))
    connection.execute(
        f"CREATE OR REPLACE TABLE misplaced_{name} AS SELECT * FROM (SELECT s.file_no, "
        f"s.row_number, CASE {cases} END AS reason FROM stage_{name} s {joins} "
        "WHERE s.reason IS NULL) WHERE reason IS NOT NULL"
    )
    if name == "transactions":
        _find_lost_returns(connection, known)


def count_warnings(
    connection: duckdb.DuckDBPyConnection, table: RawTable, known: Known
) -> list[tuple[Check, int, str]]:
    """Rows that are used although something is wrong with them.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With ``stage_<table>``, ``misplaced_<table>`` and ``ids``.
    table : RawTable
    known : Known

    Returns
    -------
    list of (Check, int, str)
        What is wrong, with how many rows, and the file and number of the first.
    """
    name, found = table.contract.name, []
    checks = WARNINGS.get(name, ())
    if not checks:
        return []
    filters = [f"FILTER ({known.fill(check.condition)})" for check in checks]
    counts = ", ".join(f"count(*) {f}, min({ORDER}) {f}" for f in filters)
    numbers = connection.execute(
        f"SELECT {counts} FROM ({usable(name)}) s JOIN ids c ON c.raw_id = s.customer_id"
    ).fetchone() or (0, None) * len(checks)
    for check, rows, first in zip(checks, numbers[::2], numbers[1::2], strict=True):
        if rows:
            file, row = first >> 40, first & ((1 << 40) - 1)
            found.append((check, int(rows), f"{table.files[file]}, row {row}"))
    return found


def usable(name: str, columns: str = "s.*") -> str:
    """SQL for the rows of a table against which nothing was found."""
    return (
        f"SELECT {columns} FROM stage_{name} s ANTI JOIN misplaced_{name} m ON m.file_no = "
        "s.file_no AND m.row_number = s.row_number WHERE s.reason IS NULL"
    )


def _find_duplicates(connection: duckdb.DuckDBPyConnection, contract: TableContract) -> None:
    keys = ", ".join(quoted(key) for key in contract.key)
    staged = f"stage_{contract.name}"
    # Hashes first: few rows repeat a key, and eight bytes a row are cheaper than the keys.
    connection.execute(
        f"CREATE OR REPLACE TABLE repeated AS SELECT hash({keys}) AS h FROM {staged} "
        "WHERE reason IS NULL GROUP BY 1 HAVING count(*) > 1"
    )
    connection.execute(
        f"CREATE OR REPLACE TABLE firsts AS SELECT {keys}, min({ORDER}) AS first_row "
        f"FROM {staged} WHERE reason IS NULL AND hash({keys}) IN (SELECT h FROM repeated) "
        f"GROUP BY {keys} HAVING count(*) > 1"
    )
    connection.execute(
        "CREATE OR REPLACE TABLE duplicates AS SELECT file_no, row_number, first_row "
        f"FROM {staged} JOIN firsts USING ({keys}) WHERE reason IS NULL AND {ORDER} > first_row"
    )


def _find_lost_returns(connection: duckdb.DuckDBPyConnection, known: Known) -> None:
    connection.execute(
        "CREATE OR REPLACE TABLE returned AS SELECT order_id, customer_id, "
        f"min(ordered_at) AS moment FROM ({usable('transactions')}) WHERE quantity > 0 AND "
        "order_id IN (SELECT returns_order_id FROM stage_transactions WHERE reason IS NULL) "
        "GROUP BY order_id, customer_id"
    )
    cases = " ".join(_case(c, known) for c in (RETURN_WITHOUT_ORDER, RETURN_BEFORE_ORDER))
    connection.execute(
        "INSERT INTO misplaced_transactions SELECT * FROM (SELECT r.file_no, r.row_number, "
        f"CASE {cases} END AS reason FROM ({usable('transactions')}) r LEFT JOIN returned o ON "
        "o.order_id = r.returns_order_id AND o.customer_id = r.customer_id "
        "WHERE r.returns_order_id IS NOT NULL) WHERE reason IS NOT NULL"
    )


def misplaced_json(contract: TableContract) -> str:
    """SQL for a staged row as the quarantine shows it, without what identifies a person."""
    return _json({c.name: f"s.{quoted(c.name)}" for c in contract.clean if c.name != CUSTOMER_ID})
