"""Plots of the scoring benchmark for the documentation, drawn from its results.

python benchmarks/scoring_plots.py
"""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "scoring.json"
IMAGES = ROOT / "docs" / "images"
INK, FAINT, BLUE, GREY = "#1f2933", "#d9e2ec", "#2b6cb0", "#7b8794"


def svg(width: int, height: int, title: str, body: list[str]) -> str:
    """A drawing with its title for those who cannot see it."""
    style = f"font-family='system-ui, sans-serif' font-size='13' fill='{INK}'"
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' role='img'>",
            f"<title>{title}</title><rect width='{width}' height='{height}' fill='white'/>",
            f"<g {style}>",
            *body,
            "</g></svg>\n",
        ]
    )


def bars(values: dict[str, float], title: str, unit: str) -> str:
    """Horizontal bars, the longest first."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    longest = ordered[0][1]
    body = [f"<text x='16' y='24' font-weight='600'>{title}</text>"]
    for i, (name, value) in enumerate(ordered):
        y = 44 + 24 * i
        width = max(1.0, 360 * value / longest)
        body += [
            f"<text x='150' y='{y + 13}' text-anchor='end'>{name.replace('_', ' ')}</text>",
            f"<rect x='160' y='{y}' width='{width:.1f}' height='17' fill='{BLUE}'/>",
            f"<text x='{166 + width:.1f}' y='{y + 13}'>{value:.1f} {unit}</text>",
        ]
    return svg(620, 56 + 24 * len(ordered), title, body)


def line(points: dict[str, float], title: str, x_label: str, left: int) -> list[str]:
    """One panel: a line from 0 upward through measured points."""
    xs, ys = [float(x) for x in points], list(points.values())
    top, right = 1.15 * max(ys), max(xs)
    at = [(left + 50 + 210 * x / right, 230 - 170 * y / top) for x, y in zip(xs, ys, strict=True)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    body = [
        f"<text x='{left + 50}' y='40' font-weight='600'>{title}</text>",
        f"<path d='M{left + 50},60 V230 H{left + 270}' fill='none' stroke='{GREY}'/>",
        f"<polyline points='{path}' fill='none' stroke='{BLUE}' stroke-width='2'/>",
        f"<text x='{left + 160}' y='270' text-anchor='middle'>{x_label}</text>",
    ]
    small = "text-anchor='middle' font-size='11'"
    for (x, y), name, value in zip(at, points, ys, strict=True):
        label = f"{int(name):,}" if int(name) < 1e6 else f"{int(name) / 1e6:g} M"
        body += [
            f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{BLUE}'/>",
            f"<text x='{x:.1f}' y='{y - 9:.1f}' {small}>{value:.0f}</text>",
            f"<text x='{x:.1f}' y='248' {small}>{label}</text>",
        ]
    return body


def main() -> None:
    """Draw."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    IMAGES.mkdir(exist_ok=True)
    stages = bars(found["stages"], "Where the time of a customer goes", "µs")
    (IMAGES / "scoring_stages.svg").write_text(stages, encoding="utf-8")
    runs = {n: run["processor_seconds"] for n, run in found["runs"].items()}
    runs = dict(sorted(runs.items(), key=lambda item: int(item[0])))
    panels = [
        *line(runs, "Processor seconds", "customers", 0),
        *line(found["growth"]["messages"], "Forest, µs a customer", "messages", 300),
        *line(found["growth"]["trees"], "Forest and XGBoost, µs", "trees of each", 600),
    ]
    text = svg(900, 290, "How time grows with customers, messages and trees", panels)
    (IMAGES / "scoring_growth.svg").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
