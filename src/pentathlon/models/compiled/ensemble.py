"""Ensembles of trees as flat arrays, split into what the message decides and what it does not.

A tree of the shared design sees base columns, which are the customer's whatever the message, and
columns that depend on the message: indicators and match features. Everything above the first
split on such a column is the same for all messages. So a tree becomes *stretches* of splits on
base columns, which end in a leaf or in a *fork*, where the messages may part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_MESSAGES = 62
"""Messages are bits of an int64."""

INNER = -1
"""``code`` of a node that splits on a base column."""
CONSTANT, OF_BASE, OF_MATCH, MIXED = 0, 1, 2, 3
"""What a tree splits on: indicators alone, base columns, match features, or several kinds."""
_NEVER = int(np.float32(np.inf).view(np.int32))
"""Bits of a threshold that nothing is above."""


@dataclass(frozen=True)
class TreeTable:
    """One tree as its library keeps it, with splits brought to ``x > threshold``.

    Attributes
    ----------
    feature : ndarray of int32, shape (n_nodes,)
        Column of the split; anything at leaves.
    threshold : ndarray of float32, shape (n_nodes,)
        A row goes right when its value is above.
    left, right : ndarray of int32, shape (n_nodes,)
        Children; ``left`` is -1 at leaves.
    missing_right : ndarray of bool, shape (n_nodes,)
    leaf : ndarray of int64, shape (n_nodes,)
        Row of the leaf's value; anything elsewhere.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_right: NDArray[np.bool_]
    leaf: NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Columns of the design that trees were grown on: base, indicators, match.

    Attributes
    ----------
    n_base, n_messages, n_match : int
        Trees of base columns alone have no messages and no match.
    """

    n_base: int
    n_messages: int = 0
    n_match: int = 0


@dataclass(frozen=True)
class Ensemble:
    """Trees as the kernels walk them.

    Attributes
    ----------
    nodes : ndarray of int32, shape (n_nodes, 4)
        Feature, bits of the float32 threshold, left child (the right one is next to it) and code:
        ``INNER``, ``2 * leaf``, or ``2 * fork + 1``. Leaves and forks lead to themselves, so that
        rows may take more steps than they need.
    forks : ndarray of int64, shape (n_forks, 6)
        Match feature; bits of the threshold; left and right node; messages that go right anyway,
        which a fork on an indicator is all about; most splits until the next stop either side.
    missing_right : ndarray of int32, shape (n_nodes,) and missing_right_forks, shape (n_forks,)
        Added to the feature when rows have gaps: ``n_base`` or ``n_match`` where a missing value
        goes right, else 0.
    roots : ndarray of int64, shape (n_trees, 3)
        Node (of a constant tree its row in ``constants``), most splits until the first leaf or
        fork, and the kind of the tree.
    constants : ndarray, shape (n_constant_trees, n_messages)
        Values of the trees that split on nothing but the message.
    values : ndarray, shape (n_leaves, n_outputs)
    layout : Layout
    """

    nodes: NDArray[np.int32]
    forks: NDArray[np.int64]
    missing_right: NDArray[np.int32]
    missing_right_forks: NDArray[np.int64]
    roots: NDArray[np.int64]
    constants: NDArray[Any]
    values: NDArray[Any]
    layout: Layout

    @classmethod
    def of(cls, trees: Sequence[TreeTable], values: NDArray[Any], layout: Layout) -> Ensemble:
        """Arrange trees.

        Parameters
        ----------
        trees : sequence of TreeTable
        values : ndarray, shape (n_leaves, n_outputs)
        layout : Layout
        """
        writer = _Writer(layout, values)
        roots = [writer.tree(tree) for tree in trees]
        return cls(
            np.array(writer.nodes, dtype=np.int32).reshape(-1, 4),
            np.array(writer.forks, dtype=np.int64).reshape(-1, 6),
            np.array(writer.missing_right, dtype=np.int32),
            np.array(writer.missing_right_forks, dtype=np.int64),
            np.array(roots, dtype=np.int64).reshape(-1, 3),
            np.array(writer.constants, dtype=values.dtype).reshape(-1, max(1, layout.n_messages)),
            np.ascontiguousarray(values),
            layout,
        )

    def with_gaps(self) -> Ensemble:
        """The same trees for rows whose columns are given twice: gaps low, then gaps high."""
        nodes, forks = self.nodes.copy(), self.forks.copy()
        nodes[:, 0] += self.missing_right
        forks[:, 0] += self.missing_right_forks
        return Ensemble(
            nodes,
            forks,
            self.missing_right,
            self.missing_right_forks,
            self.roots,
            self.constants,
            self.values,
            self.layout,
        )


class _Writer:
    """Lays trees out one after the other, siblings side by side, top down."""

    def __init__(self, layout: Layout, values: NDArray[Any]) -> None:
        self.layout = layout
        self.values = values
        self.nodes: list[tuple[int, int, int, int]] = []
        self.forks: list[tuple[int, int, int, int, int, int]] = []
        self.missing_right: list[int] = []
        self.missing_right_forks: list[int] = []
        self.constants: list[NDArray[Any]] = []

    def tree(self, tree: TreeTable) -> tuple[int, int, int]:
        """Lay out a tree; its root's place, the splits until its first stop, and its kind."""
        kind = _kind(tree, self.layout)
        if kind == CONSTANT:
            self.constants.append(_by_message(tree, self.values, self.layout))
            return len(self.constants) - 1, 0, kind
        layout = self.layout
        first, width = 0, layout.n_base
        if kind == OF_MATCH:
            first, width = layout.n_base + layout.n_messages, layout.n_match
        bits = tree.threshold.view(np.int32)
        depth = _depths(tree, first, first + width)
        root = self._reserve(1)
        queue = [(0, root)]
        for old, new in queue:
            column = int(tree.feature[old]) - first
            left, right = int(tree.left[old]), int(tree.right[old])
            if left < 0:
                self._stop(new, 2 * int(tree.leaf[old]))
                continue
            pair = self._reserve(2)
            queue += [(left, pair), (right, pair + 1)]
            if column < width:
                self.nodes[new] = (column, int(bits[old]), pair, INNER)
                self.missing_right[new] = width * int(tree.missing_right[old])
                continue
            self._stop(new, 2 * len(self.forks) + 1)
            self._fork(tree, old, pair, max(depth[left], depth[right]))
        return root, depth[0], kind

    def _reserve(self, count: int) -> int:
        start = len(self.nodes)
        self.nodes += [(0, 0, 0, INNER)] * count
        self.missing_right += [0] * count
        return start

    def _stop(self, place: int, code: int) -> None:
        self.nodes[place] = (0, _NEVER, place, code)

    def _fork(self, tree: TreeTable, old: int, pair: int, depth: int) -> None:
        layout = self.layout
        column, threshold = int(tree.feature[old]) - layout.n_base, tree.threshold[old]
        bits = int(threshold.view(np.int32))
        if column < layout.n_messages:
            others = (1 << layout.n_messages) - 1 - (1 << column)
            right = (others if threshold < 0 else 0) | ((1 << column) if threshold < 1 else 0)
            self.forks.append((0, _NEVER, pair, pair + 1, right, depth))
            self.missing_right_forks.append(0)
            return
        self.forks.append((column - layout.n_messages, bits, pair, pair + 1, 0, depth))
        self.missing_right_forks.append(layout.n_match * int(tree.missing_right[old]))


def _kind(tree: TreeTable, layout: Layout) -> int:
    """What a tree splits on."""
    column = tree.feature[tree.left >= 0]
    of_base = column < layout.n_base
    of_match = column >= layout.n_base + layout.n_messages
    if of_base.all():
        return OF_BASE
    if of_match.all():
        return OF_MATCH
    return MIXED if (of_base | of_match).any() else CONSTANT


def _by_message(tree: TreeTable, values: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """Value of a tree of indicators under each message, shape ``(n_messages,)``."""
    out = np.empty(layout.n_messages, dtype=values.dtype)
    for message in range(layout.n_messages):
        node = 0
        while tree.left[node] >= 0:
            value = float(tree.feature[node] - layout.n_base == message)
            node = int((tree.right if value > tree.threshold[node] else tree.left)[node])
        out[message] = values[tree.leaf[node], 0]
    return out


def _depths(tree: TreeTable, first: int, end: int) -> list[int]:
    """Most splits on columns ``first`` to ``end`` from each node until a leaf or a fork."""
    order = [0]
    for node in order:
        if tree.left[node] >= 0:
            order += [int(tree.left[node]), int(tree.right[node])]
    depth = [0] * len(tree.left)
    for node in reversed(order):
        if tree.left[node] >= 0 and first <= tree.feature[node] < end:
            depth[node] = 1 + max(depth[tree.left[node]], depth[tree.right[node]])
    return depth
