"""Commands on decisions that were made: export them, or set two of them side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pandas as pd

from pentathlon.errors import PentathlonError
from pentathlon.outputs import PROVIDERS, Difference, compare_decisions, export_decisions
from pentathlon.runs import Manifest, UnknownRunError, default_roots, find_runs, pick, table

data_roots_option = click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds 08_reporting; may be repeated. Default: data/ and each data/*/.",
)


@click.command()
@click.argument("run", default="latest", metavar="[ID]")
@click.option("--to", "provider", required=True, type=click.Choice(sorted(PROVIDERS)))
@click.option(
    "--addresses",
    type=click.Path(path_type=Path, dir_okay=False),
    help="CSV or Parquet file with customer_id and email. Read, and written nowhere else.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the files go. Default: <data root>/08_reporting/exports/<run>/<provider>.",
)
@data_roots_option
def export(
    run: str,
    provider: str,
    addresses: Path | None,
    folder: Path | None,
    data_roots: tuple[Path, ...],
) -> None:
    """Write the decisions of a run as files that an e-mail provider imports."""
    manifest, root = find_decided(run, data_roots)
    place = folder or root / "08_reporting" / "exports" / manifest["id"] / provider
    campaign = manifest.get("parameters", {}).get("campaign", {}).get("name", manifest["id"])
    known = None
    if addresses is not None:
        if not addresses.is_file():
            raise click.ClickException(f"There is no file {addresses}.")
        parquet = addresses.suffix == ".parquet"
        known = pd.read_parquet(addresses) if parquet else pd.read_csv(addresses, dtype="str")
    try:
        done = export_decisions(
            load_decisions(manifest, root), provider, place, campaign=str(campaign), addresses=known
        )
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    click.echo(
        f"{done.sent:,} e-mails to send, {done.held_back:,} customers get none by decision, "
        f"{len(done.refused):,} refused."
    )
    for reason, count in done.refused["reason"].value_counts().items():
        click.echo(f"  {count:,}: {reason}")
    for path in done.files:
        click.echo(f"{path}")


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


def find_decided(name: str, data_roots: tuple[Path, ...]) -> tuple[Manifest, Path]:
    """Find a run that made decisions, and the data root that it lies in."""
    by_root = {root: find_runs([root]) for root in data_roots or default_roots(Path.cwd())}
    decided = [run for runs in by_root.values() for run in runs if _decisions(run)]
    if not decided:
        raise UnknownRunError("No run has made decisions yet: kedro run.")
    decided.sort(key=lambda run: (run.get("started_at", ""), run["id"]), reverse=True)
    manifest = pick(decided, name)
    root = next(r for r, runs in by_root.items() if any(x["id"] == manifest["id"] for x in runs))
    return manifest, root


def _decisions(run: Manifest) -> str:
    """Path of a run's decisions: those that it made, or that it found still to hold."""
    datasets = run.get("datasets", {})
    entry = datasets.get("written", {}).get("decisions") or datasets.get("kept", {}).get(
        "decisions"
    )
    return str(entry["path"]) if entry else ""


def load_decisions(
    manifest: Manifest, root: Path, filters: list[tuple[str, str, str]] | None = None
) -> pd.DataFrame:
    """Read the decisions of a run, all or those of some customers."""
    path = Path(_decisions(manifest).replace("{data_root}", str(root)))
    if not path.is_file():
        raise UnknownRunError(f"The decisions of run {manifest['id']} are gone: {path}.")
    return pd.read_parquet(path, filters=filters)


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
