"""What a model loses on rows that it was not fitted on when it is told less."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import ParameterError
from pentathlon.models.metrics import log_losses
from pentathlon.models.protocol import ResponseModel, TrainingRows
from pentathlon.models.selection.columns import DesignColumns
from pentathlon.models.selection.selected import fitter_of
from pentathlon.models.selection.settings import FeatureSelectionSettings
from pentathlon.models.training import Fitter, Report, silent

Losses = NDArray[np.float64]
"""Log loss of some rows, in nats."""
Excluded = frozenset[int]
"""Folds that a fit did not see."""


class LossDifference(NamedTuple):
    """A mean difference of log loss on the same rows, in nats, and its standard error."""

    mean: float
    standard_error: float

    def beyond(self, standard_errors: float) -> bool:
        """Whether the difference is above zero by more than so many of its standard errors."""
        return self.mean > standard_errors * self.standard_error


class Sums(NamedTuple):
    """What a mean difference and its standard error are made of; parts of the rows add up."""

    rows: int
    weight: float
    square_weight: float
    difference: float
    square_weight_difference: float
    square_difference: float

    @classmethod
    def of(cls, difference: Losses, weight: NDArray[np.float64]) -> Sums:
        """Sums over some rows."""
        w2 = weight**2
        return cls(
            len(weight),
            float(weight.sum()),
            float(w2.sum()),
            float(weight @ difference),
            float(w2 @ difference),
            float(w2 @ difference**2),
        )

    @staticmethod
    def together(parts: Iterable[Sums]) -> LossDifference:
        """Weighted mean over all parts, and its standard error with the mean taken out."""
        n, w, w2, d, w2d, w2d2 = (sum(values) for values in zip(*parts, strict=True))
        mean = d / w
        square = max(w2d2 - 2 * mean * w2d + mean**2 * w2, 0.0)
        return LossDifference(float(mean), float(np.sqrt(square * n / max(n - 1, 1)) / w))


class Measured(NamedTuple):
    """One fit on the rows of one fold that it did not see.

    ``shuffled`` has the sums of what is lost when a feature is shuffled, by feature.
    """

    losses: Losses
    shuffled: Mapping[str, Sums]


@dataclass(frozen=True)
class HeldOut:
    """Training rows, fits that leave folds of them out, and what those lose there.

    A fit that saw neither of two folds serves the selection for either of them on the other, so
    fits are remembered by the folds that they did not see.

    Attributes
    ----------
    fitter : Fitter
        Of all features.
    rows : TrainingRows, n rows
    fold : ndarray of int, shape (n,)
    parameters : mapping
        Hyper-parameters of every fit.
    settings : FeatureSelectionSettings
    report : callable
    remembered : dict
    """

    fitter: Fitter
    rows: TrainingRows
    fold: NDArray[np.integer]
    parameters: Mapping[str, Any]
    settings: FeatureSelectionSettings
    report: Report = silent
    remembered: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def draw(
        cls,
        fitter: Fitter,
        rows: TrainingRows,
        fold: NDArray[np.integer],
        parameters: Mapping[str, Any],
        settings: FeatureSelectionSettings,
        report: Report = silent,
    ) -> HeldOut:
        """Draw at most ``settings.rows`` rows, without looking at them."""
        if settings.rows is not None and len(rows) > settings.rows:
            rng = np.random.default_rng(fitter.seed)
            drawn = np.sort(rng.choice(len(rows), size=settings.rows, replace=False))
            rows, fold = rows.take(drawn), fold[drawn]
        return cls(fitter, rows, fold, parameters, settings, report)

    @cached_property
    def columns(self) -> DesignColumns:
        """Where each feature is in the design."""
        return DesignColumns(self.fitter.builder)

    def inside(self, excluded: Excluded) -> TrainingRows:
        """Rows to fit on."""
        return self.rows.take(~np.isin(self.fold, list(excluded)))

    def outside(self, fold: int) -> TrainingRows:
        """Rows to measure on."""
        return self.rows.take(self.fold == fold)

    def measured(
        self, kept: frozenset[str], excluded: Excluded, on: int, *, shuffle: bool = False
    ) -> Measured:
        """Fit on some features without some folds, and measure on one of those.

        Parameters
        ----------
        kept : frozenset of str
        excluded : frozenset of int
        on : int
            One of them.
        shuffle : bool
            Whether every kept feature is shuffled as well.
        """

        def fit() -> dict[int, Measured]:
            model = fitter_of(self.fitter, kept).fit(self.inside(excluded), self.parameters)
            return {fold: self._measure(model, fold, kept if shuffle else ()) for fold in excluded}

        found: dict[int, Measured] = self.once((kept, excluded, shuffle), fit)
        return found[on]

    def once(self, key: Any, work: Callable[[], Any]) -> Any:
        """Do a piece of work the first time that it is asked for."""
        if key not in self.remembered:
            self.remembered[key] = work()
        return self.remembered[key]

    def _measure(self, model: ResponseModel, fold: int, features: Iterable[str]) -> Measured:
        rows = self.outside(fold)
        losses = losses_of(model, rows)
        shuffled = {}
        for feature in features:
            # Seeded by fold and feature, so that nothing depends on what else is asked.
            number = self.columns.features.index(feature)
            rng = np.random.default_rng([self.fitter.seed, fold, number])
            total = np.zeros(len(rows))
            for _ in range(self.settings.repeats):
                design = self.columns.shuffled(rows.design, feature, rng.permutation(len(rows)))
                total += losses_of(
                    model,
                    TrainingRows(design, rows.message, rows.response, rows.sampling_weight),
                )
            lost = total / self.settings.repeats - losses
            shuffled[feature] = Sums.of(lost, rows.sampling_weight)
        return Measured(losses, shuffled)


@dataclass(frozen=True)
class Evidence:
    """What one selection may look at: all folds but one, or all of them.

    Attributes
    ----------
    held_out : HeldOut
    without : int or None
        Fold that the selection is made for and must not look at.
    """

    held_out: HeldOut
    without: int | None = None

    @property
    def settings(self) -> FeatureSelectionSettings:
        """How to select."""
        return self.held_out.settings

    @property
    def features(self) -> tuple[str, ...]:
        """All features."""
        return self.held_out.columns.features

    @cached_property
    def folds(self) -> list[int]:
        """Folds to measure on, in turn.

        Neighbours on a ring of folds: a fold measures for its neighbour where that measures for
        it, and both take the same fits.

        Raises
        ------
        ParameterError
            When too few folds are left.
        """
        folds = [int(f) for f in np.unique(self.held_out.fold)]
        if self.without is None:
            order = folds
        else:
            at, n = folds.index(self.without), len(folds)
            ring = [folds[(at + s * d) % n] for d in range(1, n) for s in (1, -1)]
            order = [f for f in dict.fromkeys(ring) if f != self.without]
        needed = 2 if self.without is None else 3
        if len(folds) < needed:
            raise ParameterError(
                "feature_selection fits on some folds and measures on others, without the fold "
                f"that it selects for: it needs {needed} folds and there are {len(folds)}. Raise "
                "data_processing.n_folds."
            )
        return order[: min(self.settings.held_out_folds, len(folds) - needed + 1)]

    def excluded(self, on: int) -> Excluded:
        """Folds that a fit must not see when it is measured on a fold."""
        return frozenset({on} if self.without is None else {on, self.without})

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Sampling weights of the rows that are measured on, fold after fold."""
        return np.concatenate([self.held_out.outside(f).sampling_weight for f in self.folds])

    def losses(self, kept: Iterable[str], *, shuffle: bool = False) -> Losses:
        """Log loss of the rows that are measured on, fold after fold, when told some features."""
        told = frozenset(kept)
        return np.concatenate([self._measured(told, f, shuffle).losses for f in self.folds])

    def shuffles(self, kept: Iterable[str]) -> dict[str, LossDifference]:
        """What is lost when a feature is shuffled, by feature."""
        told = frozenset(kept)
        parts = [self._measured(told, f, True).shuffled for f in self.folds]
        return {
            feature: Sums.together(part[feature] for part in parts)
            for feature in self.features
            if feature in told
        }

    def excess(self, losses: Losses, reference: Losses) -> LossDifference:
        """By how much losses exceed others of the same rows."""
        return Sums.together([Sums.of(losses - reference, self.weights)])

    def _measured(self, kept: frozenset[str], on: int, shuffle: bool) -> Measured:
        return self.held_out.measured(kept, self.excluded(on), on, shuffle=shuffle)


def losses_of(model: ResponseModel, rows: TrainingRows) -> Losses:
    """Log loss of every row under its own message, in nats."""
    return log_losses(rows.response, model.predict_logged(rows))
