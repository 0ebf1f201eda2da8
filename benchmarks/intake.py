"""Simulate a retailer's raw tables and take them in: time, memory, and what is spilled.

Each step runs in a process of its own, so that its peak of memory is its own. The intake runs
once with the memory limit of the parameters and once with a small one.

    python benchmarks/intake.py
    python benchmarks/intake.py --customers 600000 --limits 512
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results" / "intake.json"
TABLES = ("customers", "transactions", "sessions", "email_log", "products")


def simulate(folder: Path, customers: int) -> dict[str, Any]:
    """Write the raw tables."""
    from pentathlon.simulation.events_settings import EventsConfig
    from pentathlon.simulation.events_write import SUMMARY, SimulatedEvents

    raw = folder / "raw"
    raw.mkdir()
    SimulatedEvents(EventsConfig(customers=customers)).save(raw)
    rows = json.loads((raw / SUMMARY).read_text(encoding="utf-8"))["rows"]
    size = sum(path.stat().st_size for path in raw.rglob("*.parquet"))
    return {"rows": {name: rows[name] for name in TABLES}, "written_mib": round(size / 2**20)}


def take_in(folder: Path, memory_limit_mib: int) -> dict[str, Any]:
    """Check the raw tables and write the clean ones."""
    from pentathlon.events import IntakeSettings, PseudonymKey, RawEvents, check_events
    from pentathlon.events.quality import enforce_limits, quality_table
    from pentathlon.simulation import MESSAGES
    from pentathlon.simulation.events_settings import EventsConfig

    settings = IntakeSettings.model_validate(
        {
            "tables": {name: {"path": name} for name in TABLES},
            "as_of": EventsConfig().exported_at,
            "database": {"memory_gib": memory_limit_mib / 1024, "threads": 2},
            "privacy": {"allow_development_key": True},
        }
    )
    import duckdb  # noqa: F401  # its libraries belong to what was there before

    key = PseudonymKey("dev", "public-key-for-simulated-customers-only")
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    checked = check_events(
        RawEvents(folder / "raw", folder / "scratch", key), settings, list(MESSAGES)
    )
    enforce_limits(quality_table(checked.quality))
    bad = json.loads((folder / "raw" / "simulated.json").read_text(encoding="utf-8"))["bad_rows"]
    tables = checked.quality["tables"]
    return {
        "memory_limit_mib": memory_limit_mib,
        "rss_before_mib": round(idle / 1024),
        "rows_read": sum(table["rows_read"] for table in tables.values()),
        "rows_quarantined": sum(table["rows_quarantined"] for table in tables.values()),
        "bad_rows_injected": sum(sum(kinds.values()) for kinds in bad.values()),
        "spilled_mib": checked.quality["spilled_mib"],
    }


def step(name: str, folder: Path, number: int) -> None:
    """Run one step here and print what it cost."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    result = {"simulate": simulate, "take_in": take_in}[name](folder, number)
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    result |= {
        "seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(cpu, 1),
        "peak_rss_mib": round(after.ru_maxrss / 1024),
    }
    print(json.dumps(result))


def run(name: str, folder: Path, number: int) -> dict[str, Any]:
    """Run one step in a process of its own."""
    arguments = [sys.executable, __file__, "--step", name, str(number), "--folder", str(folder)]
    done = subprocess.run(arguments, check=True, capture_output=True, text=True)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(name, json.dumps(result), flush=True)
    return result


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, help="for the tables; a temporary one by default")
    parser.add_argument("--limits", type=int, nargs="+", default=[2048, 256], help="MiB")
    parser.add_argument("--step", nargs=2, metavar=("NAME", "NUMBER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        step(given.step[0], given.folder, int(given.step[1]))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:
        folder = Path(temporary)
        results = {
            "cores": os.cpu_count(),
            "load_at_start": round(os.getloadavg()[0], 1),
            "customers": given.customers,
            "simulate": run("simulate", folder, given.customers),
            "intake": [run("take_in", folder, limit) for limit in given.limits],
        }
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    known[str(given.customers)] = results
    RESULTS.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
