"""Score in processes that are killed at random moments, then once to the end.

python interrupted.py ENGINE CUSTOMERS OUT SENDING KILLS SECONDS
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import SendingSettings
from pentathlon.scoring import BatchDecider, ScoringJob, ScoringSettings


def main() -> None:
    engine_folder, customers, out, stated, kills, seconds = sys.argv[1:]
    engine = DecisionEngine.load(Path(engine_folder)).compiled()
    sending = SendingSettings.model_validate_json(stated)
    decider = BatchDecider(
        engine, sending, campaign="may", edges={"purchase_probability": (0.2, 0.4)}
    )
    job = ScoringJob(Path(customers), decider, ScoringSettings(batch_rows=32), threads=2)
    first = pq.ParquetFile(next(Path(customers).glob("*.parquet")))
    decider.spill(next(first.iter_batches(32)))  # compiles, which no child should wait for
    rng = random.Random(int(kills))
    killed = 0
    for _ in range(int(kills)):
        child = os.fork()
        if child == 0:
            job.write_to(Path(out))
            os._exit(0)
        # Well within the time of an undisturbed run, however much faster than it this one is.
        time.sleep(rng.uniform(0, float(seconds) / 4))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
    started = time.monotonic()
    job.write_to(Path(out))
    sys.stdout.write(f"{killed} {time.monotonic() - started}\n")


if __name__ == "__main__":
    main()
