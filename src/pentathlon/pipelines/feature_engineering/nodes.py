"""Nodes of the pipeline."""

from __future__ import annotations

import pandas as pd

from pentathlon.contract import FeatureColumns
from pentathlon.errors import DataError
from pentathlon.features import DesignBuilder, build_features
from pentathlon.pipelines.params import MessagesParams


def engineer_features(
    observations: pd.DataFrame, customers: pd.DataFrame, features: FeatureColumns
) -> pd.DataFrame:
    """Engineer the features of every observation's customer.

    Parameters
    ----------
    observations : DataFrame, n rows
    customers : DataFrame
    features : FeatureColumns

    Returns
    -------
    DataFrame, n rows, in the order of the observations
    """
    rows = observations[["customer_id"]].merge(
        customers, on="customer_id", how="left", validate="many_to_one"
    )
    lost = rows[features.columns[0]].isna() & ~rows["customer_id"].isin(customers["customer_id"])
    if lost.any():
        raise DataError(
            f"observations: {int(lost.sum())} rows are of customers that the customers table does "
            f"not have (first: {rows.loc[lost, 'customer_id'].iloc[0]}). Run data_processing again."
        )
    return build_features(rows, features)


def fit_design(
    model_input: pd.DataFrame,
    observations: pd.DataFrame,
    features: FeatureColumns,
    messages: MessagesParams,
) -> DesignBuilder:
    """Learn levels and scales from training rows.

    Parameters
    ----------
    model_input, observations : DataFrame, n rows
    features : FeatureColumns
    messages : MessagesParams
    """
    train = (observations["split"] == "train").to_numpy()
    return DesignBuilder.fit(model_input[train], features, messages.message_set())
