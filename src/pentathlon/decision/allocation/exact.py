"""Solving exactly for the customers who are nearly tied, and rounding the few it divides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.allocation.candidates import Candidates
from pentathlon.decision.allocation.limits import LimitSystem

if TYPE_CHECKING:
    from scipy.sparse import csc_array

TIED_ROWS = 4_000
"""Customers that the exact program starts with: those whose best two messages are closest."""
ROUNDED_ROWS = 300
"""Customers that the integer program may move when it rounds."""


def solve_tied(
    candidates: Candidates, system: LimitSystem, table: NDArray[np.float64], n_tied: int
) -> tuple[NDArray[np.int8], NDArray[np.float64]] | None:
    """Solve the program of the customers that are nearest to a tie; the others stay.

    Returns
    -------
    choice : ndarray of int8, shape (n,)
    prices : ndarray of float64, shape (n_limits,)
        The program's own.
    """
    from scipy.optimize import linprog
    from scipy.sparse import csc_array, csr_array, vstack

    choice = candidates.choose(table)
    margin = candidates.margin(table)
    tied = np.sort(np.argpartition(margin, n_tied - 1)[:n_tied])
    reach = max(float(margin[tied].max(initial=0.0, where=np.isfinite(margin[tied]))), 0.0)
    part = candidates.take(tied)
    fixed = candidates.counts(choice) - part.counts(choice[tied])
    rest = system.used(fixed)
    reduced = part.profit - table[part.segment]
    near = (reduced.max(axis=1, keepdims=True) - reduced) <= 3 * reach + 1e-12
    if len(candidates) <= TIED_ROWS:
        near[:] = True  # a small campaign is one program: nobody's best need be near at the prices
    customer, message = np.nonzero(near & np.isfinite(part.profit))
    use = csc_array(system.use[:, part.segment[customer], message])
    value = part.profit[customer, message].astype(np.float64)
    above, below = np.isfinite(system.maximum), np.isfinite(system.minimum)
    one_each = csr_array(
        (np.ones(len(customer)), (customer, np.arange(len(customer)))), (len(tied), len(customer))
    )
    # The objective in units of its own spread: solvers' tolerances are absolute.
    unit = max(float(np.abs(value).max(initial=0.0)), 1e-12)
    program = linprog(
        -value / unit,
        A_ub=vstack([use[above], -use[below]]).tocsr(),
        b_ub=np.concatenate([(system.maximum - rest)[above], (rest - system.minimum)[below]]),
        A_eq=one_each,
        b_eq=np.ones(len(tied)),
        bounds=(0.0, 1.0),
        method="highs",
    )
    if program.status != 0:
        return None
    marginals = -np.asarray(program.ineqlin.marginals) * unit
    prices = np.zeros(len(system))
    prices[above] += marginals[: above.sum()]
    prices[below] -= marginals[above.sum() :]
    x = np.asarray(program.x)
    rounded = _round(part, system, rest, x, customer, message, use, value)
    if rounded is None:
        return None
    choice = choice.copy()
    choice[tied] = rounded
    return choice, prices


def _round(
    part: Candidates,
    system: LimitSystem,
    rest: NDArray[np.float64],
    x: NDArray[np.float64],
    customer: NDArray[np.int64],
    message: NDArray[np.int64],
    use: csc_array,
    value: NDArray[np.float64],
) -> NDArray[np.int64] | None:
    """Whole customers: an integer program on those whom the linear one divides, and some more."""
    from scipy.optimize import LinearConstraint, milp
    from scipy.sparse import csr_array

    n = len(part)
    order = np.lexsort((-x, customer))
    first = order[np.searchsorted(customer[order], np.arange(n))]
    chosen = message[first]
    divided = x[first] < 1 - 1e-9
    spare = np.flatnonzero(~divided)
    movable = divided.copy()
    extra = max(ROUNDED_ROWS - int(divided.sum()), 0)
    movable[spare[np.linspace(0, len(spare) - 1, min(extra, len(spare))).astype(np.int64)]] = True
    if not divided.any():
        return chosen
    inside = movable[customer]
    still = first[~movable]
    base = rest + use[:, still].sum(axis=1)
    cells = np.flatnonzero(inside)
    who = np.cumsum(movable) - 1
    count = int(movable.sum())
    one_each = csr_array(
        (np.ones(len(cells)), (who[customer[cells]], np.arange(len(cells)))), (count, len(cells))
    )
    found = milp(
        -value[cells],
        constraints=[
            LinearConstraint(one_each, 1, 1),
            LinearConstraint(
                csr_array(use[:, cells]), system.minimum - base, system.maximum - base
            ),
        ],
        integrality=np.ones(len(cells)),
        bounds=(0, 1),
        options={"time_limit": 10.0, "mip_rel_gap": 1e-9},
    )
    if found.x is None:
        return None
    take = cells[found.x > 0.5]
    chosen[customer[take]] = message[take]
    return chosen
