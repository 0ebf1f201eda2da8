"""For whom the log can speak, in words and as a table."""

from __future__ import annotations

from pentathlon.reporting import labels
from pentathlon.reporting.formats import is_number, number, percent
from pentathlon.reporting.results import Results
from pentathlon.reporting.tables import Table

SHOWN = 3


def refusal_sentence(results: Results) -> str:
    """Why nothing is concluded."""
    summary = results.overlap_summary
    return (
        f"What would ship sends {percent(summary['unreached_share'])} of the judged customers a "
        "message that the log never sends people like them; more than "
        f"{percent(summary['max_unreached_share'])} cannot be weighted away. The values here are "
        "of other customers than the policy's."
    )


def unreached_sentences(results: Results) -> list[str]:
    """Which messages and which customers the log does not reach; the largest groups first."""
    lost = results.overlap[results.overlap["unreached"]]
    if lost.empty:
        return ["The log reaches every group of customers with every message that ships."]
    lost = lost.sort_values(["customers"], ascending=False)
    found = []
    for row in lost.head(SHOWN).to_dict("records"):
        group = str(row["group"])
        who = f" {'who' if group.startswith(('bought', 'never')) else 'whose'} {group}"
        who = who if group else ""
        found.append(
            f"The log does not reach {number(row['customers'])} customers{who} with "
            f"{labels.message(str(row['message']))}: those who got it stand for "
            f"{percent(row['reached'])} of them."
        )
    if len(lost) > SHOWN:
        found.append(f"{number(len(lost) - SHOWN)} more such groups are in the table.")
    return found


def overlap_table(results: Results) -> Table:
    """Reach and balance by message, and the groups that are not reached."""
    rows, marked = [], []
    for position, row in enumerate(results.overlap.to_dict("records")):
        rows.append(
            [
                labels.message(str(row["message"])),
                str(row["group"]) or "all",
                number(row["customers"]),
                number(row["followed"]),
                percent(row["reached"]),
                number(row["effective_sample_size"]),
                percent(row["largest_weight"]) if is_number(row["largest_weight"]) else "",
                number(row["imbalance_before"], 2) if is_number(row["imbalance_before"]) else "",
                number(row["imbalance_after"], 2) if is_number(row["imbalance_after"]) else "",
            ]
        )
        if row["unreached"]:
            marked.append(position)
    header = ["Sent", "To", "Customers", "Followed", "Stand for", "Effective", "Largest weight"]
    return Table(
        "Overlap: those logged with what ships, and what they stand for",
        [*header, "Imbalance before", "After weighting"],
        rows,
        text_columns=2,
        marked=marked,
    )
