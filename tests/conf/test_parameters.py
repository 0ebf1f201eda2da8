"""Every environment's parameters: they resolve, are valid, and nothing unknown passes."""

import copy

import pytest
import yaml
from kedro.framework.cli.utils import _split_params
from kedro.validation import ParameterValidationError, ParameterValidator

from pentathlon.models.registry import MODEL_NAMES

BLOCKS = (
    "campaign",
    "data_processing",
    "decision",
    "evaluation",
    "features",
    "fusion",
    "intake",
    "moments",
    "order_value",
    "randomness",
    "simulate_events",
    "simulation",
    *(f"training.{model}" for model in MODEL_NAMES),
)


@pytest.fixture(scope="module")
def validate(registry):
    return ParameterValidator(dict(registry)).validate_raw_params


def at(parameters, path):
    for part in path.split("."):
        parameters = parameters[part]
    return parameters


def test_parameters_are_valid(conf, env, validate):
    validated = validate(conf.load(env)["parameters"])
    for block in BLOCKS:
        assert not isinstance(at(validated, block), dict), f"{block} has no type"


def test_parameters_are_exactly_those_that_nodes_read(conf, env, registry):
    used = set()
    for pipeline in registry.values():
        used |= {n.removeprefix("params:") for n in pipeline.inputs() if n.startswith("params:")}
    assert {name.split(".")[0] for name in used} == set(conf.load(env)["parameters"])


def test_files_hold_the_block_of_their_pipeline(conf, env):
    named = {"simulate": "simulation"}
    for path in (conf.folder / env).glob("parameters_*.yml"):
        name = path.stem.removeprefix("parameters_")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        assert set(content) == {named.get(name, name)}, path


@pytest.mark.parametrize("block", BLOCKS)
def test_an_unknown_key_is_refused(conf, validate, block):
    parameters = copy.deepcopy(conf.load("base")["parameters"])
    at(parameters, block)["no_such_key"] = 1
    with pytest.raises(ParameterValidationError, match="no_such_key"):
        validate(parameters)


@pytest.mark.parametrize(
    "given",
    [
        "training.xgboost.n_trials=50,decision.confidence=0.85",
        "randomness.threads=1",
        "simulation.enabled=false",
        "campaign.customers=10",
        "evaluation.cap_quantile=0.98,order_value.n_trials=3",
        "messages.mens.send_cost=0.2,messages.water.margin=0.5",
    ],
)
def test_a_runtime_parameter_changes_what_it_names_and_nothing_beside_it(conf, env, given):
    changes = _split_params(None, None, given)
    if "messages" in changes:
        own = conf.load(env)["parameters"]["messages"]
        changes = {"messages": {k: v for k, v in changes["messages"].items() if k in own}}
    expected = copy.deepcopy(conf.load(env)["parameters"])
    for path, value in leaves(changes):
        block = at(expected, path.rpartition(".")[0])
        block[path.rpartition(".")[2]] = value
    assert conf.load(env, **changes)["parameters"] == expected


def leaves(tree, prefix=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_only_environments_with_a_simulated_retailer_simulate(conf, env):
    for block in ("simulation", "simulate_events"):
        enabled = conf.load(env)["parameters"][block]["enabled"]
        assert enabled == (env in {"base", "spark", "test"})


def test_tables_are_exported_when_the_simulated_retailer_says(conf, env, validate):
    validated = validate(conf.load(env)["parameters"])
    if validated["simulate_events"].enabled:
        assert validated["intake"].as_of == validated["simulate_events"].exported_at


def test_features_and_messages_speak_of_the_same_departments(conf, env):
    parameters = conf.load(env)["parameters"]
    departments = {m["department"] for m in parameters["messages"].values() if "department" in m}
    assert set(parameters["features"]["counts"]) == departments
    assert set(parameters["features"]["log"]) <= set(parameters["features"]["numeric"])
