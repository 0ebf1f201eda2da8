from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import SendingSettings
from pentathlon.decision.decisions import limits_table, removed_in_words, rule_effects
from pentathlon.decision.plan import Plan, make_plan
from pentathlon.decision.rules import Screen, screen_customers
from pentathlon.errors import DataError, InfeasibleError, ParameterError

MESSAGES = MessageSet(
    {"control": {"margin": 0.4}}
    | {d: {"department": d, "margin": 0.4, "send_cost": 0.1} for d in ("team", "water")}
)


def plan(worth: Any, settings: dict[str, Any] | None = None, ages: Any = None, **more: Any) -> Plan:
    worth = np.array(worth, dtype=np.float32)
    n = len(worth)
    customers = pd.DataFrame(
        {"customer_id": [f"c{i}" for i in range(n)], "age": np.arange(n) if ages is None else ages}
    )
    sending = SendingSettings.model_validate(settings or {})
    screen = screen_customers(customers, MESSAGES, sending.rules, sending.limits)
    preferred = more.pop("preferred", worth.argmax(axis=1))
    return make_plan(worth, np.array(preferred), screen, sending, MESSAGES, **more)


def test_without_rules_the_policy_decides_even_where_it_is_not_the_best() -> None:
    got = plan([[0, 2, 2], [3, 1, 2]], preferred=[2, 0])
    assert got.draw.choice.tolist() == [2, 0]
    assert got.draw.decided_by.tolist() == ["policy", "policy"]
    assert got.limits == ()


def test_a_removed_preference_gives_way_to_the_best_that_is_left() -> None:
    rule = {
        "name": "no team under 1",
        "messages": ["team"],
        "when": [{"column": "age", "below": 1}],
    }
    got = plan([[0, 3, 2], [0, 3, 2]], {"rules": {"eligibility": [rule]}})
    assert got.draw.choice.tolist() == [2, 1]
    assert got.draw.decided_by.tolist() == ["rule", "policy"]
    assert removed_in_words(got, MESSAGES).tolist() == ["team: no team under 1", ""]
    effects = rule_effects(got, MESSAGES)
    assert effects.to_dict("records") == [
        {
            "rule": "no team under 1",
            "customers": 1,
            "messages_removed": 1,
            "first_choices_lost": 1,
            "worth_lost": 1.0,
        }
    ]


def test_an_e_mail_must_bring_the_minimum_gain() -> None:
    got = plan([[1, 1.4, 0], [1, 1.6, 1.5]], {"rules": {"minimum_gain": 0.5}})
    assert got.draw.choice.tolist() == [0, 1]
    assert removed_in_words(got, MESSAGES)[0] == "team, water: minimum gain"


def test_contact_costs_come_off_every_e_mail() -> None:
    rules = {"pressure": {"unsubscribe": [0.1], "customer_value": 15.0}}
    got = plan([[1, 2, 0], [1, 3, 0]], {"rules": rules})
    np.testing.assert_allclose(got.worth, [[1, 0.5, -1.5], [1, 1.5, -1.5]])
    assert got.draw.choice.tolist() == [0, 1]
    assert got.draw.decided_by.tolist() == ["contact cost", "policy"]


def test_a_lever_favours_a_message_whatever_its_sign() -> None:
    assert plan([[0, 1.0, 0.9]], {"levers": {"water": 1.2}}).draw.choice.tolist() == [2]
    below_zero = plan([[-9, -1.0, -1.1]], {"levers": {"water": 1.2}})
    assert below_zero.draw.choice.tolist() == [2]
    with pytest.raises(ParameterError, match=r"levers: \['golf'\] are neither messages nor depart"):
        plan([[0, 1, 2]], {"levers": {"golf": 2}})


def test_a_lever_on_a_department_moves_its_messages_and_a_messages_own_goes_first() -> None:
    messages = MessageSet(
        {"control": {"margin": 0.4}}
        | {m: {"department": "swim", "margin": 0.4} for m in ("fins", "caps")}
        | {"golf": {"department": "golf", "margin": 0.4}}
    )
    worth = np.array([[0, 1.0, 0.9, 1.1]], dtype=np.float32)
    screen = Screen.open(np.array(["a"], dtype=object), 4)

    def chosen(levers: dict[str, float]) -> str:
        settings = SendingSettings.model_validate({"levers": levers})
        got = make_plan(worth, worth.argmax(axis=1), screen, settings, messages)
        return messages.names[int(got.draw.choice[0])]

    assert chosen({"golf": 1.0}) == "golf"
    assert chosen({"swim": 1.5}) == "fins"
    assert chosen({"swim": 1.5, "fins": 1.0}) == "caps"


def test_what_levers_give_up_is_counted_and_nothing_else_is_blamed() -> None:
    worth = [[0, 1.0, 0.9], [0, 1.0, 0.5], [0, 0.2, 0.9]]
    got = plan(worth, {"levers": {"water": 1.2}})
    assert got.draw.choice.tolist() == [2, 1, 2]
    assert got.draw.decided_by.tolist() == ["lever", "policy", "policy"]
    (row,) = rule_effects(got, MESSAGES).to_dict("records")
    assert (row["rule"], row["customers"], row["messages_removed"]) == ("levers", 1, 0)
    assert row["worth_lost"] == pytest.approx(0.1)
    # A rule that took the preference stays the reason, whatever a lever does to the rest.
    rule = {"name": "no team", "messages": ["team"]}
    both = plan([[0.55, 1.0, 0.5]], {"levers": {"water": 1.2}, "rules": {"eligibility": [rule]}})
    assert both.draw.choice.tolist() == [2]
    assert both.draw.decided_by.tolist() == ["rule"]
    assert rule_effects(both, MESSAGES)["rule"].tolist() == ["no team", "levers"]


def test_limits_move_those_who_lose_least_and_state_their_price() -> None:
    worth = [[0, 3, 1], [0, 5, 1], [0, 4, 3.5]]
    got = plan(worth, {"limits": [{"name": "team", "messages": ["team"], "at_most": 1}]})
    assert got.draw.choice.tolist() == [2, 1, 2]
    assert got.draw.decided_by.tolist() == ["limit", "policy", "limit"]
    (limit,) = got.limits
    assert (limit.used, limit.at_most) == (1, 1)
    assert 2 <= limit.price <= 4
    assert limit.cost == pytest.approx(2.5)  # 12 without, 9.5 with it
    assert limit.gap == pytest.approx(0.0, abs=1e-9)
    table = limits_table(got.limits)
    assert table.loc[0, "name"] == "team"


@pytest.mark.parametrize(
    ("limit", "chosen"),
    [
        ({"of": "share", "at_most": 1 / 3}, 1),
        ({"of": "cost", "at_most": 0.25}, 2),
        ({"at_most": 2, "where": [{"column": "age", "below": 2}]}, 3),
        ({"at_most": 0, "where": [{"column": "age", "below": 2}]}, 1),
        ({"at_most": 4, "share": 0.25}, 1),
    ],
)
def test_what_a_limit_counts(limit: dict[str, Any], chosen: int) -> None:
    share = limit.pop("share", 1.0)
    worth = [[0, 3, 0], [0, 5, 0], [0, 4, 0]]
    got = plan(worth, {"limits": [{"name": "x"} | limit]}, share=share)
    assert int((got.draw.choice == 1).sum()) == chosen


def test_complaints_are_kept_below_their_rate() -> None:
    rng = np.random.default_rng(0)
    n = 500
    worth = np.zeros((n, 3))
    worth[:, 1] = rng.uniform(0, 1, n)
    screen = Screen.open(np.arange(n).astype(object), 3)
    complaint = rng.choice([0.001, 0.004], n).astype(np.float32)
    object.__setattr__(screen, "complaint", complaint)
    settings = SendingSettings.model_validate(
        {"rules": {"pressure": {"complaint": [0.001, 0.004], "max_complaint_rate": 0.002}}}
    )
    got = make_plan(worth.astype(np.float32), worth.argmax(axis=1), screen, settings, MESSAGES)
    mailed = got.draw.choice > 0
    assert complaint[mailed].mean() <= 0.002
    # Those who seldom complain all get theirs, of the others the more valuable.
    assert mailed[complaint < 0.002].all()
    often = complaint > 0.002
    assert worth[mailed & often, 1].min() >= worth[~mailed & often, 1].max()


def test_what_is_mandatory_or_drawn_counts_in_limits() -> None:
    rng = np.random.default_rng(1)
    worth = rng.gamma(2.0, 1.0, (4_000, 3))
    settings = {
        "rules": {
            "mandatory": [
                {"name": "recall", "message": "water", "when": [{"column": "age", "below": 50}]}
            ]
        },
        "limits": [
            {"name": "water", "messages": ["water"], "at_most": 900},
            {"name": "team", "messages": ["team"], "at_least": 1_700, "at_most": 1_800},
        ],
        "exploration": {"share": 0.1, "holdout": 0.05},
    }
    got = plan(worth, settings)
    count = np.bincount(got.draw.choice, minlength=3)
    assert count[2] <= 900
    assert 1_700 <= count[1] <= 1_800
    assert (got.draw.choice[:50] == 2).all()
    assert (got.draw.of_choice[:50] == 1).all()
    assert set(got.draw.decided_by) == {*("mandatory", "policy", "limit", "exploration", "holdout")}
    np.testing.assert_allclose(got.draw.propensity.sum(axis=1), 1)


def test_top_two_are_the_best_at_the_prices_of_the_limits() -> None:
    rng = np.random.default_rng(2)
    worth = rng.gamma(2.0, 1.0, (3_000, 3)) + np.array([0, 3, 0])
    settings = {
        "limits": [{"name": "team", "messages": ["team"], "at_most": 200}],
        "exploration": {"share": 0.2, "among": "top_two"},
    }
    got = plan(worth, settings)
    assert (got.draw.choice == 1).sum() <= 200
    drawn = got.draw.propensity > 0
    # Without the limit team would be among the top two of nearly everybody.
    assert drawn[:, 1].mean() < 0.6


def test_inverse_propensity_is_unbiased_on_what_was_sent() -> None:
    """The mean over campaigns of an IPS estimate from the log is the value of the policy judged."""
    rng = np.random.default_rng(3)
    n = 400
    worth = rng.gamma(2.0, 1.0, (n, 3))
    truth = rng.gamma(2.0, 1.0, (n, 3))
    judged = rng.integers(0, 3, n)
    settings = {
        "rules": {
            "eligibility": [
                {"name": "no team", "messages": ["team"], "when": [{"column": "age", "below": 100}]}
            ]
        },
        "limits": [{"name": "water", "messages": ["water"], "at_most": 120}],
        "exploration": {"share": 0.3, "holdout": 0.1},
    }
    judged[:100] = np.where(judged[:100] == 1, 2, judged[:100])  # what rules allow
    rows = np.arange(n)
    value = truth[rows, judged].mean()
    estimates = []
    for campaign in range(300):
        sending = settings["exploration"] | {"key": f"key {campaign}"}  # type: ignore[operator]
        draw = plan(worth, settings | {"exploration": sending}, campaign=str(campaign)).draw
        weight = (draw.choice == judged) / draw.of_choice
        estimates.append(float((weight * truth[rows, draw.choice]).mean()))
    error = np.std(estimates, ddof=1) / np.sqrt(len(estimates))
    assert abs(np.mean(estimates) - value) < 3.5 * error
    assert error < 0.02 * value


def test_limits_that_chance_alone_breaks_are_named() -> None:
    worth = np.ones((1_000, 3))
    settings = {
        "limits": [{"name": "no water", "messages": ["water"], "at_most": 0}],
        "exploration": {"share": 0.3},
    }
    with pytest.raises(InfeasibleError, match="no water; what is mandatory, held out or drawn"):
        plan(worth, settings)


def test_limits_that_clash_are_named_or_give_way() -> None:
    worth = np.ones((10, 3))
    limits = [
        {"name": "many", "messages": ["team"], "at_least": 8},
        {"name": "few", "at_most": 5},
    ]
    with pytest.raises(InfeasibleError, match="many, few"):
        plan(worth, {"limits": limits})
    got = plan(worth, {"limits": [limits[0], limits[1] | {"may_give_way": 1}]})
    assert (got.draw.choice == 1).sum() == 8
    assert [limit.widened for limit in got.limits] == [0, 3]


def test_a_limit_that_concerns_nobody_is_refused() -> None:
    limit = {"name": "old", "at_most": 1, "where": [{"column": "age", "above": 99}]}
    with pytest.raises(ParameterError, match="'old' concerns nobody"):
        plan(np.ones((3, 3)), {"limits": [limit]})


def test_without_control_rules_may_not_take_everything() -> None:
    messages = MessageSet({m: {"margin": 0.4} for m in ("team", "water")})
    rules = {"eligibility": [{"name": "nothing for a", "when": [{"column": "age", "below": 1}]}]}
    settings = SendingSettings.model_validate({"rules": rules})
    customers = pd.DataFrame({"customer_id": ["a", "b"], "age": [0, 1]})
    screen = screen_customers(customers, messages, settings.rules)
    with pytest.raises(DataError, match=r"1 customers have no message left.*nothing for a"):
        make_plan(np.ones((2, 2), dtype=np.float32), np.zeros(2, int), screen, settings, messages)
