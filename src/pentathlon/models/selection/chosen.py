"""Features of one model: for the fit on all training rows, and for the fit without each fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import ParameterError
from pentathlon.features.design import DesignBuilder
from pentathlon.models.protocol import ResponseModel, TrainingRows
from pentathlon.models.selection.columns import DesignColumns
from pentathlon.models.selection.evidence import Evidence, HeldOut
from pentathlon.models.selection.importances import by_drop_column, by_permutation
from pentathlon.models.selection.l1_path import by_l1_path
from pentathlon.models.selection.recursive import by_recursive_elimination
from pentathlon.models.selection.selected import SelectedModel, fitter_of
from pentathlon.models.selection.settings import FeatureSelectionSettings
from pentathlon.models.selection.verdicts import NO_SELECTION, FeatureVerdict
from pentathlon.models.training import Fitter, Report, silent

ALL_ROWS = -1
"""Stands for no fold: the selection of the model that is fitted on all training rows."""
METHODS: dict[str, Callable[[Evidence], list[FeatureVerdict]]] = {
    "permutation": by_permutation,
    "drop_column": by_drop_column,
    "recursive": by_recursive_elimination,
    "l1_path": by_l1_path,
}


@dataclass(frozen=True)
class ChosenFeatures:
    """What was selected, and on what evidence.

    Attributes
    ----------
    table : DataFrame
        A row per selection and feature: ``method``, ``without_fold`` (fold that the selection and
        its model did not see; -1 for the model fitted on all training rows), ``feature``,
        ``importance``, ``standard_error``, ``kept``, ``step``, ``reason``.
    """

    table: pd.DataFrame

    def kept(self, without: int = ALL_ROWS) -> list[str]:
        """Features that stay in the model that is fitted without a fold."""
        table = self.table
        if not (table["without_fold"] == without).any():
            without = ALL_ROWS
        rows = table[(table["without_fold"] == without) & table["kept"]]
        return [str(feature) for feature in rows["feature"]]

    def fitter(self, fitter: Fitter, without: int = ALL_ROWS) -> Fitter:
        """Fitter on the features that stay.

        Parameters
        ----------
        fitter : Fitter
            Of all features.
        without : int
            Fold that it will not see.
        """
        return fitter_of(fitter, self.kept(without))

    def by_fold(self, fitter: Fitter) -> dict[int, Fitter]:
        """Fitters for cross-fitting, by the fold that each does not see."""
        folds = self.table["without_fold"].unique()
        return {int(f): self.fitter(fitter, int(f)) for f in folds if f != ALL_ROWS}


def choose_features(
    fitter: Fitter,
    rows: TrainingRows,
    fold: NDArray[np.integer],
    parameters: Mapping[str, Any],
    settings: FeatureSelectionSettings,
    report: Report = silent,
) -> ChosenFeatures:
    """Select features for the final model, and anew for each fold without looking at that fold.

    Parameters
    ----------
    fitter : Fitter
        Of all features.
    rows : TrainingRows, n rows
        All training rows.
    fold : ndarray of int, shape (n,)
    parameters : mapping
        Hyper-parameters of every fit.
    settings : FeatureSelectionSettings
    report : callable

    Returns
    -------
    ChosenFeatures
        Scores of a fold by the model fitted without it, on the features selected without it, are
        honest: nothing of the fold had a part in them.

    Raises
    ------
    ParameterError
        When a feature that must be kept does not exist, or there are too few folds or features.
    """
    features = DesignColumns(fitter.builder).features
    if not settings.on:
        return ChosenFeatures(_table({ALL_ROWS: _everything(features)}, settings))
    _check(settings, features, fitter.model.name)
    held_out = HeldOut.draw(fitter, rows, fold, parameters, settings)
    found = {}
    for without in (ALL_ROWS, *(int(f) for f in np.unique(fold))):
        evidence = Evidence(held_out, None if without == ALL_ROWS else without)
        found[without] = METHODS[settings.method](evidence)
        dropped = [v.feature for v in found[without] if not v.kept]
        on = "all training rows" if without == ALL_ROWS else f"training rows without fold {without}"
        report(f"{settings.method} on {on} drops {', '.join(dropped) or 'nothing'}")
    return ChosenFeatures(_table(found, settings))


def narrowed_view(
    model: ResponseModel, rows: TrainingRows, builder: DesignBuilder
) -> tuple[ResponseModel, TrainingRows, DesignBuilder]:
    """A model, rows and builder without the features that the model is not told.

    For what is shown by column; unchanged where the model is told all of them.
    """
    if not isinstance(model, SelectedModel):
        return model, rows, builder
    narrow = model.narrowing.rows(rows)
    return model.model, narrow, model.narrowing.fitted_builder(narrow.design)


def _check(settings: FeatureSelectionSettings, features: tuple[str, ...], model: str) -> None:
    where = f"training.{model}.feature_selection"
    lost = sorted(set(settings.always_keep) - set(features))
    if lost:
        raise ParameterError(
            f"{where}.always_keep: there are no features {lost}; choose from {list(features)}."
        )
    if settings.at_least > len(features):
        raise ParameterError(
            f"{where}.at_least: {settings.at_least} features are to be kept and there "
            f"are {len(features)}; lower it, or switch the selection off."
        )


def _everything(features: tuple[str, ...]) -> list[FeatureVerdict]:
    return [
        FeatureVerdict(f, np.nan, np.nan, kept=True, step=0, reason=NO_SELECTION) for f in features
    ]


def _table(
    found: Mapping[int, list[FeatureVerdict]], settings: FeatureSelectionSettings
) -> pd.DataFrame:
    table = pd.DataFrame(
        [
            {"method": settings.method, "without_fold": without, **asdict(verdict)}
            for without, verdicts in found.items()
            for verdict in verdicts
        ]
    )
    return table.astype({"without_fold": "int64", "step": "int64", "kept": "bool"})
