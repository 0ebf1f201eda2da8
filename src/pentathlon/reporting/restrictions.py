"""What rules and limits did to the decisions, and what they cost."""

from __future__ import annotations

from pentathlon.decision.decisions import LEVERS
from pentathlon.reporting.formats import number, plural
from pentathlon.reporting.labels import Record, records
from pentathlon.reporting.results import Results
from pentathlon.reporting.section import Section
from pentathlon.reporting.tables import Table

UNITS = {
    "customers": ("customer", "customers"),
    "share_of_emails": ("e-mail", "e-mails"),
    "complaints": ("complaint", "complaints"),
}


def rule_sentences(results: Results) -> list[str]:
    """What rules took in all; nothing where none removed anything."""
    every = results.rule_effects
    levers = every[every["rule"] == LEVERS]
    moved = [
        f"Levers moved {number(row['customers'])} customers to another message, which costs "
        f"{_amount(results, float(row['worth_lost']))} of expected profit."
        for row in levers.to_dict("records")
    ]
    effects = every[every["rule"] != LEVERS]
    if effects.empty:
        return moved
    n = sum(results.decided.values())
    lost = effects.sort_values("first_choices_lost", ascending=False)
    first = int(lost["first_choices_lost"].sum())
    top = str(lost["rule"].iloc[0])
    cost = float(effects["worth_lost"].sum())
    sentence = (
        f"Rules took the most valuable message from {number(first)} of {number(n)} customers, "
        f"which costs {_amount(results, cost)} of expected profit"
    )
    if first:
        taken = int(lost["first_choices_lost"].iloc[0])
        sentence += f"; most often “{top}”, {plural(taken, 'time')}"
    return [f"{sentence}.", *moved]


def limit_sentences(results: Results) -> list[str]:
    """One sentence per limit that binds, with its price, and how near to the best the plan is."""
    found = []
    if not results.limit_outcomes.empty:
        gap = 100 * float(results.limit_outcomes["gap"].max())
        found.append(
            f"No decisions within the limits can be worth more than these by over {gap:.2g} %: "
            "that is proven, and what is left comes from customers being whole."
            if gap > 0
            else "No decisions within the limits can be worth more than these: that is proven."
        )
    for limit in records(results.limit_outcomes, "name").values():
        price, cost = float(limit["price"]), float(limit["cost"])
        name = f"“{limit['name']}”"
        if limit["widened"] > 0:
            found.append(
                f"{name} could not hold beside the others and gave way by {_use(limit, 'widened')}."
            )
        if price == 0:
            continue
        unit = _unit(results, str(limit["of"]))
        change = f"one more {unit} would be" if price > 0 else f"one {unit} less would be"
        found.append(
            f"{name} binds: {change} worth {results.money.each(abs(price))}, and without it these "
            f"decisions would earn {_amount(results, cost)} more by prediction."
        )
    return found


def cost_sentences(results: Results) -> list[str]:
    """What rules, limits and presets cost together on held-out outcomes."""
    headline = results.headline
    if "cost_of_rules" not in headline:
        return []
    money = results.money
    cost = float(headline["cost_of_rules"])
    between = money.each_interval(
        headline["cost_of_rules_lower"], headline["cost_of_rules_upper"], signed=True
    )
    return [
        f"By the judged outcomes, rules and limits cost {money.each(cost)} a customer ({between}): "
        "so much more is the policy's own choice worth than what ships within them."
    ]


def rules_table(results: Results) -> list[Table]:
    """What each rule did."""
    if results.rule_effects.empty:
        return []
    rows = [
        [
            str(effect["rule"]),
            number(effect["customers"]),
            number(effect["messages_removed"]),
            number(effect["first_choices_lost"]),
            _amount(results, float(effect["worth_lost"])),
        ]
        for effect in results.rule_effects.to_dict("records")
    ]
    header = ["Rule", "Customers", "Messages removed", "First choices lost", "Costs"]
    return [Table("Rules", header, rows)]


def limits_table(results: Results) -> list[Table]:
    """What became of each limit."""
    if results.limit_outcomes.empty:
        return []
    rows = [
        [
            str(limit["name"]),
            str(limit["of"]),
            _use(limit, "at_least"),
            _use(limit, "at_most"),
            _use(limit, "used"),
            results.money.each(limit["price"], signed=True) if limit["price"] else "0",
            _amount(results, float(limit["cost"])),
        ]
        for limit in records(results.limit_outcomes, "name").values()
    ]
    header = ["Limit", "Of", "At least", "At most", "Used", "Price of one", "Costs"]
    return [Table("Limits", header, rows, text_columns=2)]


def _use(limit: Record, column: str) -> str:
    value = float(limit[column])
    if value in (float("inf"), float("-inf")):
        return ""
    return number(value, 0 if limit["of"] == "customers" else 2)


def _unit(results: Results, of: str) -> str:
    return UNITS[of][0] if of in UNITS else results.settings.campaign.currency


def _amount(results: Results, value: float) -> str:
    return results.money.total(value, value, value)


def restrictions(results: Results) -> list[Section]:
    """The section on rules and limits; none where there are none."""
    if not results.restricted:
        return []
    n = number(sum(results.decided.values()))
    return [
        Section(
            "restrictions",
            "Rules and limits",
            [
                *rule_sentences(results),
                *limit_sentences(results),
                *cost_sentences(results),
                f"Amounts are for the {n} customers who were decided, by prediction. What outcomes "
                "support for the decisions within rules and limits is the value of what ships.",
            ],
            tables=[*rules_table(results), *limits_table(results)],
        )
    ]
