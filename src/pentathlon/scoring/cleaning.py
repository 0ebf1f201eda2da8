"""From a batch of customers as they come to customers that can be decided, and the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

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
    filled : dict of str to int
        Missing values that were filled, by column; of kept rows.
    """

    customers: pd.DataFrame
    rows: NDArray[np.int64]
    rejected: pd.DataFrame
    reasons: dict[str, int]
    filled: dict[str, int] = field(default_factory=dict)


def clean_batch(
    batch: pa.RecordBatch,
    features: FeatureColumns,
    rows: NDArray[np.int64] | None = None,
    repeated: NDArray[np.bool_] | None = None,
    fill: Mapping[str, float | str] | None = None,
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
    fill : mapping of str to float or str, optional
        What a missing value of a column stands for; customers who miss another are rejected.

    Returns
    -------
    CleanBatch
    """
    raw = batch.to_pandas(deduplicate_objects=False, use_threads=False)
    if rows is None:
        rows = np.arange(len(raw), dtype=np.int64)
    quarantine = Quarantine(raw, "customers")
    ids = text(raw["customer_id"], MISSING_VALUES)
    quarantine.reject(ids.isna().to_numpy(), "the customer_id is missing", "customer_id")
    if repeated is not None:
        quarantine.reject(repeated, REPEATED, "customer_id")
    columns: dict[str, object] = {"customer_id": ids}
    fill, absent = fill or {}, {}
    for name in (*features.numeric, *features.counts.values()):
        columns[name], absent[name] = _number(raw, name, features, fill, quarantine)
    for name in features.categorical:
        absent[name] = raw[name].isna().to_numpy()
        columns[name] = raw[name].fillna(fill[name]) if name in fill else raw[name]
    for name, missing in absent.items():
        if name not in fill:
            quarantine.reject(missing, f"{name} is missing", name)
    clean = raw.assign(**columns)
    kept = quarantine.kept
    counts = {name: int((absent[name] & kept).sum()) for name in fill if name in absent}
    filled = {name: n for name, n in counts.items() if n}
    if kept.all():
        return CleanBatch(clean, rows, quarantine.table(), {}, filled)
    rejected = quarantine.table()
    rejected["row"] = rows[~kept] + 1
    clean = clean[kept].reset_index(drop=True)
    return CleanBatch(clean, rows[kept], rejected, quarantine.by_kind, filled)


def _number(
    raw: pd.DataFrame,
    name: str,
    features: FeatureColumns,
    fill: Mapping[str, float | str],
    quarantine: Quarantine,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Values of a column, missing ones filled, and which were missing."""
    value, not_a_number = numbers(raw[name], MISSING_VALUES)
    quarantine.reject(not_a_number, f"{name} is not a number", name)
    missing: NDArray[np.bool_] = np.isnan(value) & ~not_a_number
    if name in fill:
        value = np.where(missing, float(fill[name]), value)
    if name in features.counts.values():
        quarantine.reject(value < 0, f"{name} is a negative count", name)
    if name in features.log:
        quarantine.reject(value < 0, f"{name} is negative and features.log lists it", name)
    return value, missing


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
