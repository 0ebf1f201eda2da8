"""Figures of the how-to guides and of CONTRIBUTING, from results of benchmarks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


def read(name: str) -> Any:
    """Results of a benchmark."""
    return json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def clock(seconds: float) -> str:
    """Seconds as people say them: 41 s, 4 min 20 s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def rerun() -> str:
    """What a second run costs with FreshRunner."""
    found = read("rerun")
    names = {
        "first": "first",
        "unchanged": "unchanged",
        "one_model_changed": f"`{found['changed']}` instead of 2",
    }
    rows = [
        "| run of the `test` environment | nodes that ran | CPU time, s | wall time, s "
        "| load of the machine |",
        "|---|---|---|---|---|",
    ]
    for key, name in names.items():
        run = found[key]
        rows.append(
            f"| {name} | {run['nodes_run']} of {run['nodes']} | {run['cpu_s']} | {run['wall_s']} "
            f"| {run['load']} |"
        )
    planning, changed = found["planning"], found["one_model_changed"]["ran"]
    own = sum(node.startswith("training.xgboost.") for node in changed)
    rows += [
        "",
        "Starting Python and Kedro is most of the unchanged run; to decide what must run takes "
        f"{planning['cpu_s']:.1f} s of CPU for {planning['nodes']} nodes, once the sources have "
        f"been read for the first time. The change of trials ran {own} nodes of that model and "
        f"{len(changed) - own} behind it.",
    ]
    return "\n".join(rows)


def intake() -> str:
    """What it costs to take raw tables in."""
    found = read("intake")
    rows = [
        "| customers | rows | memory limit, MiB | CPU seconds | elapsed | peak of the process, MiB "
        "| spilled, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for size in found.values():
        for run in size["intake"]:
            rows.append(
                f"| {size['customers']:,} | {run['rows_read'] / 1e6:.1f} million "
                f"| {run['memory_limit_mib']:,} | {run['cpu_seconds']:.0f} "
                f"| {run['seconds']:.0f} s | {run['peak_rss_mib']:,} | {run['spilled_mib']:.0f} |"
            )
    before = max(run["rss_before_mib"] for size in found.values() for run in size["intake"])
    beyond = max(
        run["peak_rss_mib"] - run["memory_limit_mib"]
        for size in found.values()
        for run in size["intake"]
    )
    written = ", ".join(
        f"{size['simulate']['cpu_seconds']:.0f} CPU seconds and "
        f"{size['simulate']['peak_rss_mib']} MiB for {size['customers']:,} customers"
        for size in found.values()
    )
    rows += [
        "",
        f"The limit is the database's own. The process holds {before} MiB before it begins, and "
        f"buffers of files come on top: the peak lay up to {beyond} MiB beyond the limit. Writing "
        f"the simulated tables took {written}: memory does not grow with the number of customers.",
    ]
    return "\n".join(rows)


def allocation() -> str:
    """How long millions of customers under limits take."""
    found = read("allocation")
    gap = f"{found['relative_gap']:.0e}".replace("e-0", "e-")
    small, customers = found["small_customers"], found["customers"]
    return (
        f"{customers / 1e6:.0f} million customers with seven messages, a budget and twelve quotas "
        f"took {found['seconds']:.1f} seconds and {found['peak_mib_beyond_input']:.0f} MiB beyond "
        f"the input on two cores, with a relative gap of {gap}; at {small:,} customers the optimum "
        f"is that of HiGHS, in {found['small_seconds']:.1f} seconds instead of "
        f"{found['highs_seconds']:.0f} (`python benchmarks/allocation.py --highs-customers "
        f"{small}`, which also compares with a greedy rule)."
    )


def moments() -> str:
    """How long features out of events take."""
    runs = {(r["what"], r["customers"]): r for r in read("moments")}
    now, past = runs["now", 5_000_000], runs["as_of", 5_000_000]
    rows = runs["observations", 2_000_000]
    return (
        "For five million customers with sixty million order lines, sixty million sessions and "
        f"twenty million e-mails, all {now['features']} declared features as of now take "
        f"{clock(now['seconds'])} and {now['peak_resident_gib']:.1f} GiB on two cores (`python "
        "benchmarks/moments.py now --customers 5000000`), and of two million past moments "
        f"{clock(past['seconds'])} and {past['peak_resident_gib']:.1f} GiB (`as_of --customers "
        "5000000 --rows 2000000`). Training rows from clean tables to the file that the engine "
        f"reads (one of {rows['assignments'] / 1e6:.0f} million assignments of each of two million "
        f"customers, outcomes, the division in time, features: {rows['rows'] / 1e6:.1f} million "
        f"rows) take {clock(rows['seconds'])}; {rows['peak_resident_gib_until_assembled']:.1f} GiB "
        f"until they lie in parts, {rows['peak_resident_gib']:.1f} GiB while they are joined to "
        "the one table that models are fitted on, which no limit of the database bounds "
        "(`observations --customers 2000000`; other sizes, and pandas beside them, in "
        "`benchmarks/results/moments.json`)."
    )


def tests() -> str:
    """What the tests see: branches of packages, and changes of the code."""
    covered, mutated = read("coverage"), read("mutation")
    branches = sum(p["branches"] for p in covered["packages"])
    taken = sum(p["taken"] for p in covered["packages"])
    low = min(covered["packages"], key=lambda p: p["share"])
    changes = sum(m["changes"] - m["not_tried"] for m in mutated)
    unnoticed = sum(m["unnoticed"] for m in mutated)
    words = sum(m["of_these_wording"] for m in mutated)
    without = "" if covered["spark"] else " (without Spark, which was not installed)"
    text = (
        f"The tests take {taken:,} of {branches:,} branches of the library packages, "
        f"{taken / branches:.0%}{without}; fewest in `{low['package']}`, {low['share']:.0%}. Of "
        f"{changes:,} changes they notice all but {unnoticed}, of which {words} touch only the "
        "wording of a message:"
    )
    rows = ["", "", "| module | changes | noticed | never ended | unnoticed | wording |"]
    rows += ["|---|---|---|---|---|---|"]
    rows += [
        f"| `{m['module'].removeprefix('pentathlon/')}` | {m['changes']} | {m['noticed']} "
        f"| {m['timed_out']} | {m['unnoticed']} | {m['of_these_wording']} |"
        for m in mutated
    ]
    return text + "\n".join(rows)


FIGURES = {
    "rerun": rerun,
    "intake": intake,
    "allocation": allocation,
    "moments": moments,
    "tests": tests,
}
