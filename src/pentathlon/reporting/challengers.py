"""What challenged the personalised policy: the tree of questions, and its own segments."""

from __future__ import annotations

from pentathlon.reporting import labels
from pentathlon.reporting.formats import number, percent
from pentathlon.reporting.results import Results
from pentathlon.reporting.section import Section
from pentathlon.reporting.tables import Table


def challengers_section(results: Results) -> list[Section]:
    """The section, where anything challenged."""
    tree = results.policy_choice.get("policy_tree")
    segments = results.policy_choice.get("segments") or []
    if not tree and not segments:
        return []
    paragraphs: list[str] = []
    points: list[str] = []
    shown: list[Table] = []
    if tree:
        paragraphs.append(_tree_sentence(results))
        points = [_group_in_words(group) for group in tree["groups"]]
    if segments:
        shown = [_segments_table(results)]
    return [Section("challengers", "Challengers", paragraphs, points=points, tables=shown)]


def _tree_sentence(results: Results) -> str:
    tree, money = results.policy_choice["policy_tree"], results.money
    verdict = (
        "It ships: it beats what would ship without it."
        if tree["ships"]
        else "It does not ship: for that it must beat, beyond chance, the best single message and "
        "what ships without it."
    )
    return (
        "The best small set of groups that a person can read, by doubly robust scores, is below. "
        "Learnt without each customer and then tried on them, it gains "
        f"{money.each(tree['gain'], signed=True)} a customer over the best single message "
        f"(standard error {money.each(tree['gain_standard_error'])}; lower bound "
        f"{money.each(tree['gain_lower_bound'], signed=True)}). {verdict}"
    )


def _group_in_words(group: str) -> str:
    who, _, what = group.rpartition(": ")
    return f"{labels.plain(who)}: {labels.message(what)}"


def _segments_table(results: Results) -> Table:
    money = results.money
    rows = [
        [
            labels.plain(segment["segment"]),
            percent(segment["share"], 0),
            money.each(segment["gain"], signed=True),
            money.each(segment["gain_standard_error"]),
            money.each(segment["gain_by_outcomes"], signed=True),
            number(segment["adjusted_p_value"], 3),
            "personal" if segment["personalised"] else labels.policy(results.best_constant),
        ]
        for segment in results.policy_choice["segments"]
    ]
    return Table(
        "Personal messages over the best single one, per customer of a segment; p-values are "
        "one-sided and adjusted for the number of segments",
        ["segment", "customers", "gain", "standard error", "by outcomes alone", "p", "gets"],
        rows,
    )
