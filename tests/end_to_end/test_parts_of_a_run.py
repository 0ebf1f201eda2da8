"""Experiments: parts of a finished run repeated, resumed, extended."""

import pytest
from pandas.testing import assert_frame_equal

from pentathlon.models.registry import MODEL_NAMES

ONE_THREAD = "randomness.threads=1"
COMMANDS = {
    "resume": "--only-missing-outputs",
    "pipelines": "--pipelines decision",
    "from_nodes": "--from-nodes evaluation.evaluate_policies",
    "tags": "--tags reporting",
    "reuse": "--namespaces training.xgboost",
    "more": "--namespaces training.xgboost --params training.xgboost.n_trials=3",
    "fixed": "--namespaces training.xgboost --params training.xgboost.fixed.n_estimators=7",
    "confidence": "--pipelines decision --params decision.confidence=0.55",
    "nothing": "--only-missing-outputs",
}
REMOVED = ("decisions", "fused_scores")


@pytest.fixture(scope="module")
def parts(finished, tmp_path_factory, run_all):
    """A copy of the finished run, from which two results were lost, and what was then done."""
    finished.outcome.checked()
    results = finished.copy(tmp_path_factory.mktemp("parts") / "data")
    for name in REMOVED:
        results.path(name).unlink()

    def full(command):
        extra = f"data_root={results.root},{ONE_THREAD}"
        joint = "," if "--params" in command else " --params "
        return f"--env test {command}{joint}{extra}"

    outcomes = run_all(*map(full, COMMANDS.values()))
    for outcome in outcomes:
        outcome.checked()
    manifests = results.manifests()[1:]
    done = [set(m["nodes"]["run"]) for m in manifests]
    assert len(done) == len(COMMANDS)
    return (
        results,
        dict(zip(COMMANDS, done, strict=True)),
        dict(zip(COMMANDS, manifests, strict=True)),
    )


def test_a_run_that_lost_results_makes_only_those(parts, finished):
    results, done, _ = parts
    # What was lost is made anew; what only passed through them is still there.
    assert done["resume"] == {"fusion.fuse", "decision.decide"}
    assert_frame_equal(results.load("fused_scores"), finished.load("fused_scores"))
    assert done["nothing"] == set()


def test_a_pipeline_alone(parts):
    assert parts[1]["pipelines"] == {
        "decision.choose_policy",
        "decision.assemble_engine",
        "decision.screen",
        "decision.decide",
        "decision.plan_month",
        "decision.explain",
    }


def test_from_a_node_on(parts):
    assert parts[1]["from_nodes"] == {
        "evaluation.evaluate_policies",
        "evaluation.summarise",
        "reporting.draw_policies",
        "reporting.write_report",
    }


def test_a_tag(parts):
    names = {"draw_policies", "draw_models", "draw_fitting", "write_report"}
    assert parts[1]["tags"] == {f"reporting.{name}" for name in names}


def test_a_namespace(parts):
    nodes = {"tune", "select", "cross_fit", "fit_final_model", "collect_scores"}
    assert parts[1]["reuse"] == {f"training.xgboost.{name}" for name in nodes}


@pytest.fixture
def trials(parts):
    results, _, manifests = parts

    def load(command):
        from pathlib import Path

        import pandas as pd

        version = manifests[command]["id"]
        name = "xgboost_trials.parquet"
        return pd.read_parquet(Path(results.root) / "06_models" / name / version / name)

    return load


def test_a_finished_study_is_reused_as_it_is(finished, trials):
    # The seconds that the trials took are those of the first run: none was repeated.
    assert_frame_equal(trials("reuse"), finished.load("xgboost_trials"), check_exact=True)


def test_asking_for_more_trials_adds_only_those(finished, trials):
    more = trials("more")
    assert len(more) == 3
    assert_frame_equal(more.head(2), finished.load("xgboost_trials"), check_exact=True)


def test_fixed_hyper_parameters_skip_tuning(trials):
    fixed = trials("fixed")
    assert fixed["state"].tolist() == ["FIXED"]
    assert fixed["n_estimators"].tolist() == [7]


def test_the_manifest_says_what_was_changed(parts):
    manifests = parts[2]
    assert manifests["confidence"]["parameters"]["decision"]["confidence"] == 0.55
    assert manifests["more"]["parameters"]["training"]["xgboost"]["n_trials"] == 3
    for model in MODEL_NAMES[:2]:
        assert manifests["more"]["parameters"]["training"][model]["n_trials"] == 2


def test_the_other_parameters_stay_as_they_were(parts):
    confidence, whole = (parts[2][name]["parameters"] for name in ("confidence", "pipelines"))
    assert confidence["training"] == whole["training"]
    assert confidence["decision"] == {**whole["decision"], "confidence": 0.55}
