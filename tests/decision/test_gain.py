from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision.gain import confirmed_gain, contradicted
from pentathlon.decision.policies import personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.decision.shrinkage import ContrastShrinkage, between_variance
from pentathlon.evaluation import Estimate
from pentathlon.special import expit

MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        **{m: {"margin": 0.4, "send_cost": 0.1} for m in ("team", "water", "strength")},
    }
)
N = 6_000


def world(seed: int, personal: float, noise: float = 0.05, n: int = N) -> dict[str, Any]:
    """A campaign whose truth is known, with predictions that know personal contrasts roughly."""
    rng = np.random.default_rng(seed)
    base = rng.normal(-1.5, 0.5, (n, 1))
    effect = np.array([-0.2, 0.02, 0.0, -0.02])
    contrast = personal * rng.normal(0, 1, (n, 4))
    contrast -= contrast.mean(axis=1, keepdims=True)
    true = expit(base + effect + contrast)
    seen = contrast + rng.normal(0, noise, (n, 4))
    predicted = expit(base + effect + rng.normal(0, 0.02, 4) + seen).astype(np.float32)
    message = rng.integers(0, 4, n)
    response = (rng.random(n) < true[np.arange(n), message]).astype(np.int8)
    values = np.full((n, 4), 50.0, dtype=np.float32)
    order_value = np.where(response == 1, rng.gamma(4.0, 12.5, n), 0.0)
    return {
        "true": true,
        "probability": predicted,
        "message": message,
        "response": response,
        "expected_order_value": values,
        "order_value": order_value,
    }


def judged(data: dict[str, Any], constant: int = 1) -> tuple[Estimate, float, ContrastShrinkage]:
    """The confirmed gain, the true one, and the shrinkage."""
    weight = np.ones(len(data["message"]))
    shrinkage, covariance = ContrastShrinkage.fit_with_covariance(
        data["probability"], data["message"], data["response"], weight, 0
    )
    values = data["expected_order_value"]
    profit = expected_profit(shrinkage.predict(data["probability"]), values, MESSAGES)
    policy = personalised(profit)
    gain = confirmed_gain(
        data["probability"],
        profit,
        shrinkage,
        covariance,
        policy,
        constant,
        data["order_value"],
        values,
        data["message"],
        weight,
        MESSAGES,
    )
    truth = expected_profit(data["true"].astype(np.float32), values, MESSAGES)
    rows = np.arange(len(policy))
    return gain, float((truth[rows, policy] - truth[:, constant]).mean()), shrinkage


def test_the_gain_is_the_mean_lead_of_the_predictions() -> None:
    data = world(0, 0.3)
    gain, _, shrinkage = judged(data)
    profit = expected_profit(
        shrinkage.predict(data["probability"]), data["expected_order_value"], MESSAGES
    )
    assert gain.value == pytest.approx(float((profit.max(axis=1) - profit[:, 1]).mean()), rel=1e-5)
    assert gain.n == N
    assert gain.effective_sample_size == (profit.argmax(axis=1) != 1).sum()


def test_its_error_is_that_of_effects_and_slopes_drawn_anew() -> None:
    """Delta method against draws from the covariance, order sizes held fixed."""
    data = world(1, 0.3)
    data["order_value"] = np.where(data["response"] == 1, 50.0, 0.0)  # sizes without any noise
    gain, _, shrinkage = judged(data)
    weight = np.ones(N)
    _, covariance = ContrastShrinkage.fit_with_covariance(
        data["probability"], data["message"], data["response"], weight, 0
    )
    profit = expected_profit(
        shrinkage.predict(data["probability"]), data["expected_order_value"], MESSAGES
    )
    policy, rows = profit.argmax(axis=1), np.arange(N)
    rng = np.random.default_rng(0)
    draws = []
    for error in rng.multivariate_normal(np.zeros(7), covariance, 400):
        moved = ContrastShrinkage(
            shrinkage.message_effect,
            tuple((np.array(shrinkage.shrunk_effect) + error[:4]).tolist()),
            tuple((np.array(shrinkage.slopes) + error[4:]).tolist()),  # type: ignore[arg-type]
            1.0,
            0.1,
            0,
        )
        again = expected_profit(
            moved.predict(data["probability"]), data["expected_order_value"], MESSAGES
        )
        draws.append(float((again[rows, policy] - again[:, 1]).mean()))
    assert gain.standard_error == pytest.approx(np.std(draws), rel=0.15)


def test_claims_and_errors_hold_over_many_campaigns() -> None:
    """Where differences are real the claim is right on average, and its error is honest."""
    z, claims, truths = [], [], []
    for seed in range(60):
        gain, truth, _ = judged(world(seed, 0.35))
        z.append((gain.value - truth) / gain.standard_error)
        claims.append(gain.value)
        truths.append(truth)
    assert np.mean(claims) == pytest.approx(np.mean(truths), rel=0.25)
    assert 0.6 < np.std(z) < 1.4
    assert np.mean(np.array(claims) > 0) == 1


def test_invented_differences_rarely_pass() -> None:
    """Contrasts that are noise: the slope is near 0, and hardly any gain is beyond its error."""
    passed = 0
    for seed in range(60):
        data = world(seed, 0.0, noise=0.3)
        gain, _, shrinkage = judged(data)
        passed += gain.lower_bound(0.95) > 0 and shrinkage.lower_bound(0.99) > 0
    assert passed <= 2


def test_a_policy_that_is_the_constant_gains_exactly_nothing() -> None:
    data = world(2, 0.3)
    weight = np.ones(N)
    shrinkage, covariance = ContrastShrinkage.fit_with_covariance(
        data["probability"], data["message"], data["response"], weight, 0
    )
    profit = expected_profit(
        shrinkage.predict(data["probability"]), data["expected_order_value"], MESSAGES
    )
    gain = confirmed_gain(
        data["probability"],
        profit,
        shrinkage,
        covariance,
        np.full(N, 1),
        1,
        data["order_value"],
        data["expected_order_value"],
        data["message"],
        weight,
        MESSAGES,
    )
    assert (gain.value, gain.effective_sample_size) == (0.0, 0.0)
    assert gain.standard_error == pytest.approx(0.0, abs=1e-9)


def test_errors_of_effects_know_that_e_mails_are_alike() -> None:
    """A prior can only take error away, and least from control, which is not one of them."""
    data = world(3, 0.3)
    weight = np.ones(N)
    _, covariance = ContrastShrinkage.fit_with_covariance(
        data["probability"], data["message"], data["response"], weight, 0
    )
    assert np.linalg.eigvalsh(covariance).min() > 0
    lead = np.array([0, 1, -1, 0, 0, 0, 0.0])
    against_control = np.array([-1, 1, 0, 0, 0, 0, 0.0])
    assert lead @ covariance @ lead < 0.5 * (against_control @ covariance @ against_control)


def test_rows_of_one_customer_count_as_one() -> None:
    data = world(5, 0.3)
    weight = np.ones(N)
    fitted = ("probability", "message", "response")
    once = ContrastShrinkage.fit_with_covariance(*(data[f] for f in fitted), weight, 0)[1]
    twice = [np.concatenate([data[f], data[f]]) for f in fitted]
    both = np.concatenate([weight, weight])
    known = np.concatenate([np.arange(N), np.arange(N)])
    clustered = ContrastShrinkage.fit_with_covariance(*twice, both, 0, known)[1]
    naive = ContrastShrinkage.fit_with_covariance(*twice, both, 0)[1]
    slopes = np.arange(4, 7)
    np.testing.assert_allclose(
        clustered[np.ix_(slopes, slopes)], once[np.ix_(slopes, slopes)], rtol=0.02
    )
    assert (np.diag(naive)[slopes] < 0.6 * np.diag(once)[slopes]).all()


def test_a_message_that_nobody_got_adds_no_error() -> None:
    data = world(4, 0.3)
    data["message"] = np.where(data["message"] == 3, 1, data["message"])
    gain, _, _ = judged(data)
    assert np.isfinite(gain.standard_error)


def test_spread_between_by_hand() -> None:
    # Two values 0 and 2, errors of variance 1: q = 2, df = 1, spare = 1.
    assert between_variance(np.array([0.0, 2.0]), np.ones(2)) == pytest.approx(1.0)
    assert between_variance(np.array([0.0, 1.0]), np.ones(2)) == 0.0
    assert between_variance(np.array([5.0]), np.ones(1)) == 0.0


@pytest.mark.parametrize(("z", "says"), [(-1.7, True), (-1.6, False), (0.0, False), (3.0, False)])
def test_outcomes_alone_contradict_only_beyond_chance(z: float, says: bool) -> None:
    assert contradicted(Estimate(z, 1.0, 100, 100.0), 0.95) is says
