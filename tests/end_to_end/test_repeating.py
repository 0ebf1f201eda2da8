"""Same inputs, parameters and seed: the same numbers, twice, on both runners.

The two runs share nothing but the command: equal results in two processes under two runners are
equal results in two runs, too.
"""

import json

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from pentathlon.pipeline_registry import register_pipelines

CLOCKS = ["seconds"]  # how long a trial took is not a number of the model


def results():
    """Names of all tables and mappings that a run makes."""
    made = register_pipelines()["__default__"].all_outputs()
    artifacts = ("_model", "decision_engine", "design_builder", "report")
    return sorted(name for name in made if not name.endswith(artifacts))


def same(first, second, name):
    one, other = first.load(name), second.load(name)
    if isinstance(one, pd.DataFrame):
        one, other = (t.drop(columns=CLOCKS, errors="ignore") for t in (one, other))
        assert_frame_equal(one, other, check_exact=True)
    elif hasattr(one, "to_json"):
        assert one.to_json() == other.to_json()
    else:
        assert json.dumps(one) == json.dumps(other)


@pytest.mark.parametrize("name", results())
def test_a_second_run_on_the_other_runner_gives_the_same(finished, parallel, name):
    parallel.outcome.checked()
    same(finished, parallel, name)


@pytest.mark.parametrize("name", ["observations", "customers", "model_input", "fused_scores",
                                  "policy_scores", "judged", "decisions"])  # fmt: skip
def test_tables_are_the_same_byte_by_byte(finished, parallel, name):
    assert parallel.path(name).read_bytes() == finished.path(name).read_bytes()


def test_engines_decide_the_same(finished, parallel):
    customers = finished.load("customers").head(500)
    one, other = (run.load("decision_engine").decide(customers) for run in (finished, parallel))
    assert_frame_equal(one, other, check_exact=True)


def test_both_runners_leave_a_manifest_of_the_same_nodes(finished, parallel):
    (one,), (other,) = finished.manifests(), parallel.manifests()
    assert set(one["nodes"]["run"]) == set(other["nodes"]["run"])
    assert other["status"] == "completed"
    assert one["headline"] == other["headline"]
    assert set(one["datasets"]["written"]) == set(other["datasets"]["written"])
