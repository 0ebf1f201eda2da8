"""Scoring on local Spark beside the embedded run: the same decisions, and what each takes.

The engine of tuned size of `scoring.py`, simulated customers, two cores for both, with and
without a limit over all customers. Each is run in turn, Spark once more
in the warm session: on a machine with other work, processor time says more than the clock.

    python benchmarks/spark.py
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from scoring import CACHE, ROOT, THREADS, fit_engine, load, make_customers

RESULTS = ROOT / "benchmarks" / "results" / "spark.json"
PARTITION_ROWS = 25_000
"""Of a file: Spark gives each to one core."""
PLANS: dict[str, dict[str, Any]] = {
    "free": {},
    "limited": {"limits": [{"name": "few", "messages": ["water"], "at_most": 0.05}]},
}
"""Settings of each run; the limit is a share of the customers."""


def decider_of(engine_folder: Path, customers: Path, stated: dict[str, Any], n: int) -> Any:
    """What both runs decide with."""
    from pentathlon.decision.settings import SendingSettings
    from pentathlon.scoring import BatchDecider, Reference

    engine = load(engine_folder).compiled()
    some = pd.read_parquet(next(customers.glob("*.parquet"))).head(20_000)
    limits = [limit | {"at_most": limit["at_most"] * n} for limit in stated.get("limits", [])]
    return BatchDecider(
        engine,
        SendingSettings.model_validate({"limits": limits}),
        campaign="benchmark",
        edges=Reference.of(engine, some, 20_000, 1).edges,
    )


def embedded(decider: Any, customers: Path, out: Path) -> pd.DataFrame:
    """Decisions of the run in this process."""
    from pentathlon.scoring import ScoredFolder, ScoringJob

    ScoringJob(customers, decider, threads=THREADS).write_to(out)
    return pd.concat(ScoredFolder(out).decisions())


def on_spark(decider: Any, customers: Path, out: Path) -> pd.DataFrame:
    """Decisions of the run on Spark."""
    from kedro_datasets.spark import SparkDatasetV2

    from pentathlon.datasets import SparkScoredDataset
    from pentathlon.scoring import ScoringSettings
    from pentathlon.scoring.spark import SparkScoringJob

    load_args = {"schema": "customer_id STRING", "pathGlobFilter": "*.parquet"}
    table = SparkDatasetV2(filepath=str(customers), load_args=load_args).load()
    scored = SparkScoredDataset(filepath=str(out))
    scored.save(SparkScoringJob(table, decider, ScoringSettings()))
    return pd.concat(map(pd.read_parquet, (out / "decisions").glob("*.parquet")))


def start() -> float:
    """Seconds that the session of the environment takes to start, on two cores."""
    from pentathlon.scoring.spark import SparkSettings, start_session

    stated = yaml.safe_load((ROOT / "conf/spark/spark.yml").read_text(encoding="utf-8"))
    os.environ["PYSPARK_PYTHON"] = sys.executable
    started = time.perf_counter()
    start_session(SparkSettings(master=f"local[{THREADS}]", options=stated["options"]))
    return time.perf_counter() - started


def processor_seconds() -> float:
    """Of this process, Spark's Java and workers; those that end meanwhile are missed."""
    import psutil

    me = psutil.Process()
    spent = 0.0
    for process in (me, *me.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            spent += sum(process.cpu_times()[:4])
    return spent


def measured(work: Any, *arguments: Any) -> tuple[dict[str, float], pd.DataFrame]:
    """Seconds of the clock and of processors, and what was decided, by customer."""
    clock = time.process_time if work is embedded else processor_seconds
    started, before = time.perf_counter(), clock()
    decisions = work(*arguments)
    spent = {"seconds": time.perf_counter() - started, "processor_seconds": clock() - before}
    return spent, decisions.sort_values("customer_id").reset_index(drop=True)


def embedded_again(customers: Path, n: int) -> None:
    """Measure the embedded runs anew beside what Spark took before."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))
    for plan, stated in PLANS.items():
        decider = decider_of(CACHE / "engine", customers, stated, n)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            results[plan]["embedded"], _ = measured(embedded, decider, customers, Path(folder))
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--only-embedded", action="store_true", help="keep what Spark took")
    arguments = parser.parse_args()
    n = arguments.customers
    from pentathlon.contract import FeatureColumns, MessageSet

    base = yaml.safe_load((ROOT / "conf/base/parameters.yml").read_text(encoding="utf-8"))
    if not (CACHE / "engine" / "manifest.json").exists():
        columns = FeatureColumns(**base["features"])
        fit_engine(CACHE / "engine", MessageSet(base["messages"]), columns)
    customers = CACHE / f"customers-{n}-in-{PARTITION_ROWS}"
    make_customers(customers, n, PARTITION_ROWS)
    if arguments.only_embedded:
        embedded_again(customers, n)
        return
    results: dict[str, Any] = {
        "customers": n,
        "cores": THREADS,
        "load_before": os.getloadavg()[0],
        "session_seconds": start(),
    }
    for plan, stated in PLANS.items():
        decider = decider_of(CACHE / "engine", customers, stated, n)
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            out = Path(folder)
            first, found = measured(on_spark, decider, customers, out / "spark")
            again, _ = measured(on_spark, decider, customers, out / "again")
            seconds, expected = measured(embedded, decider, customers, out / "embedded")
        results[plan] = {
            "embedded": seconds,
            "spark": first,
            "spark_again": again,
            "same_messages": float((found["message"] == expected["message"]).mean()),
            "identical": found.equals(expected),
        }
        print(plan, results[plan], flush=True)
    results["load_after"] = os.getloadavg()[0]
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
