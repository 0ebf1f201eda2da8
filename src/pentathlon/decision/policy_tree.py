"""The best small tree of questions, by doubly robust scores: a policy that a person can read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.routing import Leaf, Router, Split

BINS = 16
"""Thresholds of a number are its sixteenths."""
MOST_LEVELS = 12
"""A text with more values is not asked about."""
SCREENED = 16
"""Questions are searched among this many columns, those with the best single split."""


@dataclass(frozen=True)
class _Column:
    """A feature in bins: ``code <= t`` is what its question ``t`` asks."""

    feature: str
    thresholds: tuple[float, ...]
    level: str | None

    def split(self, t: int, yes: int, no: int) -> Split:
        if self.level is not None:
            return Split(self.feature, None, self.level, yes, no)
        return Split(self.feature, self.thresholds[t], None, yes, no)


@dataclass(frozen=True)
class _Node:
    """A split found, or a leaf where ``column`` is negative."""

    column: int
    threshold: int
    yes: _Node | None = None
    no: _Node | None = None


_LEAF = _Node(-1, -1)


class PolicyTreeLearner:
    r"""Learns trees on subsets of the same customers.

    A tree of depth 2 maximises exactly, over all trees whose thresholds are sixteenths,

    .. math:: \sum_i w_i \, \Gamma_{i, \pi(x_i)}

    with ``Gamma`` the doubly robust scores of every message. Depth 3 takes the first question of
    the best tree of depth 2 and the best trees of depth 2 below it.

    Parameters
    ----------
    features : DataFrame, n rows
        Numbers and texts; ``customer_id`` and logarithms of other columns are left out.
    scores : ndarray of float64, shape (n, n_messages)
        ``Gamma``, in currency.
    sampling_weight : ndarray, shape (n,)
    depth : {1, 2, 3}
    smallest_leaf : float
        Least share of the customers in a leaf.

    References
    ----------
    Athey, Wager (2021), "Policy learning with observational data"; Zhou, Athey, Wager (2023),
    "Offline multi-action policy learning: generalization and optimization".
    """

    def __init__(
        self,
        features: pd.DataFrame,
        scores: NDArray[np.float64],
        sampling_weight: NDArray[np.float64],
        depth: int = 2,
        smallest_leaf: float = 0.05,
    ) -> None:
        self._columns, self._codes = _binned(features)
        # The weight rides along as one more column, to count customers in a leaf.
        weighted = np.column_stack([scores * sampling_weight[:, None], sampling_weight])
        self._rewards = np.ascontiguousarray(weighted.T)
        self._depth, self._smallest = depth, smallest_leaf

    def fit(
        self, rows: NDArray[np.bool_], level: NDArray[np.float32], messages: MessageSet
    ) -> Router:
        """The best tree on some of the customers.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
        level : ndarray, shape (n,)
            What a customer brings on average, in currency; leaves tell what messages are worth
            in proportion to it.
        messages : MessageSet
        """
        index = np.flatnonzero(rows)
        least = self._smallest * self._rewards[-1, index].sum()
        root = self._grow(index, self._screen(index, least), self._depth, least)
        splits: list[Split] = []
        leaves: list[Leaf] = []
        self._write(root, index, level, messages, splits, leaves)
        return Router(tuple(splits), tuple(leaves))

    def _write(
        self,
        node: _Node,
        index: NDArray[np.int64],
        level: NDArray[np.float32],
        messages: MessageSet,
        splits: list[Split],
        leaves: list[Leaf],
    ) -> int:
        """Append a node and what is below it; its place."""
        if node.yes is None or node.no is None:
            total = self._rewards[:, index].sum(axis=1)
            worth = total[:-1] / (self._rewards[-1, index] @ level[index])
            leaves.append(Leaf(messages.names[int(np.argmax(worth))], tuple(worth.tolist())))
            return -len(leaves)
        place = len(splits)
        column = self._columns[node.column]
        splits.append(column.split(node.threshold, 0, 0))
        holds = self._codes[node.column, index] <= node.threshold
        yes = self._write(node.yes, index[holds], level, messages, splits, leaves)
        no = self._write(node.no, index[~holds], level, messages, splits, leaves)
        splits[place] = column.split(node.threshold, yes, no)
        return place

    def _grow(
        self, index: NDArray[np.int64], columns: list[int], depth: int, least: float
    ) -> _Node:
        if depth == 1:
            return self._best_split(index, columns, least)[1]
        root, below = self._best_pair(index, columns, least)
        if depth == 2 or root.column < 0:
            return _Node(root.column, root.threshold, *below) if root.column >= 0 else root
        holds = self._codes[root.column, index] <= root.threshold
        sides = [
            self._grow(part, columns, depth - 1, least) for part in (index[holds], index[~holds])
        ]
        return _Node(root.column, root.threshold, sides[0], sides[1])

    def _screen(self, index: NDArray[np.int64], least: float) -> list[int]:
        gains = [self._best_split(index, [j], least)[0] for j in range(len(self._columns))]
        return [int(j) for j in np.argsort(gains, kind="stable")[::-1][:SCREENED]]

    def _histogram(
        self, codes: NDArray[np.int64], index: NDArray[np.int64], size: int
    ) -> NDArray[np.float64]:
        """Sums of rewards by code, shape ``(size, n_messages + 1)``."""
        return np.column_stack(
            [np.bincount(codes, r[index], minlength=size) for r in self._rewards]
        )

    def _best_split(
        self, index: NDArray[np.int64], columns: list[int], least: float
    ) -> tuple[float, _Node]:
        """Value of the best single split, or of none, and the node."""
        best, node = -np.inf, _LEAF
        for j in columns:
            sums = self._histogram(self._codes[j, index].astype(np.int64), index, BINS)
            value, t = (a[0] for a in _split_values(sums[None], least))
            if value > best + 1e-12 * abs(best if np.isfinite(best) else 0.0):
                best = float(value)
                node = _Node(j, int(t), _LEAF, _LEAF) if t >= 0 else _LEAF
        return best, node

    def _best_pair(
        self, index: NDArray[np.int64], columns: list[int], least: float
    ) -> tuple[_Node, tuple[_Node, _Node]]:
        """The best first question with the best questions after either answer."""
        codes = self._codes[columns][:, index].astype(np.int64)
        p = len(columns)
        width = len(self._rewards)
        # By first column: sums by its code, and by the codes of every second column.
        joint = np.empty((p, p, BINS, BINS, width))
        for a in range(p):
            for b in range(a, p):
                table = self._histogram(codes[a] * BINS + codes[b], index, BINS * BINS)
                joint[a, b] = table.reshape(BINS, BINS, width)
                joint[b, a] = joint[a, b].swapaxes(0, 1)
        whole = joint[0, 0].sum(axis=(0, 1))
        best, found, below = float(whole[:-1].max()), _LEAF, (_LEAF, _LEAF)
        for a in range(p):
            yes = joint[a].cumsum(axis=1)  # second column, question, second's code, width
            no = yes[:, -1:] - yes
            counts = yes[0, :, :, -1].sum(axis=1), no[0, :, :, -1].sum(axis=1)
            allowed = (counts[0] >= least) & (counts[1] >= least)
            sides = []
            for sums in (yes, no):
                value, t = _split_values(sums.reshape(-1, BINS, width), least)
                value, t = value.reshape(p, BINS), t.reshape(p, BINS)
                second = value.argmax(axis=0)
                at = np.arange(BINS)
                sides.append((value[second, at], second, t[second, at]))
            total = np.where(allowed, sides[0][0] + sides[1][0], -np.inf)
            q = int(total.argmax())
            if total[q] > best + 1e-12 * abs(best):
                best = float(total[q])
                found = _Node(columns[a], q)
                below = tuple(  # type: ignore[assignment]
                    _Node(columns[int(second[q])], int(t[q]), _LEAF, _LEAF) if t[q] >= 0 else _LEAF
                    for _, second, t in sides
                )
        return found, below


def _split_values(
    sums: NDArray[np.float64], least: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Best value of splitting tables of sums by code, and the question; -1 for no split.

    ``sums`` is ``(m, BINS, n_messages + 1)``.
    """
    yes = sums.cumsum(axis=1)
    whole = yes[:, -1]
    no = whole[:, None] - yes
    value = yes[..., :-1].max(axis=-1) + no[..., :-1].max(axis=-1)
    allowed = (yes[..., -1] >= least) & (no[..., -1] >= least)
    value = np.where(allowed, value, -np.inf)
    t = value.argmax(axis=1)
    best = value[np.arange(len(value)), t]
    alone = whole[:, :-1].max(axis=-1)
    better = best > alone + 1e-12 * np.abs(alone)
    return np.where(better, best, alone), np.where(better, t, -1)


def _binned(features: pd.DataFrame) -> tuple[list[_Column], NDArray[np.uint8]]:
    """Columns that questions may be about, and their codes, shape ``(p, n)``."""
    columns: list[_Column] = []
    codes: list[NDArray[np.uint8]] = []
    for name in features.columns:
        values = features[name]
        if name == "customer_id" or name.removeprefix("log_") in set(features.columns) - {name}:
            continue
        if pd.api.types.is_numeric_dtype(values):
            number = values.to_numpy(dtype=np.float64)
            known = number[np.isfinite(number)]
            if not len(known):
                continue
            marks = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="lower"))
            marks = marks[marks < known.max()]
            if not len(marks):
                continue
            columns.append(_Column(name, tuple(marks.tolist()), None))
            codes.append(np.searchsorted(marks, number, side="left").astype(np.uint8))
        else:
            text = values.astype(str)
            levels = sorted(text.unique())
            if 1 < len(levels) <= MOST_LEVELS:
                for level in levels:
                    columns.append(_Column(name, (), level))
                    codes.append((text != level).to_numpy(dtype=np.uint8))
    return columns, np.array(codes, dtype=np.uint8).reshape(len(columns), len(features))
