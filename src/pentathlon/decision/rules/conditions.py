"""Tests of a customer's columns that rules and limits are made of."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, model_validator

from pentathlon.errors import DataError, ParameterError

Scalar = bool | int | float | str
Bound = int | float | date
_TESTS = ("equals", "one_of", "at_least", "above", "at_most", "below", "missing")


class Condition(BaseModel):
    """One column's test. Of several tests in one condition, all must hold.

    A missing value passes ``missing: true`` and nothing else.

    Attributes
    ----------
    column : str
        Of the customers or of ``customer_attributes``.
    equals : bool, number or str, optional
    one_of : sequence, optional
    at_least, above, at_most, below : number or date, optional
        A date makes the column's values dates, too.
    missing : bool, optional
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str
    equals: Scalar | None = None
    one_of: tuple[Scalar, ...] | None = None
    at_least: Bound | None = None
    above: Bound | None = None
    at_most: Bound | None = None
    below: Bound | None = None
    missing: bool | None = None

    @model_validator(mode="after")
    def _tests_something(self) -> Condition:
        if all(getattr(self, test) is None for test in _TESTS):
            raise ValueError(f"the condition on '{self.column}' tests nothing: give {_TESTS}")
        return self

    def holds(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Test every row of a table, shape ``(n,)``.

        Raises
        ------
        ParameterError
            When the table has no such column, or its values cannot be compared.
        """
        if self.column not in table.columns:
            close = difflib.get_close_matches(self.column, [str(c) for c in table.columns], n=1)
            hint = f" Did you mean '{close[0]}'?" if close else ""
            raise ParameterError(
                f"decision: no column '{self.column}' to test among {list(table.columns)}; put it "
                f"into the table customer_attributes.{hint}"
            )
        values = table[self.column]
        known = values.notna().to_numpy()
        passed = np.ones(len(table), dtype=np.bool_)
        if self.missing is not None:
            passed &= known != self.missing
        if self.equals is not None:
            passed &= known & self._equal(values, [self.equals])
        if self.one_of is not None:
            passed &= known & self._equal(values, self.one_of)
        for test, compare in (
            ("at_least", np.greater_equal),
            ("above", np.greater),
            ("at_most", np.less_equal),
            ("below", np.less),
        ):
            bound = getattr(self, test)
            if bound is not None:
                passed &= known & self._compare(values, bound, compare)
        return passed

    def _equal(self, values: pd.Series, wanted: Sequence[Scalar]) -> NDArray[np.bool_]:
        if pd.api.types.is_numeric_dtype(values):
            stray = [w for w in wanted if isinstance(w, str)]
            if stray:
                raise ParameterError(
                    f"decision: column '{self.column}' holds numbers; it never equals {stray}."
                )
            return np.asarray(values.isin([float(w) for w in wanted]), dtype=np.bool_)
        return np.asarray(values.astype("str").isin([str(w) for w in wanted]), dtype=np.bool_)

    def _compare(self, values: pd.Series, bound: Bound, compare: Any) -> NDArray[np.bool_]:
        if isinstance(bound, date):
            numbers: Any = dates_of(values, self.column).to_numpy()
            bound = np.datetime64(bound, "ns")  # type: ignore[assignment]
        else:
            converted = pd.to_numeric(values, errors="coerce")
            broken = converted.isna() & values.notna()
            if broken.any():
                raise ParameterError(
                    f"decision: column '{self.column}' holds {values[broken].iloc[0]!r}, which "
                    f"cannot be compared with {bound}."
                )
            numbers = converted.to_numpy(dtype=np.float64)
        with np.errstate(invalid="ignore"):
            return np.asarray(compare(numbers, bound), dtype=np.bool_)


def all_hold(conditions: Sequence[Condition], table: pd.DataFrame) -> NDArray[np.bool_]:
    """Rows that pass every condition, shape ``(n,)``."""
    passed = np.ones(len(table), dtype=np.bool_)
    for condition in conditions:
        passed &= condition.holds(table)
    return passed


def dates_of(values: pd.Series, column: str) -> pd.Series:
    """Read a column as dates without a time zone.

    Raises
    ------
    DataError
        Naming a value that is no date.
    """
    parsed = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    broken = parsed.isna() & values.notna()
    if broken.any():
        raise DataError(
            f"column '{column}': {values[broken].iloc[0]!r} is no date "
            f"({int(broken.sum())} such rows). Write dates like 2026-03-31."
        )
    return parsed.dt.tz_localize(None).astype("datetime64[ns]")
