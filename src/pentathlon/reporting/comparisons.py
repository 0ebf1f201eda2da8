"""What ships held against other policies, in words and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from pentathlon.reporting import labels
from pentathlon.reporting.formats import is_number, percent
from pentathlon.reporting.labels import Record
from pentathlon.reporting.results import Results


@dataclass(frozen=True)
class Comparison:
    """Gain of what ships over one baseline.

    Attributes
    ----------
    over : str
        The baseline in words.
    status : {"better", "unsure", "worse", "same"}
    each, each_interval, total, total_interval, share : str
        Gain per customer, for the campaign, and in per cent of the baseline.
    sentence : str
        What may be said about it.
    """

    over: str
    status: str
    each: str
    each_interval: str
    total: str
    total_interval: str
    share: str
    sentence: str


_IN_WORDS = {
    labels.SHIPPED: "what ships",
    labels.RANDOM: "random assignment",
    labels.NO_EMAIL: "sending no e-mail",
    labels.PERSONALISED: "the personalised policy",
    labels.BY_SEGMENT: "the policy by segment",
    labels.POLICY_TREE: "the policy tree",
    "two_departments": "the case’s draft of two departments",
}


def in_words(baseline: str) -> str:
    """A baseline policy within a sentence."""
    if baseline in _IN_WORDS:
        return _IN_WORDS[baseline]
    if baseline.startswith("send "):
        return f"the {baseline.removeprefix('send ')} e-mail for everyone"
    return f"the choice of the {labels.model(baseline)} model alone"


def status_of(gain: Record) -> str:
    """Whether a gain with its interval is better, worse, unsure, or of a policy with itself."""
    if gain["gain"] == 0 and gain["standard_error"] == 0:
        return "same"
    if gain["lower"] > 0:
        return "better"
    return "worse" if gain["upper"] < 0 else "unsure"


def comparisons(results: Results) -> list[Comparison]:
    """What ships against random assignment, the best single message and no e-mail."""
    wanted = [
        ("Over today’s random assignment", labels.RANDOM),
        ("Over the best single message", results.best_constant),
        ("Over no e-mail", labels.NO_EMAIL),
    ]
    if results.best_constant == labels.NO_EMAIL:
        wanted = [w for w in wanted if not w[0].startswith("Over the best")]
    money, found = results.money, []
    for over, baseline in wanted:
        if baseline not in results.gains:
            continue
        gain = results.gains[baseline]
        percent_gain = gain["gain_percent"]
        totals = gain["campaign_gain"], gain["campaign_lower"], gain["campaign_upper"]
        found.append(
            Comparison(
                over=over,
                status=status_of(gain),
                each=money.each(gain["gain"], signed=True),
                each_interval=money.each_interval(gain["lower"], gain["upper"], signed=True),
                total=money.total(*totals, signed=True),
                total_interval=money.total_interval(*totals, signed=True),
                share=percent(percent_gain / 100, signed=True) if is_number(percent_gain) else "",
                sentence=_comparison(gain, baseline, results),
            )
        )
    return found


def _comparison(gain: Record, baseline: str, results: Results) -> str:
    status, words = status_of(gain), in_words(baseline)
    if status == "same":
        return f"What ships is {words}, so there is nothing to gain over it."
    if status == "better":
        return (
            f"Beats {words} beyond chance: the whole {results.confidence} interval lies above zero."
        )
    if status == "worse":
        return (
            f"Worse than {words} beyond chance on the judged customers: the whole "
            f"{results.confidence} interval lies below zero."
        )
    z = gain["gain"] / gain["standard_error"]
    if abs(z) < 1:
        lean = "the estimate is small beside its own uncertainty"
    else:
        lean = f"the estimate leans {'in its favour' if z > 0 else 'against it'}, as chance can do"
    return f"Not distinguishable from {words}: the interval contains zero, and {lean}."
