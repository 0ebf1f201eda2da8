"""Measure what a second run costs with FreshRunner, and after one parameter has changed.

    python benchmarks/rerun.py

Runs the `test` environment three times in a folder of its own and writes
``benchmarks/results/rerun.json``: wall time and CPU time of each command, with the machine's
load, what deciding takes, and how many nodes ran.
"""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
RESULT = PROJECT / "benchmarks" / "results" / "rerun.json"
RUNNER = "pentathlon.runners.FreshRunner"
CHANGED = "training.xgboost.n_trials=3"
RUNS = {"first": "", "unchanged": "", "one_model_changed": f",{CHANGED}"}

PLANNING = """
import json, sys, time
from pathlib import Path
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from pentathlon.runners import FreshRunner

bootstrap_project(Path.cwd())
with KedroSession.create(env="test", runtime_params={"data_root": sys.argv[1]}) as session:
    catalog = session.load_context().catalog
    pipeline = pipelines["__default__"]
    for name in pipeline.datasets():
        catalog.get(name, fallback_to_runtime_pattern=True)
    seconds = []
    for _ in range(3):
        started, used = time.perf_counter(), time.process_time()
        plan = FreshRunner().plan(pipeline, catalog)
        seconds.append((time.perf_counter() - started, time.process_time() - used))
print("PLANNING " + json.dumps({
    "wall_s": seconds[0][0], "cpu_s": seconds[0][1], "nodes": len(plan.decisions),
    "would_run": len(plan.to_run),
}))
"""


def command(*arguments: str) -> str:
    """Run Python in the project; its output."""
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "DO_NOT_TRACK": "1",
                   "COLUMNS": "200"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return done.stdout


def main() -> None:
    """Measure and write."""
    result: dict[str, Any] = {"cpus": os.cpu_count(), "changed": CHANGED}
    with tempfile.TemporaryDirectory() as folder:
        root, before = Path(folder) / "data", 0.0
        for name, extra in RUNS.items():
            started = time.perf_counter()
            said = command(
                "-m", "kedro", "run", "--env", "test", "--runner", RUNNER,
                "--params", f"data_root={root}{extra}",
            )  # fmt: skip
            wall = time.perf_counter() - started
            total = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu, before = total.ru_utime + total.ru_stime - before, total.ru_utime + total.ru_stime
            ran, of = re.findall(r"(\d+) of (\d+) nodes run", said)[0]
            manifest = json.loads(max((root / "08_reporting/runs").glob("*.json")).read_text())
            result[name] = {
                "wall_s": round(wall, 1),
                "cpu_s": round(cpu, 1),
                "load": round(os.getloadavg()[0], 1),
                "run_s": manifest["duration_s"],
                "nodes_run": int(ran),
                "nodes": int(of),
                "ran": manifest["nodes"]["run"] if name == "one_model_changed" else [],
            }
            print(name, result[name], flush=True)
            if name == "unchanged":
                found = re.findall(r"^PLANNING (.*)$", command("-c", PLANNING, str(root)), re.M)
                result["planning"] = {k: round(v, 3) for k, v in json.loads(found[0]).items()}
                print("planning", result["planning"], flush=True)
                total = resource.getrusage(resource.RUSAGE_CHILDREN)
                before = total.ru_utime + total.ru_stime
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
