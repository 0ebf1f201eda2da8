"""A small randomised campaign whose truth is known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from pentathlon.evaluation import LoggedOutcomes, policy_value


@dataclass(frozen=True)
class Campaign:
    outcomes: LoggedOutcomes
    expected_profit: np.ndarray
    true_profit: np.ndarray
    segment: np.ndarray
    order_value: np.ndarray


@pytest.fixture(scope="session")
def campaign() -> Callable[..., Campaign]:
    """Draw a campaign: three messages, four segments, uneven logging, noisy predictions."""

    def draw(n: int = 2_000, seed: int = 0) -> Campaign:
        rng = np.random.default_rng(seed)
        segment = rng.integers(0, 4, n)
        rate = np.array([[0.10, 0.14, 0.12], [0.2, 0.2, 0.26], [0.3, 0.32, 0.3], [0.1, 0.1, 0.1]])
        size = np.array([20.0, 30.0, 25.0, 40.0])
        logging = np.array(
            [[0.5, 0.3, 0.2], [0.2, 0.4, 0.4], [1 / 3, 1 / 3, 1 / 3], [0.2, 0.6, 0.2]]
        )
        cost = np.array([0.0, 0.1, 0.1])
        truth = 0.4 * rate[segment] * size[segment][:, None] - cost
        cumulative = np.cumsum(logging[segment], axis=1)
        message = (rng.random(n)[:, None] > cumulative[:, :2]).sum(axis=1)
        response = rng.random(n) < rate[segment, message]
        order_value = np.where(response, rng.gamma(2.0, size[segment] / 2.0), 0.0)
        outcomes = LoggedOutcomes(
            message=message,
            propensity=logging[segment, message],
            profit=0.4 * order_value - cost[message],
            smoothed_profit=0.4 * response * size[segment] - cost[message],
        )
        predictions = truth + np.random.default_rng(99).normal(0, 0.3, (1, 3))
        return Campaign(outcomes, predictions, truth, segment, order_value)

    return draw


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> LoggedOutcomes:
    """Four rows for arithmetic by hand: two messages, uneven propensities.

    Errors of gains are those of the four rows: what is expected where few order has tests of its
    own.
    """
    monkeypatch.setattr(policy_value, "FEWEST_ORDERS", 0)
    return LoggedOutcomes(
        message=np.array([0, 1, 1, 0]),
        propensity=np.array([0.5, 0.25, 0.5, 0.8]),
        profit=np.array([2.0, 4.0, -1.0, 8.0]),
        smoothed_profit=np.array([1.0, 5.0, -1.0, 6.0]),
    )


@pytest.fixture
def four_predictions() -> np.ndarray:
    return np.array([[1.0, 2.0], [3.0, 1.0], [0.5, 0.0], [4.0, 5.0]])
