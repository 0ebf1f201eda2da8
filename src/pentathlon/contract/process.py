"""From a retailer's flat file to the tables that everything else reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.assignment import assign_rows, outcome_weights
from pentathlon.contract.columns import resolve_columns
from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.contract.parse import SOURCE
from pentathlon.contract.propensity import design_matrix, estimate_propensities
from pentathlon.contract.quality import describe_quality
from pentathlon.contract.quarantine import Quarantine
from pentathlon.contract.rows import RowReader
from pentathlon.contract.source import FileContract
from pentathlon.errors import DataError


@dataclass(frozen=True)
class ProcessedFile:
    """A file that meets the contract.

    Attributes
    ----------
    observations : DataFrame
        One row per assigned message: ``customer_id``, ``message``, ``propensity``,
        ``response``, ``order_value``, ``split``, ``fold``, ``sampling_weight``,
        ``natural_rate``, and ``assigned_at`` (UTC) where the file has it.
    customers : DataFrame
        One row per customer: ``customer_id`` and the features.
    rejected_rows : DataFrame
        Rows of the file that are in neither: ``row``, ``reason``, the raw values as text.
    data_quality : dict
        What was read, kept, rejected and repaired; fit for JSON.
    """

    observations: pd.DataFrame
    customers: pd.DataFrame
    rejected_rows: pd.DataFrame
    data_quality: dict[str, Any]


def process_customer_file(
    raw: pd.DataFrame, messages: MessageSet, features: FeatureColumns, contract: FileContract
) -> ProcessedFile:
    """Validate, repair and divide a retailer's file.

    Every raw row ends in exactly one place: kept rows and quarantined rows add up to the
    rows read. Splits and folds depend on the customers and the seed, not on the order of
    the rows.

    Parameters
    ----------
    raw : DataFrame
        The file as read, values as text or as the file typed them.
    messages : MessageSet
    features : FeatureColumns
    contract : FileContract

    Returns
    -------
    ProcessedFile

    Raises
    ------
    DataError
        When the file as a whole cannot be used: empty, columns missing, too many rows
        quarantined, one outcome only, a message that nobody received.
    ParameterError
        When the parameters contradict each other.
    """
    source = str(raw.attrs.get(SOURCE, "the customer file"))
    columns = resolve_columns(list(raw.columns), contract, features, source)
    if raw.empty:
        raise DataError(f"{source}: the file has column names but no rows. Export it again.")
    raw = raw.set_axis([str(name) for name in raw.columns], axis=1).reset_index(drop=True)

    quarantine = Quarantine(raw, source)
    reader = RowReader(
        raw,
        columns=columns,
        messages=messages,
        features=features,
        contract=contract,
        quarantine=quarantine,
    )
    rows = reader.read()
    quarantine.check_share(contract.max_rejected_share)
    rows = rows.loc[quarantine.kept].reset_index(drop=True)

    message_code = rows["message"].to_numpy(dtype=np.int64)
    response = rows["response"].to_numpy(dtype=np.int8)
    _check_outcomes(response, np.ones(len(rows), dtype=np.bool_), "kept", source)
    _check_received(message_code, messages, "rows", source)
    test, fold = assign_rows(
        rows,
        message_code,
        n_messages=len(messages),
        test_share=contract.split.test_share,
        n_folds=contract.n_folds,
        seed=contract.seed,
    )
    _check_received(message_code[~test], messages, "training rows", source)
    _check_outcomes(response, ~test, "training", source, at_least=contract.n_folds)
    if test.any():
        _check_outcomes(response, test, "test", source)

    rows = _impute(rows, ~test, features, source)
    X = design_matrix(rows, features)
    weight = outcome_weights(response, test, contract.sampling.population_rate)
    propensity = _propensity(
        rows,
        X=X,
        message_code=message_code,
        fold=fold,
        weight=weight,
        messages=messages,
        contract=contract,
    )
    observations = _observations(rows, messages, propensity, test, fold, weight)
    customers = _customers(rows, features)
    quality = describe_quality(
        rows_read=len(raw),
        observations=observations,
        distinct_rows=len(rows[["customer_id", *features.columns]].drop_duplicates()),
        n_customers=len(customers),
        rejected_by_reason=quarantine.by_kind,
        repairs=reader.repairs,
        columns=columns,
        unused=[name for name in raw.columns if name not in columns.values()],
        X=X,
        message_code=message_code,
        messages=messages,
        contract=contract,
    )
    return ProcessedFile(observations, customers, quarantine.table(), quality)


def _observations(
    rows: pd.DataFrame,
    messages: MessageSet,
    propensity: NDArray[np.float64],
    test: NDArray[np.bool_],
    fold: NDArray[np.int8],
    weight: NDArray[np.float64],
) -> pd.DataFrame:
    names = np.array(messages.names, dtype=object)
    return pd.DataFrame(
        {
            "customer_id": rows["customer_id"].astype("str"),
            "message": pd.array(names[rows["message"].to_numpy(dtype=np.int64)], dtype="str"),
            "propensity": propensity,
            "response": rows["response"].to_numpy(dtype=np.int8),
            "order_value": rows["order_value"].to_numpy(dtype=np.float64),
            "split": pd.array(np.where(test, "test", "train"), dtype="str"),
            "fold": fold,
            "sampling_weight": weight,
            "natural_rate": rows["natural_rate"].to_numpy(dtype=np.bool_),
            **({"assigned_at": rows["assigned_at"]} if "assigned_at" in rows else {}),
        }
    )


def _customers(rows: pd.DataFrame, features: FeatureColumns) -> pd.DataFrame:
    return (
        rows[["customer_id", *features.columns]]
        .drop_duplicates("customer_id")
        .astype({"customer_id": "str", **dict.fromkeys(features.categorical, "str")})
        .reset_index(drop=True)
    )


def _propensity(
    rows: pd.DataFrame,
    *,
    X: NDArray[np.float32],
    message_code: NDArray[np.int64],
    fold: NDArray[np.int8],
    weight: NDArray[np.float64],
    messages: MessageSet,
    contract: FileContract,
) -> NDArray[np.float64]:
    if contract.propensity == "logged":
        return rows["propensity"].to_numpy(dtype=np.float64)
    if contract.propensity == "uniform":
        return np.full(len(rows), 1 / len(messages))
    return estimate_propensities(
        X,
        message_code,
        n_messages=len(messages),
        fold=fold,
        weight=weight,
        floor=contract.propensity_floor,
    )


def _impute(
    rows: pd.DataFrame, train: NDArray[np.bool_], features: FeatureColumns, source: str
) -> pd.DataFrame:
    """Fill missing quantities with the median of the training customers."""
    customers = rows.loc[train].drop_duplicates("customer_id")
    medians = customers[features.numeric].median()
    unknown = [name for name in features.numeric if np.isnan(medians[name])]
    if unknown:
        raise DataError(
            f"{source}: no training row has a value of {unknown}, so missing values have no "
            "median to take. Remove the columns from features, or correct the file."
        )
    return rows.fillna(medians.to_dict())


def _check_outcomes(
    response: NDArray[np.int8],
    rows: NDArray[np.bool_],
    which: str,
    source: str,
    at_least: int = 1,
) -> None:
    buyers, total = int(response[rows].sum()), int(rows.sum())
    for count, what in ((buyers, "with a response"), (total - buyers, "without a response")):
        if count < at_least:
            need = "at least one" if at_least == 1 else f"at least {at_least} (one a fold)"
            raise DataError(
                f"{source}: of {total} {which} rows {count} are {what}; {need} must be. Check "
                "data_processing.columns.response, response_values and split, or bring more rows."
            )


def _check_received(
    message_code: NDArray[np.int64], messages: MessageSet, which: str, source: str
) -> None:
    received = np.bincount(message_code, minlength=len(messages)) > 0
    absent = [name for name, got in zip(messages, received, strict=True) if not got]
    if absent:
        raise DataError(
            f"{source}: messages that nobody received in the {len(message_code)} {which}: "
            f"{absent}. Nothing can be learnt about them: remove them from the messages, or "
            "correct their spelling in data_processing.message_values."
        )
