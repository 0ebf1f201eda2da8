"""Score while the threads of this process are counted.

python threads.py ENGINE CUSTOMERS OUT SENDING THREADS

Prints how many threads there were at most beside those before, and how many stayed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pyarrow as pa
from scipy.optimize import Bounds, milp

from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import SendingSettings
from pentathlon.features import build_features
from pentathlon.scoring import BatchDecider, ScoringJob, ScoringSettings


@dataclass(frozen=True)
class Counting(BatchDecider):
    """Counts threads whenever a batch is done."""

    seen: list[int] = field(default_factory=list)

    def decide(self, *args: Any, **kwargs: Any) -> Any:
        """Decide, and count."""
        decided = super().decide(*args, **kwargs)
        self.seen.append(psutil.Process().num_threads())
        return decided

    def spill(self, *args: Any, **kwargs: Any) -> Any:
        """Predict, and count."""
        spilled = super().spill(*args, **kwargs)
        self.seen.append(psutil.Process().num_threads())
        return spilled


def main() -> None:
    engine_folder, customers, out, stated, threads = sys.argv[1:]
    pa.set_cpu_count(3)  # Arrow's way with threads, whatever this machine has
    engine = DecisionEngine.load(Path(engine_folder)).compiled()
    some = pd.read_parquet(next(Path(customers).glob("*.parquet")), use_threads=False)
    engine.predict(build_features(some.dropna(), engine.columns))  # compiles
    # HiGHS has idle threads of its own, half as many as there are cores, once it was asked.
    milp([1.0], integrality=[1], bounds=Bounds(0.5, 2))
    before = psutil.Process().num_threads()
    decider = Counting(engine, SendingSettings.model_validate_json(stated), campaign="may")
    job = ScoringJob(Path(customers), decider, ScoringSettings(batch_rows=2_000), int(threads))
    job.write_to(Path(out))
    after = psutil.Process().num_threads()
    sys.stdout.write(f"{max(decider.seen) - before} {after - before}\n")


if __name__ == "__main__":
    main()
