from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentathlon.fusion.pooling import METHODS, fit_pool, pool
from pentathlon.special import expit, logit


def mixed(truth: np.ndarray, weight: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    response = np.r_[np.ones(len(truth), int), np.zeros(len(truth), int)]
    return response, weight * np.r_[truth, 1 - truth]


def two_constants() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Models that say 0.2 and 0.6 of everyone, where 0.3 buy."""
    response = (np.arange(100) < 30).astype(int)
    return np.tile(logit(np.array([0.2, 0.6])), (100, 1)), response, np.ones(100)


def test_linear_pool_of_two_constants() -> None:
    weights, intercept = fit_pool("average_probability", *two_constants(), 10.0)
    # 0.2 w + 0.6 (1 - w) = 0.3
    np.testing.assert_allclose(weights, [0.75, 0.25], atol=1e-4)
    assert intercept == 0


def test_logarithmic_pool_of_two_constants() -> None:
    weights, intercept = fit_pool("average_logit", *two_constants(), 10.0)
    low, middle, high = logit(np.array([0.2, 0.3, 0.6]))
    first = (high - middle) / (high - low)
    np.testing.assert_allclose(weights, [first, 1 - first], atol=1e-4)
    assert intercept == 0


@pytest.mark.parametrize("method", ["average_probability", "average_logit"])
def test_a_model_that_is_right_takes_all_the_weight(method: str) -> None:
    truth = np.linspace(0.05, 0.5, 40)
    index = np.column_stack([logit(truth), logit(truth[::-1])])
    response, weight = mixed(truth)
    weights, _ = fit_pool(method, np.r_[index, index], response, weight, 10.0)
    np.testing.assert_allclose(weights, [1, 0], atol=1e-3)


def test_stacking_recovers_the_mixture_that_made_the_outcomes() -> None:
    rng = np.random.default_rng(0)
    index = rng.normal(-1.5, 1.0, (200, 2))
    truth = expit(0.3 + index @ [0.7, 0.5])
    response, weight = mixed(truth)
    weights, intercept = fit_pool("stacking", np.r_[index, index], response, weight, 0.0)
    np.testing.assert_allclose(weights, [0.7, 0.5], atol=1e-6)
    assert intercept == pytest.approx(0.3, abs=1e-6)


def test_a_strong_penalty_stacks_to_the_equal_average() -> None:
    index, response, weight = two_constants()
    index = index + np.random.default_rng(0).normal(size=index.shape)
    weights, _ = fit_pool("stacking", index, response, weight, 1e9)
    np.testing.assert_allclose(weights, 0.5, atol=1e-6)


def test_pools_by_hand() -> None:
    index = logit(np.array([[0.2, 0.6]]))
    weights = np.array([0.25, 0.75])
    linear = pool("average_probability", index, weights, 0.0)
    assert expit(linear)[0] == pytest.approx(0.25 * 0.2 + 0.75 * 0.6)
    logarithmic = pool("average_logit", index, weights, 0.0)
    assert logarithmic[0] == pytest.approx(0.25 * np.log(0.25) + 0.75 * np.log(1.5))
    assert pool("stacking", index, weights, 0.1)[0] == pytest.approx(logarithmic[0] + 0.1)


@settings(max_examples=25, deadline=None)
@given(
    index=arrays(np.float64, (30, 3), elements=st.floats(-6, 3)),
    buyers=st.integers(1, 29),
    order=st.permutations(range(3)),
)
def test_weights_are_on_the_simplex_and_do_not_depend_on_the_order_of_models(
    index: np.ndarray, buyers: int, order: list[int]
) -> None:
    response = (np.arange(30) * 11 % 30 < buyers).astype(int)
    weight = np.ones(30)
    for method in ("equal", "average_probability", "average_logit"):
        weights, _ = fit_pool(method, index, response, weight, 10.0)
        assert weights.sum() == pytest.approx(1)
        assert (weights >= 0).all()
        swapped, _ = fit_pool(method, index[:, order], response, weight, 10.0)
        straight = loss(method, index, weights, response)
        assert loss(method, index[:, order], swapped, response) == pytest.approx(
            straight, rel=1e-4, abs=1e-6
        )
        corners = [loss(method, index, corner, response) for corner in np.eye(3)]
        if method != "equal":
            assert straight <= min(corners) * (1 + 1e-4) + 1e-6


def loss(method: str, index: np.ndarray, weights: np.ndarray, response: np.ndarray) -> float:
    z = pool(method, index, weights, 0.0)
    return float(np.mean(np.logaddexp(0, z) - response * z))


@pytest.mark.parametrize("method", METHODS)
def test_one_model_alone_is_left_as_it_is(method: str) -> None:
    index, response, weight = two_constants()
    weights, intercept = fit_pool(method, index[:, :1], response, weight, 0.0)
    assert (weights.tolist(), intercept) == ([1.0], 0.0)
