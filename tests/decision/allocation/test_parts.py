"""What the proof of an optimum rests on: bounds, prices, the smoothed dual, who gives way first."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from pentathlon.decision.allocation import Limit, allocate
from pentathlon.decision.allocation.candidates import Candidates
from pentathlon.decision.allocation.exact import solve_tied
from pentathlon.decision.allocation.limits import LimitSystem


def binding(n: int, seed: int) -> tuple[np.ndarray, list[Limit]]:
    """A campaign whose budget and quota both bind: few want the message that many must get."""
    rng = np.random.default_rng(seed)
    profit = rng.gamma(2.0, 1.0, (n, 3)) + np.array([0.0, 1.0, -2.0])
    profit = profit.astype(np.float32).astype(float)  # what the engine keeps
    limits = [
        Limit("budget", (0.0, 1.0, 2.0), maximum=0.9 * n),
        Limit("quota", (0.0, 0.0, 1.0), minimum=0.3 * n),
    ]
    return profit, limits


def linear_optimum(profit: np.ndarray, limits: list[Limit]) -> float:
    n, k = profit.shape
    use = np.array([np.tile(limit.use, n) for limit in limits])
    low = np.array([limit.minimum for limit in limits])
    high = np.array([limit.maximum for limit in limits])
    above, below = np.isfinite(high), np.isfinite(low)
    program = linprog(
        -profit.ravel(),
        A_ub=np.vstack([use[above], -use[below]]),
        b_ub=np.concatenate([high[above], -low[below]]),
        A_eq=np.kron(np.eye(n), np.ones(k)),
        b_eq=np.ones(n),
    )
    return float(-program.fun)


@pytest.mark.parametrize("seed", range(4))
def test_prices_of_maxima_and_minima_prove_the_optimum(seed: int) -> None:
    profit, limits = binding(120, seed)
    best = linear_optimum(profit, limits)
    found = allocate(profit, limits)
    assert found.bound == pytest.approx(best, rel=1e-7)
    assert found.prices[0] > 0 > found.prices[1]
    # Whole customers: at most one price's worth below the linear program.
    assert best - np.abs(found.prices).sum() <= found.profit <= best * (1 + 1e-7)
    assert found.used[0] <= 0.9 * 120 + 1e-9
    assert found.used[1] >= 0.3 * 120 - 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_the_exact_program_finds_its_prices_from_none(seed: int) -> None:
    """Whatever prices it is given: those it returns are the linear program's own."""
    profit, limits = binding(120, seed)
    candidates = Candidates.of(profit, None, None, None)
    system = LimitSystem.of(limits, 1, 3)
    solved = solve_tied(candidates, system, np.zeros((1, 3)), 120)
    assert solved is not None
    _, prices = solved
    dual = candidates.best_total(system.price_table(prices)) + system.bound(prices)
    assert dual == pytest.approx(linear_optimum(profit, limits), rel=1e-6)


def test_prices_are_what_a_little_more_room_is_worth() -> None:
    profit, limits = binding(400, 7)
    found = allocate(profit, limits)
    wider = [Limit("budget", (0.0, 1.0, 2.0), maximum=0.9 * 400 + 1), limits[1]]
    lower = [limits[0], Limit("quota", (0.0, 0.0, 1.0), minimum=0.3 * 400 - 1)]
    best = linear_optimum(profit, limits)
    assert linear_optimum(profit, wider) - best == pytest.approx(found.prices[0], rel=0.1)
    assert linear_optimum(profit, lower) - best == pytest.approx(-found.prices[1], rel=0.1)


def test_limits_add_what_they_allow_at_their_prices() -> None:
    limits = [
        Limit("cap", (0.0, 1.0, 1.0), maximum=5),
        Limit("quota", (0.0, 0.0, 1.0), minimum=2),
        Limit("both", (0.0, 1.0, 0.0), minimum=1, maximum=4),
    ]
    system = LimitSystem.of(limits, 1, 3)
    assert system.bound(np.array([2.0, -3.0, -0.5])) == pytest.approx(2 * 5 - 3 * 2 - 0.5 * 1)
    assert system.bound(np.array([2.0, 0.0, 0.5])) == pytest.approx(2 * 5 + 0.5 * 4)


def test_the_smoothed_total_is_the_sum_of_soft_maxima_and_its_slope_the_counts() -> None:
    rng = np.random.default_rng(3)
    profit, segment = rng.normal(size=(50, 4)).astype(np.float32), rng.integers(0, 3, 50)
    table, temperature = rng.uniform(0, 1, (3, 4)), 0.2
    for codes, prices in ((segment, table), (None, table[:1])):
        candidates = Candidates.of(profit, codes, None, 3 if codes is not None else None)
        total, counts = candidates.smoothed(prices, temperature)
        reduced = (profit - (prices[codes] if codes is not None else prices)) / temperature
        soft = temperature * np.log(np.exp(reduced).sum(axis=1))
        assert total == pytest.approx(soft.sum(), rel=1e-5)
        share = np.exp(reduced) / np.exp(reduced).sum(axis=1, keepdims=True)
        for k in range(len(prices)):
            mine = share if codes is None else share[codes == k]
            np.testing.assert_allclose(counts[k], mine.sum(axis=0), rtol=1e-5)
        # Nesterov (2005): above the maximum by at most temperature x log of the messages.
        best = candidates.best_total(prices)
        assert best <= total <= best + 50 * temperature * np.log(4)


def test_a_later_limit_gives_way_no_further_to_spare_an_earlier_one() -> None:
    """The second must give 1; giving 4 more would spare the first 8, and is not asked of it."""
    limits = [
        Limit("first", (0.0, 0.0, 2.0), minimum=8),
        Limit("second", (0.0, 2.0, 1.0), maximum=5),
        Limit("fixed", (0.0, 1.0, 0.0), minimum=3),
    ]
    found = allocate(np.zeros((10, 3)), limits, relax=["first", "second"])
    assert found.slack.tolist() == pytest.approx([8, 1, 0])
