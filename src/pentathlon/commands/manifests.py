"""Manifests that runs left: find them, pick one, and say in what some differ."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from pentathlon.hooks import fragments
from pentathlon.hooks.places import PARTS_FOLDER, RUNS_FOLDER
from pentathlon.hooks.provenance import sha256

Manifest = dict[str, Any]

ABSENT = "-"
"""What a command shows where a manifest says nothing."""


data_roots_option = click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds 08_reporting; may be repeated. Default: data/ and each data/*/.",
)


class UnknownRunError(click.ClickException):
    """A run that is not there, or that could be several."""

    exit_code = 2


def find_runs(data_roots: Iterable[Path]) -> list[Manifest]:
    """Read the manifests below data roots, the newest run first.

    Parameters
    ----------
    data_roots
        Folders that hold `08_reporting`.

    Returns
    -------
    list of dict
        Manifests. A run whose process still lives has the status `running`. A file that is
        no manifest is skipped with a warning on standard error.
    """
    found: dict[str, Manifest] = {}
    for root in data_roots:
        for path in sorted((root / RUNS_FOLDER).glob("*.json")):
            try:
                manifest = json.loads(path.read_text(encoding="utf-8"))
                run_id = manifest["id"]
            except (OSError, ValueError, KeyError, TypeError) as error:
                click.echo(f"Skipped {path}: not a run manifest ({error}).", err=True)
                continue
            if fragments.alive(path.parent / PARTS_FOLDER / run_id):
                manifest["status"], manifest["error"] = "running", None
            found[run_id] = manifest
    return sorted(found.values(), key=lambda run: (run.get("started_at", ""), run["id"]))[::-1]


def pick(runs: Sequence[Manifest], name: str) -> Manifest:
    """Find a run by its id, the unique beginning of one, `latest` or `previous`.

    Parameters
    ----------
    runs
        Manifests, the newest first.
    name
        What the user typed.

    Raises
    ------
    UnknownRunError
        If no run, or more than one, is meant.
    """
    position = {"latest": 0, "previous": 1}.get(name)
    if position is not None:
        if len(runs) <= position:
            raise UnknownRunError(f"There is no {name} run: {len(runs)} found.")
        return runs[position]
    matches = [run for run in runs if run["id"] == name] or [
        run for run in runs if run["id"].startswith(name)
    ]
    if len(matches) == 1:
        return matches[0]
    if not matches:
        newest = f" The newest is {runs[0]['id']}." if runs else " There are no runs."
        raise UnknownRunError(f"No run has the id '{name}'.{newest}")
    several = ", ".join(run["id"] for run in matches[:5])
    raise UnknownRunError(f"'{name}' could be any of {len(matches)} runs: {several}.")


def made_by(runs: Sequence[Manifest], data_roots: Sequence[Path], file: Path) -> Manifest:
    """Find the run that wrote a file, by what is in it; it may have been moved or renamed.

    Parameters
    ----------
    runs
        Manifests, the newest first.
    data_roots
        Where datasets that the manifests speak of lie.
    file
        A report, a table: anything that a run wrote as one file, or a copy of it.

    Raises
    ------
    UnknownRunError
        If there is no such file, or none of what the runs wrote, and is still there, has the
        same content.
    """
    if not file.is_file():
        raise UnknownRunError(f"There is no file {file}.")
    size, content = file.stat().st_size, sha256(file)
    for run in runs:
        for entry in run.get("datasets", {}).get("written", {}).values():
            if Path(entry["path"]).suffix != file.suffix:
                continue
            for root in data_roots:
                path = Path(str(entry["path"]).replace("{data_root}", str(root)))
                if path.is_file() and path.stat().st_size == size and sha256(path) == content:
                    return run
    raise UnknownRunError(
        f"No run below {', '.join(str(root) for root in data_roots)} wrote what is in {file}, or "
        "what it wrote is gone. Name other places with --data-root."
    )


def default_roots(folder: Path) -> list[Path]:
    """List `data` of the project around a folder, and each folder in it that holds runs."""
    home = next((p for p in (folder, *folder.parents) if (p / "pyproject.toml").is_file()), folder)
    data = home / "data"
    return [data, *sorted(path for path in data.glob("*/") if (path / RUNS_FOLDER).is_dir())]


def flatten(value: Any, path: str = "") -> dict[str, Any]:
    """Turn nested mappings into one, with dotted paths as keys."""
    if not isinstance(value, Mapping) or (path and not value):
        return {path: value}
    flat: dict[str, Any] = {}
    for key, item in value.items():
        flat.update(flatten(item, f"{path}.{key}" if path else str(key)))
    return flat


def compare(runs: Sequence[Manifest]) -> dict[str, Any]:
    """Say in what runs differ.

    Parameters
    ----------
    runs
        Manifests; differences are taken from the first.

    Returns
    -------
    dict
        `runs`: the ids. `facts`, `parameters`, `packages`, `inputs`, `datasets`: what
        differs, as a list with one value for each run. A dataset version is `own` where
        the run itself wrote it. `headline`: all numbers, with `values` and `differences`.
    """
    headline: dict[str, Any] = {}
    for name in _keys(run.get("headline", {}) for run in runs):
        values = [run.get("headline", {}).get(name) for run in runs]
        headline[name] = {
            "values": values,
            "differences": [_minus(value, values[0]) for value in values[1:]],
        }
    return {
        "runs": [run["id"] for run in runs],
        "facts": _differing([_facts(run) for run in runs]),
        "parameters": _differing([flatten(run.get("parameters", {})) for run in runs]),
        "packages": _differing([run.get("packages", {}) for run in runs]),
        "inputs": _differing([input_hashes(run) for run in runs]),
        "datasets": _differing([dataset_versions(run) for run in runs]),
        "headline": headline,
    }


def _keys(mappings: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _differing(mappings: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    rows = {key: [mapping.get(key) for mapping in mappings] for key in _keys(mappings)}
    return {key: row for key, row in rows.items() if any(item != row[0] for item in row)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _minus(value: Any, base: Any) -> float | None:
    return value - base if _is_number(value) and _is_number(base) else None


def _facts(run: Manifest) -> dict[str, Any]:
    return {
        "status": run.get("status"),
        "env": run.get("env"),
        "pipelines": ", ".join(run.get("pipelines", [])),
        "filters": run.get("filters") or None,
        "runner": run.get("runner"),
        "git": revision(run),
        "python": run.get("machine", {}).get("python"),
        "platform": run.get("machine", {}).get("platform"),
    }


def input_hashes(run: Manifest) -> dict[str, str]:
    """First figures of the SHA-256 of each file that a run read."""
    return {name: entry.get("sha256", "")[:16] for name, entry in run.get("inputs", {}).items()}


def dataset_versions(run: Manifest) -> dict[str, Any]:
    """Version of each dataset of a run: `own` where the run wrote it."""
    datasets = run.get("datasets", {})
    entries = {
        key: e for part in ("kept", "read", "written") for key, e in datasets.get(part, {}).items()
    }
    return {
        name: "own" if entry.get("version") == run["id"] else entry["version"]
        for name, entry in sorted(entries.items())
        if entry.get("version")
    }


def revision(run: Manifest) -> str:
    """First figures of the revision of the code, with a plus where it was changed."""
    git = run.get("git") or {}
    known = str(git.get("revision") or "")[:8]
    return f"{known}{'+' if git.get('dirty') else ''}" if known else ABSENT
