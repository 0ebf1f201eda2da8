"""Saved response models, whether they were told all customer features or some.

Every model of the registry is an attribute of this module, so a catalog can name it as the
artifact of a dataset: ``pentathlon.models.stored.xgboost``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pentathlon.models.protocol import ResponseModel
from pentathlon.models.registry import MODEL_NAMES, model_class
from pentathlon.models.selection.narrowing import Narrowing
from pentathlon.models.selection.selected import FEATURES_FILE, MODEL_FOLDER, SelectedModel


def load_model(name: str, folder: Path) -> ResponseModel:
    """Read a response model from the folder that it was saved in.

    Parameters
    ----------
    name : str
        In the registry.
    folder : Path

    Raises
    ------
    ParameterError
        When there is no such model.
    """
    place = folder / FEATURES_FILE
    if not place.is_file():
        return model_class(name).load(folder)
    narrowing = Narrowing.from_dict(json.loads(place.read_text(encoding="utf-8")))
    model = model_class(name).load(folder / MODEL_FOLDER)
    return cast(ResponseModel, SelectedModel(model, narrowing))


@dataclass(frozen=True)
class StoredModel:
    """Reads one model of the registry."""

    name: str

    def load(self, folder: Path) -> ResponseModel:
        """Read what the model's ``save`` wrote."""
        return load_model(self.name, folder)


def __getattr__(name: str) -> StoredModel:
    if name in MODEL_NAMES:
        return StoredModel(name)
    raise AttributeError(f"there is no model '{name}'; choose from {MODEL_NAMES}.")
