"""One message for every customer within limits on all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import LinearConstraint, linprog, milp
from scipy.sparse import csr_array

from pentathlon.decision.allocation import Limit, allocate
from pentathlon.errors import InfeasibleError, ParameterError


def each(*messages: int, of: int = 3) -> tuple[float, ...]:
    """Use of a limit that counts customers who get one of the messages."""
    return tuple(1.0 if k in messages else 0.0 for k in range(of))


def test_the_cap_goes_to_those_who_lose_most_without_it() -> None:
    # Message 1 is best for all, by 5, 3 and 1; two may have it. The third falls back to 0.
    profit = np.array([[1.0, 6.0, 0.0], [2.0, 5.0, 0.0], [3.0, 4.0, 0.0]])
    found = allocate(profit, [Limit("cap", each(1), maximum=2)])
    assert found.choice.tolist() == [1, 1, 0]
    assert found.profit == pytest.approx(14.0)
    assert found.free_profit == pytest.approx(15.0)
    assert found.bound == pytest.approx(14.0)
    # One more would be worth what the third customer gains by it, one less cost what the second
    # does: any price in between is one.
    assert 1.0 - 1e-6 <= found.prices[0] <= 3.0 + 1e-6
    assert found.used.tolist() == [2.0]


def test_a_minimum_is_met_by_those_who_lose_least() -> None:
    profit = np.array([[3.0, 0.0, 0.0], [3.0, 2.0, 0.0], [3.0, 1.0, 0.0]])
    found = allocate(profit, [Limit("quota", each(1), minimum=1)])
    assert found.choice.tolist() == [0, 1, 0]
    assert -2.0 - 1e-6 <= found.prices[0] <= -1.0 + 1e-6


def test_a_budget_counts_money() -> None:
    # Per euro, message 2 to the second customer earns most; 3 euros buy it and not message 1.
    profit = np.array([[0.0, 4.0, 0.0], [0.0, 0.0, 5.0]])
    found = allocate(profit, [Limit("budget", (0.0, 2.0, 3.0), maximum=3.0)])
    assert found.choice.tolist() == [0, 2]
    assert found.profit == pytest.approx(5.0)


def test_limits_that_do_not_bind_cost_nothing() -> None:
    profit = np.array([[0.0, 1.0, 0.5], [0.0, 0.2, 0.9]])
    found = allocate(profit, [Limit("cap", each(1, 2), maximum=2)])
    assert found.choice.tolist() == [1, 2]
    assert found.prices.tolist() == [0.0]
    assert found.gap == pytest.approx(0.0, abs=1e-12)


def test_a_limit_of_a_segment_leaves_the_others_alone() -> None:
    profit = np.tile([0.0, 1.0, 0.0], (4, 1))
    segment = np.array([0, 0, 1, 1])
    found = allocate(
        profit, [Limit("none for 1", each(1), maximum=0, segments=(1,))], segment=segment
    )
    assert (found.choice == 1).tolist() == [True, True, False, False]


def test_what_is_not_eligible_is_never_sent() -> None:
    profit = np.array([[0.0, 9.0, 1.0], [0.0, 1.0, 9.0]])
    eligible = np.array([[True, False, True], [True, True, True]])
    found = allocate(profit, [Limit("cap", each(2), maximum=1)], eligible=eligible)
    assert found.choice.tolist() == [0, 2]


def test_limits_that_clash_are_named_with_what_is_missing() -> None:
    profit = np.zeros((20, 3))
    limits = [
        Limit("at least 6 water", each(1), minimum=6),
        Limit("at most 8 e-mails", each(1, 2), maximum=8),
        Limit("at least 5 team", each(2), minimum=5),
        Limit("at most 9 water", each(1), maximum=9),
    ]
    with pytest.raises(InfeasibleError) as caught:
        allocate(profit, limits)
    assert caught.value.names == ["at least 6 water", "at most 8 e-mails", "at least 5 team"]
    assert sum(caught.value.shortfall.values()) == pytest.approx(3.0)
    assert "at most 9 water" not in str(caught.value)


def test_limits_give_way_in_the_order_declared_and_only_as_far_as_needed() -> None:
    profit = np.zeros((10, 3))
    limits = [
        Limit("water", each(1), minimum=6),
        Limit("e-mails", each(1, 2), maximum=8),
        Limit("team", each(2), minimum=5),
    ]
    found = allocate(profit, limits, relax=["team", "e-mails"])
    assert found.slack.tolist() == pytest.approx([0, 0, 3])
    assert found.used[0] >= 6
    assert found.used[1] <= 8
    # When the first cannot make room alone, the second does the rest.
    harder = [*limits, Limit("some team", each(2), minimum=4)]
    found = allocate(profit, harder, relax=["team", "e-mails"])
    assert found.slack.tolist() == pytest.approx([0, 2, 1, 0])
    with pytest.raises(InfeasibleError):
        allocate(profit, harder, relax=["team"])


def test_mistakes_are_named() -> None:
    profit = np.zeros((2, 3))
    with pytest.raises(ParameterError, match="2 uses for 3 messages"):
        allocate(profit, [Limit("odd", (1.0, 0.0), maximum=1)])
    with pytest.raises(ParameterError, match="minimum 3 is above the maximum 1"):
        Limit("upside down", each(1), minimum=3, maximum=1)
    with pytest.raises(ParameterError, match="one of them not 0"):
        Limit("nothing", (0.0, 0.0, 0.0), maximum=1)
    with pytest.raises(ParameterError, match="there are 1"):
        allocate(profit, [Limit("lost", each(1), maximum=1, segments=(4,))])
    with pytest.raises(ParameterError, match="1 of 2 customers have no eligible message"):
        allocate(profit, [], eligible=np.array([[True] * 3, [False] * 3]))
    with pytest.raises(ParameterError, match="no limit is called"):
        allocate(profit, [Limit("cap", each(1), maximum=1)], relax=["cup"])


def integer_optimum(profit: np.ndarray, limits: list[Limit], segment: np.ndarray) -> float | None:
    """The best total by a general integer program, or ``None`` when nothing meets the limits."""
    customer, message = np.nonzero(np.isfinite(profit))
    cells = np.arange(len(customer))
    one_each = csr_array((np.ones(len(cells)), (customer, cells)), (len(profit), len(cells)))
    rules = [LinearConstraint(one_each, 1, 1)]
    for limit in limits:
        concerned = 1 if limit.segments is None else np.isin(segment[customer], limit.segments)
        row = np.array(limit.use)[message] * concerned
        rules.append(LinearConstraint(row[None], limit.minimum, limit.maximum))
    found = milp(
        -profit[customer, message].astype(float),
        constraints=rules,
        integrality=np.ones(len(cells)),
        bounds=(0, 1),
        options={"mip_rel_gap": 1e-9},
    )
    return None if found.x is None else -found.fun


@st.composite
def campaigns(draw: st.DrawFn) -> tuple[np.ndarray, list[Limit], np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n, k = draw(st.integers(2, 40)), draw(st.integers(2, 4))
    segment = rng.integers(0, draw(st.integers(1, 3)), n)
    profit = rng.normal(0.3, 0.3, (n, k)).astype(np.float32)
    eligible = rng.random((n, k)) > 0.15
    eligible[:, 0] = True
    limits = []
    for number in range(draw(st.integers(1, 4))):
        use = (rng.random(k) > 0.5).astype(float)
        use[rng.integers(k)] = 1.0
        low = int(rng.integers(0, n // 3 + 1))
        high = low + int(rng.integers(0, n // 2 + 1))
        limits.append(
            Limit(
                f"limit {number}",
                tuple(use),
                low if rng.random() < 0.5 else -np.inf,
                high if rng.random() < 0.7 else np.inf,
                None if rng.random() < 0.5 else (int(rng.integers(segment.max() + 1)),),
            )
        )
    return profit, limits, segment, eligible


@settings(max_examples=60, deadline=None)
@given(campaigns())
def test_small_campaigns_reach_the_optimum_of_an_integer_program(campaign: Any) -> None:
    profit, limits, segment, eligible = campaign
    best = integer_optimum(np.where(eligible, profit, -np.inf), limits, segment)
    try:
        found = allocate(profit, limits, segment=segment, eligible=eligible)
    except InfeasibleError:
        assert best is None
        return
    assert best is not None
    for limit, used in zip(limits, found.used, strict=True):
        assert limit.minimum - 1e-9 <= used <= limit.maximum + 1e-9
    assert eligible[np.arange(len(profit)), found.choice].all()
    assert found.bound >= best - 1e-5
    assert found.profit == pytest.approx(best, abs=1e-5)


def test_two_customers_who_are_far_from_a_tie_reach_the_optimum() -> None:
    """The best plan changes both of them, though at the prices neither is near to a change."""
    profit = np.array(
        [[0.359005, 0.40427837, 0.52663475, 0.71028733], [0.63049686, 0.32014227, 0.0622, 0.025]],
        dtype=np.float32,
    )
    limits = [
        Limit("first", (1.0, 0.0, 1.0, 0.0), 0, 1),
        Limit("second", (1.0, 0.0, 0.0, 1.0), -np.inf, 1),
    ]
    found = allocate(profit, limits)
    assert found.choice.tolist() == [1, 0]


def skewed_campaign(n: int) -> tuple[np.ndarray, list[Limit]]:
    """Profits as skewed as those of shops, a budget, and a minimum and maximum per message."""
    rng = np.random.default_rng(1)
    level = np.exp(rng.normal(-1.2, 1.1, (n, 1)))
    lift = np.array([-0.2, 0.1, 0.05, 0.15, 0.02, 0.12, -0.03])
    profit = (level * (1 + 0.25 * rng.standard_normal((n, 7)) + lift)).astype(np.float32)
    share = np.array([0.05, 0.1, 0.08, 0.12, 0.03, 0.1])
    limits = [Limit("budget", (0.0, *[0.05] * 6), maximum=0.03 * n)]
    limits += [
        Limit(f"quota {k}", each(k, of=7), 0.7 * share[k - 1] * n, 1.2 * share[k - 1] * n)
        for k in range(1, 7)
    ]
    return profit, limits


@pytest.mark.parametrize("n", [4_000, pytest.param(110_000, marks=pytest.mark.end_to_end)])
def test_a_campaign_reaches_the_optimum_of_a_linear_program(n: int) -> None:
    profit, limits = skewed_campaign(n)
    found = allocate(profit, limits)
    use = np.stack([np.tile(limit.use, n) for limit in limits])
    low = np.array([limit.minimum for limit in limits])
    high = np.array([limit.maximum for limit in limits])
    cells = np.arange(7 * n)
    program = linprog(
        -profit.ravel().astype(float),
        A_ub=csr_array(np.vstack([use, -use[low > 0]])),
        b_ub=np.concatenate([high, -low[low > 0]]),
        A_eq=csr_array((np.ones(7 * n), (cells // 7, cells)), (n, 7 * n)),
        b_eq=np.ones(n),
        method="highs-ipm",
    )
    assert found.profit == pytest.approx(-program.fun, rel=1e-6)
    assert found.bound == pytest.approx(-program.fun, rel=1e-6)
    assert found.gap <= 1e-6


def test_a_large_campaign_closes_the_gap_from_a_sample() -> None:
    profit, limits = skewed_campaign(150_000)
    found = allocate(profit, limits)
    assert found.gap <= 1e-6
    low = np.array([limit.minimum for limit in limits])
    high = np.array([limit.maximum for limit in limits])
    assert (found.used >= low).all()
    assert (found.used <= high + 1e-6).all()
    assert found.profit < found.free_profit
    # A quarter of the e-mails costs little when the right customers go without.
    assert found.profit > 0.9 * found.free_profit


def test_equal_customers_are_divided_as_whole_people() -> None:
    profit = np.tile(np.float32([0.0, 1.0, 0.5]), (1_001, 1))
    found = allocate(profit, [Limit("cap", each(1), maximum=500), Limit("2", each(2), maximum=250)])
    assert np.bincount(found.choice, minlength=3).tolist() == [251, 500, 250]
    assert found.profit == pytest.approx(625.0)
