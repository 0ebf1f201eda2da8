"""Walking an ensemble over many rows, on several threads."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.models.compiled.ensemble import Ensemble

Floats = NDArray[np.float32]
ROWS_A_THREAD = 4_096
"""Fewer rows are not worth a thread of their own."""


def add_by_message(
    ensemble: Ensemble, base: Floats, match: Floats, out: NDArray[Any], threads: int = 1
) -> None:
    """Add the trees' values under every message to ``out``.

    Parameters
    ----------
    ensemble : Ensemble
        Of one output.
    base : ndarray of float32, shape (n, n_base)
    match : ndarray of float32, shape (n, n_messages, n_match)
    out : ndarray of the type of the values, shape (n, n_messages)
    threads : int
    """
    from pentathlon.models.compiled.kernels import add_trees

    gaps = bool(np.isnan(base).any() or np.isnan(match).any())
    if gaps:
        ensemble, base, match = ensemble.with_gaps(), _doubled(base), _doubled(match)
    nodes, forks = ensemble.nodes.view(np.uint32), ensemble.forks
    fork_thresholds = forks[:, 1].astype(np.int32).view(np.float32)
    values = np.ascontiguousarray(ensemble.values[:, 0])
    by_feature = np.ascontiguousarray(match.transpose(0, 2, 1))
    n_messages = match.shape[1]
    pairs = np.ascontiguousarray(match).reshape(len(match) * n_messages, -1)
    base = np.ascontiguousarray(base)

    def part(rows: slice) -> None:
        add_trees(
            nodes,
            nodes.view(np.float32),
            forks,
            fork_thresholds,
            ensemble.roots,
            values,
            ensemble.constants,
            base[rows],
            by_feature[rows],
            pairs[rows.start * n_messages : rows.stop * n_messages],
            out[rows],
        )

    in_parts(part, len(out), threads)


def add_by_output(ensemble: Ensemble, base: Floats, out: NDArray[Any], threads: int = 1) -> None:
    """Add the trees' leaves, a value per output, to ``out``.

    Parameters
    ----------
    ensemble : Ensemble
        Grown on base columns alone.
    base : ndarray of float32, shape (n, n_base)
    out : ndarray of the type of the values, shape (n, n_outputs)
    threads : int
    """
    from pentathlon.models.compiled.kernels import add_vector_trees

    if np.isnan(base).any():
        ensemble, base = ensemble.with_gaps(), _doubled(base)
    nodes = ensemble.nodes.view(np.uint32)
    base = np.ascontiguousarray(base)

    def part(rows: slice) -> None:
        add_vector_trees(
            nodes, nodes.view(np.float32), ensemble.roots, ensemble.values, base[rows], out[rows]
        )

    in_parts(part, len(out), threads)


def in_parts(work: Callable[[slice], None], n: int, threads: int) -> None:
    """Give each thread a run of rows."""
    parts = min(threads, max(1, n // ROWS_A_THREAD))
    ends = np.linspace(0, n, parts + 1).astype(int)
    slices = [slice(a, b) for a, b in pairwise(ends.tolist())]
    if parts == 1:
        work(slices[0])
        return
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(work, slices))


def _doubled(values: Floats) -> Floats:
    """Columns twice, gaps below every threshold first and above every threshold then."""
    gap = np.isnan(values)
    return np.concatenate(
        [
            np.where(gap, np.float32(-np.inf), values),
            np.where(gap, np.float32(np.inf), values),
        ],
        axis=-1,
    )
