"""The plan of a month: best total within the caps, by trying everything on small data."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import SendingSettings
from pentathlon.decision.monthly import (
    month_of,
    monthly_summary,
    monthly_table,
    no_month,
    plan_month,
)
from pentathlon.decision.monthly_settings import MonthlyPlanSettings
from pentathlon.decision.rules import Screen, Sources, further_contact_costs
from pentathlon.decision.rules.settings import RuleSettings
from pentathlon.errors import ParameterError

MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        "team": {"margin": 0.4, "send_cost": 0.05},
        "water": {"margin": 0.4, "send_cost": 0.2},
        "racquet": {"margin": 0.4},
    }
)


def best_by_trying(
    worth: Any, allowed: Any, contact: Any, must: int, s: MonthlyPlanSettings
) -> float:
    best = -np.inf
    for length in range(s.per_month + 1):
        for sequence in product((1, 2, 3), repeat=length):
            counts = np.bincount(sequence, minlength=4)
            if counts.max() > s.times_each or (must >= 0 and sequence[:1] != (must,)):
                continue
            if s.different_messages is not None and (counts > 0).sum() > s.different_messages:
                continue
            if any(not allowed[m] for m in sequence[must >= 0 :]):
                continue
            value = 0.0
            for j, m in enumerate(sequence):
                gross = worth[m] - worth[0] + MESSAGES.costs[m]
                value += s.decay**j * gross - MESSAGES.costs[m] - contact[j]
            best = max(best, value)
    return best


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"times_each": 2, "decay": 0.9},
        {"times_each": 4, "different_messages": 2, "decay": 0.8, "per_week": 2},
        {"per_month": 2, "decay": 1.0},
        {"times_each": 3, "different_messages": 1, "decay": 0.5},
    ],
)
def test_the_plan_is_the_best_there_is(settings: dict[str, Any]) -> None:
    s = MonthlyPlanSettings(**settings)
    rng = np.random.default_rng(5)
    n = 40
    worth = rng.normal([1, 1.4, 1.5, 1.3], 0.5, (n, 4)).astype(np.float32)
    allowed = rng.random((n, 4)) < 0.8
    contact = np.sort(rng.uniform(0, 0.3, (n, s.per_month)), axis=1)
    mandatory = np.where(rng.random(n) < 0.3, rng.integers(1, 4, n), -1)
    allowed[mandatory >= 0, mandatory[mandatory >= 0]] = True
    got = plan_month(worth, allowed, contact, mandatory, s, MESSAGES)
    expected = [
        best_by_trying(worth[i], allowed[i], contact[i], int(mandatory[i]), s) for i in range(n)
    ]
    np.testing.assert_allclose(got.value.sum(axis=1), expected, atol=1e-6)
    for i in range(n):
        counts = np.bincount(got.message[i][got.message[i] >= 0], minlength=4)
        assert counts.max(initial=0) <= s.times_each
        assert (counts > 0).sum() <= (s.different_messages or 3)
        if mandatory[i] >= 0:
            assert got.message[i, 0] == mandatory[i]


def test_two_departments_share_a_customer_s_e_mails_equally_when_all_are_worth_sending() -> None:
    """The case's draft: each customer's two best departments, half of two e-mails a week each."""
    s = MonthlyPlanSettings(per_week=2, per_month=8, times_each=4, different_messages=2, decay=1.0)
    worth = np.array([[0, 1, 2, 3], [0, 3, 1, 2]], dtype=np.float32)
    got = plan_month(worth, np.ones((2, 4), bool), np.zeros((2, 8)), np.full(2, -1), s, MESSAGES)
    counts = [np.bincount(m, minlength=4).tolist() for m in got.message]
    assert counts == [[0, 0, 4, 4], [0, 4, 0, 4]]
    table = monthly_table(np.array(["a", "b"], dtype=object), got, s, MESSAGES)
    assert table.groupby(["customer_id", "week"]).size().tolist() == [2] * 8


def test_each_e_mail_must_bring_the_minimum_gain() -> None:
    worth = np.array([[0, 1.0, 0.6, 0.5]], dtype=np.float32)
    s = MonthlyPlanSettings(decay=0.5)
    everything = np.ones((1, 4), bool)
    for minimum, second in ((0.24, 0.25), (0.26, 0.0)):
        got = plan_month(worth, everything, np.zeros((1, 4)), np.array([-1]), s, MESSAGES, minimum)
        np.testing.assert_allclose(got.value[0], [1.0, second, 0, 0], atol=1e-6)


def test_e_mails_are_spread_over_the_weeks_within_the_cap() -> None:
    s = MonthlyPlanSettings(per_week=2, per_month=6, times_each=6)
    worth = np.tile(np.array([[0, 1, 1, 1]], dtype=np.float32), (7, 1))
    contact = np.where(np.arange(6) < np.arange(7)[:, None], 0.0, 9.0)  # i e-mails for row i
    s = s.model_copy(update={"decay": 1.0})
    got = plan_month(worth, np.ones((7, 4), bool), contact, np.full(7, -1), s, MESSAGES)
    ids = np.array([str(i) for i in range(7)], dtype=object)
    table = monthly_table(ids, got, s, MESSAGES)
    assert table.groupby("customer_id").size().to_dict() == {str(i): i for i in range(1, 7)}
    assert table.groupby(["customer_id", "week"]).size().max() == 2
    assert table.loc[table["customer_id"] == "2", "week"].tolist() == [1, 3]
    summary = monthly_summary(table)
    assert summary["emails"].sum() == 21
    assert summary["expected_profit"].sum() == pytest.approx(table["expected_profit"].sum())


def test_pressure_costs_rise_with_every_further_e_mail() -> None:
    rules = RuleSettings.model_validate(
        {"pressure": {"unsubscribe": [0.1, 0.2, 0.4], "customer_value": "value"}}
    )
    customers = pd.DataFrame({"customer_id": ["a", "b"], "value": [10, 20]})
    contacts = pd.DataFrame({"customer_id": ["b"], "message": "team", "sent_at": "2026-03-01"})
    on = pd.Timestamp("2026-03-05").date()
    costs = further_contact_costs(customers, rules, 3, Sources(contacts=contacts), on)
    np.testing.assert_allclose(costs, [[1, 2, 4], [4, 8, 8]])
    assert not further_contact_costs(customers, RuleSettings(), 2).any()


def test_an_engine_plans_a_month_and_spares_the_holdout(engine: Any, retailer: Any) -> None:
    customers = retailer.customers.iloc[:200]
    ids = customers["customer_id"].to_numpy(dtype=object)
    settings = SendingSettings.model_validate(
        {"exploration": {"holdout": 0.2, "share": 0.5, "key": "k"}}
    )
    screen = Screen.open(ids, 3)
    screen.removed_by[:50, 1] = 1
    screen = Screen(ids, ("x",), screen.removed_by, *list(vars(screen).values())[3:])
    month = MonthlyPlanSettings(per_month=2)
    table = month_of(engine, customers, screen, np.zeros((200, 2)), settings, month)
    decided = engine.decide(customers, settings, screen)
    held = set(decided.loc[decided["decided_by"] == "holdout", "customer_id"])
    assert held
    assert not held & set(table["customer_id"])
    assert "water" not in set(table.loc[table["customer_id"].isin(ids[:50]), "message"])
    assert list(table.columns) == list(no_month().columns)
    assert (table.dtypes == no_month().dtypes).all()
    assert monthly_summary(no_month()).empty


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ValueError, match="5 e-mails a month do not fit 4 weeks of at most 1"):
        MonthlyPlanSettings(per_month=5)
    without = MessageSet({"a": {"margin": 0.4}, "b": {"margin": 0.4}})
    worth = np.ones((1, 2), dtype=np.float32)
    with pytest.raises(ParameterError, match="lacks"):
        plan_month(
            worth,
            np.ones((1, 2), bool),
            np.zeros((1, 4)),
            np.array([-1]),
            MonthlyPlanSettings(),
            without,
        )
