from __future__ import annotations

import optuna
import pytest
from pydantic import ValidationError

from pentathlon.errors import ParameterError
from pentathlon.models import MODEL_NAMES, model_class
from pentathlon.models.search_space import SearchDimension, check_search_space


def test_dimensions_ask_the_trial_as_they_are_written() -> None:
    trial = optuna.trial.FixedTrial({"a": 0.5, "b": 4, "c": "x"})
    assert SearchDimension(type="float", low=0.1, high=1, log=True).suggest(trial, "a") == 0.5
    assert SearchDimension(type="int", low=2, high=8, step=2).suggest(trial, "b") == 4
    assert SearchDimension(type="categorical", choices=["x", "y"]).suggest(trial, "c") == "x"
    asked = trial.distributions
    assert asked["a"] == optuna.distributions.FloatDistribution(0.1, 1, log=True)
    assert asked["b"] == optuna.distributions.IntDistribution(2, 8, step=2)
    assert asked["c"] == optuna.distributions.CategoricalDistribution(["x", "y"])


@pytest.mark.parametrize(
    "dimension",
    [
        {"type": "categorical"},
        {"type": "float", "low": 1.0},
        {"type": "float", "low": 1.0, "high": 1.0},
        {"type": "int", "low": 1, "high": 2, "logg": True},
        {"type": "integer", "low": 1, "high": 2},
    ],
)
def test_a_dimension_that_is_none_is_refused(dimension: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SearchDimension.model_validate(dimension)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_hyper_parameters_that_a_model_has_not_are_named(name: str) -> None:
    parameters = model_class(name).hyperparameters
    with pytest.raises(ParameterError, match=r"search_space: \['depht'\]"):
        check_search_space({"depht": SearchDimension(type="int", low=1, high=2)}, {}, parameters)
    with pytest.raises(ParameterError, match=r"fixed: \['depht'\].*it has \["):
        check_search_space({}, {"depht": 1}, parameters)
    check_search_space({}, parameters().model_dump(), parameters)


def test_an_unknown_model_is_refused_with_those_that_exist() -> None:
    with pytest.raises(ParameterError, match=r"no model 'svm'; choose from .*'xgboost'"):
        model_class("svm")
