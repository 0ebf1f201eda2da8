"""The preset of a few departments that share the e-mails."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import SendingSettings
from pentathlon.decision.plan import Plan, make_plan
from pentathlon.decision.presets import top_departments
from pentathlon.decision.rules import Screen
from pentathlon.decision.rules.settings import TopDepartments
from pentathlon.errors import ParameterError

NAMES = ("team", "water", "racquet")
MESSAGES = MessageSet(
    {"control": {"margin": 0.4}} | {d: {"department": d, "margin": 0.4} for d in NAMES}
)


def some_worth(n: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    gain = rng.normal([0.0, 0.5, 0.3, 0.4], 0.8, (n, 4)) * [0, 1, 1, 1]
    return (rng.gamma(2, 1, (n, 1)) + gain).astype(np.float32)


def plan(worth: np.ndarray, supported: Any, screen: Screen | None = None, **preset: Any) -> Plan:
    more = {k: preset.pop(k) for k in ("rules", "limits", "exploration") if k in preset}
    settings = SendingSettings.model_validate({"top_departments": preset} | more)
    ids = np.array([f"c{i}" for i in range(len(worth))], dtype=object)
    return make_plan(
        worth,
        worth.argmax(axis=1),
        screen or Screen.open(ids, len(MESSAGES)),
        settings,
        MESSAGES,
        supported=supported,
    )


@pytest.mark.parametrize("shares", ["equal", "profit", "gain"])
def test_the_optimum_is_that_of_trying_everything(shares: str) -> None:
    worth, supported = some_worth(8, seed=3), [1.0, 1.6, 1.2, 1.4]
    got = plan(worth, supported, shares=shares)
    quota = {"equal": 0.5, "profit": 1.6 / 3.0, "gain": 0.6}[shares]
    best = -np.inf
    for choice in product((0, 1, 3), repeat=8):
        counts = np.bincount(choice, minlength=4)
        e_mails = counts[1] + counts[3]
        if abs(counts[1] - quota * e_mails) < 1 and abs(counts[3] - (1 - quota) * e_mails) < 1:
            best = max(best, float(worth[np.arange(8), list(choice)].sum(dtype=np.float64)))
    assert worth[np.arange(8), got.draw.choice].sum(dtype=np.float64) == pytest.approx(best)


@pytest.mark.parametrize(
    ("shares", "expected"), [("equal", 0.5), ("profit", 1.6 / 3.0), ("gain", 0.6)]
)
def test_shares_hold_to_the_e_mail_and_the_plan_is_certified(shares: str, expected: float) -> None:
    worth = some_worth(1_500)
    got = plan(worth, [1.0, 1.6, 1.2, 1.4], shares=shares)
    counts = np.bincount(got.draw.choice, minlength=4)
    e_mails = counts[1] + counts[3]
    assert counts[2] == 0
    assert counts[0] > 0  # no e-mail stays possible
    assert abs(counts[1] - expected * e_mails) < 1
    assert abs(counts[3] - (1 - expected) * e_mails) < 1
    assert all(0 <= limit.gap <= 1e-4 for limit in got.limits)
    first = got.limits[0]
    assert (first.of, first.name) == ("share_of_emails", "team: share of the e-mails")
    assert first.at_least == first.at_most == pytest.approx(expected)
    assert first.used == pytest.approx(expected, abs=1 / e_mails)


def test_equal_shares_are_equal_where_chance_holdout_and_a_mandate_take_part() -> None:
    worth = some_worth(2_000)
    ids = np.array([f"c{i}" for i in range(2_000)], dtype=object)
    screen = Screen.open(ids, 4)
    screen.mandatory[:50] = 2
    chance = {"share": 0.1, "holdout": 0.1, "key": "k"}
    got = plan(worth, [1.0, 1.6, 1.2, 1.4], screen, departments=2, exploration=chance)
    counts = np.bincount(got.draw.choice, minlength=4)
    assert counts[2] == 50  # the mandate, whatever the preset
    assert (got.draw.decided_by == "holdout").any()
    assert abs(counts[1] - counts[3]) <= 1


def test_departments_are_ranked_by_what_outcomes_support_or_by_what_is_expected() -> None:
    worth = np.array([[1, 5, 3, 2], [1, 5, 3, 2]], dtype=np.float32)
    by_outcomes = top_departments(TopDepartments(), worth, [1, 1.1, 1.2, 1.3], MESSAGES)
    assert by_outcomes.kept.tolist() == [True, False, True, True]
    by_prediction = top_departments(TopDepartments(by="expected"), worth, (), MESSAGES)
    assert by_prediction.kept.tolist() == [True, True, True, False]
    assert [limit.at_least for limit in by_prediction.limits] == [0.5, 0.5]


def test_a_department_with_two_messages_is_one() -> None:
    messages = MessageSet(
        {
            "control": {"margin": 0.4},
            "team a": {"margin": 0.4, "department": "team"},
            "team b": {"margin": 0.4, "department": "team"},
            "water": {"margin": 0.4, "department": "water"},
            "letter": {"margin": 0.4},
        }
    )
    worth = np.zeros((1, 5), dtype=np.float32)
    preset = top_departments(TopDepartments(), worth, [0, 3, 1, 2, 1.5], messages)
    assert preset.kept.tolist() == [True, True, True, True, False]
    assert preset.limits[0].messages == ("team a", "team b")


def test_one_department_alone_needs_no_shares() -> None:
    got = plan(some_worth(50), [1.0, 1.6, 1.2, 1.4], departments=1)
    assert got.limits == ()
    assert set(got.draw.choice.tolist()) == {0, 1}
    assert "not a top department" in got.rules


@pytest.mark.parametrize(
    ("preset", "supported", "words"),
    [
        ({"departments": 4}, [1, 2, 3, 4], "4 departments are asked for, but messages has 3"),
        ({}, (), "train it again, or set by to expected"),
        ({"shares": "gain"}, [5, 1, 2, 3], "a gain above 0"),
    ],
)
def test_what_cannot_be_preset_is_refused(preset: Any, supported: Any, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        plan(some_worth(5), supported, **preset)


def test_a_share_of_the_e_mails_has_both_ends_and_concerns_whom_it_names() -> None:
    worth = some_worth(300)
    ids = np.array([f"c{i}" for i in range(300)], dtype=object)
    screen = Screen.open(ids, 4)
    screen.scopes["racquet"] = np.arange(300) < 100
    limit = {
        "name": "racquet",
        "of": "share_of_emails",
        "messages": ["racquet"],
        "where": [{"column": "x", "below": 100}],
        "at_least": 0.5,
        "at_most": 0.6,
    }
    settings = SendingSettings.model_validate({"limits": [limit]})
    got = make_plan(worth, worth.argmax(axis=1), screen, settings, MESSAGES)
    counts = np.bincount(got.draw.choice[:100], minlength=4)
    assert counts[3] >= 0.5 * counts[1:].sum() - 1
    assert (got.draw.choice[100:] == worth[100:].argmax(axis=1)).all()
    assert [outcome.name for outcome in got.limits] == ["racquet, at least", "racquet, at most"]
    assert got.limits[0].used == pytest.approx(counts[3] / counts[1:].sum())
    assert (got.limits[0].at_least, got.limits[1].at_most) == (0.5, 0.6)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({}, "name the e-mails"),
        ({"messages": ["control"]}, "name the e-mails"),
        ({"messages": ["team"], "may_give_way": 1}, "cannot give way"),
    ],
)
def test_a_share_of_the_e_mails_that_says_nothing_is_refused(more: Any, words: str) -> None:
    limit = {"name": "x", "of": "share_of_emails", "at_least": 0.5} | more
    with pytest.raises(ValueError, match=words):
        SendingSettings.model_validate({"limits": [limit]})
