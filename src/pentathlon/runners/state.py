"""What successes left behind: one SQLite file, safe when several runs use it at once."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

FORMAT = 1
"""Changes whenever a fingerprint is made otherwise: then nothing is fresh any more."""

Facts = dict[str, dict[str, str]]
"""What a node's result depends on: sections of named digests."""

_WAIT_S = 60.0
_LONGEST_LOCK_S = 7 * 24 * 3600
_TABLES = """
    CREATE TABLE IF NOT EXISTS successes (
        node TEXT PRIMARY KEY, run TEXT, finished REAL, fingerprint TEXT,
        facts BLOB, outputs TEXT);
    CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, signature TEXT, digest TEXT);
    CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, used REAL, content BLOB);
"""
_DAY_S = 24 * 3600.0


@dataclass(frozen=True)
class Success:
    """The last success of a node.

    Attributes
    ----------
    node : str
    run : str
        Id of the run, which is the version of what it saved.
    fingerprint : str
        Digest of the facts.
    facts : dict
    outputs : dict
        By dataset its ``version``, ``path`` and ``digest``.
    """

    node: str
    run: str
    fingerprint: str
    facts: Facts
    outputs: dict[str, dict[str, Any]]


class State:
    """The successes of nodes, and digests that need not be computed again.

    Parameters
    ----------
    path : Path
        SQLite file; made with its folder. One that cannot be read is set aside.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new_files: dict[str, tuple[str, str]] = {}
        self._new_kept: dict[str, bytes] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._database = self._open()
        except sqlite3.DatabaseError as error:
            aside = path.with_name(f"{path.name}.broken")
            path.replace(aside)
            logger.warning("%s cannot be read (%s). It is now %s.", path, error, aside.name)
            self._database = self._open()

    def _open(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            for table in ("successes", "files", "kept"):
                database.execute(f"DROP TABLE IF EXISTS {table}")
        database.executescript(_TABLES)
        # A success that a power cut takes away is made again.
        database.execute("PRAGMA synchronous = OFF")
        if found != FORMAT:
            database.execute(f"PRAGMA user_version = {FORMAT}")
        return database

    def close(self) -> None:
        """Let go of the file."""
        self.flush()
        self._database.execute("DELETE FROM kept WHERE used < ?", (time.time() - 30 * _DAY_S,))
        self._database.close()

    def flush(self) -> None:
        """Write what has been kept since, in one short step: other runs may be waiting."""
        if self._new_files or self._new_kept:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT OR REPLACE INTO files VALUES (?, ?, ?)",
                [(path, *found) for path, found in self._new_files.items()],
            )
            self._database.executemany(
                "INSERT OR REPLACE INTO kept VALUES (?, ?, ?)",
                [(key, time.time(), content) for key, content in self._new_kept.items()],
            )
            self._database.execute("COMMIT")
            self._new_files.clear()
            self._new_kept.clear()

    def successes(self) -> dict[str, Success]:
        """Read all successes, by node."""
        rows = self._database.execute(
            "SELECT node, run, fingerprint, facts, outputs FROM successes"
        ).fetchall()
        return {
            node: Success(
                node, run, fingerprint, json.loads(zlib.decompress(facts)), json.loads(outputs)
            )
            for node, run, fingerprint, facts, outputs in rows
        }

    def record(self, success: Success) -> None:
        """Keep a success in place of the node's last one.

        One with versions later than these stays: another run has gone on since.
        """
        versions = [o["version"] for o in success.outputs.values() if o["version"] is not None]
        later = "AND successes.run > excluded.run" if versions else "AND 0"
        self._database.execute(
            "INSERT INTO successes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (node) DO UPDATE SET "
            "run = excluded.run, finished = excluded.finished, "
            "fingerprint = excluded.fingerprint, facts = excluded.facts, "
            f"outputs = excluded.outputs WHERE NOT (1 {later})",
            (
                success.node,
                success.run,
                time.time(),
                success.fingerprint,
                zlib.compress(json.dumps(success.facts).encode()),
                json.dumps(success.outputs),
            ),
        )

    def forget(self, node: str) -> None:
        """Drop the success of a node."""
        self._database.execute("DELETE FROM successes WHERE node = ?", (node,))

    def known_file(self, path: str, signature: str) -> str | None:
        """Digest of a file that still has the signature with which it was kept."""
        new = self._new_files.get(path)
        if new is not None:
            return new[1] if new[0] == signature else None
        row = self._database.execute(
            "SELECT digest FROM files WHERE path = ? AND signature = ?", (path, signature)
        ).fetchone()
        return str(row[0]) if row else None

    def keep_file(self, path: str, signature: str, digest: str) -> None:
        """Keep the digest of a file."""
        self._new_files[path] = (signature, digest)

    def kept(self, key: str, make: Callable[[], Any]) -> Any:
        """Give what is kept under a key, or make it and keep it; JSON must hold it."""
        row = self._database.execute(
            "SELECT content, used FROM kept WHERE key = ?", (key,)
        ).fetchone()
        content: bytes | None = row[0] if row else self._new_kept.get(key)
        if content is None:
            made = make()
            self._new_kept[key] = zlib.compress(json.dumps(made).encode())
            return made
        if row and time.time() - row[1] > _DAY_S:
            self._new_kept[key] = content
        return json.loads(zlib.decompress(content))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs with this state from writing files that have no versions.

        The lock is that of a second SQLite file: it goes when its process goes.
        """
        path = self.path.with_name(f"{self.path.name}.lock")
        lock = sqlite3.connect(path, timeout=0.0, isolation_level=None)
        try:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError:
                logger.info("Waiting for another run that writes beside %s.", self.path.name)
                lock.execute(f"PRAGMA busy_timeout = {_LONGEST_LOCK_S * 1000}")
                lock.execute("BEGIN EXCLUSIVE")
            yield
        finally:
            lock.close()
