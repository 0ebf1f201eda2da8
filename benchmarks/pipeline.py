"""Time and memory of whole runs from the command line, as a user starts them.

    python benchmarks/pipeline.py default test case events hillstrom --hillstrom-file PATH

Each run starts with an empty data root, so nothing is reused. Time is the wall clock of the whole
command, start-up included; memory is the peak resident size of its largest process. What a run
was found to take replaces what is known of it in ``benchmarks/results/pipeline.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results" / "pipeline.json"
LIMITS = {
    "default": (360, 4),
    "test": (60, None),
    "case": (900, 6),
    "events": (480, None),
    "hillstrom": (None, None),
}
"""Seconds and GiB that a run may take on two cores."""


def kedro(*arguments: str) -> float:
    """Run ``kedro run`` and return its seconds."""
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "kedro", "run", *arguments],
        cwd=PROJECT,
        env=os.environ | {"DO_NOT_TRACK": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def measure(name: str, root: Path, hillstrom_file: Path | None) -> float:
    """Run one kind of run and return its seconds."""
    if name == "default":
        return kedro("--params", f"data_root={root}")
    if name == "test":
        return kedro("--env", "test", "--params", f"data_root={root}")
    if name == "case":
        # The case's own file is not public; a simulated one has its format and size.
        settings = "simulation.rows=600000,simulation.effects=published"
        kedro("--pipelines", "simulate", "--params", f"data_root={root},{settings}")
        file = root / "01_raw" / "simulated" / "customers.parquet"
        real = root / "case"
        truth = real / "01_raw" / "simulated" / "truth.parquet"
        truth.parent.mkdir(parents=True)
        shutil.copy(file.with_name("truth.parquet"), truth)
        return kedro(
            *("--pipelines", "engine", "--env", "case"),
            *("--params", f"data_root={real},raw_file={file}"),
        )
    if name == "events":
        # 200,000 customers and four million events; the run begins with their raw tables.
        kedro("--pipelines", "simulate_events", "--params", f"data_root={root / 'retailer'}")
        tables = root / "retailer" / "01_raw" / "simulated" / "events"
        return kedro(
            *("--pipelines", "from_events", "--env", "events"),
            *("--params", f"data_root={root},raw_events={tables}"),
        )
    if hillstrom_file is None:
        raise SystemExit("hillstrom: name the file with --hillstrom-file")
    return kedro(
        *("--pipelines", "engine", "--env", "hillstrom"),
        *("--params", f"data_root={root},raw_file={hillstrom_file.resolve()}"),
    )


def latest(root: Path, dataset: str) -> pd.DataFrame:
    """The last version of a table below a data root."""
    paths = root.glob(f"**/08_reporting/{dataset}.parquet/*/{dataset}.parquet")
    return pd.read_parquet(max(paths, key=lambda path: path.parent.name))


def revisited(root: Path) -> dict[str, Any]:
    """AUC of models, and what policies claim, are supported to earn and truly earn."""
    metrics = latest(root, "model_metrics").query("message == 'all' and metric == 'roc_auc'")
    claimed = latest(root, "policy_values").set_index("policy")["claimed"]
    policies = latest(root, "truth_policies").set_index("policy").join(claimed)
    wanted = ["claimed", "supported", "lower", "upper", "truth"]
    return {
        "auc": metrics.set_index("model")["value"].to_dict(),
        "policies": policies[wanted].to_dict("index"),
    }


def main() -> None:
    """Measure the runs that are asked for; each in a process of its own, for its own peak."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", choices=list(LIMITS))
    parser.add_argument("--hillstrom-file", type=Path)
    parser.add_argument("--keep", type=Path, help="folder for the results, kept")
    arguments = parser.parse_args()
    if len(arguments.runs) > 1:
        options = [a for a in sys.argv[1:] if a not in arguments.runs]
        for name in arguments.runs:
            subprocess.run([sys.executable, __file__, name, *options], check=True)
        return
    (name,) = arguments.runs
    with tempfile.TemporaryDirectory() as folder:
        root = (arguments.keep or Path(folder)) / name
        seconds = measure(name, root, arguments.hillstrom_file)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        # Named by their start; a run that made the data came before, in a root of its own.
        manifest = max(root.glob("**/08_reporting/runs/*.json"), key=lambda path: path.name)
        headline = json.loads(manifest.read_text(encoding="utf-8"))["headline"]
        most_seconds, most_memory = LIMITS[name]
        found = {
            "seconds": round(seconds, 1),
            "peak_gib": round(peak, 2),
            "ships": headline["ships"],
            "supported": headline["supported_profit"],
            "supported_lower": headline["supported_profit_lower"],
            "supported_upper": headline["supported_profit_upper"],
        }
        if name == "case":
            found["revisited"] = revisited(root)
        known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
        text = json.dumps(known | {name: found}, indent=1)
        RESULTS.write_text(text + "\n", encoding="utf-8")
        print(
            f"{name}: {seconds:.0f} s (limit {most_seconds or 'none'}), "
            f"{peak:.2f} GiB (limit {most_memory or 'none'}); {found['ships']} ships, "
            f"{found['supported']:.4f} a customer "
            f"({found['supported_lower']:.4f} to {found['supported_upper']:.4f})",
            flush=True,
        )
        for path in sorted(root.glob("**/truth_summary.json/*/truth_summary.json"))[-1:]:
            truth = json.loads(path.read_text(encoding="utf-8"))
            numbers = {k: round(v, 4) for k, v in truth.items() if isinstance(v, float)}
            print(f"{name}: against the truth {numbers or 'unknown'}", flush=True)


if __name__ == "__main__":
    main()
