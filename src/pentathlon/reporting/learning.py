"""What the next campaign should leave to chance, in words and as a table."""

from __future__ import annotations

from pentathlon.reporting.formats import MINUS, number, percent, plural
from pentathlon.reporting.labels import Record
from pentathlon.reporting.results import Results, level
from pentathlon.reporting.section import Section
from pentathlon.reporting.tables import Table

_LEFT = {
    "exploration": "of the e-mails drawn at random",
    "holdout": "of the customers without e-mail",
}


def learning_sentences(results: Results) -> list[str]:
    """How much to leave to chance for each question, and what it costs."""
    plan = results.learning_plan_summary
    return [_sentence(name, found, plan, results) for name, found in plan["questions"].items()]


def _sentence(name: str, found: Record, plan: Record, results: Results) -> str:
    gain = f"a gain of {percent(plan['gain_percent'] / 100)} over {_over(name, results)}"
    sure = f"with {percent(plan['power'], 0)} power"
    if found["share"] is None:
        campaigns = found["campaigns"]
        return (
            f"No share of one campaign detects {gain} {sure}; "
            f"{plural(campaigns, 'campaign')} of {number(plan['customers'])} customers with "
            f"{percent(found['most_share'], 0)} {_LEFT[name]} would."
            if campaigns
            else f"No number of customers detects {gain}: what ships earns nothing."
        )
    return (
        f"{percent(found['share'])} {_LEFT[name]} would detect {gain} {sure} in one campaign; "
        f"{_cost(found['cost'], found['cost_standard_error'], results)}."
    )


def _over(name: str, results: Results) -> str:
    if name == "holdout":
        return "no e-mail"
    if results.personalised_ships or results.restricted:
        return "the best single message"
    return "the best single message, by personal messages,"


def _cost(cost: float, error: float, results: Results) -> str:
    money = results.money
    size = money.total(abs(cost), abs(cost), abs(cost))
    give = money.total(error, error, error)
    if cost > 2 * error:
        return f"it costs about {size} (standard error {give})"
    sign = MINUS if cost < 0 else ""
    return f"what it costs cannot be told from nothing ({sign}{size}, standard error {give})"


def learning_table(results: Results) -> Table:
    """Detectable gains and costs by share."""
    money = results.money
    rows = [
        [
            str(row["question"]),
            percent(row["share"], 0),
            number(row["customers"]),
            money.each(row["detectable_gain"]),
            percent(row["detectable_percent"] / 100),
            money.total(row["cost"], row["cost"], row["cost"], signed=True),
            money.total(*[row["cost_standard_error"]] * 3),
        ]
        for row in results.learning_plan.to_dict("records")
    ]
    plan = results.learning_plan_summary
    header = ["Left to chance by", "Share", "Customers", "Gain detected", "In per cent"]
    return Table(
        f"A campaign to {number(plan['customers'])} customers, "
        f"{level(plan['confidence'])} confidence",
        [*header, "Costs", "Standard error"],
        rows,
    )


def next_campaign(results: Results) -> Section:
    """The section on what to leave to chance next."""
    return Section(
        "learning",
        "The next campaign",
        [
            "A campaign that leaves nothing to chance proves nothing afterwards. Only customers on "
            "whom two policies differ tell them apart, by the spread of their profit.",
            *learning_sentences(results),
        ],
        details=[learning_table(results)],
    )
