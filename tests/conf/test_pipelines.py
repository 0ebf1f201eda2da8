"""How pipelines are built: names, thin nodes, typed parameters, one template for the models."""

import ast
import importlib
import inspect
import re
import textwrap
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel, RootModel

import pentathlon.pipelines
from pentathlon.models.registry import MODEL_NAMES

FOLDER = Path(pentathlon.pipelines.__file__).parent
LONGEST_BODY = 30  # statements of a node, docstring apart
# Blocks whose own parts are typed: judging passes on what every training namespace validates.
UNTYPED = {("judge", "params:training")}


def nodes_of(stages):
    return [
        pytest.param(stage, node, id=node.name)
        for stage, pipeline in stages.items()
        for node in pipeline.nodes
    ]


def pytest_generate_tests(metafunc):
    if {"stage", "node"} <= set(metafunc.fixturenames):
        from pentathlon.pipeline_registry import register_pipelines

        combined = ("__default__", "engine", "events", "from_events")
        stages = {n: p for n, p in register_pipelines().items() if n not in combined}
        metafunc.parametrize(("stage", "node"), nodes_of(stages))


def test_each_stage_is_a_package_with_its_wiring_and_its_nodes(stages):
    packages = {p.name for p in FOLDER.iterdir() if p.is_dir() and not p.name.startswith("__")}
    assert packages == set(stages)
    for name in packages:
        assert (FOLDER / name / "pipeline.py").is_file()
        assert (FOLDER / name / "nodes.py").is_file()
        module = importlib.import_module(f"pentathlon.pipelines.{name}")
        assert callable(module.create_pipeline)


def test_the_registry_has_the_stages_and_what_is_put_together_from_them(registry, stages):
    # Scoring is a night's work of its own, with the engine that a run has saved.
    beside = {"simulate_events", "intake", "moments", "scoring"}
    everything = {
        node.name
        for stage, pipeline in stages.items()
        if stage not in beside
        for node in pipeline.nodes
    }
    events = {node.name for node in registry["events"].nodes}
    assert events == {n.name for name in ("simulate_events", "intake") for n in stages[name].nodes}
    from_events = {node.name for node in registry["from_events"].nodes}
    before = {n.name for name in ("intake", "moments") for n in stages[name].nodes}
    after = {node.name for name in ("engine", "scoring") for node in registry[name].nodes}
    assert from_events == before | after
    default = {node.name for node in registry["__default__"].nodes}
    engine = {node.name for node in registry["engine"].nodes}
    assert default == everything
    assert default - engine == {node.name for node in stages["simulate"].nodes}


def test_nothing_comes_into_the_pipelines_but_the_raw_file_and_what_may_be_absent(registry):
    stores = {f"{model}_study_store" for model in MODEL_NAMES}

    def inputs(pipeline):
        return {name for name in pipeline.inputs() if not name.startswith("params:")}

    asked_by_rules = {
        *("customer_attributes", "suppression_list", "contact_history", "purchase_history")
    }
    assert inputs(registry["__default__"]) == stores | asked_by_rules
    assert inputs(registry["engine"]) == stores | asked_by_rules | {"raw_customers", "truth"}


def test_node_names_are_unique_and_snake_case(registry):
    for pipeline in registry.values():
        names = [node.name for node in pipeline.nodes]
        assert len(set(names)) == len(names)
        for name in names:
            assert re.fullmatch(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*", name), name


def test_names_of_data_are_snake_case_and_flat_where_they_are_public(stages):
    for stage, pipeline in stages.items():
        for name in pipeline.outputs():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), f"{stage}: {name}"


def test_nodes_carry_the_tag_of_their_pipeline(stage, node):
    assert stage in node.tags


def test_namespaces_are_those_of_their_pipeline(stage, node):
    assert node.namespace is None or node.namespace.split(".")[0] == stage


def test_nodes_live_beside_their_wiring_and_are_thin(stage, node):
    assert node.func.__module__ == f"pentathlon.pipelines.{stage}.nodes"
    tree = ast.parse(textwrap.dedent(inspect.getsource(node.func))).body[0]
    statements = [n for n in ast.walk(tree) if isinstance(n, ast.stmt)][1:]
    assert len(statements) - 1 <= LONGEST_BODY
    assert inspect.getdoc(node.func)


def test_nodes_touch_no_files_and_no_global_state(stage, node):
    tree = ast.parse(textwrap.dedent(inspect.getsource(node.func)))
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Global | ast.Nonlocal)]
    called = {
        n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and hasattr(n.func, "id")
    }
    assert not called & {"open", "print", "exec", "eval", "Path"}
    methods = {
        n.func.attr
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)
    }
    assert not {m for m in methods if m.startswith(("read_", "to_parquet", "to_csv", "write_"))}


def arguments(node):
    """Pairs of the names of what a node is given and the type it says that is."""
    hints = typing.get_type_hints(node.func)
    signature, inputs = inspect.signature(node.func), node._inputs
    if isinstance(inputs, dict):
        bound = signature.bind(**inputs)
    else:
        bound = signature.bind(*([inputs] if isinstance(inputs, str) else inputs))
    for argument, given in bound.arguments.items():
        names = given if isinstance(given, tuple) else [given]
        names = list(given.values()) if isinstance(given, dict) else names
        yield from ((name, hints.get(argument)) for name in names)


def models_in(hint):
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        yield hint
        for field in hint.model_fields.values():
            yield from models_in(field.annotation)
    for inner in typing.get_args(hint):
        yield from models_in(inner)


def test_nodes_are_fully_typed(stage, node):
    signature = inspect.signature(node.func)
    hints = typing.get_type_hints(node.func)
    assert "return" in hints
    assert set(signature.parameters) <= set(hints)


def test_parameters_are_typed_models_that_forbid_what_they_do_not_know(stage, node):
    for name, hint in arguments(node):
        if not name.startswith("params:") or (node.func.__name__, name) in UNTYPED:
            continue
        models = list(models_in(hint))
        assert models, f"{name} has no type"
        for model in models:
            if issubclass(model, RootModel):  # a mapping: what it holds is checked in its turn
                continue
            assert model.model_config.get("extra") == "forbid", f"{name}: {model.__name__}"


def test_each_model_trains_in_a_namespace_of_its_own(stages):
    namespaces = {node.namespace for node in stages["training"].nodes}
    assert namespaces == {f"training.{model}" for model in MODEL_NAMES}
    functions = {
        model: {node.func for node in stages["training"].nodes if model in node.tags}
        for model in MODEL_NAMES
    }
    assert len({frozenset(f) for f in functions.values()}) == 1, "one template for all models"


def test_each_model_is_configured_in_each_environment(conf, env):
    training = conf.load(env)["parameters"]["training"]
    assert set(training) == set(MODEL_NAMES)
    for name, block in training.items():
        assert block["model"] == name
        assert len(block["search_space"]) >= 3


def test_nobody_without_consent_is_mailed_where_a_retailer_has_events(registry):
    nodes = {n.name: n for n in registry["from_events"].nodes}
    for name in ("decision.screen", "scoring.score"):
        assert "unmailable_customers" in nodes[name].inputs
        assert "suppression_list" not in nodes[name].inputs
    joined = nodes["moments.list_unmailable"]
    assert joined.inputs == ["suppressed_customers", "suppression_list"]
