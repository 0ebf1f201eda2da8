"""The declared features as of now in pandas: careful, vectorised, without a loop over customers.

Identifiers become whole numbers once; each source is filtered once for each window, and everything
that a window is asked for is grouped together. It is what a data scientist who knows pandas
would write, and what the engine is held against: time, memory and values.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pentathlon.moments.finish import partials_of
from pentathlon.moments.partials import Partial

DAY = pd.Timedelta(days=1)


def events_of(source: str, folders: dict[str, Path], known: pd.Index) -> pd.DataFrame:
    """Events of a source: number of the customer, time, quantities, labels."""
    if source in {"orders", "order_lines", "returns"}:
        lines = pd.read_parquet(folders["transactions"])
        lines = lines[lines["quantity"] < 0 if source == "returns" else lines["quantity"] > 0]
        gross = (lines["quantity"] * lines["unit_price"]).abs()
        frame = pd.DataFrame(
            {
                "customer": known.get_indexer(lines["customer_id"]),
                "t": lines["ordered_at"],
                "order": lines["order_id"],
                "department": lines["department"].astype("category"),
                "pieces": lines["quantity"].abs().astype("float64"),
                "gross": gross,
                "discount": lines["discount"],
                "revenue": gross - lines["discount"],
            }
        ).assign(value=lambda f: f["revenue"], lines=1.0)
        if source == "orders":
            amounts = ["pieces", "gross", "discount", "revenue", "lines"]
            keys = ["customer", "order", "t"]
            return frame.groupby(keys, sort=False)[amounts].sum().reset_index()
        return frame
    if source == "sessions":
        visits = pd.read_parquet(folders["sessions"])
        return pd.DataFrame(
            {
                "customer": known.get_indexer(visits["customer_id"]),
                "t": visits["started_at"],
                "department": visits["departments_viewed"],
                "duration": visits["duration_seconds"],
                "pages": visits["pages"].astype("float64"),
                "carts_left": visits["carts_left"].astype("float64"),
            }
        )
    log = pd.read_parquet(folders["email_log"])
    column = {"emails": "assigned_at", "opens": "opened_at", "clicks": "clicked_at"}
    column |= {"unsubscribes": "unsubscribed_at"}
    log = log[log["sent"]] if source == "emails" else log[log[column[source]].notna()]
    return pd.DataFrame(
        {
            "customer": known.get_indexer(log["customer_id"]),
            "t": log[column[source]],
            "message": log["message"].astype("category"),
        }
    )


def aggregates(
    source: str, partials: Sequence[Partial], frame: pd.DataFrame, now: pd.Timestamp, n: int
) -> dict[Partial, np.ndarray]:
    """Aggregates of all customers, grouped together where they can be."""
    frame = frame[(frame["customer"] >= 0) & (frame["t"] < now)].assign(events=1.0)
    together = defaultdict(list)
    for partial in partials:
        together[partial.window, partial.selection.by].append(partial)
    found = {}
    for (window, by), group in together.items():
        part = frame if window is None else frame[frame["t"] >= now - window * DAY]
        if by is not None and source == "sessions":
            part = part.explode(by).dropna(subset=[by])
            part[by] = part[by].astype("category")
        keys = ["customer"] if by is None else ["customer", by]
        age = (now - part["t"]) / DAY
        wanted = {}
        for p in group:
            column = "t" if p.measure in {"latest", "first"} else p.column or "events"
            name = f"{column}_h{p.half_life}" if p.half_life else column
            if p.half_life and name not in part:
                part = part.assign(**{name: part[column] * 0.5 ** (age / p.half_life)})
            how = {"latest": "max", "first": "min", "decayed": "sum"}.get(p.measure, p.measure)
            wanted[p] = (name, how)
        named = {f"{name}__{how}": (name, how) for name, how in wanted.values()}
        result = part.groupby(keys, observed=True, sort=False).agg(**named)
        wide = result if by is None else result.unstack(by)  # noqa: PD010
        wide = wide.reindex(np.arange(n))
        for p, (name, how) in wanted.items():
            column = f"{name}__{how}" if by is None else (f"{name}__{how}", p.selection.value)
            values = wide[column] if column in wide else pd.Series(np.nan, wide.index)
            found[p] = (values.fillna(0.0) if how == "sum" else values).to_numpy()
    return found


def value(feature: Any, found: dict[Partial, np.ndarray], now: pd.Timestamp) -> np.ndarray | None:
    """A feature of events that is a number, of all customers; ``None`` for others."""
    parts = [found[p] for p in partials_of(feature)]
    days = {
        "recency": lambda: (now - pd.DatetimeIndex(parts[0])) / DAY,
        "cadence": lambda: (
            (pd.DatetimeIndex(parts[1]) - pd.DatetimeIndex(parts[0]))
            / DAY
            / np.where(parts[2] > 1, parts[2] - 1, np.nan)
        ),
        "mean": lambda: parts[0] / np.where(parts[1] == 0, np.nan, parts[1]),
        "share": lambda: parts[0] / np.where(parts[1] == 0, np.nan, parts[1]),
        "distinct": lambda: np.sum([part > 0 for part in parts], axis=0),
    }
    result = np.asarray(days.get(feature.aggregation, lambda: parts[0])(), dtype=np.float64)
    return result if feature.empty is None else np.where(np.isnan(result), feature.empty, result)


def features_now(
    folders: dict[str, Path], features: Sequence[Any], now: pd.Timestamp
) -> pd.DataFrame:
    """Every declared feature of events, as of now, ordered by customer."""
    known = pd.Index(pd.read_parquet(folders["customers"])["customer_id"].sort_values())
    partials = list(dict.fromkeys(p for feature in features for p in partials_of(feature)))
    found: dict[Partial, np.ndarray] = {}
    for source in dict.fromkeys(partial.source for partial in partials):
        own = [partial for partial in partials if partial.source == source]
        found |= aggregates(source, own, events_of(source, folders, known), now, len(known))
    columns = {}
    for feature in features:
        if partials_of(feature) and feature.aggregation != "last":
            columns[feature.name] = value(feature, found, now)
        elif feature.aggregation == "last":
            times = np.column_stack([pd.DatetimeIndex(found[p]).asi8 for p in partials_of(feature)])
            place = times.argmax(axis=1)
            names = np.array(feature.among, dtype=object)[place]
            never = times.max(axis=1) == pd.NaT.value
            columns[feature.name] = np.where(never, feature.empty, names)
    return pd.DataFrame({"customer_id": known, **columns})
