"""List the runs of a project and compare them, from the manifests that they left."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pentathlon.hooks import fragments
from pentathlon.hooks.places import PARTS_FOLDER, RUNS_FOLDER
from pentathlon.hooks.provenance import sha256

Manifest = dict[str, Any]

_ABSENT = "-"
_HEADLINES_IN_TABLE = 3


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
        "inputs": _differing([_hashes(run) for run in runs]),
        "datasets": _differing([_versions(run) for run in runs]),
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
        "git": _git(run),
        "python": run.get("machine", {}).get("python"),
        "platform": run.get("machine", {}).get("platform"),
    }


def _hashes(run: Manifest) -> dict[str, str]:
    return {name: entry.get("sha256", "")[:16] for name, entry in run.get("inputs", {}).items()}


def _versions(run: Manifest) -> dict[str, Any]:
    datasets = run.get("datasets", {})
    entries = {
        key: e for part in ("kept", "read", "written") for key, e in datasets.get(part, {}).items()
    }
    return {
        name: "own" if entry.get("version") == run["id"] else entry["version"]
        for name, entry in sorted(entries.items())
        if entry.get("version")
    }


def _git(run: Manifest) -> str:
    git = run.get("git") or {}
    revision = str(git.get("revision") or "")[:8]
    return f"{revision}{'+' if git.get('dirty') else ''}" if revision else _ABSENT


def _when(run: Manifest) -> str:
    try:
        return f"{datetime.fromisoformat(run['started_at']):%Y-%m-%d %H:%M}"
    except (KeyError, ValueError):
        return _ABSENT


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def _show(value: Any) -> str:
    if value is None:
        return _ABSENT
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def table(rows: Sequence[Sequence[str]], indent: str = "") -> Iterator[str]:
    """Lay rows out in columns; the first row is the heading."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield f"{indent}{'  '.join(cells)}".rstrip()


def _listing(runs: Sequence[Manifest]) -> Iterator[str]:
    rows = [["id", "when (UTC)", "env", "pipelines", "took", "status", "git", "headline"]]
    for run in runs:
        numbers = [f"{name}={_show(value)}" for name, value in run.get("headline", {}).items()]
        more = ["..."] if len(numbers) > _HEADLINES_IN_TABLE else []
        rows.append(
            [
                run["id"],
                _when(run),
                run.get("env") or _ABSENT,
                ",".join(run.get("pipelines", [])) or _ABSENT,
                _duration(run.get("duration_s", 0.0)),
                run.get("status", _ABSENT),
                _git(run),
                "  ".join(numbers[:_HEADLINES_IN_TABLE] + more),
            ]
        )
    yield from table(rows)


def _details(run: Manifest) -> Iterator[str]:
    yield from _listing([run])
    error = run.get("error")
    if error:
        where = f" in {error['node']}" if error.get("node") else ""
        yield f"\n{error['type']}{where}: {error['message']}"
    nodes = run.get("nodes", {})
    counts = (f"{len(nodes.get(kind, []))} {kind}" for kind in ("run", "failed", "skipped"))
    yield f"\nNodes: {', '.join(counts)}"
    timings = {name: spent.get("total_s", 0.0) for name, spent in run.get("timings", {}).items()}
    slowest = sorted(timings.items(), key=lambda item: -item[1])[:5]
    if slowest:
        yield "Slowest nodes:"
        yield from table([[name, _duration(spent)] for name, spent in slowest], "  ")
    sections: list[tuple[str, Mapping[str, Any]]] = [
        ("Headline numbers", run.get("headline", {})),
        ("Runtime parameters", flatten(run.get("runtime_params", {}))),
        ("Input files (sha256)", _hashes(run)),
        ("Dataset versions", _versions(run)),
    ]
    for title, entries in sections:
        if entries:
            yield f"\n{title}:"
            yield from table([[name, _show(value)] for name, value in entries.items()], "  ")


def _comparison(result: Mapping[str, Any]) -> Iterator[str]:
    labels = list(result["runs"])
    yield f"Comparing {' with '.join(labels)}"
    if result["headline"]:
        changes = [f"change to {label}" for label in labels[1:]]
        rows = [["", *labels, *changes]]
        for name, entry in result["headline"].items():
            shown = [
                _ABSENT if value is None else f"+{_show(value)}" if value > 0 else _show(value)
                for value in entry["differences"]
            ]
            rows.append([name, *map(_show, entry["values"]), *shown])
        yield "\nHeadline numbers:"
        yield from table(rows, "  ")
    sections = {
        "facts": "What differs",
        "parameters": "Parameters that differ",
        "inputs": "Input files that differ (sha256)",
        "datasets": "Dataset versions that differ ('own': written by the run itself)",
        "packages": "Packages that differ",
    }
    for key, title in sections.items():
        if result[key]:
            yield f"\n{title}:"
            rows = [["", *labels], *([name, *map(_show, v)] for name, v in result[key].items())]
            yield from table(rows, "  ")
        elif key == "parameters":
            yield "\nNo parameter differs."


def default_roots(folder: Path) -> list[Path]:
    """List `data` of the project around a folder, and each folder in it that holds runs."""
    home = next((p for p in (folder, *folder.parents) if (p / "pyproject.toml").is_file()), folder)
    data = home / "data"
    return [data, *sorted(path for path in data.glob("*/") if (path / RUNS_FOLDER).is_dir())]


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--compare", "pair", nargs=2, metavar="A B", help="Compare two runs.")
@click.option(
    "--of",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Show the run that wrote this file, or the original of this copy.",
)
@click.option(
    "--data-root",
    "data_roots",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder that holds 08_reporting; may be repeated. Default: data/ and each data/*/.",
)
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def runs(
    ids: tuple[str, ...],
    pair: tuple[str, str] | None,
    file: Path | None,
    data_roots: tuple[Path, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List runs, show one, or compare several.

    An ID may be cut short as long as it is unique; 'latest' and 'previous' are ids too.
    """
    roots = data_roots or tuple(default_roots(Path.cwd()))
    found = find_runs(roots)
    chosen = [pick(found, name) for name in (*ids, *(pair or ()))]
    if file is not None:
        chosen.append(made_by(found, roots, file))
    if not chosen:
        result: Any = found[:limit]
        lines = _listing(result) if found else iter(["No runs yet."])
    elif len(chosen) == 1:
        result, lines = chosen[0], _details(chosen[0])
    else:
        result = compare(chosen)
        lines = _comparison(result)
    click.echo(json.dumps(result, indent=2, ensure_ascii=False) if as_json else "\n".join(lines))
    if not chosen and not as_json and len(found) > limit:
        click.echo(f"... and {len(found) - limit} older runs (--limit).")
