"""The first screen in words: what to send, what it earns, how sure that is, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pentathlon.reporting import labels
from pentathlon.reporting.comparisons import Comparison, comparisons, in_words, status_of
from pentathlon.reporting.formats import (
    about,
    is_number,
    listing,
    number,
    percent,
    plural,
    shares,
)
from pentathlon.reporting.overlap import refusal_sentence
from pentathlon.reporting.results import Results, level


@dataclass(frozen=True)
class Verdict:
    """The first screen.

    Attributes
    ----------
    action : str
        What to send, in one sentence.
    shares : str
        Who gets what, where messages are personal; else empty.
    profit, profit_interval, campaign_profit, campaign_interval : str
    evidence : str
        What these numbers rest on.
    comparisons : list of Comparison
    why : list of str
        Why the personalised policy ships or does not.
    certainty, next_steps : list of str
    """

    action: str
    shares: str
    profit: str
    profit_interval: str
    campaign_profit: str
    campaign_interval: str
    evidence: str
    comparisons: list[Comparison]
    why: list[str]
    certainty: list[str]
    next_steps: list[str]


def verdict(results: Results) -> Verdict:
    """Put the results of a run into sentences that hold for them.

    Parameters
    ----------
    results : Results

    Returns
    -------
    Verdict
    """
    headline, money = results.headline, results.money
    customers = int(headline["campaign_customers"])
    low, high = headline["supported_profit_lower"], headline["supported_profit_upper"]
    totals = headline["campaign_profit"], low * customers, high * customers
    return Verdict(
        action=action(results),
        shares=_shares(results),
        profit=money.each(headline["supported_profit"]),
        profit_interval=money.each_interval(low, high),
        campaign_profit=money.total(*totals),
        campaign_interval=money.total_interval(*totals),
        evidence=_evidence(results),
        comparisons=comparisons(results),
        why=_why(results),
        certainty=_certainty(results),
        next_steps=_next_steps(results),
    )


def action(results: Results) -> str:
    """What to send, in one sentence."""
    if results.refused:
        return "No conclusion: the log cannot speak for what would ship."
    within = " as far as rules and limits allow" if results.restricted else ""
    if results.ships == labels.NO_EMAIL:
        return f"Send nobody an e-mail{within}."
    if not results.personalised_ships:
        return f"Send everyone the {results.ships.removeprefix('send ')} e-mail{within}."
    if results.ships == labels.POLICY_TREE:
        groups = plural(len(results.policy_choice["policy_tree"]["groups"]), "group")
        return f"Send each of {groups} of customers its own message{within}."
    if results.ships == labels.BY_SEGMENT:
        rest = results.best_constant.removeprefix("send ")
        rest = "no e-mail" if rest == labels.NO_EMAIL else f"the {rest} e-mail"
        return f"Send customers of some segments their own message, and the others {rest}{within}."
    return f"Send each customer their own message{within}."


def _shares(results: Results) -> str:
    n = sum(results.decided.values())
    if not ((results.personalised_ships or results.restricted) and n):
        return ""
    by_message = {labels.message(m): count / n for m, count in results.decided.items()}
    return f"Of {number(n)} customers: {shares(by_message)}."


def _evidence(results: Results) -> str:
    rows = number(results.judged_customers)
    if results.settings.evaluation.scheme == "rolling_origin":
        return (
            f"Judged on {rows} customers, each by a recipe refitted on what was known before their "
            "message was assigned: tuning, fusion and the choice of the policy included. The "
            "numbers are those of the recipe as time went on; early refits knew less than what "
            "ships now."
        )
    if results.refitted:
        return (
            f"Judged on {rows} customers, each by a recipe refitted without them: tuning, fusion "
            "and the choice of the policy included. The numbers are those of the recipe; the "
            "refits may choose different policies."
        )
    return f"Judged on {rows} randomised customers who played no part in making the policy."


def _why(results: Results) -> list[str]:
    choice, money = results.policy_choice, results.money
    best = in_words(results.best_constant)
    bound, gain = choice["gain_lower_bound"], choice["gain"]
    asked = level(choice["confidence"])
    direct, error = choice["gain_by_outcomes"], choice["gain_by_outcomes_standard_error"]
    measured = (
        f"On the training customers, each scored by models that had not seen them, personal "
        f"messages earn {money.each(gain, signed=True)} a customer against the best single message "
        f"by the differences that outcomes confirmed; the one-sided lower {asked} bound is "
        f"{money.each(bound, signed=True)}. Read off outcomes alone, which is far less precise, it "
        f"is {money.each(direct, signed=True)} (standard error {money.each(error)})."
    )
    if results.ships == labels.POLICY_TREE:
        return [
            f"A small tree of questions passed the gate. {choice['reason']}",
            *_confirmed(results),
        ]
    if results.ships == labels.BY_SEGMENT:
        return [
            f"Personal messages passed the gate in part. {choice['reason']}",
            *_confirmed(results),
        ]
    if results.personalised_ships:
        return [
            f"Personal messages passed the gate. {measured} The gate asks for a bound above zero.",
            *_confirmed(results),
        ]
    sentences = ["Personal messages do not ship: the evidence does not support them yet."]
    if gain == 0 and choice["gain_standard_error"] == 0:
        sentences.append(
            f"On the training customers they are worth exactly as much as {best}, row by row: the "
            "models find no personal difference that outcomes confirm."
        )
    elif bound <= 0:
        sentences.append(f"{measured} The gate asks for a bound above zero.")
    else:
        sentences.append(f"{measured} It is not enough for the gate: {choice['reason']}")
    sentences.append(_settle(results))
    return sentences


def _confirmed(results: Results) -> list[str]:
    gain = results.gains.get(results.best_constant)
    if gain is None:
        return []
    money, status = results.money, status_of(gain)
    measured = (
        f"the gain over {in_words(results.best_constant)} is "
        f"{money.each(gain['gain'], signed=True)} a customer "
        f"({money.each_interval(gain['lower'], gain['upper'], signed=True)})"
    )
    if status == "same":
        return ["On the judged customers what ships equals the best single message."]
    end = {
        "better": "above zero beyond chance: the judged customers confirm the gate.",
        "unsure": "not distinguishable from zero there: the judged customers neither confirm nor "
        "refute the gate.",
        "worse": "below zero beyond chance: the judged customers contradict the gate. Do not roll "
        "this out before a new test.",
    }[status]
    return [f"On the judged customers {measured}, {end}"]


def _settle(results: Results) -> str:
    choice = results.policy_choice
    needed, rows = choice["emails_to_settle"], int(results.data_quality["rows_kept"])
    if is_number(needed):
        return (
            f"About {about(needed)} randomised e-mails in all would settle a gain of the size "
            f"seen, with a power of 80{chr(0xA0)}%; this file holds {number(rows)} observations, "
            "training and test together."
        )
    return (
        "No number of further e-mails follows from this test: the estimated gain is not positive, "
        "so there is nothing yet for more e-mails to confirm."
    )


def _certainty(results: Results) -> list[str]:
    headline = results.headline
    value = headline["supported_profit"]
    half = (headline["supported_profit_upper"] - headline["supported_profit_lower"]) / 2
    orders = f"The judged customers placed {plural(results.judged_responses, 'order')}"
    points = [
        f"{orders}; the {results.confidence} interval of the profit reaches "
        f"{percent(half / value, 0)} of it to either side."
        if value > 0
        else f"{orders}; the estimate is not above zero.",
        claim_sentence(results),
        alarm_sentence(results),
    ]
    if results.refused:
        points.insert(0, refusal_sentence(results))
    if results.truth_summary.get("known"):
        points.append(truth_sentence(results))
    return points


def claim_sentence(results: Results) -> str:
    """Claimed beside supported profit of what ships, the inflation named."""
    headline, money = results.headline, results.money
    claimed, inflation = headline["claimed_profit"], headline.get("inflation_percent")
    low, high = headline["supported_profit_lower"], headline["supported_profit_upper"]
    supported = f"{money.each(headline['supported_profit'])} that outcomes support"
    where = "inside" if low <= claimed <= high else "above" if claimed > high else "below"
    if is_number(inflation) and abs(float(inflation)) >= 0.05:
        size = percent(abs(float(inflation)) / 100)
        side = "more" if float(inflation) > 0 else "less"
        gap = f"{size} {side} than the {supported}"
    else:
        gap = f"beside the {supported}"
    return (
        f"The models claim {money.each(claimed)} a customer for what ships, {gap}; the claim "
        f"lies {where} the supported interval."
    )


def alarm_sentence(results: Results) -> str:
    """Whether the three estimators agree."""
    if not results.alarms:
        return "No alarm: the three estimators agree within two standard errors for every policy."
    names = list(dict.fromkeys(policy for policy, _ in results.alarms))
    shown = listing([in_words(name) for name in names])
    mine = (
        "What ships is among them: treat its value with caution."
        if labels.SHIPPED in names
        else "What ships is not among them."
    )
    return (
        f"{plural(len(results.alarms), 'alarm')}: estimators disagree beyond two standard errors "
        f"for {shown}. {mine}"
    )


def truth_sentence(results: Results) -> str:
    """What only a simulation knows about what ships."""
    truth, money = results.truth_summary, results.money
    held = "holds" if truth["value_covered"] else "misses"
    return (
        f"These customers are simulated, so the truth is known: what ships truly earns "
        f"{money.each(truth['true_value'])} a customer, and the supported interval {held} it."
    )


def _next_steps(results: Results) -> list[str]:
    n = sum(results.decided.values())
    if results.refused:
        return [
            "Do not send as decided. Send the messages and customers named under Estimators and "
            "alarms at random first, with their probabilities logged, or keep what ships to "
            "customers whom the log reaches (decision.rules).",
            *(str(warning) for warning in results.data_quality["warnings"]),
        ]
    steps = [
        f"Send as decided: the data set decisions holds the message of "
        f"{'the one customer' if n == 1 else f'each of {number(n)} customers'}.",
        "Keep a share of the e-mails random, with their probabilities logged: only randomised "
        "outcomes can judge the next policy.",
    ]
    unsure = [_more_emails(results, b) for b in (labels.RANDOM, results.best_constant)]
    if not results.personalised_ships and is_number(results.policy_choice["emails_to_settle"]):
        steps.append(
            f"To settle personal messages, collect about "
            f"{about(results.policy_choice['emails_to_settle'])} randomised e-mails in all."
        )
    steps += [sentence for sentence in unsure if sentence]
    beaten = [b for b, g in results.gains.items() if status_of(g) == "worse"]
    if beaten:
        steps.append(
            f"On the judged customers {listing([in_words(b) for b in beaten])} did better than "
            "what ships beyond chance. Test that on new e-mails before acting on it: it was seen "
            "on the customers that judge."
        )
    if results.alarms:
        steps.append(
            "Look into the alarms: wrong propensities, or predictions that saw an outcome, would "
            "explain a large one."
        )
    return [*steps, *(str(warning) for warning in results.data_quality["warnings"])]


def _more_emails(results: Results, baseline: str) -> str:
    gain = results.gains.get(baseline)
    if gain is None or status_of(gain) != "unsure" or not is_number(gain["emails_to_settle"]):
        return ""
    needed: Any = gain["emails_to_settle"]
    return (
        f"About {about(needed)} judged e-mails, instead of {number(results.judged_customers)}, "
        f"would settle the gain over {in_words(baseline)} if it is as large as estimated."
    )
