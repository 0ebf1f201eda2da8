"""The project itself under FreshRunner: what is unchanged is skipped, and found by all."""

import json

FRESH = "--env test --runner pentathlon.runners.FreshRunner --to-outputs design_builder"


def test_unchanged_parts_of_the_project_are_skipped(run_all, make_results, tmp_path):
    root = tmp_path / "data"
    place = f"--params data_root={root}"
    chain = ["simulate", "process_file", "engineer_features", "fit_design"]
    outcomes = run_all(
        f"{FRESH} {place}",
        f"{FRESH} {place}",
        f"{FRESH} {place},features.log=[income]",
        f"{FRESH} --explain {place}",
        f"--env test --explain --pipelines enginee {place}",
    )
    for outcome in outcomes[:4]:
        outcome.checked()
    results = make_results(root)
    first, second, third = results.manifests()
    assert first["nodes"]["run"] == chain
    assert second["nodes"]["run"] == []
    assert second["datasets"]["kept"] == {
        name: {**entry, "version": entry["version"] and first["id"]}
        for name, entry in first["datasets"]["written"].items()
    }
    # Data processing is told the features, too: columns that it must check.
    assert third["nodes"]["run"] == chain[1:]
    assert results.path("design_builder").parent.name == third["id"]
    assert "4 of 4 nodes run" not in outcomes[3].output
    assert "run   process_file: params:features" in outcomes[3].output
    assert "skip  simulate: nothing has changed" in outcomes[3].output
    assert (outcomes[4].code, outcomes[4].errors[:5]) == (1, "Error")
    assert "enginee" in outcomes[4].errors
    assert len(results.manifests()) == 3, "explaining leaves no record of a run"
    assert str(tmp_path) not in json.dumps(second)


def test_more_trials_of_one_model_rerun_that_model_alone(run_all, make_results, tmp_path):
    root = tmp_path / "data"
    fresh = (
        "--env test --runner pentathlon.runners.FreshRunner "
        f"--to-outputs xgboost_scores,logistic_regression_scores --params data_root={root}"
    )
    outcomes = run_all(fresh, f"{fresh},training.xgboost.n_trials=3", fresh)
    for outcome in outcomes:
        outcome.checked()
    first, more, back = make_results(root).manifests()
    of_both = {name.split(".")[1] for name in first["nodes"]["run"] if "training." in name}
    assert of_both == {"xgboost", "logistic_regression"}
    assert more["nodes"]["run"]
    assert all(name.startswith("training.xgboost.") for name in more["nodes"]["run"])
    # As many trials as at first are another parameter again, whatever the study has by now.
    assert all(name.startswith("training.xgboost.") for name in back["nodes"]["run"])
