"""Compiled walks of trees; import this module only where trees are walked.

Rows go through one tree at a time, eight at once: a row's next split waits for its last one, and
eight rows that wait together keep the processor busy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from pentathlon.models.compiled.ensemble import CONSTANT, MIXED, OF_MATCH

BLOCK_ROWS = 512
"""Rows of a block: their columns stay in the second-level cache while all trees pass by."""
LANES = 8


@njit(inline="always")
def _step(nodes: Any, thresholds: Any, x: Any, row: int, node: int) -> Any:
    above = x[row, nodes[node, 0]] > thresholds[node, 1]
    return np.uint64(nodes[node, 2]) + np.uint64(above)


@njit(inline="always")
def _walk_eight(
    nodes: Any, thresholds: Any, x: Any, rows: Any, at: Any, first: int, depth: int
) -> None:
    """Take up to ``depth`` steps with eight rows, from the nodes ``at`` which they stand."""
    r0, r1, r2, r3 = rows[first], rows[first + 1], rows[first + 2], rows[first + 3]
    r4, r5, r6, r7 = rows[first + 4], rows[first + 5], rows[first + 6], rows[first + 7]
    n0, n1, n2, n3 = at[first], at[first + 1], at[first + 2], at[first + 3]
    n4, n5, n6, n7 = at[first + 4], at[first + 5], at[first + 6], at[first + 7]
    for _ in range(depth):
        m0 = _step(nodes, thresholds, x, r0, n0)
        m1 = _step(nodes, thresholds, x, r1, n1)
        m2 = _step(nodes, thresholds, x, r2, n2)
        m3 = _step(nodes, thresholds, x, r3, n3)
        m4 = _step(nodes, thresholds, x, r4, n4)
        m5 = _step(nodes, thresholds, x, r5, n5)
        m6 = _step(nodes, thresholds, x, r6, n6)
        m7 = _step(nodes, thresholds, x, r7, n7)
        moved = (n0 ^ m0) | (n1 ^ m1) | (n2 ^ m2) | (n3 ^ m3)
        moved |= (n4 ^ m4) | (n5 ^ m5) | (n6 ^ m6) | (n7 ^ m7)
        if moved == 0:
            break
        n0, n1, n2, n3, n4, n5, n6, n7 = m0, m1, m2, m3, m4, m5, m6, m7
    at[first], at[first + 1], at[first + 2], at[first + 3] = n0, n1, n2, n3
    at[first + 4], at[first + 5], at[first + 6], at[first + 7] = n4, n5, n6, n7


@njit(inline="always")
def _sort_out(nodes: Any, at: Any, count: int, leaves: Any, forks: Any) -> tuple[int, int]:
    """Positions of items that stand at a leaf and at a fork, and how many there are of each."""
    n_leaves, n_forks = 0, 0
    for i in range(count):
        is_fork = nodes[at[i], 3] & np.uint32(1)
        leaves[n_leaves], forks[n_forks] = i, i
        n_leaves += 1 - is_fork
        n_forks += is_fork
    return n_leaves, n_forks


@njit(inline="always")
def _branch(
    fork: int, row: int, mask: int, forks: Any, thresholds: Any, match: Any, to: Any, end: int
) -> int:
    """Send the messages of ``mask`` left or right at a fork; append who goes where to ``to``."""
    rows, at, who = to
    right, feature, threshold = forks[fork, 4], forks[fork, 0], thresholds[fork]
    for k in range(match.shape[2]):
        right |= np.int64(match[row, feature, k] > threshold) << k
    left = mask & ~right
    right &= mask
    rows[end], at[end], who[end] = row, forks[fork, 2], left
    end += left != 0
    rows[end], at[end], who[end] = row, forks[fork, 3], right
    end += right != 0
    return end


@njit(inline="always")
def _follow(
    nodes: Any,
    node_thresholds: Any,
    forks: Any,
    thresholds: Any,
    values: Any,
    x: Any,
    match: Any,
    out: Any,
    items: Any,
    others: Any,
    count: int,
    depth: int,
    leaf_at: Any,
    fork_at: Any,
) -> None:
    """Walk items (row, node, messages) on until every message of them is at a leaf."""
    while count > 0:
        rows, at, who = items
        for i in range(count, count + LANES):
            rows[i], at[i] = rows[0], at[0]
        for first in range(0, count, LANES):
            _walk_eight(nodes, node_thresholds, x, rows, at, first, depth)
        n_leaves, n_forks = _sort_out(nodes, at, count, leaf_at, fork_at)
        for j in range(n_leaves):
            i = leaf_at[j]
            value = values[nodes[at[i], 3] >> 1]
            for k in range(out.shape[1]):
                out[rows[i], k] += value * ((who[i] >> k) & 1)
        count = 0
        for j in range(n_forks):
            i = fork_at[j]
            fork = nodes[at[i], 3] >> 1
            depth = max(depth, forks[fork, 5])
            count = _branch(fork, rows[i], who[i], forks, thresholds, match, others, count)
        items, others = others, items


@njit(inline="always")
def _add_leaves(nodes: Any, values: Any, at: Any, count: int, start: int, out: Any) -> None:
    """Add the values of leaves that all messages of a customer share."""
    for i in range(count):
        value = values[nodes[at[i], 3] >> 1]
        for k in range(out.shape[1]):
            out[start + i, k] += value


@njit(inline="always")
def _add_leaves_of_pairs(
    nodes: Any, values: Any, at: Any, count: int, start: int, out: Any
) -> None:
    """Add the values of leaves that each customer and message has for itself."""
    n_messages = out.shape[1]
    for i in range(count):
        for k in range(n_messages):
            out[start + i, k] += values[nodes[at[i * n_messages + k], 3] >> 1]


@njit(inline="always")
def _walk_all(
    nodes: Any, thresholds: Any, x: Any, rows: Any, at: Any, root: int, depth: int, span: Any
) -> None:
    """Walk the rows ``span`` (first, count) from a root; where they stop goes to ``at``."""
    first_row, count = span
    for i in range(count + LANES):
        rows[i], at[i] = first_row + min(i, count - 1), root
    for first in range(0, count, LANES):
        _walk_eight(nodes, thresholds, x, rows, at, first, depth)


@njit(inline="always")
def _add_mixed(
    nodes: Any,
    node_thresholds: Any,
    forks: Any,
    thresholds: Any,
    values: Any,
    x: Any,
    match: Any,
    out: Any,
    at: Any,
    span: Any,
    buffers: Any,
) -> None:
    """Go on from where rows of a tree first stopped, at leaves and at forks."""
    start, count = span
    items, others, leaf_at, fork_at = buffers
    everyone = (np.int64(1) << out.shape[1]) - 1
    n_leaves, n_forks = _sort_out(nodes, at, count, leaf_at, fork_at)
    for j in range(n_leaves):
        i = leaf_at[j]
        value = values[nodes[at[i], 3] >> 1]
        for k in range(out.shape[1]):
            out[start + i, k] += value
    following, depth = 0, 0
    for j in range(n_forks):
        i = fork_at[j]
        fork = nodes[at[i], 3] >> 1
        depth = max(depth, forks[fork, 5])
        row = start + i
        following = _branch(fork, row, everyone, forks, thresholds, match, items, following)
    _follow(
        nodes,
        node_thresholds,
        forks,
        thresholds,
        values,
        x,
        match,
        out,
        items,
        others,
        following,
        depth,
        leaf_at,
        fork_at,
    )


@njit(nogil=True, cache=True)
def add_trees(
    nodes: Any,
    node_thresholds: Any,
    forks: Any,
    thresholds: Any,
    roots: Any,
    values: Any,
    constants: Any,
    x: Any,
    match: Any,
    pairs: Any,
    out: Any,
) -> None:
    """Add every tree's value under every message to ``out``, in the order of the trees.

    Parameters
    ----------
    nodes, forks, roots, constants : ndarray
        Of an :class:`pentathlon.models.compiled.ensemble.Ensemble`.
    node_thresholds : ndarray of float32, shape (n_nodes, 4)
        The memory of ``nodes``, read as float32.
    thresholds : ndarray of float32, shape (n_forks,)
    values : ndarray, shape (n_leaves,)
    x : ndarray of float32, shape (n, n_base)
    match : ndarray of float32, shape (n, n_match, n_messages)
    pairs : ndarray of float32, shape (n * n_messages, n_match)
        The same, a row per customer and message.
    out : ndarray of the type of values, shape (n, n_messages)
    """
    n, n_messages = out.shape
    size = BLOCK_ROWS * n_messages + LANES
    rows, at = np.zeros(size, np.uint64), np.zeros(size, np.uint64)
    buffers = (
        (np.zeros(size, np.uint64), np.zeros(size, np.uint64), np.zeros(size, np.int64)),
        (np.zeros(size, np.uint64), np.zeros(size, np.uint64), np.zeros(size, np.int64)),
        np.zeros(size, np.uint64),
        np.zeros(size, np.uint64),
    )
    for start in range(0, n, BLOCK_ROWS):
        count = min(n - start, BLOCK_ROWS)
        span, pair_span = (start, count), (start * n_messages, count * n_messages)
        for tree in range(roots.shape[0]):
            root, depth, kind = roots[tree, 0], roots[tree, 1], roots[tree, 2]
            if kind == CONSTANT:
                for i in range(start, start + count):
                    for k in range(n_messages):
                        out[i, k] += constants[root, k]
                continue
            if kind == OF_MATCH:
                _walk_all(nodes, node_thresholds, pairs, rows, at, root, depth, pair_span)
                _add_leaves_of_pairs(nodes, values, at, count, start, out)
                continue
            _walk_all(nodes, node_thresholds, x, rows, at, root, depth, span)
            if kind == MIXED:
                _add_mixed(
                    nodes,
                    node_thresholds,
                    forks,
                    thresholds,
                    values,
                    x,
                    match,
                    out,
                    at,
                    span,
                    buffers,
                )
                continue
            _add_leaves(nodes, values, at, count, start, out)


@njit(nogil=True, cache=True)
def add_vector_trees(
    nodes: Any, thresholds: Any, roots: Any, values: Any, x: Any, out: Any
) -> None:
    """Add every tree's leaf, a value per output, to ``out``, in the order of the trees.

    Parameters
    ----------
    nodes, thresholds, roots
        As in :func:`add_trees`, without forks.
    values : ndarray, shape (n_leaves, n_outputs)
    x : ndarray of float32, shape (n, n_base)
    out : ndarray of the type of values, shape (n, n_outputs)
    """
    n = x.shape[0]
    rows, at = np.zeros(BLOCK_ROWS + LANES, np.uint64), np.zeros(BLOCK_ROWS + LANES, np.uint64)
    for start in range(0, n, BLOCK_ROWS):
        count = min(BLOCK_ROWS, n - start)
        for i in range(count + LANES):
            rows[i] = start + min(i, count - 1)
        for tree in range(roots.shape[0]):
            at[:] = roots[tree, 0]
            for first in range(0, count, LANES):
                _walk_eight(nodes, thresholds, x, rows, at, first, roots[tree, 1])
            for i in range(count):
                leaf = nodes[at[i], 3] >> 1
                for k in range(out.shape[1]):
                    out[start + i, k] += values[leaf, k]
