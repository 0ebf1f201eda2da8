"""What to keep in mind, written from the numbers of the run."""

from __future__ import annotations

from pentathlon.contract import CONTROL
from pentathlon.reporting import labels
from pentathlon.reporting.formats import is_number, listing, number, p_value, percent, plural
from pentathlon.reporting.results import Results

FEW_ORDERS = 1000
SUSPICIOUS = 0.05


def caveats(results: Results) -> list[str]:
    """Caveats that apply to this run.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of str
        A sentence or two each.
    """
    found = [
        _orders(results),
        *_top_orders(results),
        *_overlap(results),
        _smoothing(results),
        *_calibration(results),
        _many(results),
        *_costs(results),
        *_origin(results),
        "One campaign in one period: seasons, competitors and fatigue from repeated e-mails are "
        "not in these outcomes, and neither is what a customer is worth later.",
    ]
    return [sentence for sentence in found if sentence]


def _orders(results: Results) -> str:
    count = results.judged_responses
    start = f"The judged customers placed {plural(count, 'order')}"
    if count < FEW_ORDERS:
        return (
            f"{start}. That is few: differences of some per cent between policies cannot be seen "
            "with so few orders, whatever the number of e-mails."
        )
    return f"{start}; the precision of every value comes from these, not from the e-mails."


def _top_orders(results: Results) -> list[str]:
    row = results.policies[labels.SHIPPED]
    share, money = row["top_10_orders_share"], results.money
    if not is_number(share):
        return ["What ships is credited with no order at all on the judged customers."]
    quantile = percent(results.settings.evaluation.cap_quantile)
    return [
        f"The ten largest orders carry {percent(share)} of the margin credited to what ships. With "
        f"orders capped at their {quantile} quantile it earns {money.each(row['capped'])} a "
        f"customer instead of {money.each(row['aipw'])}."
    ]


def _overlap(results: Results) -> list[str]:
    propensity = results.data_quality["propensity"]
    row = results.policies[labels.SHIPPED]
    found = [
        f"The propensities run from {percent(propensity['lowest'])} to "
        f"{percent(propensity['highest'])}; the value of what ships rests on "
        f"{number(row['effective_sample_size'])} effective of {number(results.judged_customers)} "
        "judged customers."
    ]
    if propensity["at_floor"]:
        found.append(
            f"{plural(int(propensity['at_floor']), 'propensity', 'propensities')} had to be raised "
            "to the floor: what these customers would do under their message is hardly known."
        )
    return found


def _smoothing(results: Results) -> str:
    p = results.headline.get("smoothing_bias_p_value")
    if not is_number(p):
        return ""
    ends = f"(p {'' if float(p) < 0.001 else '= '}{p_value(p)})"
    smoothed = results.settings.decision.estimator == "smoothed"
    use = "the gate uses it" if smoothed else "the gate does not use it"
    if float(p) < SUSPICIOUS:
        return (
            f"Order-size smoothing looks biased for what ships {ends}: the order-value model "
            f"misjudges orders there; {use}."
        )
    return f"There is no sign that order-size smoothing is biased for what ships {ends}; {use}."


def _calibration(results: Results) -> list[str]:
    table = results.calibration
    messages = table[(table["group"] == "message") & (table["rows"] > 0)]
    off = [
        labels.message(str(m)) for m in messages.loc[~messages["agrees"].astype(bool), "message"]
    ]
    if not off:
        return []
    return [
        f"Expected responses lie outside the interval of the observed ones for {listing(off)}. "
        f"With {plural(len(messages), 'message')} and {results.confidence} intervals, an "
        "occasional one does by chance."
    ]


def _many(results: Results) -> str:
    many = (
        f"{number(results.compared_policies)} policies are compared, each interval on its own. The "
        "highest supported value among them is itself optimistic"
    )
    many += _after_correction(results)
    if results.refitted:
        return (
            f"{many}, and the best single message was found on the customers that also judge it, "
            "which flatters it a little."
        )
    return f"{many}; what ships was chosen before these outcomes were looked at."


def _after_correction(results: Results) -> str:
    """How many policies differ from the best single message once all of them count."""
    rows = results.policy_gains[
        (results.policy_gains["baseline"] == results.best_constant)
        & (results.policy_gains["policy"] != labels.SHIPPED)
    ]
    if rows.empty:
        return ""
    differ = int((rows["adjusted_p_value"] <= 1 - results.settings.evaluation.confidence).sum())
    return (
        f" (with Holm’s correction, {number(differ)} of the {number(len(rows))} that models and "
        "drafts make differ from the best single message)"
    )


def _costs(results: Results) -> list[str]:
    pressed: list[str] = []
    if results.settings.decision.rules.pressure is not None:
        pressed = [_contact_costs(results)]
    return [*pressed, *_sending_costs(results)]


def _contact_costs(results: Results) -> str:
    """What another contact is declared to cost, and what it takes off the profits."""
    cost = results.headline.get("contact_cost")
    if not is_number(cost):
        return "The pressure rule declares no cost of another contact, so none is taken off."
    return (
        "What another contact costs is declared by the pressure rule: an assumption and no "
        "outcome. It decided what is sent, and it is taken off the claimed and the supported "
        "profit of every policy that sends e-mails, of what ships "
        f"{results.money.each(cost)} a customer. The choice of the policy that ships was made "
        "without it."
    )


def _sending_costs(results: Results) -> list[str]:
    messages = results.settings.messages
    mailed = [k for k, name in enumerate(messages) if name != CONTROL]
    if any(messages.costs[k] > 0 for k in mailed):
        return []
    return [
        "Sending and unsubscribing are taken to cost nothing; with a cost, no e-mail would look "
        "better than it does here."
        if messages.control is not None
        else "Sending and unsubscribing are taken to cost nothing."
    ]


def _origin(results: Results) -> list[str]:
    found = []
    if results.truth_summary.get("known"):
        found.append("The customers are simulated: the method is on show here, not a retailer.")
    rate = results.data_quality.get("population_rate")
    if is_number(rate):
        found.append(
            f"The file over-represents buyers; weights restore the population's response rate of "
            f"{percent(rate)}."
        )
    if results.settings.messages.control is None:
        found.append(
            "The file has no customers without an e-mail, so nothing can be said about sending "
            "none."
        )
    return found
