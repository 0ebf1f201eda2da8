"""What is known to cost comes off every policy's value, exactly, and adds no noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import (
    AIPW,
    IPS,
    SNIPS,
    LoggedOutcomes,
    honesty,
    honesty_slope,
    paired_gain,
    percent_gain,
)
from pentathlon.evaluation.policy_value import best_constant

N, K = 400, 3


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(2)


@pytest.fixture
def outcomes(rng: np.random.Generator) -> LoggedOutcomes:
    message = rng.integers(0, K, N)
    profit = rng.gamma(2, 1, N) * (rng.random(N) < 0.4)
    return LoggedOutcomes(
        message=message,
        propensity=np.full(N, 1 / K),
        profit=profit,
        sampling_weight=rng.uniform(0.5, 1.5, N),
        smoothed_profit=np.where(profit > 0, 2.0, 0.0),
    )


@pytest.fixture
def expected(rng: np.random.Generator) -> np.ndarray:
    return rng.gamma(2, 0.4, (N, K))


@pytest.fixture
def cost(rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(0, 0.5, (N, 1)) * np.array([0.0, 1.0, 1.0])


@pytest.mark.parametrize("estimator", [IPS(), SNIPS(), AIPW(), AIPW(smoothed=True)])
def test_every_estimator_takes_it_off_each_row(estimator, outcomes, expected, cost) -> None:
    net = replace(outcomes, known_cost=cost)
    policy = expected.argmax(axis=1)
    mixed = np.full((N, K), 1 / K)
    for valued, off in ((policy, cost[np.arange(N), policy]), (mixed, cost.mean(axis=1))):
        before = estimator.influence(valued, outcomes, expected)
        after = estimator.influence(valued, net, expected)
        np.testing.assert_allclose(after, before - off, atol=1e-12)
        value = estimator.estimate(valued, net, expected).value
        weight = outcomes.sampling_weight
        assert value == pytest.approx(
            estimator.estimate(valued, outcomes, expected).value - np.average(off, weights=weight)
        )
    gain = paired_gain(policy, mixed, net, expected, estimator)
    apart = estimator.contrast(policy, mixed, outcomes, expected).value
    difference = cost[np.arange(N), policy] - cost.mean(axis=1)
    assert gain.value == pytest.approx(apart - np.average(difference, weights=weight))


def test_an_e_mail_to_nobody_costs_nothing(outcomes, expected, cost) -> None:
    net = replace(outcomes, known_cost=cost)
    assert AIPW().estimate(0, net, expected) == AIPW().estimate(0, outcomes, expected)


def test_claims_and_inflation_are_net_of_it_on_both_sides(outcomes, expected, cost) -> None:
    net = replace(outcomes, known_cost=cost)
    policy = expected.argmax(axis=1)
    settings = {"order_value": outcomes.profit / 0.4, "margin": 0.4}
    gross, after = (honesty(policy, o, expected, **settings) for o in (outcomes, net))
    off = np.average(cost[np.arange(N), policy], weights=outcomes.sampling_weight)
    for name in ("claimed", "supported", "capped"):
        assert getattr(after, name).value == pytest.approx(getattr(gross, name).value - off)
    assert after.inflation.value == pytest.approx(gross.inflation.value)
    percent = percent_gain(policy, 0, net, expected)
    gain, level = paired_gain(policy, 0, net, expected), AIPW().estimate(0, net, expected)
    assert percent.value == pytest.approx(100 * gain.value / level.value)


def test_a_promise_that_only_costs_move_is_kept_in_full(outcomes, cost) -> None:
    flat = np.full((N, K), 1.0)
    only_costs = replace(outcomes, profit=np.ones(N), known_cost=cost)
    slope = honesty_slope(1, 0, only_costs, flat)
    assert slope is not None
    assert slope.value == pytest.approx(1.0)


def test_the_best_constant_is_the_best_after_costs(outcomes, expected) -> None:
    first = best_constant(outcomes, expected)
    cost = np.zeros((N, K))
    cost[:, first] = 100.0
    assert best_constant(replace(outcomes, known_cost=cost), expected) != first


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (np.zeros(N), "expected numbers of shape"),
        (np.full((N, K), np.nan), "missing or infinite"),
    ],
)
def test_costs_that_are_none_are_refused(outcomes, cost, words) -> None:
    with pytest.raises(EvaluationError, match=words):
        replace(outcomes, known_cost=cost)


def test_rows_keep_their_costs(outcomes, cost) -> None:
    taken = replace(outcomes, known_cost=cost).take(np.array([3, 1]))
    np.testing.assert_array_equal(taken.known_cost, cost[[3, 1]])
