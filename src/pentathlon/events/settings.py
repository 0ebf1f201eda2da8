"""Where a retailer's tables lie, how they are written, and what is done at the door."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from pentathlon.events.contracts import (
    TABLES,
    Column,
    Kind,
    TableContract,
    TableName,
    personal_columns,
)

Share = Annotated[float, Field(ge=0, le=1)]
End = Annotated[float, Field(allow_inf_nan=False)] | None
ColumnName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]

_TAKEN = re.compile("file_no|row_number|malformed|reason|raw|first_row|raw_.*|.*_hash")
"""Names that the work on a table needs for itself."""


class _Typed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSource(_Typed):
    """Where the values of one column come from; exactly one of the three.

    Attributes
    ----------
    column : str, optional
        Column of the file. A plain text in the parameters stands for it.
    constant : text, number or boolean, optional
        The same value for every row: what the retailer does not write down, and whoever writes
        the parameters asserts. Numbers have a decimal point and times are ISO 8601, whatever
        the file has; times without a zone are of the table's ``timezone``.
    row_number : bool
        The row's number in its file, from 1.
    """

    column: str | None = None
    constant: str | int | float | bool | None = None
    row_number: bool = False

    @model_validator(mode="after")
    def _exactly_one(self) -> ColumnSource:
        if (self.column is not None) + (self.constant is not None) + self.row_number != 1:
            raise ValueError("give one of column, constant and row_number")
        return self


def _from_text(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


Source = Annotated[ColumnSource, BeforeValidator(_from_text)]


class ExtraColumn(_Typed):
    """A column that a retailer has beside those of the contract.

    It is checked like these and kept in the clean table; a personal one is dropped or hashed.

    Attributes
    ----------
    type : {"text", "integer", "number", "boolean", "timestamp", "texts"}
    personal : bool
        Whether it identifies a person directly. `PrivacySettings` says what is done with it.
    nullable : bool
        Whether a row may lack it. A file may not.
    unit : str
        Unit or meaning of the values, for people.
    range : pair of float, optional
        Lowest and highest number, both included; null where an end is open.
    future : bool
        Whether a time may be later than the export, as the end of a membership may.
    """

    type: Kind
    personal: bool = False
    nullable: bool = True
    unit: str = ""
    range: tuple[End, End] | None = None
    future: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> ExtraColumn:
        if self.personal and (self.type != "text" or not self.nullable):
            raise ValueError(
                "a personal column is never more than dropped or hashed: give it the type text, "
                "and leave nullable out"
            )
        if self.type == "texts" and not self.nullable:
            raise ValueError("a list may always be empty: leave nullable out")
        if self.range is not None and self.type not in {"integer", "number"}:
            raise ValueError(f"range: only numbers have one, and the type is {self.type}")
        lowest, highest = self.range or (None, None)
        if lowest is not None and highest is not None and lowest > highest:
            raise ValueError(f"range: {lowest} is above {highest}")
        if self.future and self.type != "timestamp":
            raise ValueError(f"future: only times may be later, and the type is {self.type}")
        return self

    def column(self, name: str) -> Column:
        """The column of a contract that this declares."""
        lowest, highest = self.range or (None, None)
        return Column(
            name,
            self.type,
            name.replace("_", " "),
            nullable=self.nullable,
            unit=self.unit,
            personal=self.personal,
            declared=True,
            lowest=lowest,
            highest=highest,
            later=self.future,
        )


class TableSource(_Typed):
    """One table of the retailer.

    Attributes
    ----------
    path : str
        File, folder or pattern below the folder of the raw tables (``orders/*.parquet``).
    format : {"parquet", "csv"}, optional
        By default what the names of the files say.
    columns : dict of str to ColumnSource
        Where columns come from whose name in the file differs. A column that is not listed
        is looked for under its own name.
    extra : dict of str to ExtraColumn
        Columns that the retailer has beside those of the contract.
    values : dict
        ``{column: {spelling in the file: value to use}}``.
    delimiter, quote : str
        Of CSV.
    encoding : str
        Of CSV; any that Python knows.
    decimal : {".", ","}
        Of numbers in text.
    timestamp_format : str, optional
        Of times in text, as for ``strptime``; ISO 8601 by default.
    timezone : str
        Of times that do not name their own, like ``Europe/Berlin``.
    list_separator : str
        Between the items of a list in text.
    one_row_per_key : bool
        For a table that has to be made of another's rows: rows of one key become one.
    """

    path: Annotated[str, Field(min_length=1)]
    format: Literal["parquet", "csv"] | None = None
    columns: dict[str, Source] = {}
    extra: dict[ColumnName, ExtraColumn] = {}
    values: dict[str, dict[str, str]] = {}
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    quote: Annotated[str, Field(min_length=1, max_length=1)] = '"'
    encoding: str = "utf-8"
    decimal: Literal[".", ","] = "."
    timestamp_format: str | None = None
    timezone: str = "UTC"
    list_separator: str = "|"
    one_row_per_key: bool = False

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            "".encode(value)
        except LookupError as error:
            raise ValueError(f"'{value}' is no encoding that Python knows") from error
        return value


class TableSources(_Typed):
    """The retailer's tables; those that there are not are null.

    Attributes
    ----------
    customers, transactions : TableSource
    sessions, email_log, products : TableSource, optional
    """

    customers: TableSource
    transactions: TableSource
    sessions: TableSource | None = None
    email_log: TableSource | None = None
    products: TableSource | None = None

    @model_validator(mode="after")
    def _known_columns(self) -> TableSources:
        for name, source in self.present().items():
            own = {column.name for column in TABLES[name].columns}
            if twice := sorted(own & set(source.extra)):
                raise ValueError(f"{name}.extra: {twice} are columns that every {name} table has")
            taken = [x for x in source.extra if _TAKEN.fullmatch(x)]
            if taken:
                raise ValueError(
                    f"{name}.extra: {taken} are names that the intake uses itself; choose others "
                    f"and map them in {name}.columns"
                )
            known = own | set(source.extra)
            stray = sorted((set(source.columns) | set(source.values)) - known)
            if stray:
                raise ValueError(
                    f"{name}: {stray} are no such columns; expected {sorted(known)}. Declare "
                    f"others in {name}.extra"
                )
        return self

    def present(self) -> dict[str, TableSource]:
        """Sources of the tables that there are, in the order in which they are checked."""
        found = {name: getattr(self, name) for name in TABLES}
        return {name: source for name, source in found.items() if source is not None}


class DatabaseSettings(_Typed):
    """What the embedded database may use.

    Attributes
    ----------
    memory_gib : float
        What it may hold in memory; beyond it, it spills to disk.
    threads : int
    """

    memory_gib: Annotated[float, Field(ge=0.0625)] = 2.0
    threads: Annotated[int, Field(ge=1)] = 2


class PrivacySettings(_Typed):
    """What is done with what identifies a person.

    Attributes
    ----------
    personal : dict of str to {"drop", "hash"}
        Rule by column that is marked as personal, in every table that has it. ``hash`` keeps a
        keyed hash as ``<column>_hash`` in the clean table; what is not listed is dropped.
    allow_development_key : bool
        True only for a simulated retailer: the key that comes with the project is public.
    """

    personal: dict[str, Literal["drop", "hash"]] = {}
    allow_development_key: bool = False


class IntakeSettings(_Typed):
    """From raw tables to clean ones.

    Attributes
    ----------
    tables : TableSources
    as_of : datetime, optional
        Moment at which the tables were exported, in UTC; now by default. What is later is a
        mistake.
    clock_skew_minutes : float
        By how much clocks may differ before a time counts as impossible.
    departments : list of str, optional
        Known departments. By default those of the messages and of the products.
    missing_values : list of str
        Texts that mean "no value".
    limit : float
        Largest share of a table's rows that may be quarantined for one reason.
    limits : dict
        Other limits: ``{table: {reason: share}}``.
    database : DatabaseSettings
    privacy : PrivacySettings
    """

    tables: TableSources
    as_of: datetime | None = None
    clock_skew_minutes: Annotated[float, Field(ge=0)] = 10.0
    departments: list[str] | None = None
    missing_values: list[str] = ["", "NA", "N/A", "NULL", "null", "NaN", "nan"]
    limit: Share = 0.02
    limits: dict[TableName, dict[str, Share]] = {}
    database: DatabaseSettings = DatabaseSettings()
    privacy: PrivacySettings = PrivacySettings()

    @model_validator(mode="after")
    def _marked(self) -> IntakeSettings:
        marked = sorted({column for _, column in personal_columns(self.contracts().values())})
        stray = sorted(set(self.privacy.personal) - set(marked))
        if stray:
            raise ValueError(f"privacy.personal: {stray} are not marked as personal; {marked} are")
        return self

    def contracts(self) -> dict[str, TableContract]:
        """Contracts of all tables, in the order in which they are checked, with extra columns."""
        present = self.tables.present()
        extra = {name: source.extra for name, source in present.items()}
        return {
            name: contract.extended([x.column(n) for n, x in extra.get(name, {}).items()])
            for name, contract in TABLES.items()
        }

    def hashed(self, contract: TableContract) -> list[str]:
        """Personal columns of a table of which a hash is kept."""
        rules = self.privacy.personal
        return [c.name for c in contract.columns if c.personal and rules.get(c.name) == "hash"]
