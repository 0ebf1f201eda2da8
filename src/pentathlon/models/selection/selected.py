"""A response model that is told some of the customer features, and behaves like any other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from pentathlon.features.design import Design
from pentathlon.models.protocol import ResponseModel, TrainingRows, Validation
from pentathlon.models.selection.columns import DesignColumns
from pentathlon.models.selection.narrowing import Narrowing
from pentathlon.models.training import Fitter

FEATURES_FILE = "features.json"
MODEL_FOLDER = "model"


@dataclass(frozen=True)
class SelectedModel:
    """A model of some features that takes designs of all of them.

    Attributes
    ----------
    model : ResponseModel
        Fitted on narrow designs.
    narrowing : Narrowing
    """

    model: ResponseModel
    narrowing: Narrowing

    @property
    def name(self) -> str:
        """Name of the model in the registry."""
        return self.model.name

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """Hyper-parameters that refit this model without validation rows."""
        return self.model.fitted_parameters

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities of a design of all features, shape ``(n, n_messages)``."""
        return self.model.predict(self.narrowing.narrow(design))

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        return self.model.predict_logged(self.narrowing.rows(rows))

    def save(self, folder: Path) -> None:
        """Write the features to keep, and the model in a folder of its own.

        Reading the folder as that of a plain model fails, so nobody predicts with it from designs
        of another width.
        """
        state = {"model": self.name, **self.narrowing.to_dict()}
        (folder / FEATURES_FILE).write_text(json.dumps(state, indent=1), encoding="utf-8")
        (folder / MODEL_FOLDER).mkdir()
        self.model.save(folder / MODEL_FOLDER)


@dataclass(frozen=True)
class SelectedFitter(Fitter):
    """Fits on some of the features.

    Attributes
    ----------
    kept : tuple of str
        Features that the model is told; the builder is that of all of them.
    """

    kept: tuple[str, ...] = ()

    def fit(
        self,
        rows: TrainingRows,
        parameters: Mapping[str, Any],
        validation: Validation | None = None,
    ) -> ResponseModel:
        """Narrow the design, then fit as ever."""
        narrowing = Narrowing(self.builder, self.kept)
        narrow = narrowing.rows(rows)
        plain = Fitter(
            self.model,
            narrowing.fitted_builder(narrow.design),
            self.non_buyers_per_buyer,
            self.seed,
            self.threads,
        )
        if validation is not None:
            validation = replace(validation, rows=narrowing.rows(validation.rows))
        model = plain.fit(narrow, parameters, validation)
        # It is made by fitters and read by `stored`, so it lacks the protocol's constructors.
        return cast(ResponseModel, SelectedModel(model, narrowing))


def fitter_of(fitter: Fitter, kept: Iterable[str]) -> Fitter:
    """Fitter on some features; the fitter itself where all are kept.

    Parameters
    ----------
    fitter : Fitter
        Of all features.
    kept : iterable of str
    """
    features, stay = DesignColumns(fitter.builder).features, set(kept)
    if stay == set(features):
        return fitter
    return SelectedFitter(
        fitter.model,
        fitter.builder,
        fitter.non_buyers_per_buyer,
        fitter.seed,
        fitter.threads,
        kept=tuple(f for f in features if f in stay),
    )
