"""The command that sets the decisions of two runs side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from pentathlon.commands.decisions import find_decided, load_decisions
from pentathlon.commands.manifests import data_roots_option
from pentathlon.commands.text import table
from pentathlon.errors import PentathlonError
from pentathlon.outputs import Difference, compare_decisions


@click.command()
@click.argument("before", default="previous", metavar="[BEFORE]")
@click.argument("after", default="latest", metavar="[AFTER]")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=15, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_roots_option
def diff(before: str, after: str, limit: int, as_json: bool, data_roots: tuple[Path, ...]) -> None:
    """Compare the decisions of two runs: who changes, to what, and what it is worth.

    Two rule sets are compared before anything is sent: run the decision with each
    (kedro run --from-nodes decision.screen), then diff.
    """
    runs = [find_decided(name, data_roots) for name in (before, after)]
    try:
        found = compare_decisions(*(load_decisions(*each) for each in runs))
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    ids = [manifest["id"] for manifest, _ in runs]
    if as_json:
        click.echo(json.dumps(_as_dict(found, ids), indent=2, ensure_ascii=False))
        return
    for line in _lines(found, ids, limit):
        click.echo(line)


def _lines(found: Difference, ids: list[str], limit: int) -> list[str]:
    share = found.changed / found.customers
    lines = [
        f"{ids[0]} -> {ids[1]}",
        f"{found.changed:,} of {found.customers:,} customers ({share:.1%}) get another message.",
        f"Expected profit {found.expected_profit_before:,.2f} -> "
        f"{found.expected_profit_after:,.2f} ({found.expected_profit_change:+,.2f}) by prediction.",
    ]
    for count, which in ((found.only_before, ids[0]), (found.only_after, ids[1])):
        if count:
            lines.append(f"{count:,} customers are in {which} only.")
    for title, each in (("Messages", found.messages), ("Decided by", found.deciders)):
        rows = [[title, "before", "after", "difference"]]
        rows += [[str(n), f"{b:,}", f"{a:,}", f"{d:+,}"] for n, b, a, d in each.to_numpy().tolist()]
        lines += ["", *table(rows)]
    if len(found.flows):
        rows = [["from", "to", "customers", "expected profit"]]
        rows += [
            [str(b), str(a), f"{n:,}", f"{p:+,.2f}"]
            for b, a, n, p in found.flows.head(limit).to_numpy().tolist()
        ]
        lines += ["", *table(rows)]
        if len(found.flows) > limit:
            lines.append(f"... and {len(found.flows) - limit} smaller flows (--limit).")
    return lines


def _as_dict(found: Difference, ids: list[str]) -> dict[str, Any]:
    return {
        "before": ids[0],
        "after": ids[1],
        "customers": found.customers,
        "changed": found.changed,
        "only_before": found.only_before,
        "only_after": found.only_after,
        "expected_profit_before": found.expected_profit_before,
        "expected_profit_after": found.expected_profit_after,
        "messages": found.messages.to_dict("records"),
        "decided_by": found.deciders.to_dict("records"),
        "flows": found.flows.to_dict("records"),
    }
