"""What must hold for any outcomes, policies and predictions."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentathlon.evaluation import AIPW, IPS, SNIPS, LoggedOutcomes, gate, paired_gain

ESTIMATORS = [IPS(), SNIPS(), AIPW(), AIPW(smoothed=True)]
LINEAR = [IPS(), AIPW(), AIPW(smoothed=True)]
TOLERANCE = {"rel": 1e-9, "abs": 1e-9}


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(4, 40)), draw(st.integers(2, 5))
    message = rng.integers(0, k, n)
    outcomes = LoggedOutcomes(
        message=message,
        propensity=rng.uniform(0.05, 1.0, n),
        profit=rng.normal(0, draw(st.sampled_from([0.1, 1.0, 100.0])), n),
        sampling_weight=rng.gamma(2.0, 0.5, n) if draw(st.booleans()) else None,
        cluster=rng.permutation(np.arange(n) // 2) if draw(st.booleans()) else None,
        smoothed_profit=rng.normal(size=n),
    )
    policies = rng.dirichlet(np.ones(k), (2, n))
    return outcomes, policies[0], policies[1], rng.normal(size=(n, k)), rng


@settings(max_examples=60, deadline=None)
@given(problems(), st.floats(0, 1))
def test_value_is_linear_in_the_policy(problem, share):
    outcomes, first, second, mu, _ = problem
    mixed = share * first + (1 - share) * second
    for estimator in LINEAR:
        a, b, c = (estimator.estimate(p, outcomes, mu).value for p in (first, second, mixed))
        assert c == pytest.approx(share * a + (1 - share) * b, **TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_order_of_rows_and_messages_changes_nothing(problem):
    outcomes, policy, baseline, mu, rng = problem
    rows, columns = rng.permutation(len(mu)), rng.permutation(mu.shape[1])
    renamed = np.argsort(columns)
    shuffled = outcomes.take(rows)
    shuffled = replace(shuffled, message=renamed[shuffled.message])
    for estimator in ESTIMATORS:
        before = paired_gain(policy, baseline, outcomes, mu, estimator)
        after = paired_gain(
            policy[rows][:, columns],
            baseline[rows][:, columns],
            shuffled,
            mu[rows][:, columns],
            estimator,
        )
        assert after.value == pytest.approx(before.value, **TOLERANCE)
        assert after.standard_error == pytest.approx(before.standard_error, **TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_a_weight_is_how_often_a_row_counts(problem):
    outcomes, policy, baseline, mu, rng = problem
    times = rng.integers(1, 4, outcomes.n)
    weighted = replace(outcomes, sampling_weight=times.astype(float), cluster=None)
    rows = np.repeat(np.arange(outcomes.n), times)
    repeated = replace(outcomes, sampling_weight=None, cluster=None).take(rows)
    for estimator in ESTIMATORS:
        for other in (None, baseline):
            value, again = (
                (
                    estimator.estimate(first, drawn, predicted)
                    if other is None
                    else paired_gain(first, second, drawn, predicted, estimator)
                ).value
                for first, second, drawn, predicted in (
                    (policy, baseline, weighted, mu),
                    (policy[rows], baseline[rows], repeated, mu[rows]),
                )
            )
            assert value == pytest.approx(again, **TOLERANCE)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_a_policy_gains_exactly_nothing_over_itself(problem):
    outcomes, policy, _, mu, _ = problem
    codes = mu.argmax(axis=1)
    for estimator in LINEAR:
        for same in (policy, codes):
            gain = paired_gain(same, same.copy(), outcomes, mu, estimator)
            assert (gain.value, gain.standard_error) == (0.0, 0.0)
    gain = paired_gain(policy, policy.copy(), outcomes, mu, SNIPS())
    assert (gain.value, gain.standard_error) == (0.0, 0.0)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_gain_is_the_difference_of_values_and_antisymmetric(problem):
    outcomes, policy, baseline, mu, _ = problem
    for estimator in ESTIMATORS:
        gain = paired_gain(policy, baseline, outcomes, mu, estimator)
        back = paired_gain(baseline, policy, outcomes, mu, estimator)
        apart = (
            estimator.estimate(policy, outcomes, mu).value
            - estimator.estimate(baseline, outcomes, mu).value
        )
        assert gain.value == pytest.approx(apart, **TOLERANCE)
        assert back.value == pytest.approx(-gain.value, **TOLERANCE)
        assert back.standard_error == pytest.approx(gain.standard_error, **TOLERANCE)


@settings(max_examples=60, deadline=None)
@given(problems(), st.floats(0.01, 100))
def test_the_unit_of_money_does_not_matter(problem, unit):
    outcomes, policy, baseline, mu, _ = problem
    scaled = replace(
        outcomes, profit=unit * outcomes.profit, smoothed_profit=unit * outcomes.smoothed_profit
    )
    for estimator in ESTIMATORS:
        gain = paired_gain(policy, baseline, outcomes, mu, estimator).scaled(unit)
        other = paired_gain(policy, baseline, scaled, unit * mu, estimator)
        assert other.value == pytest.approx(gain.value, rel=1e-8, abs=1e-8)
        assert other.standard_error == pytest.approx(gain.standard_error, rel=1e-8, abs=1e-8)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_the_gate_never_ships_without_a_positive_lower_bound(problem):
    outcomes, policy, _, mu, _ = problem
    result = gate(policy, outcomes, mu, minimum_effective_size=0.0)
    assert result.ships == (result.lower_bound > 0)
    assert not gate(result.best_constant, outcomes, mu, minimum_effective_size=0.0).ships


@settings(max_examples=40, deadline=None)
@given(problems())
def test_influence_values_average_to_the_estimate(problem):
    outcomes, policy, _, mu, _ = problem
    for estimator in ESTIMATORS:
        influence = estimator.influence(policy, outcomes, mu)
        mean = np.average(influence, weights=outcomes.sampling_weight)
        assert estimator.estimate(policy, outcomes, mu).value == pytest.approx(mean, **TOLERANCE)
