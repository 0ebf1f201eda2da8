"""The feature dictionary: what each feature is, where it comes from, and how it is distributed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from pentathlon.moments.expand import Feature
from pentathlon.moments.settings import DatabaseSettings
from pentathlon.moments.sources import SOURCES

COLUMNS = ("feature", "declaration", "kind", "meaning", "source", "table", "window", "unit")
STATISTICS = ("missing", "zero", "mean", "minimum", "p05", "median", "p95", "maximum", "distinct")


def meaning(feature: Feature) -> str:
    """One sentence on what a feature is."""
    about = f" of {feature.value}" if feature.value else ""
    what = (feature.column or "events").replace("_", " ")
    when = "ever" if feature.window is None else f"in the {feature.window} days before"
    source = str(feature.source)
    event = f" ({SOURCES[source].meaning})" if source in SOURCES else ""
    name = feature.aggregation.replace("_", " ").capitalize()
    sentences = {
        "calendar": f"Of the moment: {what}",
        "recency": f"Days since the last event{about}{event}, {when}",
        "cadence": f"Mean days between events{about}{event}",
        "decayed": f"Sum of {what}{about}, halved every {feature.half_life} days{event}",
        "distinct": f"Number of different {feature.by}s{event}, {when}",
        "last": f"Last {feature.by}{event}",
    }
    if feature.of is not None and feature.over is not None:
        parts = [part.declaration.replace("_", " ") for part in (feature.of, feature.over)]
        return f"{parts[0]} over {parts[1]}{about}, {when}."
    if source == "customers":
        return f"{name} of the customer: {what}."
    return sentences.get(feature.aggregation, f"{name} of {what}{about}{event}, {when}") + "."


def feature_dictionary(
    features: Sequence[Feature], folder: Path, settings: DatabaseSettings
) -> pd.DataFrame:
    """Describe features and how they are distributed.

    Parameters
    ----------
    features : sequence of Feature
    folder : Path
        Part files with a column for each feature.
    settings : DatabaseSettings

    Returns
    -------
    DataFrame
        A row per feature: name, declaration, kind, meaning, source, clean table, window and
        unit; shares of missing values and of zeros, mean, extremes and quantiles (of at most
        100,000 rows, approximate) of numbers; distinct values and the most frequent of labels.
    """
    from pentathlon.moments.database import open_database

    rows = []
    with open_database(settings, Path(settings.scratch) / "spill") as database:
        table = database.read({"described": folder})["described"]
        size = int(table.count().execute())
        sample = database.keep("sampled", table.limit(100_000))
        for feature in features:
            rows.append(_about(feature) | _distribution(feature, sample))
    described = pd.DataFrame(rows)
    described.attrs["rows"] = size
    return described


def _about(feature: Feature) -> dict[str, Any]:
    source = feature.source or str(feature.of.source if feature.of else "")
    table = SOURCES[source].table if source in SOURCES else source
    values = (
        feature.name,
        feature.declaration,
        feature.kind,
        meaning(feature),
        source,
        table,
        "all" if feature.window is None else f"{feature.window} days",
        feature.unit,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _distribution(feature: Feature, table: Any) -> dict[str, Any]:
    column = table[feature.name]
    missing = 1 - column.count() / table.count()
    found: dict[str, Any] = {"missing": missing, "distinct": column.nunique()}
    if feature.kind == "number":
        found |= {
            "zero": (column == 0).mean(),
            "mean": column.mean(),
            "minimum": column.min(),
            "p05": column.quantile(0.05),
            "median": column.quantile(0.5),
            "p95": column.quantile(0.95),
            "maximum": column.max(),
        }
    else:
        found["most_frequent"] = column.mode()
    return dict(table.aggregate(**found).to_pyarrow().to_pylist()[0])


def dictionary_page(described: pd.DataFrame) -> str:
    """Write the dictionary as a page of Markdown."""
    lines = [
        "# Feature dictionary",
        "",
        f"{len(described)} features.",
        "",
        "| feature | meaning | unit | missing | zero | median | 5 % to 95 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in described.to_dict("records"):
        number = row["kind"] == "number"
        spread = f"{row['p05']:.4g} to {row['p95']:.4g}" if number else str(row["most_frequent"])
        zero, median = (f"{row['zero']:.1%}", f"{row['median']:.4g}") if number else ("", "mostly")
        lines.append(
            f"| `{row['feature']}` | {row['meaning']} | {row['unit']} | {row['missing']:.1%} | "
            f"{zero} | {median} | {spread} |"
        )
    return "\n".join([*lines, ""])
