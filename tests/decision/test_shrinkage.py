"""Contrasts that are honest, exaggerated or nothing but noise."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pentathlon.decision import ContrastShrinkage
from pentathlon.decision.shrinkage import (
    MAX_SLOPE,
    contrast_parts,
    shrink_to_mean,
    shrunk_slope,
)
from pentathlon.special import expit, logit

N, K = 400, 3


def split(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Levels of customers, effects of messages, personal contrasts with zero means both ways."""
    rng = np.random.default_rng(seed)
    contrast = rng.normal(0, 0.5, (N, K))
    contrast -= contrast.mean(axis=1, keepdims=True)
    contrast -= contrast.mean(axis=0)
    return rng.normal(-1, 0.7, (N, 1)), np.array([-0.3, 0.1, 0.2]), contrast


def fit_on_truth(predicted: np.ndarray, truth: np.ndarray, weight: float) -> ContrastShrinkage:
    """Every customer under every message with both outcomes, weighted by their probability."""
    p = np.repeat(np.repeat(expit(predicted), K, axis=0), 2, axis=0).astype(np.float32)
    message = np.tile(np.repeat(np.arange(K), 2), N)
    response = np.tile([1, 0], N * K)
    true = np.repeat(expit(truth).ravel(), 2)
    w = weight * np.where(response == 1, true, 1 - true)
    # The two weights of a pair sum to a constant, so that every customer counts the same.
    return ContrastShrinkage.fit(p, message, response, w)


@pytest.mark.parametrize("true_slope", [1.0, 0.5, 0.25])
def test_the_slope_is_the_share_of_the_contrasts_that_is_real(true_slope: float) -> None:
    base, effect, contrast = split()
    fit = fit_on_truth(base + effect + contrast, base + effect + true_slope * contrast, 1.0)
    np.testing.assert_allclose(fit.message_effect, effect, atol=1e-5)
    assert fit.raw_slope == pytest.approx(true_slope, abs=1e-4)
    assert fit.lower_bound(0.95) > 0
    # Without a control there is nothing that any e-mail does.
    assert fit.slopes[0] == 0
    # A weak slope has little behind it here, and keeps less of itself.
    np.testing.assert_allclose(fit.slopes[1:], true_slope, atol=0.1 if true_slope > 0.3 else 0.2)
    assert max(fit.slopes) <= true_slope


def test_contrasts_that_are_noise_are_removed() -> None:
    base, effect, contrast = split()
    fit = fit_on_truth(base + effect + contrast, base + effect, 1.0)
    assert fit.raw_slope == pytest.approx(0, abs=1e-4)
    assert fit.slopes == (0, 0, 0)
    p = expit(base + effect + contrast).astype(np.float32)
    np.testing.assert_allclose(logit(fit.predict(p)), base + fit.shrunk_effect, atol=1e-4)


def test_contrasts_that_point_the_wrong_way_are_removed() -> None:
    base, effect, contrast = split()
    fit = fit_on_truth(base + effect + contrast, base + effect - contrast, 1.0)
    assert fit.slopes == (0, 0, 0)
    assert fit.raw_slope == pytest.approx(-1, abs=1e-4)


def test_drawn_outcomes_give_the_slope_within_its_error() -> None:
    rng = np.random.default_rng(5)
    base, effect, contrast = (np.tile(part, (10, 1)) for part in split())
    effect = effect[0]
    message = rng.integers(0, K, len(base))
    rows = np.arange(len(base))
    z = base + effect + contrast
    response = (rng.random(len(base)) < expit(z[rows, message])).astype(int)
    fit = ContrastShrinkage.fit(expit(z).astype(np.float32), message, response, np.ones(len(base)))
    assert abs(fit.raw_slope - 1) < 3 * fit.standard_error
    assert 0.05 < fit.standard_error < 0.15
    shuffled = rng.permutation(len(base))
    again = ContrastShrinkage.fit(
        expit(z).astype(np.float32)[shuffled],
        message[shuffled],
        response[shuffled],
        np.ones(len(base)),
    )
    assert again.slopes == pytest.approx(fit.slopes, abs=1e-6)


@pytest.mark.parametrize(
    ("slope", "error", "expected"),
    [
        (0.8, 0.2, 0.8 * (1 - 1 / 16)),
        (0.8, 0.0, 0.8),
        (1.5, 0.1, 1.5 * (1 - (0.1 / 1.5) ** 2)),
        (3.0, 0.1, MAX_SLOPE),
        (0.1, 0.2, 0.0),
        (0.2, 0.2, 0.0),
        (-0.5, 0.1, 0.0),
        (0.0, 0.1, 0.0),
        (1.0, np.inf, 0.0),
    ],
)
def test_a_slope_is_shrunk_by_its_reliability(slope: float, error: float, expected: float) -> None:
    assert shrunk_slope(slope, error) == pytest.approx(expected)


@given(st.floats(-5, 5), st.floats(0, 5))
def test_a_shrunk_slope_is_bounded_and_never_above_the_raw_one(slope: float, error: float) -> None:
    shrunk = shrunk_slope(slope, error)
    assert 0 <= shrunk <= MAX_SLOPE
    assert shrunk <= max(slope, 0) + 1e-12


def test_half_a_slope_is_half_way_on_the_logit_scale() -> None:
    base, effect, contrast = split()
    p = expit(base + effect + contrast).astype(np.float32)
    half = ContrastShrinkage(tuple(effect), tuple(effect), (0.5,) * 3, 0.5, 0.1, None).predict(p)
    np.testing.assert_allclose(logit(half), base + effect + 0.5 * contrast, atol=1e-4)
    assert half.dtype == np.float32
    np.testing.assert_allclose(logit(half).mean(axis=1), base[:, 0], atol=1e-4)
    np.testing.assert_array_equal(ContrastShrinkage.none(K).predict(p), p)


def test_without_any_contrast_the_slope_is_0() -> None:
    p = np.tile(np.float32([0.1, 0.2, 0.3]), (12, 1))
    fit = ContrastShrinkage.fit(p, np.arange(12) % 3, np.arange(12) % 2, np.ones(12))
    assert (fit.slopes, fit.raw_slope, fit.standard_error) == ((0, 0, 0), 0, np.inf)
    np.testing.assert_allclose(fit.shrunk_effect, np.mean(fit.shrunk_effect))


def test_order_of_messages_does_not_matter() -> None:
    base, effect, contrast = split()
    order = [2, 0, 1]
    p = expit(base + effect + contrast).astype(np.float32)
    rng = np.random.default_rng(1)
    message, response = rng.integers(0, K, N), rng.integers(0, 2, N)
    reference = ContrastShrinkage.fit(p, message, response, np.ones(N))
    turned = ContrastShrinkage.fit(p[:, order], np.argsort(order)[message], response, np.ones(N))
    np.testing.assert_allclose(turned.message_effect, np.array(reference.message_effect)[order])
    assert turned.raw_slope == pytest.approx(reference.raw_slope, abs=1e-6)


@pytest.mark.parametrize("error", [0.1, float("inf")])
def test_a_shrinkage_survives_json(error: float) -> None:
    shrinkage = ContrastShrinkage((0.1, -0.1), (0.05, -0.1), (0.0, 1.2, 0.4), 0.5, error, 1)
    text = json.dumps(shrinkage.to_dict(), allow_nan=False)
    assert ContrastShrinkage.from_dict(json.loads(text)) == shrinkage


def test_values_go_to_their_mean_by_hand() -> None:
    # Q = 2 * 0.25 / 0.1 = 5, C = 20 - 200 / 20 = 10, tau2 = (5 - 1) / 10, pull = 0.4 / 0.5
    found = shrink_to_mean(np.array([0.0, 1.0]), np.array([0.1, 0.1]))
    np.testing.assert_allclose(found, [0.1, 0.9])


def test_values_that_differ_by_chance_become_one() -> None:
    found = shrink_to_mean(np.array([0.0, 0.3, 0.9]), np.array([1.0, 1.0, 0.5]))
    np.testing.assert_allclose(found, np.average([0.0, 0.3, 0.9], weights=[1, 1, 2]))


def test_a_value_that_says_nothing_becomes_the_mean_of_the_others() -> None:
    known = shrink_to_mean(np.array([0.0, 1.0]), np.array([0.1, 0.1]))
    found = shrink_to_mean(np.array([0.0, 7.0, 1.0]), np.array([0.1, np.inf, 0.1]))
    np.testing.assert_allclose(found, [known[0], 0.5, known[1]])
    np.testing.assert_array_equal(shrink_to_mean(np.array([3.0]), np.array([0.1])), [3.0])


def drawn(n: int, effect: list[float], seed: int = 3) -> ContrastShrinkage:
    """Fit on drawn outcomes of customers who are told apart by nothing but their level."""
    rng = np.random.default_rng(seed)
    base = rng.normal(-1, 0.7, (n, 1))
    message = rng.integers(0, K, n)
    response = (rng.random(n) < expit(base[:, 0] + np.array(effect)[message])).astype(int)
    predicted = expit(base + np.zeros(K)).astype(np.float32)
    return ContrastShrinkage.fit(predicted, message, response, np.ones(n), control=0)


def test_effects_that_outcomes_bear_out_are_found() -> None:
    shrunk = np.array(drawn(200_000, [-0.5, 0.1, 0.4]).shrunk_effect)
    np.testing.assert_allclose(shrunk, [-0.5, 0.1, 0.4], atol=0.04)


def test_a_lead_that_may_be_luck_is_taken_back_but_control_stays() -> None:
    few = drawn(900, [-0.5, 0.0, 0.0], seed=2).shrunk_effect
    assert few[1] == pytest.approx(few[2])
    assert few[0] == pytest.approx(-0.5, abs=0.3)


def test_a_message_that_nobody_bought_after_has_a_finite_effect() -> None:
    p = np.full((90, K), 0.1, dtype=np.float32)
    message = np.arange(90) % K
    fit = ContrastShrinkage.fit(p, message, (message == 1).astype(int), np.ones(90))
    assert np.isfinite(fit.shrunk_effect).all()


def test_parts_of_a_contrast_by_hand() -> None:
    # Mean -1, so contrasts are (0, -1, 1); with control first, the e-mails' mean is their 0.
    z = np.array([[-1.0, -2.0, 0.0]])
    shared, gains, losses = contrast_parts(z, np.zeros(3), 0)
    np.testing.assert_allclose(shared, 0)
    np.testing.assert_allclose(gains, [[0, 0, 1]])
    np.testing.assert_allclose(losses, [[0, -1, 0]])
    # Any e-mail puts this one off: control is ahead by 3, the two e-mails are 1 apart.
    z = np.array([[2.0, -1.5, -0.5]])
    shared, gains, losses = contrast_parts(z, np.zeros(3), 0)
    np.testing.assert_allclose(shared, [[2, -1, -1]])
    np.testing.assert_allclose(gains, [[0, 0, 0.5]])
    np.testing.assert_allclose(losses, [[0, -0.5, 0]])


@given(st.integers(0, 10**6), st.sampled_from([None, 0, 2]))
def test_parts_add_up_to_the_contrasts(seed: int, control: int | None) -> None:
    rng = np.random.default_rng(seed)
    z, effect = rng.normal(size=(5, K)), rng.normal(size=K)
    contrast = z - z.mean(axis=1, keepdims=True) - effect
    np.testing.assert_allclose(sum(contrast_parts(z, effect, control)), contrast, atol=1e-12)


def test_each_part_has_the_slope_that_outcomes_give_it() -> None:
    rng = np.random.default_rng(8)
    z = rng.normal(-1, 0.7, (N, 1)) + rng.normal(0, 0.5, (N, K))
    effect = (z - z.mean(axis=1, keepdims=True)).mean(axis=0)
    shared, gains, losses = contrast_parts(z, effect, 0)
    truth = z.mean(axis=1, keepdims=True) + effect + 1.5 * gains + 0.5 * losses
    p = np.repeat(np.repeat(expit(z), K, axis=0), 2, axis=0).astype(np.float32)
    true = np.repeat(expit(truth).ravel(), 2)
    response = np.tile([1, 0], N * K)
    fit = ContrastShrinkage.fit(
        np.tile(p, (20, 1)),
        np.tile(np.repeat(np.arange(K), 2), 20 * N),
        np.tile(response, 20),
        np.tile(np.where(response == 1, true, 1 - true), 20),
        control=0,
    )
    np.testing.assert_allclose(fit.slopes, [0, 1.5, 0.5], atol=0.02)
    assert np.abs(shared).max() > 0.1


def test_contrasts_that_no_outcome_could_confirm_have_no_slope() -> None:
    """Hardly any contrast, and that against what happened: a slope without bounds elsewhere."""
    rng = np.random.default_rng(8)
    n = 2_000
    z = np.full((n, K), -3.0) + rng.normal(0, 1e-4, (n, K))
    z[:40, 1] += 0.006
    message = rng.integers(0, K, n)
    response = (rng.random(n) < 0.05).astype(int)
    response[:40] = message[:40] == 1
    p = expit(z).astype(np.float32)
    found = ContrastShrinkage.fit(p, message, response, np.ones(n), control=0)
    assert found.slopes == (0.0, 0.0, 0.0)
    assert found.lower_bound(0.6) == float("-inf")
