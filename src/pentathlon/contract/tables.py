"""Schemas of the tables that cross pipelines, for the catalog's ``validator:`` key.

Examples
--------
In a catalog::

    observations:
      type: pandas.ParquetDataset
      filepath: data/02_intermediate/observations.parquet
      validator: pentathlon.contract.tables.observations_schema
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pandera.pandas as pa

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.errors import DataError

WEIGHT_TOLERANCE = 1e-6


def _value_without_response(table: pd.DataFrame) -> pd.Series:
    return (table["response"] == 1) == (table["order_value"] > 0)


def _fold_only_in_training(table: pd.DataFrame) -> pd.Series:
    return (table["fold"] >= 0) == (table["split"] == "train")


def _mean_weight_one(table: pd.DataFrame) -> bool:
    means = table.groupby("split")["sampling_weight"].mean()
    return bool((np.abs(means - 1) < WEIGHT_TOLERANCE).all())


def _customers_undivided(table: pd.DataFrame) -> bool:
    pairs = table[["customer_id", "fold"]].drop_duplicates()
    return bool(pairs["customer_id"].is_unique)


def _not_blank(values: pd.Series) -> pd.Series:
    return values.str.len() > 0


observations_schema = pa.DataFrameSchema(
    {
        "customer_id": pa.Column("str", pa.Check(_not_blank, error="customer_id is not blank")),
        "message": pa.Column("str", pa.Check(_not_blank, error="message is not blank")),
        "propensity": pa.Column(
            "float64", [pa.Check.greater_than(0), pa.Check.less_than_or_equal_to(1)]
        ),
        "response": pa.Column("int8", pa.Check.isin([0, 1])),
        "order_value": pa.Column(
            "float64", [pa.Check.greater_than_or_equal_to(0), pa.Check.less_than(float("inf"))]
        ),
        "split": pa.Column("str", pa.Check.isin(["train", "test"])),
        "fold": pa.Column("int8", pa.Check.greater_than_or_equal_to(-1)),
        "sampling_weight": pa.Column(
            "float64", [pa.Check.greater_than(0), pa.Check.less_than(float("inf"))]
        ),
        "natural_rate": pa.Column("bool"),
        "assigned_at": pa.Column("datetime64[us]", required=False),
    },
    checks=[
        pa.Check(_value_without_response, error="an order value if and only if a response"),
        pa.Check(_fold_only_in_training, error="training rows have a fold, test rows fold -1"),
        pa.Check(_mean_weight_one, error="sampling weights have mean 1 within each split"),
        pa.Check(_customers_undivided, error="a customer's rows share split and fold"),
    ],
    strict=True,
    ordered=True,
    name="observations",
)
"""Schema of ``observations``."""


def _no_missing_values(table: pd.DataFrame) -> pd.Series:
    return table.notna().all(axis=1)


def _has_features(table: pd.DataFrame) -> bool:
    return table.shape[1] > 1


def _finite_numbers(table: pd.DataFrame) -> pd.Series:
    values = table.select_dtypes("number").to_numpy(dtype=np.float64)
    return pd.Series(np.isfinite(values).all(axis=1), index=table.index)


customers_schema = pa.DataFrameSchema(
    {
        "customer_id": pa.Column(
            "str", pa.Check(_not_blank, error="customer_id is not blank"), unique=True
        )
    },
    checks=[
        pa.Check(_has_features, error="at least one feature beside customer_id"),
        pa.Check(_no_missing_values, error="no missing values", ignore_na=False),
        pa.Check(_finite_numbers, error="finite numbers", ignore_na=False),
    ],
    name="customers",
)
"""Schema of ``customers``; which features there are is up to the retailer."""


def check_observations(observations: pd.DataFrame, messages: MessageSet, n_folds: int) -> None:
    """Check observations against settings that a schema cannot know.

    Parameters
    ----------
    observations : DataFrame
    messages : MessageSet
    n_folds : int

    Raises
    ------
    DataError
        When a message is not configured, a configured message is absent from the training
        rows, or the folds are not ``0 .. n_folds - 1``.
    """
    messages.codes(observations["message"].unique().tolist())
    train = observations.loc[observations["split"] == "train"]
    absent = [name for name in messages if name not in set(train["message"].unique())]
    if absent:
        raise DataError(f"observations: messages without a training row: {absent}.")
    folds = sorted(int(fold) for fold in train["fold"].unique())
    if folds != list(range(n_folds)):
        raise DataError(
            f"observations: training rows have folds {folds}, data_processing.n_folds is "
            f"{n_folds}. Run data_processing again with the present parameters."
        )


def check_customers(
    customers: pd.DataFrame, observations: pd.DataFrame, features: FeatureColumns
) -> None:
    """Check customers against the features and the observations.

    Parameters
    ----------
    customers : DataFrame
    observations : DataFrame
    features : FeatureColumns

    Raises
    ------
    DataError
        When columns differ from the configured features or customers are without a row.
    """
    expected = ["customer_id", *features.columns]
    if list(customers.columns) != expected:
        raise DataError(
            f"customers: columns {list(customers.columns)}, expected {expected}. "
            "Run data_processing again with the present parameters."
        )
    lost = observations.loc[~observations["customer_id"].isin(customers["customer_id"])]
    if len(lost):
        raise DataError(
            f"customers: {lost['customer_id'].nunique()} customers of the observations are not "
            f"in it, for example {lost['customer_id'].iloc[0]!r}."
        )
