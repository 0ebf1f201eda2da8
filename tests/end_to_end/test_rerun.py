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
