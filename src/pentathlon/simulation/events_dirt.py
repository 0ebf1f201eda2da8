"""Bad rows, added to the good ones: what checks are to find, no more and no less.

A bad row is a copy of a good one with one thing wrong and, except for duplicates, a key of its
own. Nothing good is altered, so what remains after quarantine is exactly the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_LATER = datetime(2199, 1, 1)
_EARLIER = datetime(1999, 1, 1)

Change = Callable[[pa.Table], dict[str, Any]]


def _constant(**values: Any) -> Change:
    def change(rows: pa.Table) -> dict[str, Any]:
        return {
            name: pa.array([value] * len(rows), rows.schema.field(name).type)
            for name, value in values.items()
        }

    return change


def _opened_early(rows: pa.Table) -> dict[str, Any]:
    day = pa.scalar(86_400_000_000, pa.duration("us"))
    early = pc.subtract(rows["assigned_at"], day)
    mailed = _constant(message="endurance", sent=True, clicked_at=None, unsubscribed_at=None)
    return {**mailed(rows), "opened_at": early}


KEYS = {
    "customers": "customer_id",
    "transactions": "order_id",
    "sessions": "session_id",
    "email_log": "assignment_id",
    "products": "product_id",
}

DIRT: dict[str, dict[str, Change | None]] = {
    "customers": {
        "duplicate": None,
        "no region": _constant(region=None),
        "joined_at in the future": _constant(joined_at=_LATER),
        "impossible birth year": _constant(birth_year=1066),
    },
    "products": {"duplicate": None, "negative price": _constant(price=-1.0)},
    "transactions": {
        "duplicate": None,
        "no customer": _constant(customer_id=None),
        "unknown customer": _constant(customer_id="nobody"),
        "ordered_at in the future": _constant(ordered_at=_LATER),
        "before the customer joined": _constant(ordered_at=_EARLIER),
        "negative price": _constant(unit_price=-1.0),
        "unknown department": _constant(department="no such department"),
        "unknown product": _constant(product_id="no such product"),
        "no pieces": _constant(quantity=0, discount=0.0),
        "return without an order": _constant(quantity=-1, discount=0.0, returns_order_id="none"),
    },
    "sessions": {
        "duplicate": None,
        "unknown customer": _constant(customer_id="nobody"),
        "started_at in the future": _constant(started_at=_LATER),
        "negative duration": _constant(duration_seconds=-1.0),
        "unknown department": _constant(departments_viewed=["no such department"]),
    },
    "email_log": {
        "duplicate": None,
        "unknown customer": _constant(customer_id="nobody"),
        "unknown message": _constant(message="no such message"),
        "impossible propensity": _constant(propensity=1.5),
        "control that was sent": _constant(message="control", sent=True),
        "opened before sent": _opened_early,
    },
}
"""What is wrong with bad rows, by table and by the reason that a check gives."""


def add_dirt(
    table: pa.Table, name: str, rate: float, rng: np.random.Generator, suffix: str
) -> tuple[pa.Table, dict[str, int]]:
    """Add bad rows to a table.

    Parameters
    ----------
    table : Table
    name : str
    rate : float
        Expected bad rows of each kind, as a share of the good ones.
    rng : numpy.random.Generator
    suffix : str
        Makes the keys of bad rows distinct from those of others' bad rows.

    Returns
    -------
    table : Table
        The good rows, then the bad ones.
    added : dict of str to int
        Bad rows by reason.
    """
    parts, added = [table], {}
    usable = np.arange(len(table))
    if name == "transactions":  # a bad copy of a return could be bad in two ways
        usable = np.flatnonzero(pc.is_null(table["returns_order_id"]).to_numpy())
    for kind, (reason, change) in enumerate(DIRT[name].items()):
        count = int(rng.binomial(len(usable), rate)) if len(usable) else 0
        chosen = np.sort(rng.choice(usable, count, replace=False)) if count else usable[:0]
        added[reason] = count
        if not count:
            continue
        rows = table.take(pa.array(chosen))
        if change is not None:
            tails = pa.array([f"~{suffix}.{kind}.{i}" for i in range(count)])
            keys = pc.binary_join_element_wise(rows[KEYS[name]].combine_chunks(), tails, "")
            rows = _replace(rows, {KEYS[name]: keys, **change(rows)})
        parts.append(rows)
    return pa.concat_tables(parts), added


def _replace(rows: pa.Table, columns: dict[str, Any]) -> pa.Table:
    for name, values in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), values)
    return rows
