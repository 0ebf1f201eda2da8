"""Leads of e-mails in what is spent, by hand and against what would have been best."""

from __future__ import annotations

import numpy as np
import pytest

from pentathlon.decision.leads import AS_PREDICTED, MessageLeads
from pentathlon.decision.shrinkage import shrink_to_mean

P, V = np.float32(0.1), np.float32(50.0)


def campaign(
    rng: np.random.Generator, spending: np.ndarray, per_arm: int
) -> tuple[np.ndarray, np.ndarray]:
    """Messages, and what is spent after them: a tenth of the customers, gamma distributed."""
    message = np.repeat(np.arange(len(spending)), per_arm)
    buys = rng.random(len(message)) < P
    return message, np.where(buys, rng.gamma(2.0, 25.0, len(message)) * spending[message], 0.0)


def fit(message: np.ndarray, spent: np.ndarray, n_messages: int, **changes: object) -> MessageLeads:
    shape = (len(message), n_messages)
    given = {
        "probability": np.full(shape, P),
        "expected_order_value": np.full(shape, V),
        "message": message,
        "spent": spent,
        "sampling_weight": np.ones(len(message)),
        "control": 0,
    }
    return MessageLeads.fit(**given | changes)


def test_leads_by_hand() -> None:
    """Six customers an arm; predictions say 5 each, the arms' outcomes differ."""
    rows = {1: [30, 20, 0, 0, 0, 0], 2: [60, 0, 0, 0, 0, 12], 3: [9, 0, 0, 0, 0, 9], 0: [7] * 6}
    message = np.repeat(list(rows), 6)
    spent = np.array([x for values in rows.values() for x in values], dtype=float)
    found = fit(message, spent, 4)
    lead, variance = [], []
    for k in (1, 2, 3):
        y = np.array(rows[k], dtype=float)
        lead.append(np.log(y.sum() / 6))
        variance.append(np.sum((y - y.sum() / 6) ** 2) / y.sum() ** 2)
    shrunk = shrink_to_mean(np.array(lead), np.array(variance))
    np.testing.assert_allclose(found.factors, [1.0, *(np.exp(shrunk) / 5)], rtol=1e-6)
    values = found.predict(np.full((1, 4), V))
    assert values.dtype == np.float32
    np.testing.assert_allclose(values[0], 50 * np.array(found.factors), rtol=1e-6)


def test_predictions_that_have_an_arms_lead_already_end_at_the_same_place() -> None:
    """What matters is the lead in outcomes, not who told predictions of it."""
    message, spent = campaign(np.random.default_rng(3), np.array([1, 1.2, 0.9, 1.0, 1.3]), 4_000)
    tilted = np.full((len(message), 5), P) * np.array([1, 1.3, 0.8, 1, 1.1], dtype=np.float32)
    plain, other = fit(message, spent, 5), fit(message, spent, 5, probability=tilted)
    for k in range(1, 5):
        ratio = tilted[0, k] / P
        np.testing.assert_allclose(plain.factors[k], other.factors[k] * ratio, rtol=1e-5)


def test_leads_that_are_luck_vanish_and_leads_that_are_not_stay() -> None:
    rng = np.random.default_rng(11)
    left: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(60):
        for real in (True, False):
            true = 1 + (np.array([0, 0.3, -0.3, 0.2, -0.2, 0.1, -0.1]) if real else np.zeros(7))
            factors = np.array(fit(*campaign(rng, true, 3_000), 7).factors)[1:]
            left[real].append(float(np.mean((factors - true[1:]) ** 2)))
    # Raw ratios have a mean squared error of (1 + CV^2) / orders = 1.5 / 300.
    assert np.mean(left[False]) < 0.4 * 1.5 / 300
    assert np.mean(left[True]) < 1.1 * 1.5 / 300


def test_the_mean_squared_error_is_below_that_of_raw_ratios_when_leads_are_small() -> None:
    """The sharpest case: leads as large as their errors."""
    rng = np.random.default_rng(12)
    raw, shrunk = [], []
    for _ in range(80):
        true = 1 + rng.normal(0, 0.07, 7)
        message, spent = campaign(rng, true, 3_000)
        factors = np.array(fit(message, spent, 7).factors)[1:]
        means = np.array([spent[message == k].mean() / (P * V) for k in range(1, 7)])
        raw.append(np.mean((means - true[1:]) ** 2))
        shrunk.append(np.mean((factors - true[1:]) ** 2))
    assert np.mean(shrunk) < 0.75 * np.mean(raw)


def test_an_e_mail_that_nobody_bought_after_goes_to_the_mean_of_the_others() -> None:
    message, spent = campaign(np.random.default_rng(4), np.ones(5), 3_000)
    spent[message == 4] = 0.0
    factors = fit(message, spent, 5).factors
    assert min(factors[1:4]) <= factors[4] <= max(factors[1:4])


@pytest.mark.parametrize(("n_messages", "control"), [(3, 0), (2, None)])
def test_two_e_mails_are_left_alone(n_messages: int, control: int | None) -> None:
    """Of two values nobody can tell spread from luck."""
    message, spent = campaign(np.random.default_rng(5), np.ones(n_messages), 500)
    found = fit(message, spent, n_messages, control=control)
    assert found == AS_PREDICTED
    values = np.full((4, n_messages), V)
    assert found.predict(values) is values
