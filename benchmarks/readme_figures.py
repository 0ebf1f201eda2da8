"""Write the figures of the README from the results of the benchmarks; none is typed by hand.

A place for figures begins with ``<!-- figures: NAME -->`` and ends with ``<!-- end -->``.

    python benchmarks/readme_figures.py
    python benchmarks/readme_figures.py --check
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results"
README = PROJECT / "README.md"
DIFFER = {
    "none": "not at all (`none`)",
    "published": "as faintly as in the case (`published`)",
    "affinity": "by what they buy (`affinity`)",
    "segments": "by who they are (`segments`)",
    "fatigue": "in whether they want any (`fatigue`)",
}
MATTERS = 5.0
"""Attainable gain in per cent below which a captured share says nothing."""
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
    lines += [
        "",
        "The 95 % intervals covered the true value in {} of {n} campaigns and the true gain in {}. "
        "AUC stayed at most {gap:.4f} below that of the true probabilities. What ships lost more "
        "than 0.5 % to the truly best message in {lost} of {n}, by up to {worst:.1f} %; the "
        "best-informed pick of one message would have in {picks}, by up to {pick:.1f} %.".format(
            *covered,
            n=n,
            gap=results["auc_gap"].max(),
            lost=int((lost < LOSS).sum()),
            worst=-lost.min(),
            picks=int((pick < LOSS).sum()),
            pick=-pick.min(),
        ),
    ]
    return "\n".join(lines)


FIGURES: dict[str, Callable[[], str]] = {"campaigns": campaigns}


def filled(text: str) -> str:
    """The text with every place filled anew."""

    def fill(found: re.Match[str]) -> str:
        return f"<!-- figures: {found[1]} -->\n{FIGURES[found[1]]()}\n<!-- end -->"

    return re.sub(r"<!-- figures: (\w+) -->\n.*?<!-- end -->", fill, text, flags=re.DOTALL)


def main() -> None:
    """Write the README, or say that it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if it would")
    arguments = parser.parse_args()
    before = README.read_text(encoding="utf-8")
    after = filled(before)
    if arguments.check:
        sys.exit(0 if before == after else "README.md is not what the results say; run this.")
    README.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main()
