"""Whether limits can hold together, which cannot, and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.allocation.candidates import Candidates
from pentathlon.decision.allocation.limits import LimitSystem


@dataclass(frozen=True)
class Kinds:
    """Customers that limits cannot tell apart: one segment, one set of eligible messages.

    Attributes
    ----------
    count : ndarray of float64, shape (n_kinds,)
    segment : ndarray of int64, shape (n_kinds,)
    eligible : ndarray of bool, shape (n_kinds, n_messages)
    """

    count: NDArray[np.float64]
    segment: NDArray[np.int64]
    eligible: NDArray[np.bool_]

    @classmethod
    def of(cls, candidates: Candidates) -> Kinds:
        """Count the kinds of customers; there are few, however many customers there are."""
        bit = 1 << np.arange(candidates.n_messages, dtype=np.int64)
        code = (candidates.profit > -np.inf) @ bit
        code += candidates.segment.astype(np.int64) << candidates.n_messages
        found, count = np.unique(code, return_counts=True)
        return cls(
            count.astype(np.float64),
            found >> candidates.n_messages,
            (found[:, None] & bit) > 0,
        )


def smallest_slack(
    kinds: Kinds,
    system: LimitSystem,
    weight: NDArray[np.float64] | None = None,
    most: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Least weighted widening of the limits with which they can all hold, shape (n_limits,).

    All zero where they can hold as they are, all infinite where nothing helps. Customers are
    divisible here; whole customers may miss a limit by less than one of them.

    Parameters
    ----------
    kinds : Kinds
    system : LimitSystem
    weight : ndarray of float64, shape (n_limits,), optional
        Price of one unit of widening of each limit; 1 by default.
    most : ndarray of float64, shape (n_limits,), optional
        Most that each limit may be widened; without bound by default.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack, vstack

    kind, message = np.nonzero(kinds.eligible)
    cells, limits = len(kind), len(system)
    use = csr_array(system.use[:, kinds.segment[kind], message])
    assigned = csr_array((np.ones(cells), (kind, np.arange(cells))), (len(kinds.count), cells))
    widening = csr_array(np.eye(limits))
    above, below = np.isfinite(system.maximum), np.isfinite(system.minimum)
    upper = hstack([use[above], -widening[above]])
    lower = hstack([-use[below], -widening[below]])
    cost = np.ones(limits) if weight is None else weight
    widest = np.full(limits, np.inf) if most is None else most
    found = linprog(
        np.concatenate([np.zeros(cells), cost]),
        A_ub=vstack([upper, lower]).tocsr(),
        b_ub=np.concatenate([system.maximum[above], -system.minimum[below]]),
        A_eq=hstack([assigned, csr_array((len(kinds.count), limits))]).tocsr(),
        b_eq=kinds.count,
        bounds=np.column_stack(
            [np.zeros(cells + limits), np.concatenate([np.full(cells, np.inf), widest])]
        ),
        method="highs",
    )
    if found.status != 0:
        return np.full(limits, np.inf)
    slack = np.asarray(found.x[cells:], dtype=np.float64)
    scale = np.maximum(1.0, np.abs(np.where(above, system.maximum, system.minimum)))
    return np.where(slack > 1e-9 * scale, slack, 0.0)


def conflicting(kinds: Kinds, system: LimitSystem) -> list[int]:
    """Limits that cannot hold together while any one of them less could.

    A deletion filter (Chinneck and Dravnieks 1991): each limit is left out in turn, and stays
    out when the others still clash.

    Returns
    -------
    list of int
        Positions; empty when all limits can hold.
    """
    kept = list(range(len(system)))
    if not smallest_slack(kinds, system).any():
        return []
    for row in range(len(system)):
        rest = [r for r in kept if r != row]
        if rest and smallest_slack(kinds, system.only(rest)).any():
            kept = rest
    return kept


def relax_in_order(
    kinds: Kinds, system: LimitSystem, order: Sequence[int]
) -> NDArray[np.float64] | None:
    """Widen limits one after the other, in the order given, only as far as needed.

    A limit gives way only when all before it in the order cannot make room together, and then
    as little as possible.

    Returns
    -------
    ndarray of float64, shape (n_limits,), or None
        Widening of each limit; ``None`` when those in the order cannot make the others hold.
    """
    most = np.zeros(len(system))
    for needed in range(len(order) + 1):
        most[list(order[:needed])] = np.inf
        if np.isfinite(smallest_slack(kinds, system, most=most)).all():
            break
    else:
        return None
    slack = np.zeros(len(system))
    for row in reversed(order[:needed]):
        only = np.zeros(len(system))
        only[row] = 1.0
        slack = smallest_slack(kinds, system, weight=only, most=most)
        most[row] = slack[row] * (1 + 1e-9)
    return np.where(np.isfinite(most), np.minimum(slack, most), slack)
