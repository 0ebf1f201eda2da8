"""Which columns of a design come from which customer feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.features.build import TOTAL_COUNT, log_name, share_name
from pentathlon.features.design import MATCH_FEATURES, Design, DesignBuilder

SHARE = MATCH_FEATURES.index("match_share")


@dataclass(frozen=True)
class DesignColumns:
    """Where each customer feature (a column of the ``customers`` table) is in a design.

    A count is in more places than its own: the total of all counts and every department's share
    of it depend on each of them, so they are computed anew when one is shuffled or dropped.

    Attributes
    ----------
    builder : DesignBuilder
    """

    builder: DesignBuilder

    @property
    def features(self) -> tuple[str, ...]:
        """Customer features: numeric, then categorical, then counts."""
        counts = tuple(self.builder.counts.values())
        raw = [s for s in dict.fromkeys(self.builder.sources) if s != TOTAL_COUNT]
        return (*(s for s in raw if s not in counts), *counts)

    def of(self, feature: str) -> NDArray[np.int64]:
        """Base columns that are made of one feature alone, or with others in its share."""
        sources = np.array(self.builder.sources, dtype=object)
        return np.flatnonzero(sources == feature)

    def messages_of(self, feature: str) -> list[int]:
        """Messages whose match features are made of this feature."""
        counts = self.builder.counts
        return [
            k
            for k, department in enumerate(self.builder.departments)
            if department is not None and counts.get(department) == feature
        ]

    def shuffled(self, design: Design, feature: str, order: NDArray[np.int64]) -> Design:
        """The design with one feature, and everything made of it, taken from other rows.

        Parameters
        ----------
        design : Design of n customers
        feature : str
        order : ndarray of int64, shape (n,)
            Row that each row takes the feature from.
        """
        base, match, own = design.base.copy(), design.match, self.of(feature)
        base[:, own] = design.base[order[:, None], own]
        if feature in self.builder.counts.values():
            match = match.copy()
            for k in self.messages_of(feature):
                match[:, k] = design.match[order, k]
            self.add_up(base, match)
        return Design(base, match)

    def add_up(self, base: NDArray[np.float32], match: NDArray[np.float32]) -> None:
        """Write the total of the counts and the departments' shares of it into a design.

        Parameters
        ----------
        base : ndarray of float32, shape (n, n_base)
        match : ndarray of float32, shape (n, n_messages, n_match)
        """
        names = {name: j for j, name in enumerate(self.builder.base_names)}
        total = np.zeros(len(base), dtype=np.float64)
        for count in self.builder.counts.values():
            total += base[:, names[count]]
        base[:, names[TOTAL_COUNT]] = total
        base[:, names[log_name(TOTAL_COUNT)]] = np.log1p(total)
        for department, count in self.builder.counts.items():
            share = base[:, names[count]] / np.maximum(total, 1.0)
            base[:, names[share_name(department)]] = share
            for k in self.messages_of(count):
                match[:, k, SHARE] = share
