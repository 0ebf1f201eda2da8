"""Requests of persons: to be erased from every layer and version, or to see what is held."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pentathlon.errors import DataError
from pentathlon.events.holdings import (
    ID_COLUMNS,
    Person,
    erase_from,
    mentions,
    rows_about,
    tables_below,
)
from pentathlon.events.pseudonyms import PseudonymKey

AUDIT = "privacy_audit.jsonl"
"""Record of requests, below the data root."""

_RUNS = "08_reporting/runs"
_PSEUDONYM = re.compile(r"[a-z][a-z0-9]{0,15}_[0-9a-f]{32}")


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Attributes
    ----------
    rows : dict of str to int
        Rows found or erased, by file below the data root.
    mentioned_in : list of str
        Documents that are no tables and name the person; they are for a human to judge.
    held : dict of str to list of dict
        The rows themselves, where they were asked for.
    """

    rows: dict[str, int]
    mentioned_in: list[str]
    held: dict[str, list[dict[str, Any]]]


def person(customer: str, key: PseudonymKey, id_columns: Iterable[str] = ()) -> Person:
    """Know a person by the retailer's identifier or by a pseudonym.

    Parameters
    ----------
    customer : str
    key : PseudonymKey
    id_columns : iterable of str
        Columns that hold identifiers, beside those that always do.

    Raises
    ------
    DataError
        For an empty identifier.
    """
    name = customer.strip()
    if not name:
        raise DataError("Say whom the request is about: the identifier is empty.")
    columns = frozenset({*ID_COLUMNS, *(column.lower() for column in id_columns)})
    if _PSEUDONYM.fullmatch(name):
        return Person(None, (name,), columns)
    return Person(name, tuple(key.pseudonyms(name)), columns)


def export_person(root: Path, who: Person, key: PseudonymKey) -> Answer:
    """Collect everything that is held about a person.

    Parameters
    ----------
    root : Path
        The data root.
    who : Person
    key : PseudonymKey
        For the record of the request.

    Returns
    -------
    Answer
    """
    _check_root(root)
    held, mentioned = {}, []
    for path in tables_below(root):
        name = path.relative_to(root).as_posix()
        if found := rows_about(path, who):
            held[name] = found
        elif name != AUDIT and mentions(path, who):
            mentioned.append(name)
    rows = {name: len(found) for name, found in held.items()}
    _record(root, "export", who, key, Answer(rows, mentioned, {}))
    return Answer(rows, mentioned, held)


def erase_person(root: Path, who: Person, key: PseudonymKey) -> Answer:
    """Remove a person from every table of every layer and version below a data root.

    Records of runs keep the hashes of what they read and say which files have changed since.

    Parameters
    ----------
    root : Path
    who : Person
    key : PseudonymKey

    Returns
    -------
    Answer
    """
    _check_root(root)
    rows, mentioned = {}, []
    for path in tables_below(root):
        name = path.relative_to(root).as_posix()
        if erased := erase_from(path, who):
            rows[name] = erased
        elif name != AUDIT and mentions(path, who):
            mentioned.append(name)
    at = _now()
    for manifest in sorted((root / _RUNS).glob("*.json")):
        _note(root, manifest, rows, at)
    answer = Answer(rows, mentioned, {})
    _record(root, "erase", who, key, answer)
    return answer


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise DataError(f"There is no folder {root}. Name the data root with --data-root.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _note(root: Path, manifest: Path, rows: dict[str, int], at: str) -> None:
    """Write into a run's record which of its files an erasure has changed."""
    try:
        run = json.loads(manifest.read_text(encoding="utf-8"))
        identity = str(run["id"])
    except (ValueError, KeyError, TypeError):
        return
    own = sorted(name for name in rows if identity in Path(name).parts)
    changed = bool(own)
    if own:
        run.setdefault("erasures", []).append({"at": at, "files": own})
    for entry in run.get("inputs", {}).values():
        name = next((n for n in rows if str(entry.get("path", "")).endswith(n)), None)
        if name is not None:
            file = root / name
            now = {
                "at": at,
                "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                "bytes": file.stat().st_size,
            }
            entry.setdefault("erasures", []).append(now)
            changed = True
    if changed:
        draft = manifest.with_name(f".{manifest.name}.erasing")
        draft.write_text(json.dumps(run, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        draft.replace(manifest)


def _record(root: Path, action: str, who: Person, key: PseudonymKey, answer: Answer) -> None:
    """Add a line to the record of requests, by which nobody can be found.

    Whoever has the key and the identifier can prove that the request was fulfilled.
    """
    line = {
        "at": _now(),
        "action": action,
        "proof": key.proof(who.identifier or who.pseudonyms[0]),
        "rows": sum(answer.rows.values()),
        "files": sorted(answer.rows),
        "mentioned_in": answer.mentioned_in,
    }
    with (root / AUDIT).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
