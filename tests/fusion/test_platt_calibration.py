from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentathlon.fusion import PlattCalibrator
from pentathlon.special import expit, logit


def outcomes_of(truth: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
    """Both outcomes of every row, weighted by their true probability: no sampling noise."""
    response = np.r_[np.ones(len(truth), int), np.zeros(len(truth), int)]
    return response, weight * np.r_[truth, 1 - truth]


@pytest.mark.parametrize(("intercept", "slope"), [(-0.7, 1.6), (0.4, 0.5), (0.0, 1.0)])
def test_a_known_distortion_is_undone(intercept: float, slope: float) -> None:
    truth = np.linspace(0.02, 0.6, 50)
    distorted = expit((logit(truth) - intercept) / slope)
    response, weight = outcomes_of(truth, 1e5)
    platt = PlattCalibrator.fit(np.r_[distorted, distorted], response, weight)
    assert platt.intercept == pytest.approx(intercept, abs=1e-4)
    assert platt.slope == pytest.approx(slope, abs=1e-4)
    np.testing.assert_allclose(platt.predict(distorted), truth, rtol=1e-3)


def test_sampling_weights_bring_the_populations_rate() -> None:
    response = np.r_[np.ones(50, int), np.zeros(50, int)]
    weight = np.r_[np.full(50, 0.2), np.full(50, 1.8)]
    p = np.tile([0.4, 0.6], 50)
    platt = PlattCalibrator.fit(p, response, weight)
    assert np.average(platt.predict(p), weights=weight) == pytest.approx(0.1, abs=1e-5)


def test_a_model_that_ranks_backwards_becomes_the_mean_rate() -> None:
    p = np.r_[np.full(60, 0.9), np.full(60, 0.1)]
    response = np.r_[np.zeros(45, int), np.ones(15, int), np.ones(45, int), np.zeros(15, int)]
    platt = PlattCalibrator.fit(p, response, np.ones(120))
    assert platt.slope == 0
    np.testing.assert_allclose(platt.predict(p), 0.5, atol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 1e-4, 0.5, 1.0])
def test_a_model_that_says_the_same_of_everyone_becomes_the_mean_rate(constant: float) -> None:
    p, response = np.full(40, constant), (np.arange(40) < 28).astype(int)
    platt = PlattCalibrator.fit(p, response, np.ones(40))
    np.testing.assert_allclose(platt.predict(p), 0.7, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    p=arrays(np.float64, 40, elements=st.floats(0, 1)),
    buyers=st.integers(1, 39),
    weight=arrays(np.float64, 40, elements=st.floats(0.1, 5)),
)
def test_calibration_keeps_ranks_and_stays_a_probability(
    p: np.ndarray, buyers: int, weight: np.ndarray
) -> None:
    response = (np.arange(40) * 7 % 40 < buyers).astype(int)
    platt = PlattCalibrator.fit(p, response, weight)
    order = np.argsort(p)
    calibrated = platt.predict(p[order])
    assert ((calibrated >= 0) & (calibrated <= 1)).all()
    assert (np.diff(calibrated) >= 0).all()
    shuffled = PlattCalibrator.fit(p[order], response[order], weight[order])
    assert shuffled.slope == pytest.approx(platt.slope, rel=1e-3, abs=1e-4)
