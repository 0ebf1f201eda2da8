"""Decisions that runs made, found and read for the commands that show them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from pentathlon.commands.manifests import (
    Manifest,
    UnknownRunError,
    default_roots,
    find_runs,
    pick,
)


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
