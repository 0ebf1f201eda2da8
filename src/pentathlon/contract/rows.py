"""Reading raw rows into typed columns; what cannot be read is quarantined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.contract.parse import Labels, labels, numbers, show, text
from pentathlon.contract.quarantine import Quarantine
from pentathlon.contract.source import FileContract
from pentathlon.errors import ParameterError

RESPONSES = {"0": 0, "1": 1, "no": 0, "yes": 1, "false": 0, "true": 1}
"""Spellings of the outcome that need no ``response_values``."""


class RowReader:
    """Reads one file's rows under a contract.

    Parameters
    ----------
    raw : DataFrame, n rows
        The file as read.
    columns : mapping of str to str
        Column of the file by role and by feature.
    messages : MessageSet
    features : FeatureColumns
    contract : FileContract
    quarantine : Quarantine
        Receives the rows that cannot be used.
    """

    def __init__(
        self,
        raw: pd.DataFrame,
        *,
        columns: Mapping[str, str],
        messages: MessageSet,
        features: FeatureColumns,
        contract: FileContract,
        quarantine: Quarantine,
    ) -> None:
        self._raw = raw
        self._columns = columns
        self._messages = messages
        self._features = features
        self._contract = contract
        self._quarantine = quarantine
        self._missing = frozenset(contract.missing_values)
        self._repairs: list[tuple[str, NDArray[np.bool_]]] = []

    def read(self) -> pd.DataFrame:
        """Read all rows.

        Returns
        -------
        DataFrame, n rows
            ``customer_id``, ``message`` (its column among the messages), ``response``,
            ``order_value``, ``split`` (empty where the file does not say), ``natural_rate``,
            ``propensity`` (NaN unless logged), ``assigned_at`` (where the file has it) and the
            features, with missing values where
            they are to be imputed. Rows in quarantine hold arbitrary values.
        """
        response = self._response()
        natural = self._representative()
        frame = pd.DataFrame(
            {
                "customer_id": self._customer_id(),
                "message": self._message(),
                "response": response,
                "order_value": self._order_value(response),
                "split": self._split(natural),
                "natural_rate": natural,
                "propensity": self._propensity(),
                **self._assigned_at(),
                **{name: self._number(name) for name in self._features.numeric},
                **{name: self._category(name) for name in self._features.categorical},
                **{name: self._number(name) for name in self._features.counts.values()},
            }
        )
        self._repeated_customers(frame)
        return frame

    @property
    def repairs(self) -> dict[str, int]:
        """Repairs of kept rows: what was done, and to how many rows."""
        kept = self._quarantine.kept
        counts = {kind: int((rows & kept).sum()) for kind, rows in self._repairs}
        return {kind: count for kind, count in counts.items() if count > 0}

    def _labels(self, key: str) -> Labels:
        return labels(self._raw[self._columns[key]], self._missing)

    def _reject(self, rows: NDArray[np.bool_], kind: str, key: str) -> None:
        self._quarantine.reject(rows, kind, self._columns[key])

    def _customer_id(self) -> pd.Series:
        if "customer_id" not in self._columns:
            return pd.Series(np.arange(1, len(self._raw) + 1)).astype("str")
        ids = text(self._raw[self._columns["customer_id"]], self._missing).reset_index(drop=True)
        self._reject(ids.isna().to_numpy(), "the customer_id is missing", "customer_id")
        return ids

    def _message(self) -> NDArray[np.int64]:
        spellings = self._contract.message_values
        stray = sorted(set(spellings.values()) - set(self._messages))
        if stray:
            raise ParameterError(
                f"data_processing.message_values: {stray} are none of the messages "
                f"{list(self._messages)}."
            )
        position = {name: i for i, name in enumerate(self._messages)}
        found = self._labels("message")
        code = found.lookup(lambda s: position.get(spellings.get(s, s), -1), -2, np.int64)
        self._reject(code == -2, "the message is missing", "message")
        self._reject(code == -1, "the message is none of the configured messages", "message")
        return code

    def _response(self) -> NDArray[np.int8]:
        given = self._contract.response_values
        found = self._labels("response")
        response = found.lookup(
            lambda s: given.get(s, -1) if given else RESPONSES.get(s.lower(), -1), -2, np.int8
        )
        self._reject(response == -2, "the response is missing", "response")
        self._reject(response == -1, "the response is neither a yes nor a no", "response")
        return response

    def _order_value(self, response: NDArray[np.int8]) -> NDArray[np.float64]:
        key = "order_value"
        value, not_a_number = numbers(self._raw[self._columns[key]], self._missing)
        self._reject(not_a_number, "the order value is not a number", key)
        self._reject(value < 0, "the order value is negative", key)
        self._reject((response == 0) & (value > 0), "an order value without a response", key)
        self._reject((response == 1) & ~(value > 0), "a response without an order value", key)
        missing = np.isnan(value)
        self._repairs.append(("order value missing without a response: 0", missing))
        return np.where(missing, 0.0, value)

    def _representative(self) -> NDArray[np.bool_]:
        if "representative" not in self._columns:
            everywhere = self._contract.sampling.population_rate is None
            return np.full(len(self._raw), everywhere)
        found = self._labels("representative")
        flag = found.lookup(lambda s: RESPONSES.get(s.lower(), -1), 0, np.int8)
        self._reject(
            flag == -1, "the representative flag is neither a yes nor a no", "representative"
        )
        return np.asarray(flag == 1, dtype=np.bool_)

    def _split(self, natural: NDArray[np.bool_]) -> NDArray[np.object_]:
        rules = self._contract.split
        if "split" in self._columns:
            names = {
                **dict.fromkeys(rules.train, "train"),
                **dict.fromkeys(rules.test, "test"),
            }
            split = self._labels("split").lookup(lambda s: names.get(s, "?"), "?", object)
        else:
            split = np.full(len(self._raw), "", dtype=object)
        if "representative" in self._columns:
            split[natural] = rules.representative
        if "split" in self._columns:
            self._reject(split == "?", "the split is neither training nor test", "split")
        return split

    def _propensity(self) -> NDArray[np.float64]:
        if "propensity" not in self._columns:
            return np.full(len(self._raw), np.nan)
        value, _ = numbers(self._raw[self._columns["propensity"]], self._missing)
        valid = (value > 0) & (value <= 1)
        self._reject(~valid, "the propensity is not a number above 0 and up to 1", "propensity")
        return value

    def _assigned_at(self) -> dict[str, pd.Series]:
        key = "assigned_at"
        if key not in self._columns:
            return {}
        raw = self._raw[self._columns[key]]
        if not pd.api.types.is_datetime64_any_dtype(raw):
            raw = text(raw, self._missing)
        when = pd.to_datetime(raw, errors="coerce", utc=True, format="ISO8601")
        self._reject(when.isna().to_numpy(), "the time of assignment is no ISO 8601 time", key)
        return {key: when.dt.tz_localize(None).astype("datetime64[us]").reset_index(drop=True)}

    def _number(self, name: str) -> NDArray[np.float64]:
        value, not_a_number = numbers(self._raw[self._columns[name]], self._missing)
        self._reject(not_a_number, f"{name} is not a number", name)
        if name in self._features.counts.values():
            self._reject(value < 0, f"{name} is a negative count", name)
        if name in self._features.log:
            self._reject(value < 0, f"{name} is negative and features.log lists it", name)
        low, high = self._contract.valid_ranges.get(name, (None, None))
        if low is not None:
            self._reject(value < low, f"{name} is below its lowest possible value {low:g}", name)
        if high is not None:
            self._reject(value > high, f"{name} is above its highest possible value {high:g}", name)
        missing = np.isnan(value)
        rules = self._contract.missing
        if name in self._features.counts.values():
            if rules.counts == "reject":
                self._reject(missing, f"{name} is missing", name)
            self._repairs.append((f"{name} missing: 0", missing))
            value = np.where(missing, 0.0, value)
        elif rules.numeric == "reject":
            self._reject(missing, f"{name} is missing", name)
        else:
            self._repairs.append((f"{name} missing: median of the training customers", missing))
        return value

    def _category(self, name: str) -> NDArray[np.object_]:
        spellings = self._contract.category_values.get(name, {})
        found = self._labels(name)
        for code, level in enumerate(found.levels):
            if spellings.get(level, level) != level:
                self._repairs.append(
                    (
                        f"{name} spelled {show(level)}: {show(spellings[level])}",
                        found.codes == code,
                    )
                )
        missing = found.codes < 0
        if self._contract.missing.categorical == "reject":
            self._reject(missing, f"{name} is missing", name)
        self._repairs.append((f'{name} missing: "unknown"', missing))
        return found.lookup(lambda s: spellings.get(s, s), "unknown", object)

    def _repeated_customers(self, frame: pd.DataFrame) -> None:
        if "customer_id" not in self._columns:
            return
        repeated = frame["customer_id"].duplicated(keep=False).to_numpy() & self._quarantine.kept
        some = frame.loc[repeated]
        # Rows dropped for another reason do not make a duplicate of the one that is left.
        some = some.loc[some["customer_id"].duplicated(keep=False)]
        if some.empty:
            return
        if self._contract.allow_repeated_customers:
            splits = some.groupby("customer_id")["split"].transform("nunique")
            self._quarantine.reject(
                _mask(len(frame), some.index[splits > 1]),
                "the customer has rows in both training and test",
                self._columns["customer_id"],
            )
            return
        first = some["customer_id"].map(
            pd.Series(some.index, index=some["customer_id"]).groupby(level=0).min()
        )
        distinct = some.drop_duplicates()
        contradicting = distinct.loc[distinct["customer_id"].duplicated(), "customer_id"]
        contradicts = some["customer_id"].isin(contradicting)
        # Which of several different rows is the true one, nobody can tell from the file.
        self._quarantine.reject(
            _mask(len(frame), some.index[contradicts]),
            "duplicate customer_id on rows that contradict each other",
            self._columns["customer_id"],
            lambda i: f"the first such row is row {first.loc[i] + 1}",
        )
        self._quarantine.reject(
            _mask(len(frame), some.index[~contradicts & some["customer_id"].duplicated()]),
            "duplicate customer_id",
            self._columns["customer_id"],
            lambda i: f"row {first.loc[i] + 1} is the same and is kept",
        )


def _mask(n: int, positions: pd.Index) -> NDArray[np.bool_]:
    mask = np.zeros(n, dtype=np.bool_)
    mask[positions.to_numpy(dtype=np.int64)] = True
    return mask
