"""One design for every model: what is known of a customer, and how each message matches it.

Models differ in what they do with the design, not in what they are told. Match features are where
true differences between messages hide, so they are shared by all messages: "has bought in the
mailed department" is one column, whichever the department.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.errors import DataError
from pentathlon.features.build import TOTAL_COUNT, log_name, share_name

FloatArray = NDArray[np.float32]
CANDIDATE_SPLITS = 12
SMALLEST_SIDE = 0.1
MATCH_FEATURES = ("match_log_count", "match_share", "match_any")


@dataclass(frozen=True)
class Design:
    """The design of ``n`` customers under every message.

    Attributes
    ----------
    base : ndarray of float32, shape (n, n_base)
        What is known of the customer, whatever the message.
    match : ndarray of float32, shape (n, n_messages, n_match)
        How each message matches the customer; zero for messages without a department.
    """

    base: FloatArray
    match: FloatArray

    def __post_init__(self) -> None:
        if self.base.ndim != 2 or self.match.ndim != 3 or len(self.base) != len(self.match):
            raise ValueError(
                f"base must be (n, f) and match (n, k, m), got {self.base.shape} and "
                f"{self.match.shape}."
            )

    def __len__(self) -> int:
        return len(self.base)

    @property
    def n_messages(self) -> int:
        """Number of messages."""
        return int(self.match.shape[1])

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Design:
        """Design of some rows."""
        return Design(self.base[rows], self.match[rows])

    def logged(self, message: NDArray[np.int64]) -> FloatArray:
        """Rows under one message each, for fitting.

        Parameters
        ----------
        message : ndarray of int, shape (n,)
            Column of the message of each row.

        Returns
        -------
        ndarray of float32, shape (n, n_base + n_messages + n_match)
            Base features, message indicators, match features of that message.
        """
        n, f = self.base.shape
        out = np.zeros((n, f + self.n_messages + self.match.shape[2]), dtype=np.float32)
        out[:, :f] = self.base
        out[np.arange(n), f + message] = 1.0
        out[:, f + self.n_messages :] = self.match[np.arange(n), message]
        return out

    def under(self, message: int) -> FloatArray:
        """Every row under one and the same message, for scoring; layout as ``logged``."""
        return self.logged(np.full(len(self), message, dtype=np.int64))


@dataclass(frozen=True)
class DesignBuilder:
    """Turns engineered features into a :class:`Design`, the same way at fitting and scoring.

    Build one with :meth:`fit`; levels and scales come from the rows it is given, which must be
    training rows.

    Attributes
    ----------
    messages : tuple of str
    departments : tuple of str or None
        Department of each message.
    numeric : tuple of str
        Numeric feature columns, in order.
    counts : mapping of str to str
        Department to raw count column.
    levels : mapping of str to tuple of str
        Known levels of each categorical column; an unknown level is all zeros.
    mean, scale : tuple of float, length n_base
        Centre and spread of the base columns, for models that need comparable columns.
    match_mean, match_scale : tuple of float, length n_match
        The same for the match features, over messages that have a department.
    splits : mapping of str to tuple of float
        Values at which each raw numeric feature may be split.
    """

    messages: tuple[str, ...]
    departments: tuple[str | None, ...]
    numeric: tuple[str, ...]
    counts: Mapping[str, str]
    levels: Mapping[str, tuple[str, ...]]
    mean: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    match_mean: tuple[float, ...] = ()
    match_scale: tuple[float, ...] = ()
    splits: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @classmethod
    def fit(
        cls, features: pd.DataFrame, columns: FeatureColumns, messages: MessageSet
    ) -> DesignBuilder:
        """Learn levels and scales from training rows.

        Parameters
        ----------
        features : DataFrame
            Engineered features (:func:`pentathlon.features.build_features`) of training rows.
        columns : FeatureColumns
        messages : MessageSet
        """
        numeric = [*columns.numeric, *(log_name(c) for c in columns.log)]
        for department, column in columns.counts.items():
            numeric += [column, log_name(column), share_name(department)]
        if columns.counts:
            numeric += [TOTAL_COUNT, log_name(TOTAL_COUNT)]
        levels = {
            column: tuple(sorted(features[column].unique())) for column in columns.categorical
        }
        bare = cls(
            messages=messages.names,
            departments=messages.departments,
            numeric=tuple(numeric),
            counts=dict(columns.counts),
            levels=levels,
        )
        design = bare.transform(features)
        mailed = [k for k, d in enumerate(messages.departments) if d in columns.counts]
        match = design.match[:, mailed].reshape(-1, len(MATCH_FEATURES))
        if not len(match):
            match = np.zeros((1, len(MATCH_FEATURES)), dtype=np.float32)
        return cls(
            messages=bare.messages,
            departments=bare.departments,
            numeric=bare.numeric,
            counts=bare.counts,
            levels=levels,
            mean=_floats(design.base.mean(axis=0, dtype=np.float64)),
            scale=_scales(design.base),
            match_mean=_floats(match.mean(axis=0, dtype=np.float64)),
            match_scale=_scales(match),
            splits={c: split_candidates(features[c].to_numpy()) for c in columns.numeric},
        )

    @property
    def base_names(self) -> list[str]:
        """Names of the base columns: numeric, then one indicator per known level."""
        names = list(self.numeric)
        for column, levels in self.levels.items():
            names += [f"{column}={level}" for level in levels]
        return names

    @property
    def sources(self) -> list[str]:
        """Raw column behind each base column, for importance by what a person knows."""
        raw = {log_name(c): c for c in self.numeric}
        raw |= {share_name(d): c for d, c in self.counts.items()}
        sources = [raw.get(name, name) for name in self.numeric]
        for column, levels in self.levels.items():
            sources += [column] * len(levels)
        return sources

    @property
    def moderators(self) -> list[int]:
        """Base columns that may change what a message does: each raw feature once.

        The logarithm stands for a column that has one; shares are left to the match features.
        """
        logs = {name for name in self.numeric if log_name(name) in self.numeric}
        shares = {share_name(department) for department in self.counts}
        skipped = logs | shares
        return [j for j, name in enumerate(self.base_names) if name not in skipped]

    def transform(self, features: pd.DataFrame) -> Design:
        """Build the design of some customers.

        Parameters
        ----------
        features : DataFrame, n rows
            Engineered features.

        Returns
        -------
        Design of n customers

        Raises
        ------
        DataError
            When a feature column is missing.
        """
        needed = [*self.numeric, *self.levels]
        missing = [c for c in needed if c not in features.columns]
        if missing:
            raise DataError(f"features: columns {missing} are missing.")
        n = len(features)
        base = np.empty((n, len(self.base_names)), dtype=np.float32)
        for j, column in enumerate(self.numeric):
            base[:, j] = features[column].to_numpy(dtype=np.float32)
        j = len(self.numeric)
        for column, levels in self.levels.items():
            codes = pd.Index(levels).get_indexer(pd.Index(features[column].astype(str)))
            block = np.zeros((n, len(levels)), dtype=np.float32)
            known = codes >= 0
            block[np.flatnonzero(known), codes[known]] = 1.0
            base[:, j : j + len(levels)] = block
            j += len(levels)
        match = np.zeros((n, len(self.messages), len(MATCH_FEATURES)), dtype=np.float32)
        for k, department in enumerate(self.departments):
            if department is None or department not in self.counts:
                continue
            count = self.counts[department]
            match[:, k, 0] = features[log_name(count)].to_numpy(dtype=np.float32)
            match[:, k, 1] = features[share_name(department)].to_numpy(dtype=np.float32)
            match[:, k, 2] = features[count].to_numpy(dtype=np.float32) > 0
        return Design(base, match)

    def standardise(self, design: Design) -> Design:
        """Centre and scale the columns; messages without a department keep a zero match."""
        base = (design.base - _row(self.mean)) / _row(self.scale)
        match = (design.match - _row(self.match_mean)) / _row(self.match_scale)
        silent = [k for k, d in enumerate(self.departments) if d not in self.counts]
        match[:, silent] = 0.0
        return Design(base, match)

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "messages": list(self.messages),
            "departments": list(self.departments),
            "numeric": list(self.numeric),
            "counts": dict(self.counts),
            "levels": {c: list(v) for c, v in self.levels.items()},
            "mean": list(self.mean),
            "scale": list(self.scale),
            "match_mean": list(self.match_mean),
            "match_scale": list(self.match_scale),
            "splits": {c: list(v) for c, v in self.splits.items()},
        }

    def save(self, folder: Path) -> None:
        """Write ``design.json``."""
        (folder / "design.json").write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> DesignBuilder:
        """Read ``design.json``."""
        return cls.from_dict(json.loads((folder / "design.json").read_text(encoding="utf-8")))

    @classmethod
    def from_dict(cls, state: Mapping[str, object]) -> DesignBuilder:
        """Rebuild from :meth:`to_dict`."""
        plain = {
            key: tuple(value) if isinstance(value, list) else value for key, value in state.items()
        }
        levels = plain["levels"]
        assert isinstance(levels, Mapping)
        plain["levels"] = {c: tuple(v) for c, v in levels.items()}
        splits = plain["splits"]
        assert isinstance(splits, Mapping)
        plain["splits"] = {c: tuple(v) for c, v in splits.items()}
        return cls(**plain)  # type: ignore[arg-type]


def split_candidates(values: NDArray[np.floating]) -> tuple[float, ...]:
    """Values that a numeric feature may be split at, by quantiles of training rows.

    Parameters
    ----------
    values : ndarray, shape (n,)

    Returns
    -------
    tuple of float
        Ascending; each leaves at least ``SMALLEST_SIDE`` of the rows on either side.
    """
    shares = np.linspace(SMALLEST_SIDE, 1 - SMALLEST_SIDE, CANDIDATE_SPLITS)
    found = np.unique(np.quantile(values, shares, method="lower"))
    above = np.array([np.mean(values > s) for s in found])
    kept = found[(above >= SMALLEST_SIDE) & (above <= 1 - SMALLEST_SIDE)]
    return tuple(float(s) for s in kept)


def _row(values: tuple[float, ...]) -> FloatArray:
    return np.array(values, dtype=np.float32)


def _floats(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _scales(values: NDArray[np.float32] | Sequence[float]) -> tuple[float, ...]:
    spread = np.std(np.asarray(values, dtype=np.float64), axis=0)
    return tuple(float(s) if s > 1e-9 else 1.0 for s in spread)
