from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from pentathlon.contract.source import FileContract

CONF = Path(__file__).parents[2] / "conf"
ENVS = ["base", "case", "case_b", "hillstrom"]
SMALL = {
    "columns": {"customer_id": "id", "message": "m", "response": "r", "order_value": "v"},
    "propensity": "uniform",
    "seed": 1,
}


def layout(env):
    text = (CONF / env / "parameters_data_processing.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def contract(**changes):
    return FileContract.model_validate({**SMALL, **changes})


@pytest.mark.parametrize("env", ENVS)
def test_every_environment_is_a_valid_layout(env):
    parameters = layout(env)
    assert list(parameters) == ["data_processing"]
    FileContract.model_validate(parameters["data_processing"])


@pytest.mark.parametrize("env", ENVS[1:])
@pytest.mark.parametrize("strategy", ["soft", "destructive"])
def test_environments_mean_the_same_however_they_are_merged(env, strategy):
    from kedro.config import OmegaConfigLoader

    loader = OmegaConfigLoader(
        str(CONF),
        base_env="base",
        default_run_env="base",
        env=env,
        config_patterns={"parameters": ["parameters_data_processing.yml"]},
        merge_strategy={"parameters": strategy},
    )
    merged = FileContract.model_validate(loader["parameters"]["data_processing"])
    assert merged == FileContract.model_validate(layout(env)["data_processing"])


def test_null_takes_an_inherited_entry_out():
    assert contract(valid_ranges={"a": None, "b": [0, None]}).valid_ranges == {"b": (0, None)}
    assert contract(aliases=None).aliases == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colums": {}}, "Extra inputs are not permitted"),
        ({"n_folds": 1}, "greater than or equal to 2"),
        ({"propensity": "logged"}, "propensity: logged and columns.propensity go together"),
        ({"split": {"train": [1], "test": [1.0]}}, r"under both train and test: \['1'\]"),
        ({"split": {"test_share": 1.0}}, "less than 1"),
        ({"sampling": {"population_rate": 1.0}}, "less than 1"),
        ({"columns": {**SMALL["columns"], "split": "s"}}, "which values of column 's'"),
        ({"columns": {**SMALL["columns"], "response": "v"}}, r"two roles: \['v'\]"),
        (
            {"columns": {**SMALL["columns"], "representative": "x"}},
            "give the population's response rate",
        ),
        ({"valid_ranges": {"age": [5, 1]}}, "5 is above 1"),
        ({"category_values": {"female": {"F": True}}}, r'in quotes \("yes"\)'),
        ({"response_values": {True: 1}}, r'in quotes \("yes"\)'),
        ({"split": {"train": [None]}}, "expected a text or a number"),
    ],
)
def test_contradictions_and_typos_are_explained(changes, message):
    with pytest.raises(ValidationError, match=message):
        contract(**changes)


def test_numbers_and_texts_are_the_same_spelling():
    assert contract(response_values={1: 1, "0.0": 0}).response_values == {"1": 1, "0": 0}
