"""What scoring counts as it goes: small, additive, and the same in any order of batches."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.decision.decisions import Prediction
from pentathlon.decision.plan import Plan

SCORES = ("purchase_probability", "expected_order_value", "best_expected_profit")
"""Scores whose distribution is compared: means over messages, and the best message's profit."""

COUNTERS = ("messages", "deciders", "rules", "reasons", "filled")
"""What is counted by key."""


def scores_of(prediction: Prediction) -> dict[str, NDArray[np.float32]]:
    """The compared scores of each customer, arrays of shape ``(n,)``."""
    return {
        "purchase_probability": prediction.purchase_probability.mean(axis=1),
        "expected_order_value": prediction.expected_order_value.mean(axis=1),
        "best_expected_profit": prediction.expected_profit.max(axis=1),
    }


@dataclass
class Counts:
    """Counts and sums of decided customers.

    Attributes
    ----------
    decided, rejected : int
    expected_profit : float
        Of the messages that are sent, in currency.
    expected_profit_of_control : float
        Of sending nobody anything; ``nan`` where there is no control.
    messages, deciders, rules, reasons, filled : Counter
        Customers by message, by who decided, by rule that removed one of their messages,
        rejected rows by reason, and missing values that were filled by column.
    histograms : dict of str to list of int
        Customers by bin of each score.
    """

    decided: int = 0
    rejected: int = 0
    expected_profit: float = 0.0
    expected_profit_of_control: float = 0.0
    messages: Counter[str] = field(default_factory=Counter)
    deciders: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    filled: Counter[str] = field(default_factory=Counter)
    histograms: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        """Add the counts of other customers."""
        self.decided += other.decided
        self.rejected += other.rejected
        self.expected_profit += other.expected_profit
        self.expected_profit_of_control += other.expected_profit_of_control
        for name in COUNTERS:
            getattr(self, name).update(getattr(other, name))
        for score, bins in other.histograms.items():
            mine = self.histograms.get(score, [0] * len(bins))
            self.histograms[score] = [a + b for a, b in zip(mine, bins, strict=True)]

    def to_json(self) -> str:
        """Text that is the same for the same counts."""
        return json.dumps(self.__dict__, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Counts:
        """Read what :meth:`to_json` wrote."""
        state: dict[str, Any] = json.loads(text)
        for name in COUNTERS:
            state[name] = Counter(state[name])
        return cls(**state)


def count(
    decisions: pd.DataFrame,
    prediction: Prediction,
    plan: Plan,
    edges: Mapping[str, Sequence[float]],
    reasons: Mapping[str, int],
    filled: Mapping[str, int],
) -> Counts:
    """Count a batch of decisions.

    Parameters
    ----------
    decisions : DataFrame, n rows
    prediction : Prediction, n customers
    plan : Plan, n customers
    edges : mapping of str to sequence of float
        Inner edges of each score's bins.
    reasons : mapping of str to int
        Rejected rows of the batch by reason.
    filled : mapping of str to int
        Missing values that were filled, by column.
    """
    control = decisions["expected_profit_of_control"].to_numpy(dtype=np.float64)
    removed = {
        rule: int((plan.removed_by == code).any(axis=1).sum())
        for code, rule in enumerate(plan.rules, start=1)
    }
    scores = scores_of(prediction)
    return Counts(
        decided=len(decisions),
        rejected=sum(reasons.values()),
        expected_profit=float(decisions["expected_profit"].to_numpy(dtype=np.float64).sum()),
        expected_profit_of_control=float(control.sum()),
        messages=Counter(decisions["message"].tolist()),
        deciders=Counter(decisions["decided_by"].tolist()),
        rules=Counter({rule: n for rule, n in removed.items() if n}),
        reasons=Counter(dict(reasons)),
        filled=Counter(dict(filled)),
        histograms={score: histogram(scores[score], edges[score]) for score in edges},
    )


def histogram(values: NDArray[np.floating], edges: Sequence[float]) -> list[int]:
    """Values by bin; a value on an edge belongs to the bin above."""
    where = np.searchsorted(np.asarray(edges, dtype=np.float64), values, side="right")
    found: list[int] = np.bincount(where, minlength=len(edges) + 1).tolist()
    return found
