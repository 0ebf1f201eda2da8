"""What the proof of an optimum rests on: bounds, prices, the smoothed dual, who gives way first."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from pentathlon.decision.allocation import Limit, allocate
from pentathlon.decision.allocation.candidates import Candidates
from pentathlon.decision.allocation.exact import solve_tied
from pentathlon.decision.allocation.limits import LimitSystem
from pentathlon.errors import ParameterError


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


def test_how_far_limits_are_broken() -> None:
    limits = [
        Limit("cap", (0.0, 1.0, 0.0), maximum=5),
        Limit("quota", (0.0, 0.0, 1.0), minimum=4),
    ]
    system = LimitSystem.of(limits, 1, 3)
    assert system.violation(np.array([7.0, 1.0])).tolist() == [2.0, 3.0]
    assert system.violation(np.array([5.0, 4.0])).tolist() == [0.0, 0.0]


def test_use_may_differ_by_segment() -> None:
    """Two customers of a segment that counts double fill what four of the other would."""
    profit = np.tile([0.0, 1.0], (8, 1))
    profit[:4, 1] = 2.0
    segment = np.repeat([1, 0], 4)
    limit = Limit("complaints", (0.0, 1.0), maximum=6.0, per_segment=(1.0, 2.0))
    found = allocate(profit, [limit], segment=segment)
    assert found.used.tolist() == [6.0]
    assert found.profit == pytest.approx(3 * 2.0)
    system = LimitSystem.of([limit], 2, 2)
    assert system.price_table(np.array([0.5])).tolist() == [[0.0, 0.5], [0.0, 1.0]]
    with pytest.raises(ParameterError, match="2 factors for 3 segments"):
        LimitSystem.of([limit], 3, 2)


def test_limits_of_segments_that_are_not_there_and_without_numbers_are_refused() -> None:
    with pytest.raises(ParameterError, match="there are 2"):
        LimitSystem.of([Limit("lost", (0.0, 1.0), maximum=1, segments=(2,))], 2, 2)
    for ends in ({"minimum": float("nan")}, {"maximum": float("nan")}):
        with pytest.raises(ParameterError):
            Limit("no number", (0.0, 1.0), **ends)
