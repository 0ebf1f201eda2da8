"""The declared features in pandas: careful, vectorised, without a loop over customers or moments.

Identifiers become whole numbers once; events meet the moments of their customer in one merge, or by
position where a customer has one moment; each source is filtered once for each window, and
everything that a window is asked for is grouped together. It is what a data scientist who knows
pandas would write, and what the engine is held against: time, memory and values.
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


def pairs_of(frame: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Events with each later moment of their customer: ``row``, ``age`` and the event's columns."""
    frame = frame[frame["customer"] >= 0].assign(events=1.0)
    if rows["customer"].is_unique:
        frame = frame.assign(row=frame["customer"].map(pd.Series(rows.index, rows["customer"])))
        frame = frame.dropna(subset=["row"]).astype({"row": "int64"})
        moment = rows["moment"].to_numpy()[frame["row"]]
    else:
        frame = frame.merge(rows.rename_axis("row").reset_index(), on="customer")
        moment = frame.pop("moment")
    frame = frame.assign(age=moment - frame["t"]).drop(columns="customer")
    return frame[frame["age"] > pd.Timedelta(0)]


def aggregates(
    source: str, partials: Sequence[Partial], frame: pd.DataFrame, n: int
) -> dict[Partial, np.ndarray]:
    """Aggregates of all moments, grouped together where they can be."""
    together = defaultdict(list)
    for partial in partials:
        together[partial.window, partial.selection.by].append(partial)
    found = {}
    for (window, by), group in together.items():
        part = frame if window is None else frame[frame["age"] <= window * DAY]
        if by is not None and source == "sessions":
            part = part.explode(by).dropna(subset=[by])
            part[by] = part[by].astype("category")
        keys = ["row"] if by is None else ["row", by]
        days = part["age"] / DAY
        wanted = {}
        for p in group:
            column = "t" if p.measure in {"latest", "first"} else p.column or "events"
            name = f"{column}_h{p.half_life}" if p.half_life else column
            if p.half_life and name not in part:
                part = part.assign(**{name: part[column] * 0.5 ** (days / p.half_life)})
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


def value(feature: Any, found: dict[Partial, np.ndarray], moment: pd.Series) -> np.ndarray:
    """A feature of events that is a number, of all moments."""
    parts = [found[p] for p in partials_of(feature)]
    days = {
        "recency": lambda: since(moment, parts[0], feature.window),
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


def since(moment: pd.Series, latest: np.ndarray, window: int | None) -> np.ndarray:
    """Days since the latest event, missing where it lies outside of the window."""
    days = np.asarray((pd.DatetimeIndex(moment) - pd.DatetimeIndex(latest)) / DAY)
    return days if window is None else np.where(days <= window, days, np.nan)


def features_as_of(
    folders: dict[str, Path], features: Sequence[Any], rows: pd.DataFrame
) -> pd.DataFrame:
    """Every declared feature of events, as of the moments of ``rows``.

    Parameters
    ----------
    folders : dict of str to Path
        Folders of the clean tables.
    features : sequence of Feature
    rows : DataFrame
        ``customer_id`` and ``moment``, with an index from 0 on.
    """
    known = pd.Index(pd.read_parquet(folders["customers"])["customer_id"].sort_values())
    asked = rows[["moment"]].assign(customer=known.get_indexer(rows["customer_id"]))
    partials = list(dict.fromkeys(p for feature in features for p in partials_of(feature)))
    found: dict[Partial, np.ndarray] = {}
    for source in dict.fromkeys(partial.source for partial in partials):
        own = [partial for partial in partials if partial.source == source]
        pairs = pairs_of(events_of(source, folders, known), asked)
        found |= aggregates(source, own, pairs, len(rows))
    columns = {}
    for feature in features:
        if partials_of(feature) and feature.aggregation != "last":
            columns[feature.name] = value(feature, found, rows["moment"])
        elif feature.aggregation == "last":
            times = np.column_stack([pd.DatetimeIndex(found[p]).asi8 for p in partials_of(feature)])
            place = times.argmax(axis=1)
            names = np.array(feature.among, dtype=object)[place]
            never = times.max(axis=1) == pd.NaT.value
            columns[feature.name] = np.where(never, feature.empty, names)
    return pd.DataFrame({"customer_id": rows["customer_id"], **columns})
