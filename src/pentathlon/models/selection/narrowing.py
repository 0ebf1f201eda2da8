"""A design without some customer features, as if they had never been brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.features.build import TOTAL_COUNT, log_name, share_name
from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.protocol import TrainingRows
from pentathlon.models.selection.columns import DesignColumns


@dataclass(frozen=True)
class Narrowing:
    """Takes a design of all features to one of those that were kept.

    A dropped feature is gone from everything: its own columns, its match features, the total of
    all counts, and the shares of that.

    Attributes
    ----------
    builder : DesignBuilder
        Of the design of all features.
    kept : tuple of str
        Features that stay, in any order.
    """

    builder: DesignBuilder
    kept: tuple[str, ...]

    @cached_property
    def columns(self) -> NDArray[np.int64]:
        """Base columns that stay."""
        stay = set(self.kept)
        if self._counts:
            stay.add(TOTAL_COUNT)
        return np.flatnonzero([source in stay for source in self.builder.sources])

    @cached_property
    def _counts(self) -> dict[str, str]:
        return {d: c for d, c in self.builder.counts.items() if c in self.kept}

    @cached_property
    def _bare(self) -> DesignBuilder:
        """The narrow builder without its scales."""
        names = [self.builder.base_names[j] for j in self.columns]
        builder = self.builder
        return replace(
            builder,
            numeric=tuple(n for n in builder.numeric if n in names),
            counts=self._counts,
            levels={c: v for c, v in builder.levels.items() if c in self.kept},
            mean=tuple(builder.mean[j] for j in self.columns),
            scale=tuple(builder.scale[j] for j in self.columns),
            splits={c: v for c, v in builder.splits.items() if c in self.kept},
        )

    @cached_property
    def _narrow_columns(self) -> DesignColumns:
        return DesignColumns(self._bare)

    @cached_property
    def _mailed(self) -> list[int]:
        """Messages with match features."""
        columns = self._narrow_columns
        return [k for count in self._counts.values() for k in columns.messages_of(count)]

    def narrow(self, design: Design) -> Design:
        """Leave the dropped features out.

        Parameters
        ----------
        design : Design of n customers
            Of all features.

        Returns
        -------
        Design of n customers
        """
        base = design.base[:, self.columns]
        if len(self._counts) == len(self.builder.counts):
            return Design(base, design.match)
        match = design.match.copy()
        stay = [
            k for count in self._counts.values() for k in self._narrow_columns.messages_of(count)
        ]
        match[:, [k for k in range(design.n_messages) if k not in stay]] = 0.0
        if self._counts:
            self._narrow_columns.add_up(base, match)
        return Design(base, match)

    def rows(self, rows: TrainingRows) -> TrainingRows:
        """Rows with their design narrowed."""
        return replace(rows, design=self.narrow(rows.design))

    def fitted_builder(self, design: Design) -> DesignBuilder:
        """Builder of the narrow design, for models that need scales.

        Parameters
        ----------
        design : Design
            Narrow, of training rows: columns that mean something else now are scaled by it.
        """
        bare = self._bare
        if len(self._counts) == len(self.builder.counts):
            return bare
        anew = {TOTAL_COUNT, log_name(TOTAL_COUNT), *(share_name(d) for d in self._counts)}
        mean, scale = list(bare.mean), list(bare.scale)
        for j, name in enumerate(bare.base_names):
            if name in anew:
                mean[j], scale[j] = _centre_and_spread(design.base[:, j])
        match = design.match[:, self._mailed].reshape(-1, design.match.shape[2])
        if not len(match):
            match = np.zeros((1, design.match.shape[2]), dtype=np.float32)
        of_match = [_centre_and_spread(match[:, m]) for m in range(match.shape[1])]
        return replace(
            bare,
            mean=tuple(mean),
            scale=tuple(scale),
            match_mean=tuple(centre for centre, _ in of_match),
            match_scale=tuple(spread for _, spread in of_match),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {"design": self.builder.to_dict(), "kept": list(self.kept)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Narrowing:
        """Rebuild from :meth:`to_dict`."""
        return cls(DesignBuilder.from_dict(state["design"]), tuple(state["kept"]))


def _centre_and_spread(values: NDArray[np.float32]) -> tuple[float, float]:
    spread = float(np.std(values, dtype=np.float64))
    return float(np.mean(values, dtype=np.float64)), spread if spread > 1e-9 else 1.0
