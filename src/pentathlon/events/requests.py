"""Requests of persons: to be erased from every layer and version, or to see what is held."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pentathlon.errors import DataError
from pentathlon.events.contracts import CUSTOMER_ID
from pentathlon.events.described import RawFindings, is_later, search_described
from pentathlon.events.files import suffix_of
from pentathlon.events.holdings import (
    DOCUMENTS,
    ID_COLUMNS,
    Person,
    columns_of,
    doubt,
    erase_from,
    files_below,
    links_out_of,
    mentions,
    rows_about,
    spellings,
)
from pentathlon.events.pseudonyms import PseudonymKey
from pentathlon.events.rewriting import NotErasedError, NotSearchedError
from pentathlon.events.settings import IntakeSettings

AUDIT = "privacy_audit.jsonl"
"""Record of requests, below the data root."""

_NAMELESS = (
    "no column of it is known to hold your identifiers; name it in intake.tables or in "
    "data_processing.columns.customer_id of the parameters"
)
_RUNS = "08_reporting/runs"
_PSEUDONYM = re.compile(r"[a-z][a-z0-9]{0,15}_[0-9a-f]{32}")


@dataclass
class Answer:
    """What came of a request.

    Attributes
    ----------
    rows : dict of str to int
        Rows found or erased, by file below the data root.
    mentioned_in : list of str
        Texts that may name the person, and files that are called so; a human must judge.
    held : dict of str to list of dict
        The rows themselves, where they were asked for.
    not_searched : dict of str to str
        Files in which nobody can be looked for, and why.
    not_erased : dict of str to str
        Files that hold rows about the person and could not be rewritten, and why.
    notes : list of str
        What else whoever asked should know.
    """

    rows: dict[str, int] = field(default_factory=dict)
    mentioned_in: list[str] = field(default_factory=list)
    held: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    not_searched: dict[str, str] = field(default_factory=dict)
    not_erased: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
    pseudonyms = [p for spelling in spellings(name) for p in key.pseudonyms(spelling)]
    return Person(name, tuple(pseudonyms), columns)


def export_person(
    root: Path, who: Person, key: PseudonymKey, intake: IntakeSettings | None = None
) -> Answer:
    """Collect everything that is held about a person.

    Parameters
    ----------
    root : Path
        The data root.
    who : Person
    key : PseudonymKey
        For the record of the request.
    intake : IntakeSettings, optional
        How raw files are written; files that it does not describe are read as they look.

    Returns
    -------
    Answer
    """
    answer = _go_through(root, who, intake, erasing=False)
    _record(root, "export", who, key, answer)
    return answer


def erase_person(
    root: Path, who: Person, key: PseudonymKey, intake: IntakeSettings | None = None
) -> Answer:
    """Remove a person from every table of every layer and version below a data root.

    Records of runs keep the hashes of what they read and say which files have changed since.

    Parameters
    ----------
    root : Path
    who : Person
    key : PseudonymKey
    intake : IntakeSettings, optional
        How raw files are written; files that it does not describe are read as they look.

    Returns
    -------
    Answer
    """
    answer = _go_through(root, who, intake, erasing=True)
    at = _now()
    for manifest in sorted((root / _RUNS).glob("*.json")):
        _note(root, manifest, answer.rows, at)
    _record(root, "erase", who, key, answer)
    return answer


def _go_through(root: Path, who: Person, intake: IntakeSettings | None, *, erasing: bool) -> Answer:
    _check_root(root)
    answer = Answer(notes=_notes(who, intake))
    files = [path for path in files_below(root) if path != root / AUDIT]
    for link in links_out_of(root):
        answer.not_searched[_name(link, root)] = f"it leads to {link.resolve()}, elsewhere"
    raw = RawFindings()
    if intake is not None:
        raw = search_described(root, files, who, intake, erasing=erasing)
    for path in raw.unreadable.keys() - set(files):
        answer.not_searched.setdefault(_name(path, root), raw.unreadable[path])
    for path in files:
        name = _name(path, root)
        if path in raw.rows:
            rows = [row for _, row in sorted(raw.rows[path].items())]
            count = raw.erased.get(path, 0) if erasing else len(rows)
            if path in raw.not_erased:
                answer.not_erased[name] = raw.not_erased[path]
            if path in raw.doubts:
                answer.not_searched[name] = raw.doubts[path]
        else:
            may_lack = who.identifier is None or is_later(path, root) or path.suffix == ".txt"
            unlike = raw.unreadable.get(path, None if may_lack else _NAMELESS)
            rows, count = _search(path, name, who, unlike, answer, erasing=erasing)
        if count:
            answer.rows[name] = count
        if rows and not erasing:
            answer.held[name] = rows
        read_as_text = suffix_of(path) in DOCUMENTS and path not in raw.rows
        is_named_in = not count and (read_as_text or name in answer.not_searched)
        if who.without(name) != name or (is_named_in and mentions(path, who)):
            answer.mentioned_in.append(name)
    return answer


def _search(
    path: Path, name: str, who: Person, unlike: str | None, answer: Answer, *, erasing: bool
) -> tuple[list[dict[str, Any]], int]:
    """Rows and their number in a file that is read as it looks.

    ``unlike`` says what it would take to find a retailer's own identifier in a raw file in which
    no column is known to hold it.
    """
    try:
        rows = [] if erasing else rows_about(path, who)
        count = erase_from(path, who) if erasing else len(rows)
        columns = columns_of(path, who) if unlike else []
        known = any(who.is_named_in(column) for column in columns)
        if unlike and not known and (columns or unlike != _NAMELESS):
            answer.not_searched[name] = unlike
        elif uncertain := doubt(path, who):
            answer.not_searched[name] = uncertain
        return rows, count
    except NotSearchedError as error:
        answer.not_searched[name] = str(error) if unlike in {None, _NAMELESS} else str(unlike)
    except NotErasedError as error:
        answer.not_erased[name] = str(error)
    return [], 0


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def _notes(who: Person, intake: IntakeSettings | None) -> list[str]:
    """What may be missed although every file was searched."""
    if who.identifier is None:
        return [
            "A pseudonym finds no row that has your own identifier, as raw tables do. Ask by "
            "your own identifier too."
        ]
    notes = []
    for table, source in (intake.tables.present() if intake else {}).items():
        meant = source.values.get(CUSTOMER_ID, {}).get(who.identifier)
        if meant is not None and meant not in who.names:
            notes.append(
                f"In {table}, intake.tables.{table}.values says that {who.identifier} stands for "
                f"{meant}. Ask for {meant} too if that is the same person."
            )
    return notes


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
    line: dict[str, Any] = {
        "at": _now(),
        "action": action,
        "proof": key.proof(who.identifier or who.pseudonyms[0]),
        "rows": sum(answer.rows.values()),
        "files": [who.without(name) for name in sorted(answer.rows)],
        "mentioned_in": [who.without(name) for name in answer.mentioned_in],
        "not_searched": [who.without(name) for name in sorted(answer.not_searched)],
    }
    if answer.not_erased:
        line["not_erased"] = [who.without(name) for name in sorted(answer.not_erased)]
    with (root / AUDIT).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
