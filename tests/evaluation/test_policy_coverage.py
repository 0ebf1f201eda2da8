"""Repeated campaigns with fixed seeds: unbiased estimates, honest intervals, a gate that holds."""

from dataclasses import replace

import numpy as np
import pytest

from pentathlon.evaluation import (
    AIPW,
    IPS,
    SNIPS,
    agreement,
    covered,
    gate,
    paired_gain,
    true_value,
)

REPEATS = 400
POLICY_BY_SEGMENT = np.array([1, 2, 0, 0])


@pytest.fixture(scope="module")
def repeated(campaign):
    """Estimates of value and gain with their truths over many campaigns."""
    results = {"IPS": [], "SNIPS": [], "AIPW": [], "AIPW, smoothed": []}
    alarms = 0
    for seed in range(REPEATS):
        drawn = campaign(1_000, seed)
        policy = POLICY_BY_SEGMENT[drawn.segment]
        # the truth of the population: the four segments are equally likely
        for estimator in (IPS(), SNIPS(), AIPW(), AIPW(smoothed=True)):
            results[estimator.name].append(
                (
                    estimator.estimate(policy, drawn.outcomes, drawn.expected_profit),
                    paired_gain(policy, 1, drawn.outcomes, drawn.expected_profit, estimator),
                )
            )
        alarms += bool(agreement(policy, drawn.outcomes, drawn.expected_profit, threshold=3).alarms)
    return results, alarms


@pytest.fixture(scope="module")
def truth(campaign):
    drawn = campaign(50_000, 12_345)
    by_segment = np.array([drawn.true_profit[drawn.segment == s][0] for s in range(4)])
    value = by_segment[np.arange(4), POLICY_BY_SEGMENT].mean()
    return value, value - by_segment[:, 1].mean()


@pytest.mark.parametrize("name", ["IPS", "SNIPS", "AIPW", "AIPW, smoothed"])
@pytest.mark.parametrize("which", [0, 1])
def test_unbiased_with_honest_intervals(repeated, truth, name, which):
    estimates = [pair[which] for pair in repeated[0][name]]
    values = np.array([e.value for e in estimates])
    noise = values.std(ddof=1)
    assert abs(values.mean() - truth[which]) < 3.5 * noise / np.sqrt(REPEATS)
    assert np.mean([e.standard_error for e in estimates]) == pytest.approx(noise, rel=0.12)
    # 0.95 within three standard errors of a share of 400 campaigns
    assert 0.915 <= np.mean([covered(e, truth[which]) for e in estimates]) <= 0.98


def test_pairing_and_smoothing_tighten(campaign, repeated):
    drawn = campaign(2_000)
    policy = POLICY_BY_SEGMENT[drawn.segment]
    ours, other = (AIPW().estimate(p, drawn.outcomes, drawn.expected_profit) for p in (policy, 1))
    unpaired = np.hypot(ours.standard_error, other.standard_error)
    gain = paired_gain(policy, 1, drawn.outcomes, drawn.expected_profit)
    assert gain.standard_error < 0.97 * unpaired
    plain, smoothed = (
        np.mean([pair[0].standard_error for pair in repeated[0][name]])
        for name in ("AIPW", "AIPW, smoothed")
    )
    assert smoothed < 0.97 * plain


def test_smoothing_forgives_a_wrong_factor_per_message(campaign, truth):
    """An order-value model that is off by message is made good by the message's own orders."""
    factor = np.array([1.4, 0.7, 1.0])
    cost = np.array([0.0, 0.1, 0.1])
    gains = []
    for seed in range(200):
        drawn = campaign(1_000, seed)
        mine = drawn.outcomes.message
        wrong = (drawn.outcomes.smoothed_profit + cost[mine]) * factor[mine] - cost[mine]
        outcomes = replace(drawn.outcomes, smoothed_profit=wrong)
        policy = POLICY_BY_SEGMENT[drawn.segment]
        gains.append(paired_gain(policy, 1, outcomes, drawn.expected_profit, AIPW(smoothed=True)))
    values = np.array([gain.value for gain in gains])
    noise = values.std(ddof=1)
    assert abs(values.mean() - truth[1]) < 3.5 * noise / np.sqrt(len(values))
    assert np.mean([gain.standard_error for gain in gains]) == pytest.approx(noise, rel=0.15)


def test_estimators_rarely_disagree_by_chance(repeated):
    assert repeated[1] <= 0.03 * REPEATS


def test_wrong_propensities_raise_the_alarm(campaign):
    drawn = campaign(20_000)
    wrong = drawn.outcomes.take(slice(None))
    object.__setattr__(wrong, "propensity", np.full(wrong.n, 1 / 3))
    result = agreement(POLICY_BY_SEGMENT[drawn.segment], wrong, drawn.expected_profit)
    assert not result.agrees


def test_the_gate_rarely_ships_a_policy_that_gains_nothing(campaign):
    shipped = 0
    for seed in range(300):
        drawn = campaign(1_000, 1_000 + seed)
        # in segment 3 messages 1 and 2 are worth exactly the same
        policy = np.where(drawn.segment == 3, 2, 1)
        shipped += gate(policy, drawn.outcomes, drawn.expected_profit, best_constant=1).ships
    assert shipped <= 0.09 * 300


def test_emails_to_settle_gives_the_power_it_promises(campaign):
    best = np.array([1, 2, 1, 0])
    pilot = campaign(20_000, 1)
    truth = true_value(best[pilot.segment], pilot.true_profit)
    verdict = gate(
        best[pilot.segment],
        pilot.outcomes,
        pilot.expected_profit,
        hypothesised_gain=truth.gain,
        best_constant=truth.best_constant,
    )
    assert verdict.emails_to_settle is not None
    shipped = 0
    for seed in range(60):
        drawn = campaign(verdict.emails_to_settle, 5_000 + seed)
        shipped += gate(
            best[drawn.segment],
            drawn.outcomes,
            drawn.expected_profit,
            best_constant=truth.best_constant,
        ).ships
    assert 0.64 <= shipped / 60 <= 0.94


def test_truth_of_the_oracle(campaign):
    drawn = campaign(5_000)
    oracle = true_value(drawn.true_profit.argmax(axis=1), drawn.true_profit)
    assert oracle.regret == pytest.approx(0.0, abs=1e-12)
    assert oracle.share_of_attainable == pytest.approx(1.0)
