from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pentathlon.contract import MessageSet
from pentathlon.decision.rules import (
    LimitSettings,
    RuleSettings,
    Screen,
    Sources,
    screen_customers,
)
from pentathlon.errors import DataError, ParameterError

MESSAGES = MessageSet(
    {"control": {"margin": 0.4}}
    | {d: {"department": d, "margin": 0.4} for d in ("strength", "team", "water")}
)
CUSTOMERS = pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "age": [17.0, 18.0, np.nan, 40.0]})
TODAY = date(2026, 3, 31)


def removed(rules: dict[str, Any], on: date | None = TODAY, **sources: Any) -> dict[str, str]:
    """What was removed from whom, and by which rule."""
    screen = screen_customers(
        CUSTOMERS, MESSAGES, RuleSettings.model_validate(rules), (), Sources(**sources), on
    )
    return {
        f"{customer} {message}": screen.rules[code - 1]
        for customer, codes in zip(screen.customer_id, screen.removed_by.tolist(), strict=True)
        for message, code in zip(MESSAGES, codes, strict=True)
        if code
    }


def every_e_mail(customers: str, rule: str) -> dict[str, str]:
    return {f"{c} {m}": rule for c in customers for m in ("strength", "team", "water")}


def test_no_rules_remove_nothing() -> None:
    assert removed({}, on=None) == {}


def test_a_rule_with_when_spares_those_who_do_not_pass() -> None:
    rule = {"name": "adults", "messages": ["strength"]}
    under_age = [{"column": "age", "below": 18}]
    assert removed({"eligibility": [rule | {"when": under_age}]}) == {"a strength": "adults"}
    # Whose age is unknown is not known to be of age.
    of_age = [{"column": "age", "at_least": 18}]
    assert removed({"eligibility": [rule | {"unless": of_age}]}) == {
        "a strength": "adults",
        "c strength": "adults",
    }


def test_the_first_rule_that_removes_is_the_one_that_is_named() -> None:
    rules = {
        "eligibility": [
            {"name": "first", "messages": ["team"], "when": [{"column": "age", "at_least": 40}]},
            {"name": "second", "messages": ["team", "water"]},
        ]
    }
    got = removed(rules)
    assert got["d team"] == "first"
    assert got["d water"] == got["a team"] == "second"


def test_consent_counts_by_day() -> None:
    attributes = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "joined": ["2026-03-31T18:00:00", "2026-04-01", "2020-01-01"],
            "left": [None, None, "2026-03-31"],
        }
    )
    rules = {"consent": {"opted_in": "joined", "opted_out": "left"}}
    # b agrees tomorrow, c left today, d never agreed.
    assert removed(rules, attributes=attributes) == every_e_mail("bcd", "no consent")


def test_who_opts_in_again_may_be_mailed_again() -> None:
    attributes = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c", "d"],
            "joined": ["2025-06-01", "2025-06-01", "2026-04-01", "2024-01-01"],
            "left": ["2024-05-01", "2025-06-01", "2024-05-01", "2024-05-01"],
        }
    )
    both = {"consent": {"opted_in": "joined", "opted_out": "left"}}
    # b did both on one day, c will agree again tomorrow, d left after agreeing.
    assert removed(both, attributes=attributes) == every_e_mail("bcd", "no consent")
    only_out = {"consent": {"opted_out": "left"}}
    assert removed(only_out, attributes=attributes) == every_e_mail("abcd", "no consent")


def test_a_suppression_list_holds_without_any_rule() -> None:
    listed = pd.DataFrame({"customer_id": ["b", "nobody"]})
    assert removed({}, suppressed=listed) == every_e_mail("b", "suppression list")


@pytest.mark.parametrize(("day", "gone"), [(30, True), (31, False), (32, False), (33, True)])
def test_a_message_may_be_sent_on_its_days_only(day: int, gone: bool) -> None:
    period = {
        "name": "spring",
        "messages": ["water"],
        "first_day": "2026-03-31",
        "last_day": "2026-04-01",
    }
    on = date(2026, 3, 30) + (date(2026, 3, 31) - date(2026, 3, 30)) * (day - 30)
    got = removed({"periods": [period]}, on=on)
    assert got == ({f"{c} water": "spring" for c in "abcd"} if gone else {})


def test_frequency_caps_count_a_sliding_window() -> None:
    contacts = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b", "b", "c", "x"],
            "message": ["team", "water", "team", "control", "team", "team"],
            # Seven days that end today begin on 25 March; what is sent tomorrow is not counted.
            "sent_at": [f"2026-03-{day}" for day in (25, 31, 30, 30, 24, 31)],
        }
    )
    cap = {"name": "two a week", "at_most": 2, "days": 7}
    assert removed({"frequency_caps": [cap]}, contacts=contacts) == every_e_mail("a", "two a week")
    one = {"name": "one team", "at_most": 1, "days": 7, "messages": ["team"]}
    assert removed({"frequency_caps": [one]}, contacts=contacts) == {
        "a team": "one team",
        "b team": "one team",
    }


def test_a_cool_down_takes_the_department_just_bought_from() -> None:
    purchases = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "department": ["team", "water", "team"],
            "purchased_at": ["2026-03-20", "2026-03-31", "2026-03-01"],
        }
    )
    rest = {"name": "rest", "days": 14}
    assert removed({"cool_downs": [rest]}, purchases=purchases) == {
        "a team": "rest",
        "b water": "rest",
    }
    only = rest | {"departments": ["team"]}
    assert removed({"cool_downs": [only]}, purchases=purchases) == {"a team": "rest"}


def test_mandatory_messages_bypass_caps_but_not_the_law() -> None:
    contacts = pd.DataFrame({"customer_id": ["a", "d"], "message": "team", "sent_at": "2026-03-31"})
    rules = RuleSettings.model_validate(
        {
            "eligibility": [
                {"name": "adults", "messages": ["water"], "when": [{"column": "age", "below": 18}]}
            ],
            "frequency_caps": [{"name": "one", "at_most": 1, "days": 7}],
            "mandatory": [
                {
                    "name": "recall",
                    "message": "water",
                    "when": [{"column": "age", "missing": False}],
                },
                {"name": "later", "message": "team"},
            ],
        }
    )
    screen = screen_customers(CUSTOMERS, MESSAGES, rules, (), Sources(contacts=contacts), TODAY)
    # a may not get water, so the second rule has its say, although a has had an e-mail.
    assert screen.mandatory.tolist() == [2, 3, 2, 3]
    assert screen.removed_by[3].tolist() == [0, 2, 2, 0]


def test_pressure_costs_by_what_a_customer_already_had() -> None:
    contacts = pd.DataFrame(
        {"customer_id": ["a", "b", "b", "b"], "message": "team", "sent_at": "2026-03-15"}
    )
    attributes = pd.DataFrame({"customer_id": list("abcd"), "value": [10.0, 20.0, 30.0, 40.0]})
    rules = RuleSettings.model_validate(
        {
            "pressure": {
                "days": 30,
                "unsubscribe": [0.01, 0.02, 0.05],
                "customer_value": "value",
                "complaint": [0.001, 0.003],
                "complaint_cost": 100.0,
            }
        }
    )
    screen = screen_customers(
        CUSTOMERS, MESSAGES, rules, (), Sources(attributes=attributes, contacts=contacts), TODAY
    )
    np.testing.assert_allclose(screen.contact_cost, [0.5, 1.3, 0.4, 0.5], rtol=1e-6)
    np.testing.assert_allclose(screen.complaint, [0.003, 0.003, 0.001, 0.001], rtol=1e-6)


def test_a_screen_survives_its_table() -> None:
    rules = RuleSettings.model_validate(
        {
            "eligibility": [
                {"name": "adults", "messages": ["water"], "when": [{"column": "age", "below": 18}]}
            ],
            "mandatory": [
                {"name": "recall", "message": "team", "when": [{"column": "age", "above": 20}]}
            ],
        }
    )
    limit = LimitSettings.model_validate(
        {"name": "old", "at_most": 1, "where": [{"column": "age", "at_least": 18}]}
    )
    screen = screen_customers(CUSTOMERS, MESSAGES, rules, [limit])
    again = Screen.from_table(screen.to_table(MESSAGES), MESSAGES)
    assert again.rules == screen.rules == ("adults",)
    assert again.customer_id.tolist() == list("abcd")
    np.testing.assert_array_equal(again.removed_by, screen.removed_by)
    np.testing.assert_array_equal(again.mandatory, screen.mandatory)
    assert again.scopes["old"].tolist() == [False, True, False, True]
    some = again.of(np.array(["d", "a", "d"], dtype=object))
    assert some.mandatory.tolist() == [2, -1, 2]
    with pytest.raises(DataError, match=r"1 customers were not screened.*'z'"):
        again.of(np.array(["z"], dtype=object))
    other = MessageSet({"control": {"margin": 1}, "golf": {"margin": 1}})
    with pytest.raises(DataError, match="lack"):
        Screen.from_table(screen.to_table(MESSAGES), other)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"eligibility": [{"name": "x", "messages": ["golf"]}]}, r"'x' names the message 'golf'"),
        ({"eligibility": [{"name": "x", "messages": ["control"]}]}, "would remove 'control'"),
        ({"mandatory": [{"name": "x", "message": "golf"}]}, "names the message 'golf'"),
        ({"cool_downs": [{"name": "x", "days": 3, "departments": ["golf"]}]}, r"\['golf'\]"),
        ({"frequency_caps": [{"name": "x", "at_most": 1, "days": 7}]}, "table contact_history"),
        ({"cool_downs": [{"name": "x", "days": 7}]}, "table purchase_history"),
        ({"consent": {"opted_in": "joined"}}, "no column 'joined'"),
    ],
)
def test_rules_that_cannot_be_asked_are_refused(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        removed(rules)


def test_rules_with_days_need_a_date() -> None:
    period = {"name": "spring", "messages": ["water"], "first_day": "2026-03-31"}
    with pytest.raises(ParameterError, match=r"'spring' needs campaign\.date"):
        removed({"periods": [period]}, on=None)


def test_tables_that_rules_read_are_checked() -> None:
    with pytest.raises(DataError, match="customer 'a' has several rows"):
        removed({}, attributes=pd.DataFrame({"customer_id": ["a", "a"], "vip": [1, 0]}))
    with pytest.raises(DataError, match=r"\['age'\] are columns of the customers already"):
        removed({}, attributes=pd.DataFrame({"customer_id": ["a"], "age": [1]}))
    with pytest.raises(DataError, match="suppression_list: no column customer_id"):
        removed({}, suppressed=pd.DataFrame({"id": ["a"]}))
    cap = {"frequency_caps": [{"name": "x", "at_most": 1, "days": 7}]}
    with pytest.raises(DataError, match=r"contact_history: columns .* expected .*sent_at"):
        removed(cap, contacts=pd.DataFrame({"customer_id": ["a"]}))


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"consent": {}}, "name the column"),
        ({"periods": [{"name": "x", "messages": ["team"]}]}, "neither a first nor a last day"),
        (
            {
                "eligibility": [{"name": "x"}],
                "frequency_caps": [{"name": "x", "at_most": 1, "days": 1}],
            },
            r"several rules are called \['x'\]",
        ),
        ({"eligibilty": []}, "Extra inputs are not permitted"),
        ({"eligibility": [{"name": "x", "wen": []}]}, "Extra inputs are not permitted"),
    ],
)
def test_settings_that_make_no_sense_are_refused(rules: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        RuleSettings.model_validate(rules)
