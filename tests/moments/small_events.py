"""Small random clean tables of a retailer, and what the features of them are, row by row.

The reference takes one moment after the other and goes through all events in plain Python: slow,
and so simple that it can be read.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

DEPARTMENTS = ("water", "team", "racquet")
MESSAGES = ("water", "team", "racquet")
START = pd.Timestamp("2025-01-01")
DAY = timedelta(days=1)


def small_tables(seed: int, customers: int = 30, days: int = 500) -> dict[str, pd.DataFrame]:
    """Clean tables of a few customers, with ties, customers without events and gaps."""
    rng = np.random.default_rng(seed)
    ids = [f"C{i:04d}" for i in range(customers)]
    # The last fifth has no events at all.
    active = ids[: max(1, customers * 4 // 5)]

    def times(n: int) -> pd.Series:
        # Whole hours, so that events tie with each other and with moments.
        return pd.Series(START + pd.to_timedelta(rng.integers(0, days * 24, n), unit="h"))

    def some(values: pd.Series, share: float) -> pd.Series:
        return values.where(rng.random(len(values)) < share)

    people = pd.DataFrame(
        {
            "customer_id": ids,
            "joined_at": times(customers),
            "region": rng.choice(["north", "south"], customers),
            "gender": some(pd.Series(rng.choice(["F", "M"], customers)), 0.8),
            "birth_year": some(pd.Series(rng.integers(1940, 2005, customers)), 0.8).astype("Int64"),
            "tier": some(pd.Series(rng.choice(["gold", "blue"], customers)), 0.7),
            "consented_at": some(times(customers), 0.8),
            "opted_out_at": some(times(customers), 0.3),
        }
    )
    orders = customers * 5
    order = pd.DataFrame(
        {
            "order_id": [f"O{i:05d}" for i in range(orders)],
            "customer_id": rng.choice(active, orders),
            "ordered_at": times(orders),
        }
    )
    lines = order.loc[rng.integers(0, orders, orders * 2)].reset_index(drop=True)
    n = len(lines)
    quantity = rng.integers(1, 5, n)
    price = np.round(rng.uniform(1, 90, n), 2)
    lines = lines.assign(
        line_number=lines.groupby("order_id").cumcount() + 1,
        department=rng.choice(DEPARTMENTS, n),
        product_id=rng.choice(["P1", "P2", "P3"], n),
        quantity=quantity,
        unit_price=price,
        discount=np.round(quantity * price * rng.choice([0, 0, 0.1, 0.35], n), 2),
        returns_order_id=None,
    )
    returned = lines.loc[rng.random(n) < 0.2].copy()
    share = rng.random(len(returned))
    returned["returns_order_id"] = returned["order_id"]
    returned["order_id"] = [f"R{i:05d}" for i in range(len(returned))]
    returned["quantity"] = -np.maximum(1, (returned["quantity"] * share).astype(int))
    returned["discount"] = np.round(returned["discount"] * share, 2)
    returned["ordered_at"] += pd.to_timedelta(rng.integers(1, 40 * 24, len(returned)), unit="h")
    transactions = pd.concat([lines, returned], ignore_index=True).astype(
        {"returns_order_id": "str", "line_number": "int64"}
    )
    visits = customers * 6
    sessions = pd.DataFrame(
        {
            "session_id": [f"S{i:05d}" for i in range(visits)],
            "customer_id": rng.choice(active, visits),
            "started_at": times(visits),
            "duration_seconds": np.round(rng.exponential(300, visits), 3),
            "pages": rng.integers(1, 30, visits),
            "departments_viewed": [
                list(rng.choice(DEPARTMENTS, rng.integers(0, 4), replace=False))
                for _ in range(visits)
            ],
            "carts_left": rng.integers(0, 2, visits),
        }
    )
    mails = customers * 5
    assigned = times(mails)
    message = rng.choice(["control", *MESSAGES], mails)
    opened = some(assigned + pd.to_timedelta(rng.integers(0, 200, mails), unit="h"), 0.5)
    opened = opened.where(message != "control")
    clicked = some(opened + pd.to_timedelta(rng.integers(0, 5, mails), unit="h"), 0.5)
    email_log = pd.DataFrame(
        {
            "assignment_id": [f"A{i:05d}" for i in range(mails)],
            "customer_id": rng.choice(active, mails),
            "message": message,
            "assigned_at": assigned,
            "sent": message != "control",
            "propensity": some(pd.Series(rng.uniform(0.1, 0.4, mails)), 0.9),
            "opened_at": opened,
            "clicked_at": clicked,
            "unsubscribed_at": some(clicked + pd.to_timedelta(1, unit="h"), 0.2),
        }
    )
    return {
        "customers": people,
        "transactions": transactions,
        "sessions": sessions,
        "email_log": email_log,
    }


def small_rows(tables: dict[str, pd.DataFrame], seed: int, n: int = 60) -> pd.DataFrame:
    """Moments: some equal to the time of an event, some twice, some of unknown customers."""
    rng = np.random.default_rng(seed)
    log = tables["email_log"]
    own = log.loc[rng.integers(0, len(log), n // 3), ["customer_id", "assigned_at"]]
    bought = tables["transactions"]
    bought = bought.loc[rng.integers(0, len(bought), n // 3), ["customer_id", "ordered_at"]]
    anyone = pd.DataFrame(
        {
            "customer_id": rng.choice(tables["customers"]["customer_id"], n // 3),
            "moment": START + pd.to_timedelta(rng.integers(0, 600 * 24, n // 3), unit="h"),
        }
    )
    rows = pd.concat(
        [
            own.set_axis(["customer_id", "moment"], axis=1),
            bought.set_axis(["customer_id", "moment"], axis=1),
            anyone,
            anyone.head(2),
            pd.DataFrame({"customer_id": ["nobody"], "moment": [START + 100 * DAY]}),
        ],
        ignore_index=True,
    )
    return rows.assign(row_id=np.arange(len(rows)))


def money(value: float) -> float:
    return round(value * 10_000) / 10_000


def reference_events(source: str, tables: dict[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Events of a source, one dictionary each, with their time under ``time``."""
    lines = tables["transactions"].to_dict("records") if "transactions" in tables else []
    log = tables["email_log"].to_dict("records") if "email_log" in tables else []
    if source in {"order_lines", "orders"}:
        bought = [
            {
                "customer_id": x["customer_id"],
                "order": (x["order_id"], x["ordered_at"]),
                "time": x["ordered_at"],
                "department": x["department"],
                "product_id": x["product_id"],
                "pieces": x["quantity"],
                "gross": money(x["quantity"] * x["unit_price"]),
                "discount": money(x["discount"]),
                "revenue": money(x["quantity"] * x["unit_price"] - x["discount"]),
            }
            for x in lines
            if x["quantity"] > 0
        ]
        if source == "order_lines":
            return bought
        orders: dict[Any, dict[str, Any]] = {}
        for line in bought:
            order = orders.setdefault(
                (line["customer_id"], *line["order"]),
                {"customer_id": line["customer_id"], "time": line["time"], "lines": 0}
                | dict.fromkeys(("pieces", "gross", "discount", "revenue"), 0.0),
            )
            order["lines"] += 1
            for amount in ("pieces", "gross", "discount", "revenue"):
                order[amount] += line[amount]
        return list(orders.values())
    if source == "returns":
        return [
            {
                "customer_id": x["customer_id"],
                "time": x["ordered_at"],
                "department": x["department"],
                "pieces": -x["quantity"],
                "value": money(-x["quantity"] * x["unit_price"] - x["discount"]),
            }
            for x in lines
            if x["quantity"] < 0
        ]
    if source == "sessions":
        return [
            {
                "customer_id": x["customer_id"],
                "time": x["started_at"],
                "department": x["departments_viewed"],
                "duration": x["duration_seconds"],
                "pages": x["pages"],
                "carts_left": x["carts_left"],
                "departments": len(x["departments_viewed"]),
            }
            for x in tables["sessions"].to_dict("records")
        ]
    column = {
        "emails": "assigned_at",
        "opens": "opened_at",
        "clicks": "clicked_at",
        "unsubscribes": "unsubscribed_at",
    }[source]
    return [
        {"customer_id": x["customer_id"], "time": x[column], "message": x["message"]}
        for x in log
        if (x["sent"] if source == "emails" else not pd.isna(x[column]))
    ]


def reference_value(feature: Any, row: dict, events: dict[str, list], people: dict) -> Any:
    """Value of a feature at one moment; ``None`` where there is nothing to tell."""
    moment: pd.Timestamp = row["moment"]
    if feature.source == "calendar":
        return _reference_calendar(feature.column, moment)
    if feature.source == "customers":
        return _reference_attribute(feature, moment, people.get(row["customer_id"]))
    if feature.aggregation == "share":
        part = reference_value(feature.of, row, events, people)
        whole = reference_value(feature.over, row, events, people)
        return part / whole if whole else None
    earlier = [
        event
        for event in events[feature.source]
        if event["customer_id"] == row["customer_id"] and event["time"] < moment
    ]
    for label, allowed in feature.where:
        earlier = [event for event in earlier if event[label] in allowed]
    if feature.window is not None:
        earlier = [e for e in earlier if e["time"] >= moment - feature.window * DAY]
    if feature.value is not None:
        earlier = [e for e in earlier if _is_of(e[feature.by], feature.value)]
    return REFERENCE[feature.aggregation](feature, moment, earlier)


def _amounts(feature: Any, earlier: list[dict]) -> list[float]:
    return [1.0 if feature.column is None else event[feature.column] for event in earlier]


def _mean(feature: Any, moment: datetime, earlier: list[dict]) -> float | None:
    return math.fsum(_amounts(feature, earlier)) / len(earlier) if earlier else None


def _recency(feature: Any, moment: datetime, earlier: list[dict]) -> float | None:
    return (moment - max(e["time"] for e in earlier)) / DAY if earlier else None


def _cadence(feature: Any, moment: datetime, earlier: list[dict]) -> float | None:
    times = sorted(event["time"] for event in earlier)
    return (times[-1] - times[0]) / DAY / (len(times) - 1) if len(times) > 1 else None


def _decayed(feature: Any, moment: datetime, earlier: list[dict]) -> float:
    ages = [(moment - event["time"]) / DAY for event in earlier]
    weights = [0.5 ** (age / feature.half_life) for age in ages]
    return math.fsum(a * w for a, w in zip(_amounts(feature, earlier), weights, strict=True))


def _distinct(feature: Any, moment: datetime, earlier: list[dict]) -> int:
    return sum(any(_is_of(e[feature.by], v) for e in earlier) for v in feature.among)


def _last(feature: Any, moment: datetime, earlier: list[dict]) -> str | None:
    latest = [e for e in earlier if e["time"] == max(e["time"] for e in earlier)]
    return next((v for v in feature.among if any(_is_of(e[feature.by], v) for e in latest)), None)


REFERENCE = {
    "count": lambda f, moment, earlier: len(earlier),
    "sum": lambda f, moment, earlier: math.fsum(_amounts(f, earlier)),
    "mean": _mean,
    "max": lambda f, moment, earlier: max(_amounts(f, earlier), default=None),
    "min": lambda f, moment, earlier: min(_amounts(f, earlier), default=None),
    "recency": _recency,
    "cadence": _cadence,
    "decayed": _decayed,
    "distinct": _distinct,
    "last": _last,
}


def _reference_calendar(column: str, moment: pd.Timestamp) -> Any:
    angle = 2 * math.pi * (moment.day_of_year - 1) / 365.25
    return {
        "month": moment.month,
        "weekday": moment.weekday(),
        "hour": moment.hour,
        "season": ["winter", "spring", "summer", "autumn"][moment.month % 12 // 3],
        "year_sine": math.sin(angle),
        "year_cosine": math.cos(angle),
    }[column]


def _is_of(held: Any, value: str) -> bool:
    return value in held if isinstance(held, list) else held == value


def _reference_attribute(feature: Any, moment: datetime, person: dict[str, Any] | None) -> Any:
    if feature.aggregation == "consent":
        given = person is not None and person["consented_at"] < moment
        return float(given and not person["opted_out_at"] < moment)
    if person is None or pd.isna(person[feature.column]):
        return None
    held = person[feature.column]
    if feature.aggregation == "days_since":
        return (moment - held) / DAY if held < moment else None
    return moment.year - held if feature.aggregation == "age" else held


def reference_features(
    tables: dict[str, pd.DataFrame], rows: pd.DataFrame, features: list[Any]
) -> pd.DataFrame:
    """Features of all moments, computed one by one."""
    sources = {"order_lines", "orders", "returns", "sessions"}
    sources |= {"emails", "opens", "clicks", "unsubscribes"}
    events = {source: reference_events(source, tables) for source in sources}
    people = {p["customer_id"]: p for p in tables["customers"].to_dict("records")}
    found = []
    for row in rows.to_dict("records"):
        values = {}
        for feature in features:
            value = reference_value(feature, row, events, people)
            values[feature.name] = feature.empty if value is None else value
        found.append(row | values)
    return pd.DataFrame(found)
