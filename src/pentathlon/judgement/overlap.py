"""Whether the log reaches the customers that a policy sends something to.

An estimate credits each e-mail that followed the policy with the inverse of its propensity. Where
the log never sent a message to some customers, no weight makes up for it, and the estimate speaks
of other customers than the policy does. The weights tell: of the customers to whom the policy
sends a message, those who were logged with it must add up, weighted, to all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.evaluation.estimate import normal_quantile
from pentathlon.judgement.judged import Judged

FALSE_ALARMS = 0.01
"""Probability of any false alarm among all groups and messages that are looked at."""
NUMERIC_BINS = 4
COLUMNS = [
    *("message", "group", "customers", "followed", "reached", "z", "effective_sample_size"),
    *("largest_weight", "lowest_propensity", "imbalance_before", "imbalance_after", "unreached"),
]


@dataclass(frozen=True)
class Overlap:
    """Where outcomes can speak for what ships.

    Attributes
    ----------
    table : DataFrame
        One row per message that ships (``group`` is empty), then one per message and group of
        customers whom the log does not reach. ``customers`` whom the message is sent to,
        ``followed``: logged with it; ``reached``: what those stand for, as a share of
        ``customers``, 1 up to chance; ``z`` of its difference from 1;
        ``effective_sample_size`` and the share of the ``largest_weight`` of those who followed;
        ``lowest_propensity`` among them; ``imbalance_before`` and ``imbalance_after`` weighting:
        largest difference of a feature between those logged with the message, whatever ships, and
        everybody, in standard deviations (missing for groups); ``unreached``: whether the log
        does not reach them.
    unreached_share : float
        Share of the judged customers to whom a message is sent that the log never sends people
        like them.
    """

    table: pd.DataFrame
    unreached_share: float


def assess_overlap(judged: Judged, customers: pd.DataFrame, columns: FeatureColumns) -> Overlap:
    """Find messages and customers for whom the log cannot speak.

    Parameters
    ----------
    judged : Judged
    customers : DataFrame
        ``customer_id`` (unique) and the raw features.
    columns : FeatureColumns

    Returns
    -------
    Overlap

    References
    ----------
    Horvitz, Thompson (1952), "A generalization of sampling without replacement from a finite
    universe"; Austin, Stuart (2015), "Moving towards best practice when using inverse probability
    of treatment weighting", for balance; Kish (1965), "Survey sampling".
    """
    table = (
        judged.keys[["customer_id"]]
        .astype({"customer_id": "str"})
        .merge(customers.astype({"customer_id": "str"}), on="customer_id", how="left")
    )
    groups = list(_groups(table, columns))
    features = np.column_stack([_standardised(member) for _, member in groups])
    names, decision, sent = judged.messages.names, judged.decision, judged.message
    propensity = judged.keys["propensity"].to_numpy(dtype=np.float64)
    w = judged.sampling_weight
    shipped = [int(k) for k in np.unique(decision)]
    bound = normal_quantile(1 - FALSE_ALARMS / (len(shipped) * (len(groups) + 1)))
    records, unreached = [], np.zeros(len(judged), dtype=np.bool_)
    for k in shipped:
        to = decision == k
        logged = sent == k
        typical = float(np.average(logged, weights=w))
        before, after = _imbalance(features, logged, w, propensity)
        whole = _reach(to, logged, propensity, w, typical)
        lost = whole["z"] < -bound
        records.append(
            {"message": names[k], "group": "", **whole, "imbalance_before": before}
            | {"imbalance_after": after, "unreached": lost}
        )
        if lost:
            unreached |= to
        for label, member in groups:
            inside = to & member
            part = _reach(inside, logged, propensity, w, typical)
            if inside.any() and part["z"] < -bound:
                records.append(
                    {"message": names[k], "group": label, **part, "imbalance_before": np.nan}
                    | {"imbalance_after": np.nan, "unreached": True}
                )
                unreached |= inside
    found = pd.DataFrame(records, columns=COLUMNS)
    found = found.sort_values("group", kind="stable", key=lambda g: g != "")
    return Overlap(
        found.astype({"message": "str", "group": "str"}).reset_index(drop=True),
        float(np.average(unreached, weights=w)),
    )


def _reach(
    to: NDArray[np.bool_],
    logged: NDArray[np.bool_],
    propensity: NDArray[np.float64],
    w: NDArray[np.float64],
    typical: float,
) -> dict[str, float]:
    """What those who followed stand for among those to whom a message is sent."""
    followed = to & logged
    total = float(w[to].sum())
    weight = w[followed] / propensity[followed]
    reached = float(weight.sum()) / max(total, 1e-12)
    # Variance of the weighted count: by those who followed, and where hardly anybody did by what
    # a message with its typical propensity would give.
    seen = float((weight**2 * (1 - propensity[followed])).sum())
    foretold = float((w[to] ** 2).sum()) * (1 / max(typical, 1e-12) - 1)
    error = np.sqrt(max(seen, foretold, 1e-12)) / max(total, 1e-12)
    return {
        "customers": int(to.sum()),
        "followed": int(followed.sum()),
        "reached": reached,
        "z": (reached - 1) / error,
        "effective_sample_size": float(weight.sum() ** 2 / (weight**2).sum()) if len(weight) else 0,
        "largest_weight": float(weight.max() / weight.sum()) if len(weight) else np.nan,
        "lowest_propensity": float(propensity[followed].min()) if len(weight) else np.nan,
    }


def _imbalance(
    features: NDArray[np.float64],
    logged: NDArray[np.bool_],
    w: NDArray[np.float64],
    propensity: NDArray[np.float64],
) -> tuple[float, float]:
    """Largest standardised difference from everybody, before and after weighting."""
    if not logged.any():
        return np.nan, np.nan
    everybody = np.average(features, axis=0, weights=w)
    before = np.average(features[logged], axis=0, weights=w[logged])
    after = np.average(features[logged], axis=0, weights=w[logged] / propensity[logged])
    return float(np.abs(before - everybody).max()), float(np.abs(after - everybody).max())


def _groups(
    table: pd.DataFrame, columns: FeatureColumns
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Groups of customers by one feature each, those that hold some but not all."""
    for column in columns.categorical:
        values = table[column].astype("str")
        for value in sorted(values.unique()):
            yield from _proper(f"{column} is {value}", (values == value).to_numpy())
    for column in columns.numeric:
        numbers = table[column].to_numpy(dtype=np.float64)
        cuts = np.unique(np.quantile(numbers, np.linspace(0, 1, NUMERIC_BINS + 1)[1:-1]))
        edges = [-np.inf, *cuts.tolist(), np.inf]
        for low, high in pairwise(edges):
            label = f"{column} above {low:g}" if low > -np.inf else column
            label += f" up to {high:g}" if high < np.inf else ""
            yield from _proper(label, (numbers > low) & (numbers <= high))
    for department, column in columns.counts.items():
        bought = table[column].to_numpy(dtype=np.float64) > 0
        yield from _proper(f"bought {department}", bought)
        yield from _proper(f"never bought {department}", ~bought)


def _proper(label: str, member: NDArray[np.bool_]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if member.any() and not member.all():
        yield label, member


def _standardised(member: NDArray[np.bool_]) -> NDArray[np.float64]:
    share = member.mean()
    return np.asarray((member - share) / np.sqrt(share * (1 - share)), dtype=np.float64)
