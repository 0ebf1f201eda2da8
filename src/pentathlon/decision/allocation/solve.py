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

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.allocation.candidates import Candidates
from pentathlon.decision.allocation.exact import TIED_ROWS, solve_tied
from pentathlon.decision.allocation.feasibility import (
    Kinds,
    conflicting,
    relax_in_order,
    smallest_slack,
)
from pentathlon.decision.allocation.limits import Limit, LimitSystem
from pentathlon.errors import InfeasibleError, ParameterError

SAMPLE_ROWS = 50_000
NEAR_SHARE = 0.05
COOLING = (0.1, 0.02, 0.004, 0.0005)
"""Temperatures of the smoothed dual, as shares of the standard deviation of profits."""
MOST_TIED_ROWS = 120_000


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
        solved = solve_tied(candidates, system, system.price_table(prices), rows)
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
