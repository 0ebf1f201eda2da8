"""The command that lists the runs of a project, shows one, or compares several."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from pentathlon.commands.manifests import (
    ABSENT,
    Manifest,
    compare,
    data_roots_option,
    dataset_versions,
    default_roots,
    find_runs,
    flatten,
    input_hashes,
    made_by,
    pick,
    revision,
)
from pentathlon.commands.text import table

_HEADLINES_IN_TABLE = 3


def _when(run: Manifest) -> str:
    try:
        return f"{datetime.fromisoformat(run['started_at']):%Y-%m-%d %H:%M}"
    except (KeyError, ValueError):
        return ABSENT


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def _show(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, float):
        return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _listing(runs: Sequence[Manifest]) -> Iterator[str]:
    rows = [["id", "when (UTC)", "env", "pipelines", "took", "status", "git", "headline"]]
    for run in runs:
        numbers = [f"{name}={_show(value)}" for name, value in run.get("headline", {}).items()]
        more = ["..."] if len(numbers) > _HEADLINES_IN_TABLE else []
        rows.append(
            [
                run["id"],
                _when(run),
                run.get("env") or ABSENT,
                ",".join(run.get("pipelines", [])) or ABSENT,
                _duration(run.get("duration_s", 0.0)),
                run.get("status", ABSENT),
                revision(run),
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
        ("Input files (sha256)", input_hashes(run)),
        ("Dataset versions", dataset_versions(run)),
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
                ABSENT if value is None else f"+{_show(value)}" if value > 0 else _show(value)
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


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--compare", "pair", nargs=2, metavar="A B", help="Compare two runs.")
@click.option(
    "--of",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Show the run that wrote this file, or the original of this copy.",
)
@data_roots_option
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
