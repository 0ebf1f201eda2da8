"""Where a retailer's tables lie, how they are written, and what is done at the door."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from pentathlon.events.contracts import TABLES, TableName, personal_columns

Share = Annotated[float, Field(ge=0, le=1)]


class _Typed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnSource(_Typed):
    """Where the values of one column come from; exactly one of the three.

    Attributes
    ----------
    column : str, optional
        Column of the file. A plain text in the parameters stands for it.
    constant : text, number or boolean, optional
        The same value for every row.
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
            known = {column.name for column in TABLES[name].columns}
            stray = sorted((set(source.columns) | set(source.values)) - known)
            if stray:
                raise ValueError(f"{name}: {stray} are no such columns; expected {sorted(known)}")
        return self

    def present(self) -> dict[str, TableSource]:
        """Sources of the tables that there are, in the order in which they are checked."""
        found = {name: getattr(self, name) for name in TABLES}
        return {name: source for name, source in found.items() if source is not None}


class DatabaseSettings(_Typed):
    """What the embedded database may use.

    Attributes
    ----------
    memory_limit_mib : int
        Memory in MiB; what does not fit is spilled to disk.
    threads : int
    """

    memory_limit_mib: Annotated[int, Field(ge=64)] = 2048
    threads: Annotated[int, Field(ge=1)] = 2


class PrivacySettings(_Typed):
    """What is done with what identifies a person.

    Attributes
    ----------
    personal : dict of str to {"drop", "hash"}
        Rule by column of ``customers`` that is marked as personal. ``hash`` keeps a keyed
        hash as ``<column>_hash`` in the clean table; what is not listed is dropped.
    allow_development_key : bool
        True only for a simulated retailer: the key that comes with the project is public.
    """

    personal: dict[str, Literal["drop", "hash"]] = {}
    allow_development_key: bool = False

    @field_validator("personal")
    @classmethod
    def _marked(cls, value: dict[str, str]) -> dict[str, str]:
        marked = sorted({column for _, column in personal_columns()})
        stray = sorted(set(value) - set(marked))
        if stray:
            raise ValueError(f"{stray} are not marked as personal; {marked} are")
        return value

    @property
    def hashed(self) -> list[str]:
        """Personal columns of which a hash is kept."""
        return sorted(name for name, rule in self.personal.items() if rule == "hash")


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
