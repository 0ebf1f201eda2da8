"""From a batch of customers as they come to customers that can be decided, and the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.parse import MISSING_VALUES, numbers, text
from pentathlon.contract.quarantine import Quarantine
from pentathlon.decision.rules.conditions import Condition
from pentathlon.decision.settings import SendingSettings

REPEATED = "the customer_id occurs before in this partition"


@dataclass(frozen=True)
class CleanBatch:
    """A batch with what cannot be used set apart.

    Attributes
    ----------
    customers : DataFrame, n rows
        ``customer_id``, the features, and the columns that rules ask for.
    rows : ndarray of int64, shape (n,)
        Where they stand in their partition, from 0.
    rejected : DataFrame
        ``row`` (of the partition, from 1), ``reason`` and the batch's columns as text.
    reasons : dict of str to int
        Rejected rows by kind of reason.
    """

    customers: pd.DataFrame
    rows: NDArray[np.int64]
    rejected: pd.DataFrame
    reasons: dict[str, int]


def clean_batch(
    batch: pa.RecordBatch,
    features: FeatureColumns,
    rows: NDArray[np.int64] | None = None,
    repeated: NDArray[np.bool_] | None = None,
) -> CleanBatch:
    """Keep the customers of a batch that have an identifier and every feature.

    Parameters
    ----------
    batch : RecordBatch
        ``customer_id``, the features, and anything else.
    features : FeatureColumns
    rows : ndarray of int64, shape (n,), optional
        Where the customers stand in their partition, from 0; by default they are its first.
    repeated : ndarray of bool, shape (n,), optional
        Whose customer occurs before in the partition.

    Returns
    -------
    CleanBatch
    """
    raw = batch.to_pandas(deduplicate_objects=False)
    if rows is None:
        rows = np.arange(len(raw), dtype=np.int64)
    quarantine = Quarantine(raw, "customers")
    ids = text(raw["customer_id"], MISSING_VALUES)
    quarantine.reject(ids.isna().to_numpy(), "the customer_id is missing", "customer_id")
    if repeated is not None:
        quarantine.reject(repeated, REPEATED, "customer_id")
    columns: dict[str, object] = {"customer_id": ids}
    for name in (*features.numeric, *features.counts.values()):
        columns[name] = _number(raw, name, features, quarantine)
    for name in features.categorical:
        absent = raw[name].isna().to_numpy()
        quarantine.reject(absent, f"{name} is missing", name)
        columns[name] = raw[name]
    clean = raw.assign(**columns)
    kept = quarantine.kept
    if kept.all():
        return CleanBatch(clean, rows, quarantine.table(), {})
    rejected = quarantine.table()
    rejected["row"] = rows[~kept] + 1
    return CleanBatch(clean[kept].reset_index(drop=True), rows[kept], rejected, quarantine.by_kind)


def _number(
    raw: pd.DataFrame, name: str, features: FeatureColumns, quarantine: Quarantine
) -> NDArray[np.float64]:
    value, not_a_number = numbers(raw[name], MISSING_VALUES)
    quarantine.reject(not_a_number, f"{name} is not a number", name)
    quarantine.reject(np.isnan(value), f"{name} is missing", name)
    if name in features.counts.values():
        quarantine.reject(value < 0, f"{name} is a negative count", name)
    if name in features.log:
        quarantine.reject(value < 0, f"{name} is negative and features.log lists it", name)
    return value


def columns_asked(features: FeatureColumns, settings: SendingSettings) -> list[str]:
    """Columns of customers that a decision may read, ``customer_id`` first."""
    asked = ["customer_id", *features.columns, *_of_rules(settings)]
    return list(dict.fromkeys(asked))


def _of_rules(settings: SendingSettings) -> Iterator[str]:
    rules = settings.rules
    if rules.consent is not None:
        yield from (c for c in (rules.consent.opted_in, rules.consent.opted_out) if c)
    if rules.pressure is not None and isinstance(rules.pressure.customer_value, str):
        yield rules.pressure.customer_value
    conditions: list[Collection[Condition]] = [limit.where for limit in settings.limits]
    conditions += [some for rule in rules.eligibility for some in (rule.when, rule.unless)]
    conditions += [some for rule in rules.mandatory for some in (rule.when, rule.unless)]
    for some in conditions:
        yield from (condition.column for condition in some)
