"""The training data's scores, which new customers' scores are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.source import MissingRules
from pentathlon.decision import DecisionEngine
from pentathlon.features import build_features
from pentathlon.scoring.statistics import SCORES, histogram, scores_of

BINS = 10
LEAST_SHARE = 1e-4
"""Share that an empty bin is taken to have."""


@dataclass(frozen=True)
class Reference:
    """Distribution of scores over training customers.

    Attributes
    ----------
    edges : dict of str to tuple of float
        Inner edges of each score's bins: deciles, fewer where scores repeat.
    counts : dict of str to tuple of int
        Training customers by bin.
    fill : dict of str to float or str
        What a missing value stood for in training, by column.
    """

    edges: dict[str, tuple[float, ...]]
    counts: dict[str, tuple[int, ...]]
    fill: dict[str, float | str] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        engine: DecisionEngine,
        customers: pd.DataFrame,
        most: int,
        seed: int,
        missing: MissingRules | None = None,
    ) -> Reference:
        """Score training customers, a random part of them where there are more than ``most``.

        Parameters
        ----------
        engine : DecisionEngine
        customers : DataFrame
            Of the training rows, each once, missing values filled.
        most, seed : int
        missing : MissingRules, optional
            What was done about missing values in training; customers who miss a value are
            rejected without.
        """
        fill = {} if missing is None else _fill(customers, engine.columns, missing)
        if len(customers) > most:
            customers = customers.sample(most, random_state=seed)
        scores = scores_of(engine.predict(build_features(customers, engine.columns)))
        shares = np.arange(1, BINS) / BINS
        edges = {
            name: tuple(np.unique(np.quantile(scores[name], shares)).tolist()) for name in SCORES
        }
        counts = {name: tuple(histogram(scores[name], edges[name])) for name in SCORES}
        return cls(edges, counts, fill)

    def shift(self, histograms: Mapping[str, list[int]]) -> dict[str, float]:
        """Population stability index of each score.

        The sum over bins of the difference in shares times the log of their ratio: the symmetric
        Kullback-Leibler divergence (Jeffreys 1946), as credit scoring has used it since Siddiqi
        (2006), "Credit Risk Scorecards".
        """
        found = {}
        for name, expected in self.counts.items():
            seen = np.array(histograms[name], dtype=np.float64)
            if not seen.sum():
                found[name] = 0.0
                continue
            p = np.maximum(np.array(expected) / sum(expected), LEAST_SHARE)
            q = np.maximum(seen / seen.sum(), LEAST_SHARE)
            found[name] = float(((q - p) * np.log(q / p)).sum())
        return found

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "edges": {name: list(values) for name, values in self.edges.items()},
            "counts": {name: list(values) for name, values in self.counts.items()},
            "fill": dict(self.fill),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Reference:
        """Rebuild from :meth:`to_dict`."""
        return cls(
            {name: tuple(values) for name, values in state["edges"].items()},
            {name: tuple(values) for name, values in state["counts"].items()},
            dict(state.get("fill", {})),
        )


def _fill(
    customers: pd.DataFrame, columns: FeatureColumns, missing: MissingRules
) -> dict[str, float | str]:
    """What missing values of each column stood for.

    The median of customers whose missing values were filled with the median is that median.
    """
    fill: dict[str, float | str] = {}
    if missing.numeric == "median":
        fill |= {name: float(customers[name].median()) for name in columns.numeric}
    if missing.counts == "zero":
        fill |= dict.fromkeys(columns.counts.values(), 0.0)
    if missing.categorical == "unknown":
        fill |= dict.fromkeys(columns.categorical, "unknown")
    return fill
