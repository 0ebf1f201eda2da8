"""Choosing one message for every customer within limits on all of them, to a certified optimum.

The problem is the linear one of sending profit ``v_ik`` through choices ``x_ik`` with a few
coupling limits (a generalised multiple-choice knapsack; Sinha and Zoltners 1979). Its Lagrangian
dual has one price per limit,

    g(p) = sum_i max_k (v_ik - sum_r p_r c_rk(i)) + sum_r (p_r+ max_r - p_r- min_r),

is convex, and bounds from above what any choice within the limits can earn. Prices are searched
on a sample, then on all customers, by quasi-Newton steps on a smoothed dual. Near the optimum
only customers whose best two messages are nearly tied can still change; they are put into a
linear program that is solved exactly, and the few whom it divides are rounded by a small integer
program. The dual at the program's own prices certifies the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.allocation.candidates import Candidates
from pentathlon.decision.allocation.feasibility import (
    Kinds,
    conflicting,
    relax_in_order,
    smallest_slack,
)
from pentathlon.decision.allocation.limits import Limit, LimitSystem
from pentathlon.errors import InfeasibleError, ParameterError

if TYPE_CHECKING:
    from scipy.sparse import csc_array

SAMPLE_ROWS = 50_000
NEAR_SHARE = 0.05
COOLING = (0.1, 0.02, 0.004, 0.0005)
"""Temperatures of the smoothed dual, as shares of the standard deviation of profits."""
TIED_ROWS = 4_000
"""Customers that the exact program starts with: those whose best two messages are closest."""
MOST_TIED_ROWS = 120_000
ROUNDED_ROWS = 300
"""Customers that the integer program may move when it rounds."""


@dataclass(frozen=True)
class Allocation:
    """Decisions within the limits, and the proof that none are better.

    Attributes
    ----------
    choice : ndarray of int8, shape (n,)
        Column of each customer's message.
    profit : float
        Total expected profit of the choice, in currency.
    bound : float
        No choice within the limits earns more.
    limits : tuple of Limit
        As they held: widened where they were allowed to give way.
    prices : ndarray of float64, shape (n_limits,)
        Shadow prices in currency per unit of use: above 0, one more unit of the maximum would be
        worth as much; below 0, one unit less of the minimum.
    used : ndarray of float64, shape (n_limits,)
    slack : ndarray of float64, shape (n_limits,)
        By how much each limit was widened.
    free_profit : float
        What would be earned without any limit.
    """

    choice: NDArray[np.int8]
    profit: float
    bound: float
    limits: tuple[Limit, ...]
    prices: NDArray[np.float64]
    used: NDArray[np.float64]
    slack: NDArray[np.float64]
    free_profit: float

    @property
    def gap(self) -> float:
        """Bound minus profit, relative to the bound."""
        return max(0.0, self.bound - self.profit) / max(abs(self.bound), 1e-12)


def allocate(
    profit: NDArray[np.floating],
    limits: Sequence[Limit],
    *,
    segment: NDArray[np.integer] | None = None,
    n_segments: int | None = None,
    eligible: NDArray[np.bool_] | None = None,
    relax: Sequence[str] = (),
    tolerance: float = 1e-6,
    seed: int = 0,
) -> Allocation:
    """Choose one message for every customer so that total expected profit is highest.

    Parameters
    ----------
    profit : ndarray of float, shape (n, n_messages)
        Expected profit in currency.
    limits : sequence of Limit
    segment : ndarray of int, shape (n,), optional
        Code of each customer's segment, from 0; needed when a limit names segments.
    n_segments : int, optional
        The highest code and one, unless there are segments without customers.
    eligible : ndarray of bool, shape (n, n_messages), optional
        Everything by default; each customer needs one eligible message at least.
    relax : sequence of str
        Names of limits that may give way, the first one first, when all cannot hold.
    tolerance : float
        Relative gap at which the search ends.
    seed : int
        Of the sample on which prices are searched first.

    Returns
    -------
    Allocation

    Raises
    ------
    InfeasibleError
        When the limits cannot hold together, naming those that clash and by how much.
    ParameterError
        When a customer has no eligible message, or a limit does not fit the arrays.

    References
    ----------
    Sinha, Zoltners (1979), "The multiple-choice knapsack problem"; Nesterov (2005), "Smooth
    minimization of non-smooth functions"; Fisher (1981), "The Lagrangian relaxation method for
    solving integer programming problems".
    """
    candidates = Candidates.of(profit, segment, eligible, n_segments)
    _check(candidates)
    asked = LimitSystem.of(limits, candidates.n_segments, candidates.n_messages)
    system, slack = _made_feasible(candidates, asked, relax)
    nothing = np.zeros((candidates.n_segments, candidates.n_messages))
    free = candidates.best_total(nothing)
    choice = candidates.choose(nothing)
    prices = np.zeros(len(system))
    bound = free
    if _broken(system, candidates, choice):
        prices = _search_prices(candidates, system, seed)
        choice, prices, bound = _finish(candidates, system, prices, tolerance)
    return Allocation(
        choice=choice,
        profit=candidates.value(choice),
        bound=bound,
        limits=tuple(
            replace(limit, minimum=low, maximum=high)
            for limit, low, high in zip(
                system.limits, system.minimum.tolist(), system.maximum.tolist(), strict=True
            )
        ),
        prices=prices,
        used=system.used(candidates.counts(choice)),
        slack=slack,
        free_profit=free,
    )


def _check(candidates: Candidates) -> None:
    if np.isnan(candidates.profit).any() or (candidates.profit == np.inf).any():
        raise ParameterError("profit: expected finite numbers, or minus infinity to exclude.")
    nobody = int((candidates.profit == -np.inf).all(axis=1).sum())
    if nobody:
        raise ParameterError(f"{nobody} of {len(candidates)} customers have no eligible message.")


def _broken(system: LimitSystem, candidates: Candidates, choice: NDArray[np.int8]) -> bool:
    return bool(system.violation(system.used(candidates.counts(choice))).any())


def _made_feasible(
    candidates: Candidates, system: LimitSystem, relax: Sequence[str]
) -> tuple[LimitSystem, NDArray[np.float64]]:
    """Widen the limits that may give way until all can hold, or say what clashes."""
    names = [limit.name for limit in system.limits]
    unknown = [name for name in relax if name not in names]
    if unknown:
        raise ParameterError(f"relax: no limit is called {unknown}; there are {names}.")
    kinds = Kinds.of(candidates)
    slack = smallest_slack(kinds, system)
    if not slack.any():
        return system, slack
    if relax:
        widened = relax_in_order(kinds, system, [names.index(name) for name in relax])
        if widened is not None:
            # Customers are whole: room for one more lets the rounded choice hold too.
            room = np.where(widened > 0, np.abs(system.use).max(axis=(1, 2)), 0.0)
            return system.relaxed(widened + room), widened
    clash = conflicting(kinds, system)
    rows = clash or list(range(len(system)))
    part = smallest_slack(kinds, system.only(rows))
    raise InfeasibleError(
        [names[r] for r in rows], {names[r]: float(s) for r, s in zip(rows, part, strict=True)}
    )


def _search_prices(candidates: Candidates, system: LimitSystem, seed: int) -> NDArray[np.float64]:
    """Prices near the optimum: on a sample, then on those whom its prices leave nearly tied."""
    n = len(candidates)
    finite = candidates.profit[:SAMPLE_ROWS]
    spread = float(np.std(finite[np.isfinite(finite)], dtype=np.float64)) or 1.0
    prices = np.zeros(len(system))
    if n <= 2 * SAMPLE_ROWS:
        for share in COOLING:
            prices = _descend(candidates, system, prices, share * spread)
        return prices
    rows = np.sort(np.random.default_rng(seed).choice(n, SAMPLE_ROWS, replace=False))
    sample, small = candidates.take(rows), system.scaled(SAMPLE_ROWS / n)
    for share in COOLING[:-1]:
        prices = _descend(sample, small, prices, share * spread)
    table = system.price_table(prices)
    # Prices of a sample are off by about 1 / sqrt(SAMPLE_ROWS); few customers change with them.
    margin = candidates.margin(table)
    near = np.flatnonzero(margin <= np.partition(margin, int(NEAR_SHARE * n))[int(NEAR_SHARE * n)])
    part = candidates.take(near)
    choice = candidates.choose(table)
    others = candidates.counts(choice) - part.counts(choice[near])
    rest = system.remaining(system.used(others))
    for share in COOLING[-2:]:
        prices = _descend(part, rest, prices, share * spread)
    return prices


def _descend(
    candidates: Candidates,
    system: LimitSystem,
    prices: NDArray[np.float64],
    temperature: float,
) -> NDArray[np.float64]:
    """Minimise the smoothed dual; each price is the difference of two that are not negative."""
    from scipy.optimize import minimize

    above, below = np.isfinite(system.maximum), np.isfinite(system.minimum)
    scale = np.abs(system.use).max(axis=(1, 2))
    n = len(candidates)

    def joined(z: NDArray[np.float64]) -> NDArray[np.float64]:
        p = np.zeros(len(system))
        p[above] += z[: above.sum()]
        p[below] -= z[above.sum() :]
        p /= scale
        return p

    def dual(z: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        total, counts = candidates.smoothed(system.price_table(joined(z)), temperature)
        used = system.used(counts)
        allowed = np.concatenate(
            [system.maximum[above] / scale[above], -system.minimum[below] / scale[below]]
        )
        slope = allowed - np.concatenate([used[above] / scale[above], -used[below] / scale[below]])
        return (total + float(z @ allowed)) / n, slope / n

    start = np.concatenate(
        [np.maximum(prices * scale, 0)[above], np.maximum(-prices * scale, 0)[below]]
    )
    found = minimize(
        dual,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, None)] * len(start),
        options={"maxiter": 80, "ftol": 1e-13, "gtol": 1e-9},
    )
    return joined(found.x)


def _finish(
    candidates: Candidates,
    system: LimitSystem,
    prices: NDArray[np.float64],
    tolerance: float,
) -> tuple[NDArray[np.int8], NDArray[np.float64], float]:
    """Solve exactly for the customers who are nearly tied, and for more until the gap closes."""
    rows = min(TIED_ROWS, len(candidates))
    bound = candidates.best_total(system.price_table(prices)) + system.bound(prices)
    choice: NDArray[np.int8] | None = None
    value = -np.inf
    while True:
        solved = _solve_tied(candidates, system, system.price_table(prices), rows)
        if solved is not None:
            found, exact = solved
            worth = candidates.value(found)
            if worth > value:
                choice, value = found, worth
            lower = candidates.best_total(system.price_table(exact)) + system.bound(exact)
            if lower < bound:
                prices, bound = exact, lower
            if bound - value <= tolerance * abs(bound):
                break
        if rows >= min(MOST_TIED_ROWS, len(candidates)):
            break
        rows = min(4 * rows, len(candidates))
    if choice is None:
        raise InfeasibleError(
            [limit.name for limit in system.limits],
            {},
            "no choice of whole customers meets them all, though fractions would",
        )
    return choice, prices, bound


def _solve_tied(
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
