"""Write figures of README and documentation from results of benchmarks; none is typed by hand.

A place for figures begins with ``<!-- figures: NAME -->`` and ends with ``<!-- end -->``.

    python benchmarks/readme_figures.py
    python benchmarks/readme_figures.py --check
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import howto_figures
from howto_figures import clock

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results"
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/explanation/published-case.md",
    "docs/how-to/campaign-limits.md",
    "docs/how-to/features-from-events.md",
    "docs/how-to/raw-tables.md",
    "docs/how-to/rerun-what-changed.md",
]
DIFFER = {
    "none": "not at all (`none`)",
    "published": "as faintly as in the case (`published`)",
    "affinity": "by what they buy (`affinity`)",
    "segments": "by who they are (`segments`)",
    "fatigue": "in whether they want any (`fatigue`)",
}
RUNS = {
    "default": ("`kedro run`", 200_000),
    "test": ("`kedro run --env test`", 12_000),
    "case": ("`kedro run --pipelines engine --env case`", 600_000),
    "events": (
        "`kedro run --pipelines from_events --env events`, from raw tables of four million events",
        200_000,
    ),
    "hillstrom": ("`kedro run --pipelines engine --env hillstrom`, cross-fitted", 64_000),
}
THREADS = {1: "one core", 2: "two cores"}
MATTERS = 5.0
"""Attainable gain in per cent below which a captured share says nothing."""
HARDLY = ("none", "published")
"""Kinds of retailers whose customers hardly differ, if at all."""
INTERVALS = ("shipped_value", "personal_value", "personal_gain")
Z95 = 1.96
FAR = 3.5
"""Standard errors that no honest interval misses by."""
LOSS = -0.5
"""In per cent; more of it is told."""


def campaigns() -> str:
    """What ships on simulated retailers, a row for each kind, and coverage of intervals."""
    results = pd.DataFrame(json.loads((RESULTS / "campaigns.json").read_text(encoding="utf-8")))
    head = (
        "| how customers differ | campaigns | attainable gain | personalised ships "
        "| true gain, mean | worst over the constant that the evidence picked "
        "| worst of the best-informed pick | captured | published practice claims "
        "| truly gains | and captures |"
    )
    lines = [head, "|" + "---|" * head.count(" |")]
    for kind, name in DIFFER.items():
        own = results[results["kind"] == kind]
        if own.empty:
            continue
        mean, worst = own.mean(numeric_only=True), own.min(numeric_only=True)
        told = mean["attainable_percent"] >= MATTERS
        cells = [
            name,
            f"{len(own)}",
            f"{mean['attainable_percent']:.1f} %",
            f"{int((own['ships'] == 'personalised').sum())}",
            f"{mean['gain_percent']:+.1f} %",
            f"{worst['gain_over_chosen_constant_percent']:+.1f} %",
            f"{worst['informed_pick_percent']:+.1f} %",
            f"{mean['captured_share']:.2f}" if told else "–",
            f"{mean['published_practice_claim_percent']:+.1f} %",
            f"{mean['published_practice_gain_percent']:+.1f} %",
            f"{mean['published_practice_captured_share']:.2f}" if told else "–",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    n = len(results)
    covered = (int(results[f"{what}_covered"].sum()) for what in ("value", "gain"))
    lost, pick = results["gain_percent"], results["informed_pick_percent"]
    personal, differ = results["ships"] == "personalised", ~results["kind"].isin(HARDLY)
    below = int((results["gain_over_chosen_constant_percent"] < 0).sum())
    lines += [
        "",
        "The 95 % intervals covered the true value in {} of {n} campaigns and the true gain in {}. "
        "The gate let {through} of {true} retailers through whose customers truly differ, and "
        "{mistaken} of {other} others. What ships was worth less than the single message that the "
        "evidence picked in {below}. AUC stayed at most {gap:.4f} below that of the true "
        "probabilities. What ships lost more than 0.5 % to the truly best message in {lost} of "
        "{n}, by up to {worst:.1f} %; the best-informed pick of one message would have in "
        "{picks}, by up to {pick:.1f} %.".format(
            *covered,
            n=n,
            through=int((personal & differ).sum()),
            true=int(differ.sum()),
            mistaken=int((personal & ~differ).sum()),
            other=int((~differ).sum()),
            below=below or "none",
            gap=results["auc_gap"].max(),
            lost=int((lost < LOSS).sum()),
            worst=-lost.min(),
            picks=int((pick < LOSS).sum()),
            pick=-pick.min(),
        ),
    ]
    return "\n".join(lines)


def coverage(results: pd.DataFrame) -> pd.DataFrame:
    """Coverage, its own 95 % interval (Wilson 1927), and the mean and spread of z scores."""
    rows = []
    for kind, group in [*results.groupby("kind", sort=False), ("all", results)]:
        for name in INTERVALS:
            z = group[f"{name}_z"].dropna().astype("float64")
            n, share = len(z), group[f"{name}_covered"].dropna().astype("float64").mean()
            if not n:
                continue
            centre = (share + 1.96**2 / (2 * n)) / (1 + 1.96**2 / n)
            half = 1.96 * np.sqrt(share * (1 - share) / n + 1.96**2 / (4 * n**2))
            half /= 1 + 1.96**2 / n
            rows.append(
                {
                    "kind": kind,
                    "interval of": name.replace("_", " "),
                    "draws": n,
                    "covered %": 100 * share,
                    "at least": 100 * (centre - half),
                    "at most": 100 * (centre + half),
                    "mean z": z.mean(),
                    "spread of z": z.std(),
                }
            )
    return pd.DataFrame(rows).round(2)


def intervals() -> str:
    """Coverage of 95 % intervals over hundreds of draws, with its own 95 % interval."""
    of = {
        "shipped value": "supported profit of what ships",
        "personal value": "supported profit of the personalised policy",
        "personal gain": "gain of the personalised policy over the picked message",
    }
    found = json.loads((RESULTS / "intervals.json").read_text(encoding="utf-8"))
    covered = coverage(pd.DataFrame(found))
    lines = [
        "| interval of | retailers | draws | covers the truth | 95 % interval of that |",
        "|---|---|---|---|---|",
    ]
    whose = {"all": "all", "segments": "`segments`", "published": "`published`"}
    for row in covered.sort_values("kind", kind="stable").to_dict("records"):
        share, low, high = row["covered %"], row["at least"], row["at most"]
        lines.append(
            f"| {of[row['interval of']]} | {whose[row['kind']]} | {row['draws']} | {share:.1f} % "
            f"| {low:.1f} to {high:.1f} % |"
        )
    z = pd.DataFrame(found)[[f"{name}_z" for name in INTERVALS]].astype("float64")
    low, missed = int((z < -Z95).sum().sum()), int((z.abs() > Z95).sum().sum())
    far = int((z["personal_gain_z"].abs() > FAR).sum())
    told = (
        f"Where an interval misses, the truth lies above it in {low} of {missed} cases: what is "
        f"shown errs on the low side, because profit is skewed. {far or 'None'} of the gains lie "
        f"more than {FAR:g} standard errors off."
    )
    return "\n".join([*lines, "", told])


def hillstrom() -> str:
    """What ships to Hillstrom's customers, by seed of folds and models."""
    results = pd.DataFrame(json.loads((RESULTS / "hillstrom.json").read_text(encoding="utf-8")))
    lines = ["| seed | ships, in refits | supported, dollars | 95 % interval | personal messages |"]
    lines.append("|---|---|---|---|---|")
    for row in results.to_dict("records"):
        ships = Counter(refit["ships"] for refit in row["refits"])
        told = ", ".join(f"{name} in {n}" for name, n in ships.most_common())
        lines.append(
            f"| {row['seed']} | {told} | {row['supported']:.4f} "
            f"| {row['lower']:.3f} to {row['upper']:.3f} | {row['ungated']:.4f} |"
        )
    mean = results[["supported", "ungated"]].mean()
    return "\n".join([*lines, f"| mean | | {mean['supported']:.4f} | | {mean['ungated']:.4f} |"])


def peers() -> str:
    """What other learners capture or earn on the same draws, means over seeds."""
    results = pd.DataFrame(json.loads((RESULTS / "peers.json").read_text(encoding="utf-8")))
    results = results[results["learner"] != "Pentathlon, without the gate"]
    seeds = results.groupby("kind")["seed"].nunique()
    mean = results.groupby(["learner", "kind"], sort=False)[["captured", "value"]].mean()
    names = {"Pentathlon, what ships": "what Pentathlon ships"}
    lines = [
        f"| | `affinity`, {seeds['affinity']} seeds | `segments`, {seeds['segments']} seeds "
        f"| Hillstrom, {seeds['hillstrom']} seeds, dollars |",
        "|---|---|---|---|",
    ]
    for learner in dict.fromkeys(results["learner"]):
        shares = " | ".join(
            f"{mean.loc[(learner, kind), 'captured']:.2f}" for kind in ("affinity", "segments")
        )
        dollars = mean.loc[(learner, "hillstrom"), "value"]
        name = names.get(learner, f"{learner}-learner")
        lines.append(f"| {name} | {shares} | {dollars:.3f} |")
    by_draw = results.pivot_table("value", ["kind", "seed"], "learner")
    ours = by_draw.pop("Pentathlon, what ships")
    above = by_draw.gt(ours, axis=0).sum(axis=1).groupby("kind").sum()
    told = (
        f"Of {len(by_draw.columns)} learners on each draw, {above['hillstrom']} of "
        f"{len(by_draw.columns) * seeds['hillstrom']} came out above what ships on Hillstrom's "
        f"customers, and {above['affinity'] + above['segments']} of "
        f"{len(by_draw.columns) * (seeds['affinity'] + seeds['segments'])} on simulated ones."
    )
    return "\n".join([*lines, "", told])


def costs() -> str:
    """Time and memory of whole runs from the command line."""
    results = json.loads((RESULTS / "pipeline.json").read_text(encoding="utf-8"))
    lines = ["| run | customers | time | peak memory |", "|---|---|---|---|"]
    for name, (run, customers) in RUNS.items():
        found = results[name]
        lines.append(
            f"| {run} | {customers:,} | {clock(found['seconds'])} | {found['peak_gib']:.1f} GiB |"
        )
    return "\n".join(lines)


def scoring() -> str:
    """Five million customers decided, and what that is beside the libraries' predictions."""
    found = json.loads((RESULTS / "scoring.json").read_text(encoding="utf-8"))
    return (
        "Five million customers with seven messages and four tuned models take "
        f"{clock(found['seconds_5m'])} and {found['peak_mib_5m'] / 1024:.1f} GiB on "
        f"{THREADS[found['threads']]}, {found['speedup_vs_library']:.1f} times less than the "
        "libraries' own predictions message by message (`python benchmarks/scoring.py`)."
    )


PUBLISHED_AUC = {
    "logistic_regression": "0.883",
    "random_forest": "0.877",
    "xgboost": "0.886",
    "neural_network": "0.889",
}
"""Best that solutions of edition A print, on their test rows."""
PUBLISHED_PROFIT = {
    "personalised": "0.684",
    "best": "0.628",
    "random": "0.561",
    "no e-mail": "0.431",
}
"""Of the solution with the cleanest arithmetic, euros a customer; claimed, as all of them are."""


def revisited() -> str:
    """The case's questions: what solutions print, and what a run on its imitation gives."""
    found = json.loads((RESULTS / "pipeline.json").read_text(encoding="utf-8"))["case"]["revisited"]
    auc, policies = found["auc"], found["policies"]
    lines = ["| AUC on test rows | published | here |", "|---|---|---|"]
    for model, value in auc.items():
        lines.append(
            f"| {model.replace('_', ' ')} | {PUBLISHED_AUC.get(model, '–')} | {value:.3f} |"
        )
    constants = {k: v for k, v in policies.items() if k.startswith("send ")}
    best = max(constants, key=lambda name: constants[name]["claimed"])
    told = {
        "everyone their own best message": ("personalised", "personalised"),
        f"the best single message (here: {best.removeprefix('send ')})": ("best", best),
        "messages at random": ("random", "random"),
        "no e-mail": ("no e-mail", "no e-mail"),
        "what Pentathlon ships": (None, "shipped"),
    }
    lines += [
        "",
        "| euros a customer | published claim | claimed here | supported here | 95 % interval "
        "| the truth |",
        "|---|---|---|---|---|---|",
    ]
    for name, (published, ours) in told.items():
        row = policies[ours]
        lines.append(
            f"| {name} | {PUBLISHED_PROFIT.get(published or '', '–')} | {row['claimed']:.3f} "
            f"| {row['supported']:.3f} | {row['lower']:.3f} to {row['upper']:.3f} "
            f"| {row['truth']:.3f} |"
        )
    return "\n".join(lines)


FIGURES: dict[str, Callable[[], str]] = {
    "campaigns": campaigns,
    "hillstrom": hillstrom,
    "intervals": intervals,
    "peers": peers,
    "costs": costs,
    "revisited": revisited,
    "scoring": scoring,
    **howto_figures.FIGURES,
}


def filled(text: str) -> str:
    """The text with every place filled anew."""

    def fill(found: re.Match[str]) -> str:
        return f"<!-- figures: {found[1]} -->\n{FIGURES[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> None:
    """Write the pages, or say which is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    arguments = parser.parse_args()
    for page in PAGES:
        path = PROJECT / page
        before = path.read_text(encoding="utf-8")
        after = filled(before)
        if not arguments.check:
            path.write_text(after, encoding="utf-8")
        elif before != after:
            sys.exit(f"{page} is not what the results say; run this.")


if __name__ == "__main__":
    main()
