"""The command that tells why one customer gets what was decided."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pandas as pd

from pentathlon.commands.decisions import find_decided, load_decisions
from pentathlon.commands.manifests import Manifest, UnknownRunError, data_roots_option
from pentathlon.commands.text import table
from pentathlon.errors import PentathlonError


@click.command()
@click.argument("run", default="latest", metavar="[ID]")
@click.option("--customer", required=True, help="The customer's id.")
@click.option("-n", "--features", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@data_roots_option
def why(
    run: str, customer: str, features: int, as_json: bool, data_roots: tuple[Path, ...]
) -> None:
    """Tell why a customer gets what was decided: by what, over what, and moved by what."""
    manifest, root = find_decided(run, data_roots)
    decisions = load_decisions(manifest, root, [("customer_id", "==", customer)])
    if decisions.empty:
        raise click.ClickException(
            f"Run {manifest['id']} decided nothing for a customer {customer!r}."
        )
    decision = {str(k): v for k, v in decisions.iloc[0].to_dict().items()}
    try:
        moved, said = _moved(manifest, root, decisions, features)
    except PentathlonError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        story = {k: None if pd.isna(v) else v for k, v in decision.items()}
        story |= {"run": manifest["id"], "moved_by": moved.to_dict("records")}
        click.echo(json.dumps(story, indent=2, ensure_ascii=False, default=float))
        return
    for line in [*_story(manifest, decision), "", *(_table(manifest, moved) or [said])]:
        click.echo(line)


def _moved(
    manifest: Manifest, root: Path, decisions: pd.DataFrame, features: int
) -> tuple[pd.DataFrame, str]:
    """Features that moved the decision, or a sentence why there are none."""
    from pentathlon.decision.attribution import explain_decisions, same_for_all  # noqa: PLC0415
    from pentathlon.decision.engine import DecisionEngine  # noqa: PLC0415
    from pentathlon.decision.settings import ExplainSettings  # noqa: PLC0415

    engine = DecisionEngine.load(_place(manifest, root, "decision_engine"))
    reference = json.loads(_place(manifest, root, "feature_reference").read_text(encoding="utf-8"))
    customer = str(decisions["customer_id"].iloc[0])
    people = pd.read_parquet(
        _place(manifest, root, "customers"), filters=[("customer_id", "==", customer)]
    )
    if people.empty:
        raise UnknownRunError(
            f"The customers that run {manifest['id']} read do not hold {customer!r} any more."
        )
    moved = explain_decisions(
        engine, people, decisions, reference, ExplainSettings(features=features, customers=1)
    )
    if same_for_all(engine):
        return moved, "Everyone or every group gets one message: no expected profit moved it."
    by = decisions["decided_by"].iloc[0]
    return moved, f"No feature moved it: what decided was {by}, or there was no other message."


def _place(manifest: Manifest, root: Path, name: str) -> Path:
    """Where a dataset that a run wrote or read lies."""
    datasets = manifest.get("datasets", {})
    for how in ("written", "kept", "read"):
        entry = datasets.get(how, {}).get(name)
        if entry:
            path = Path(str(entry["path"]).replace("{data_root}", str(root)))
            if path.exists():
                return path
            raise UnknownRunError(f"{name} of run {manifest['id']} is gone: {path}.")
    raise UnknownRunError(
        f"Run {manifest['id']} neither wrote nor read {name}; decide again: "
        "kedro run --from-nodes decision.screen."
    )


def _currency(manifest: Manifest) -> str:
    return str(manifest.get("parameters", {}).get("campaign", {}).get("currency", ""))


def _story(manifest: Manifest, decision: dict[str, Any]) -> list[str]:
    """What was decided, in words."""
    unit = _currency(manifest)
    campaign = manifest.get("parameters", {}).get("campaign", {}).get("name", "")
    sent, profit = decision["message"], decision["expected_profit"]
    lines = [
        f"Customer {decision['customer_id']}, run {manifest['id']} of "
        f"{manifest.get('started_at', 'unknown time')}, campaign {campaign!r}",
        f"  message         {sent}, expected profit {profit:,.4f} {unit}",
    ]
    other = decision["runner_up"]
    if not pd.isna(other):
        margin = profit - decision["runner_up_expected_profit"]
        lines.append(f"  runner-up       {other}, {margin:,.4f} {unit} behind by prediction")
    control = decision["expected_profit_of_control"]
    if not pd.isna(control):
        lines.append(f"  over no e-mail  {profit - control:+,.4f} {unit}")
    lines.append(
        f"  decided by      {decision['decided_by']}; the policy {decision['policy']!r} prefers "
        f"{decision['preferred']}"
    )
    lines.append(f"  probability     {decision['propensity']:.4f}")
    lines += [f"  removed         {part}" for part in str(decision["removed"]).split("; ") if part]
    return lines


def _table(manifest: Manifest, moved: pd.DataFrame) -> list[str]:
    """The features with their values and amounts."""
    if moved.empty:
        return []
    rows = [["feature", "value", "usual", f"moved the lead by ({_currency(manifest)})"]]
    rows += [
        [str(m["feature"]), str(m["value"]), str(m["reference"]), f"{m['amount']:+,.4f}"]
        for m in moved.to_dict("records")
    ]
    return [f"Lead over the runner-up {moved['lead'].iloc[0]:+,.4f}, moved most by:", *table(rows)]
