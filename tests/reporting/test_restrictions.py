import pandas as pd
import pytest

from pentathlon.decision.decisions import limits_table as table_of
from pentathlon.decision.limiting import LimitOutcome
from pentathlon.decision.settings import DecisionSettings
from pentathlon.reporting.caveats import caveats
from pentathlon.reporting.restrictions import (
    cost_sentences,
    limit_sentences,
    limits_table,
    rule_sentences,
    rules_table,
)
from pentathlon.reporting.sections import sections
from pentathlon.reporting.verdict import action, verdict

INF = float("inf")


@pytest.fixture
def restricted(small_run):
    rules = pd.DataFrame(
        [["adults", 3, 4, 1, 0.5], ["two a week", 2, 4, 2, 1.0]], columns=small_run.RULE_COLUMNS
    )
    limits = table_of(
        (
            LimitOutcome(
                "racquet slots", "customers", -INF, 2_000.0, 2_000.0, 0.16, 0.0, 18_400.0, 3e-7
            ),
            LimitOutcome("team at least", "customers", 500.0, INF, 500.0, -0.05, 0.0, 12.0, 3e-7),
            LimitOutcome("budget", "cost", -INF, 400.0, 410.0, 1.2, 10.0, 7.0, 3e-7),
            LimitOutcome("loose", "customers", -INF, 9_999.0, 10.0, 0.0, 0.0, 0.0, 3e-7),
        )
    )
    return small_run.results(changes={"rule_effects": rules, "limit_outcomes": limits})


def plain(sentences):
    return [s.replace("\u00a0", " ") for s in sentences]


def test_what_rules_took_is_said_once(restricted):
    assert plain(rule_sentences(restricted)) == [
        "Rules took the most valuable message from 3 of 4 customers, which costs 1.50 EUR of "
        "expected profit; most often “two a week”, 2 times."
    ]


def test_what_levers_cost_is_said_beside_rules(small_run):
    levers = ["levers", 7, 0, 7, 2.5]
    alone = pd.DataFrame([levers], columns=small_run.RULE_COLUMNS)
    said = "Levers moved 7 customers to another message, which costs 2.50 EUR of expected profit."
    results = small_run.results(changes={"rule_effects": alone})
    assert plain(rule_sentences(results)) == [said]
    beside = pd.DataFrame([["adults", 3, 4, 1, 0.5], levers], columns=small_run.RULE_COLUMNS)
    first, second = plain(rule_sentences(small_run.results(changes={"rule_effects": beside})))
    assert first.startswith("Rules took the most valuable message from 1 of 4 customers")
    assert second == said


def test_each_limit_that_binds_has_its_price(restricted):
    assert plain(limit_sentences(restricted)) == [
        "No decisions within the limits can be worth more than these by over 3e-05 %: that is "
        "proven, and what is left comes from customers being whole.",
        "“racquet slots” binds: one more customer would be worth 0.160 EUR, and without it these "
        "decisions would earn 18,400 EUR more by prediction.",
        "“team at least” binds: one customer less would be worth 0.050 EUR, and without it these "
        "decisions would earn 12.00 EUR more by prediction.",
        "“budget” could not hold beside the others and gave way by 10.00.",
        "“budget” binds: one more EUR would be worth 1.200 EUR, and without it these decisions "
        "would earn 7.00 EUR more by prediction.",
    ]


def test_what_they_cost_by_outcomes_is_said_where_they_changed_anything(small_run):
    assert cost_sentences(small_run.results()) == []
    cost = {"cost_of_rules": 0.012, "cost_of_rules_lower": -0.004, "cost_of_rules_upper": 0.028}
    assert plain(cost_sentences(small_run.results(headline=cost))) == [
        "By the judged outcomes, rules and limits cost 0.012 EUR a customer "
        "(−0.004 to +0.028 EUR): so much more is the policy's own choice worth than what ships "
        "within them."
    ]


def test_tables_show_them_all(restricted):
    (rules,), (limits,) = rules_table(restricted), limits_table(restricted)
    assert plain(rules.rows[0]) == ["adults", "3", "4", "1", "0.50 EUR"]
    assert plain(limits.rows[0]) == [
        *("racquet slots", "customers", "", "2,000", "2,000", "+0.160 EUR", "18,400 EUR")
    ]
    assert plain(limits.rows[3])[5:] == ["0", "0.00 EUR"]


def test_the_first_screen_says_that_rules_had_a_say(restricted, small_run):
    assert action(restricted).endswith(" as far as rules and limits allow.")
    assert "Of 4 customers" in verdict(restricted).shares.replace("\u00a0", " ")
    assert "Rules and limits" in [section.title for section in sections(restricted)]
    free = small_run.results()
    assert "rules" not in action(free)
    assert "Rules and limits" not in [section.title for section in sections(free)]


def test_contact_costs_are_named_as_an_assumption(small_run):
    rules = {"pressure": {"unsubscribe": [0.01], "customer_value": 5.0}}
    pressed = small_run.results(decision=DecisionSettings.model_validate({"rules": rules}))
    assert any("declares no cost of another contact" in caveat for caveat in caveats(pressed))
    pressed = small_run.results(
        decision=DecisionSettings.model_validate({"rules": rules}), headline={"contact_cost": 0.031}
    )
    (said,) = [c for c in plain(caveats(pressed)) if "pressure rule" in c]
    assert "taken off the claimed and the supported profit of every policy" in said
    assert "of what ships 0.031 EUR a customer" in said
    assert not any("pressure rule" in caveat for caveat in caveats(small_run.results()))
