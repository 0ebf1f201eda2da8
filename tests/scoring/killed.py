"""Score in processes of which each is killed at another step, and each time once more to the end.

python killed.py ENGINE CUSTOMERS PLACE SENDING BEFORE

PLACE gets ``calm/``, an undisturbed run; ``before/``, a run of another campaign with the settings
BEFORE; ``0/``, ``1/`` and so on, copies of ``before/`` in which a run was killed and another came
to its end; and ``steps.json``: for each of them the step and what could be seen after the kill.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import SendingSettings
from pentathlon.scoring import BatchDecider, ScoredFolder, ScoringJob, ScoringSettings, prices
from pentathlon.scoring.parts import PartWriter
from pentathlon.scoring.spill import SpilledParts


class Steps:
    """Steps of this process by name; at one of them it is killed.

    Parameters
    ----------
    out : Path
    last : int or None
        Position of the step; ``None`` for none.
    """

    def __init__(self, out: Path, last: int | None) -> None:
        self.names: list[str] = []
        self._out, self._last = out, last

    def watch(self) -> None:
        """Make steps of all that changes files, and of what prices are made of."""
        os.replace = self._around("replace", os.replace, target=1)
        os.unlink = self._around("unlink", os.unlink, target=0)
        for name in ("segments", "sample", "nearest", "dual"):
            setattr(SpilledParts, name, self._ahead_of(name, getattr(SpilledParts, name)))
        prices.within_limits = self._ahead_of("within_limits", prices.within_limits)
        write = PartWriter.write

        def half(writer: PartWriter, batch: Any) -> None:
            write(writer, batch)
            step = f"within {writer._path.relative_to(self._out)}"
            if step not in self.names:
                self._step(step)

        PartWriter.write = half

    def _step(self, name: str) -> None:
        if len(self.names) == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)

    def _ahead_of(self, name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def stepped(*args: Any, **kwargs: Any) -> Any:
            self._step(f"before {name}")
            return work(*args, **kwargs)

        return stepped

    def _around(self, name: str, work: Callable[..., Any], target: int) -> Callable[..., Any]:
        """A change of a file, between two steps; nothing changes where there is no such file."""

        def stepped(*args: Any, **kwargs: Any) -> Any:
            if not Path(args[0]).exists():
                return work(*args, **kwargs)
            what = f"{name} {Path(args[target]).relative_to(self._out)}"
            self._step(f"before {what}")
            result = work(*args, **kwargs)
            self._step(f"after {what}")
            return result

        return stepped


def in_child(job: ScoringJob, out: Path, last: int | None = None, to: Path | None = None) -> bool:
    """Score in a process of its own; whether that was killed."""
    child = os.fork()
    if child == 0:
        steps = Steps(out, last)
        if last is not None or to is not None:
            steps.watch()
        try:
            job.write_to(out)
            if to is not None:
                to.write_text(json.dumps(steps.names))
        except BaseException as error:  # which must not go on as if it were the parent
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if not os.WIFSIGNALED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("A run failed.")
    return os.WIFSIGNALED(status)


def looks_finished(out: Path) -> bool:
    """Whether there is a run to load, and its decisions are its own."""
    if not (out / "run.json").exists():
        return False
    if problems := ScoredFolder(out).problems():
        raise RuntimeError(f"{out}: {problems}")
    return True


def main() -> None:
    engine_folder, customers, place, stated, stated_before = sys.argv[1:]
    engine = DecisionEngine.load(Path(engine_folder)).compiled()
    out = Path(place)
    sending, earlier = map(SendingSettings.model_validate_json, (stated, stated_before))
    edges = {"purchase_probability": (0.2, 0.4)}
    decider = BatchDecider(engine, sending, campaign="may", edges=edges)
    settings = ScoringSettings(batch_rows=400, limit_customers=1_000)
    job = ScoringJob(Path(customers), decider, settings, threads=2)
    before = replace(job, decider=replace(decider, settings=earlier, campaign="april"))
    first = pq.ParquetFile(next(Path(customers).glob("*.parquet")))
    decider.spill(next(first.iter_batches(32, use_threads=False)))  # compiles, once for all

    in_child(job, out / "calm")
    in_child(before, out / "before")
    shutil.copytree(out / "before", out / "all")
    in_child(job, out / "all", to=out / "steps.json")
    names = json.loads((out / "steps.json").read_text())
    seen = []
    for i, name in enumerate(names):
        mine = out / str(i)
        shutil.copytree(out / "before", mine)
        if not in_child(job, mine, last=i):
            raise RuntimeError(f"The run was to be killed {name}.")
        seen.append([name, looks_finished(mine)])
        in_child(job, mine)
    (out / "steps.json").write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
