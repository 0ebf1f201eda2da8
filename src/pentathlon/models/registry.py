"""The response models by name; a fifth one is a module, a parameters file and one line here."""

from __future__ import annotations

import importlib

from pentathlon.errors import ParameterError
from pentathlon.models.protocol import ResponseModel

_MODELS = {
    "logistic_regression": "pentathlon.models.logistic:LogisticRegressionModel",
    "random_forest": "pentathlon.models.forest:RandomForestModel",
    "xgboost": "pentathlon.models.boosting:XGBoostModel",
    "neural_network": "pentathlon.models.network:NeuralNetworkModel",
}

MODEL_NAMES = tuple(_MODELS)


def model_class(name: str) -> type[ResponseModel]:
    """Class of the response model called ``name``.

    Raises
    ------
    ParameterError
        When there is no such model.
    """
    if name not in _MODELS:
        raise ParameterError(f"There is no model '{name}'; choose from {sorted(_MODELS)}.")
    module, attribute = _MODELS[name].split(":")
    found: type[ResponseModel] = getattr(importlib.import_module(module), attribute)
    return found
