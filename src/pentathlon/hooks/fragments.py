"""What the processes of a run write down, and how it becomes one account of the run.

Under `ParallelRunner` nodes run in other processes, and nothing that a hook keeps in memory
there comes back. So every process appends to a file of its own, and the process that started
the run merges the files when it ends. One line is one event, written by one system call:
threads that share a file cannot tear each other's lines.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_OWNER = "owner.pid"
_STALE_AFTER_S = 24 * 3600


@dataclass
class NodeRecord:
    """What is known about one node; times are seconds since the epoch."""

    times: dict[str, float] = field(default_factory=dict)
    first: float = 0.0
    last: float = 0.0
    loading: int = 0
    saving: int = 0
    outputs: set[str] = field(default_factory=set)
    saved: set[str] = field(default_factory=set)
    failed: bool = False

    @property
    def complete(self) -> bool:
        """Whether the function returned and all that it returned was saved."""
        return "returned" in self.times and self.outputs <= self.saved

    def durations(self) -> dict[str, float]:
        """Seconds spent loading, running and saving, and from the first to the last event."""
        called, returned = self.times.get("called"), self.times.get("returned")
        spent = {"total_s": self.last - self.first}
        if called is not None:
            spent["load_s"] = called - self.first
            end = returned if returned is not None else self.times.get("failed", called)
            spent["run_s"] = end - called
        if returned is not None:
            spent["save_s"] = self.last - returned
        return {name: round(max(seconds, 0.0), 4) for name, seconds in spent.items()}


@dataclass
class RunRecord:
    """What all processes of a run wrote down."""

    nodes: dict[str, NodeRecord] = field(default_factory=lambda: defaultdict(NodeRecord))
    read: dict[str, Any] = field(default_factory=dict)
    written: dict[str, Any] = field(default_factory=dict)
    headline: dict[str, Any] = field(default_factory=dict)
    peak_rss_mib: float = 0.0

    def failed_nodes(self) -> list[str]:
        """Names of the nodes in which the run broke, given that it did.

        A node whose function raised says so itself. One whose data could not be loaded or
        saved, or whose process died, has begun and not come to its end.
        """
        raised = [name for name, node in self.nodes.items() if node.failed]
        unfinished = [
            name
            for name, node in self.nodes.items()
            if not node.complete or max(node.loading, node.saving) > 0
        ]
        return sorted(raised or unfinished)


def start(folder: Path) -> None:
    """Make the folder of a run's fragments, marked with the process that owns it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _OWNER).write_text(str(os.getpid()), encoding="utf-8")


def record(folder: Path, event: str, node: str, **facts: Any) -> None:
    """Append one event to the file of this process.

    Parameters
    ----------
    folder
        Folder of the run's fragments. It must exist: a run that is over records nothing.
    event
        `load`, `loaded`, `called`, `returned`, `save`, `saved` or `failed`.
    node
        Name of the node.
    **facts
        What else to keep, as JSON can hold it.
    """
    line = json.dumps({"event": event, "node": node, "at": time.time(), **facts}) + "\n"
    with (folder / f"{os.getpid()}.jsonl").open("ab", buffering=0) as file:
        file.write(line.encode())


def merge(folder: Path) -> RunRecord:
    """Put the events of all processes in order and sum them up."""
    events: list[dict[str, Any]] = []
    for path in folder.glob("*.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            # The last line of a process that was killed may be cut off.
            with suppress(json.JSONDecodeError):
                events.append(json.loads(line))
    merged = RunRecord()
    promised: dict[str, Any] = {}
    for event in sorted(events, key=lambda event: event["at"]):
        node, what = merged.nodes[event["node"]], event["event"]
        node.first, node.last = node.first or event["at"], event["at"]
        if what in {"called", "returned", "failed"}:
            node.times[what] = event["at"]
        node.loading += {"load": 1, "loaded": -1}.get(what, 0)
        node.saving += {"save": 1, "saved": -1}.get(what, 0)
        node.failed |= what == "failed"
        node.outputs.update(event.get("outputs", ()))
        merged.read.update(event.get("reads", {}))
        promised.update(event.get("writes", {}))
        merged.headline.update(event.get("headline", {}))
        merged.peak_rss_mib = max(merged.peak_rss_mib, event.get("rss_mib", 0.0))
        if what == "saved":
            node.saved.add(event["dataset"])
            if event["dataset"] in promised:
                merged.written[event["dataset"]] = promised[event["dataset"]]
    return merged


def remove(folder: Path) -> None:
    """Delete the fragments of a run, and the folder above them once it is empty."""
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # another run's fragments are still there
        folder.parent.rmdir()


def remove_stale(parent: Path) -> None:
    """Delete the fragments of runs that were killed a day ago or earlier."""
    for folder in parent.glob("*/") if parent.is_dir() else ():
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _STALE_AFTER_S and not alive(folder):
                remove(folder)


def alive(folder: Path) -> bool:
    """Whether the process that owns these fragments still exists on this machine."""
    try:
        owner = int((folder / _OWNER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    if os.name == "nt":  # signal 0 would end the process there
        return True
    try:
        os.kill(owner, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
