"""Features of a customer, as they stood when the message was assigned.

Only the ``customers`` table enters: outcomes are out of reach, so they cannot leak in.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pentathlon.contract.features import FeatureColumns
from pentathlon.errors import DataError

TOTAL_COUNT = "total_count"


def log_name(column: str) -> str:
    """Name of the ``log1p`` of a column."""
    return f"log_{column}"


def share_name(department: str) -> str:
    """Name of a department's share of all counts."""
    return f"share_{department}"


def build_features(customers: pd.DataFrame, columns: FeatureColumns) -> pd.DataFrame:
    """Engineer the features of every customer.

    Parameters
    ----------
    customers : DataFrame, one row per customer
        ``customer_id`` and the raw feature columns.
    columns : FeatureColumns
        Raw feature columns by kind.

    Returns
    -------
    DataFrame, same rows and order
        ``customer_id``; the numeric columns and the ``log1p`` of those listed under ``log``; per
        department the count, its ``log1p`` and its share of the customer's total (0 for a
        customer without any); the total and its ``log1p``; the categorical columns as text.
        Numbers are float32.

    Raises
    ------
    DataError
        When a feature column is missing, or negative where a logarithm or a count is asked for.
    """
    missing = sorted({"customer_id", *columns.columns} - set(customers.columns))
    if missing:
        raise DataError(
            f"customers: columns {missing} are missing; the table has "
            f"{list(customers.columns)}. Name the columns under `features` as the table does."
        )
    # A part of a table keeps its labels, and columns would be aligned on them.
    customers = customers.reset_index(drop=True)
    features: dict[str, object] = {"customer_id": customers["customer_id"].astype(str)}
    numbers: dict[str, np.ndarray] = {}
    for column in columns.numeric:
        numbers[column] = _numbers(customers, column)
    for column in columns.log:
        _refuse_negative(numbers[column], column)
        numbers[log_name(column)] = np.log1p(numbers[column])
    if columns.counts:
        counts = {
            department: _numbers(customers, column) for department, column in columns.counts.items()
        }
        for department, column in columns.counts.items():
            _refuse_negative(counts[department], column)
        total = np.sum(list(counts.values()), axis=0)
        for department, column in columns.counts.items():
            numbers[column] = counts[department]
            numbers[log_name(column)] = np.log1p(counts[department])
            numbers[share_name(department)] = counts[department] / np.maximum(total, 1.0)
        numbers[TOTAL_COUNT] = total
        numbers[log_name(TOTAL_COUNT)] = np.log1p(total)
    features.update({name: values.astype(np.float32) for name, values in numbers.items()})
    for column in columns.categorical:
        features[column] = customers[column].astype(str)
    return pd.DataFrame(features)


def _numbers(customers: pd.DataFrame, column: str) -> np.ndarray:
    """Numbers of a column, none missing: a gap would end in a decision that nobody made."""
    if not pd.api.types.is_numeric_dtype(customers[column]):
        raise DataError(
            f"customers: column '{column}' holds text ({customers[column].dtype}), not numbers; "
            "convert it, or list it under features.categorical."
        )
    values = customers[column].to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise DataError(
            f"customers: column '{column}' is missing or infinite in {len(bad)} rows (first: row "
            f"{bad[0] + 1}). Fill the gaps before deciding, as data_processing does."
        )
    return values


def _refuse_negative(values: np.ndarray, column: str) -> None:
    bad = np.flatnonzero(values < 0)
    if len(bad):
        raise DataError(
            f"customers: column '{column}' is negative in {len(bad)} rows (first: "
            f"row {bad[0] + 1}, value {values[bad[0]]:g}); counts and logged quantities cannot be."
        )
