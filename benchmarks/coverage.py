"""Measure which branches of the library packages the tests take.

    python benchmarks/coverage.py

Runs the suite without its end-to-end tests, then the tests of compiled kernels with Numba's
compiler off, since what is compiled cannot be traced, and then what needs Spark, if pyspark is
installed. Writes ``benchmarks/results/coverage.json`` and fails where a package falls below
92 % of its branches.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
RESULT = PROJECT / "benchmarks" / "results" / "coverage.json"
FLOOR = 0.92
LIBRARY = (
    *("contract", "datasets", "decision", "evaluation", "events", "features", "fusion"),
    *("judgement", "models", "moments", "outputs", "reporting", "runners", "scoring"),
    "simulation",
)
# Compiled by Numba. Arithmetic without its compiler rounds otherwise, which one test notices.
KERNELS = ("tests/models/test_compiled.py", "tests/moments/test_moments_by_hand.py")
EXACT = "not (predicts_as_its_library and logistic_regression)"
SPARK_ONLY = ("scoring/spark/", "datasets/spark_scored.py")


def pytest(*arguments: str, data: Path, **variables: str) -> None:
    """Run tests, adding to what was covered so far."""
    command = [sys.executable, "-m", "pytest", "-q", "--cov", "--cov-branch", "--cov-append"]
    command += ["-n", str(os.cpu_count() or 1), "--dist", "loadfile", "--no-loadscope-reorder"]
    done = subprocess.run(
        [*command, "--cov-report=", *arguments],
        cwd=PROJECT,
        env={**os.environ, "COVERAGE_FILE": str(data), "DO_NOT_TRACK": "1", **variables},
        check=False,
    )
    if done.returncode:
        sys.exit("A test failed; what a failing suite covers says nothing.")


def table(files: dict[str, Any], spark: bool) -> list[dict[str, Any]]:
    """Branches of each package, taken and not."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, measured in files.items():
        place = name.split("pentathlon/", 1)[1]
        if place.startswith(SPARK_ONLY) and not spark:
            continue
        package = place.split("/")[0]
        if package in LIBRARY:
            counted[package][0] += measured["summary"]["num_branches"]
            counted[package][1] += measured["summary"]["covered_branches"]
    return [
        {"package": package, "branches": n, "taken": taken, "share": taken / max(n, 1)}
        for package, (n, taken) in sorted(counted.items())
    ]


def main() -> None:
    """Run the tests and write the table."""
    spark = importlib.util.find_spec("pyspark") is not None
    with tempfile.TemporaryDirectory() as folder:
        data, report = Path(folder) / "coverage", Path(folder) / "coverage.json"
        pytest("-m", "not end_to_end", data=data)
        pytest(*KERNELS, "-k", EXACT, data=data, NUMBA_DISABLE_JIT="1")
        subprocess.run(
            [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)],
            cwd=PROJECT,
            env={**os.environ, "COVERAGE_FILE": str(data)},
            check=True,
        )
        rows = table(json.loads(report.read_text(encoding="utf-8"))["files"], spark)
    RESULT.write_text(json.dumps({"spark": spark, "packages": rows}, indent=1) + "\n", "utf-8")
    for row in rows:
        print(f"{row['package']:12} {row['taken']:4} of {row['branches']:4}  {row['share']:.1%}")
    low = [row["package"] for row in rows if row["share"] < FLOOR]
    if low:
        sys.exit(f"Below {FLOOR:.0%}: {', '.join(low)}.")


if __name__ == "__main__":
    main()
