import hashlib
import json
import subprocess

import pytest

from pentathlon.hooks.run_manifest import RunManifestHook, _numbers


def test_every_runner_leaves_the_same_account(project):
    runners = ["SequentialRunner", "ThreadRunner", "ParallelRunner"]
    outcomes = project.run(
        *(f"--runner {runner}" for runner in runners),
        "--runner SequentialRunner --runner-params is_async=True --env other",
    )
    assert [outcome.code for outcome in outcomes] == [0, 0, 0, 0], outcomes
    for outcome in outcomes:
        assert "Report: data/" in outcome.output
        assert "completed; its record: data/" in outcome.output
    manifests = project.manifests()
    assert [manifest["runner"] for manifest in manifests] == runners
    for manifest in [*manifests, project.manifest("data/other")]:
        root = "data" if manifest in manifests else "data/other"
        assert manifest["status"] == "completed"
        assert manifest["error"] is None
        assert manifest["pipelines"] == ["__default__"]
        assert manifest["env"] == ("local" if root == "data" else "other")
        assert sorted(manifest["nodes"]["run"]) == ["clean", "count", "fit", "judge"]
        assert manifest["nodes"]["failed"] == manifest["nodes"]["skipped"] == []
        assert manifest["headline"] == {"gain": 1.0, "buyers": 3, "policy": "all"}
        assert manifest["parameters"]["fit"] == {"rate": 0.5, "tree": {"max_depth": 6}}
        assert manifest["parameters"]["limit"] == "inf"
        run_id = manifest["id"]
        written = manifest["datasets"]["written"]
        assert set(written) == {"cleaned", "model", "headline", "report"}
        assert written["model"] == {
            "version": run_id,
            "path": f"{root}/06_models/model.json/{run_id}/model.json",
        }
        assert (project.folder / written["report"]["path"]).is_file()
        assert set(manifest["datasets"]["read"]) == {"raw", "cleaned", "model"}
        assert manifest["datasets"]["read"]["raw"]["version"] is None
        assert manifest["inputs"] == {
            "raw": {
                "path": f"{root}/01_raw/raw.json",
                "sha256": hashlib.sha256(b"[1, 2, null, 3]").hexdigest(),
                "bytes": 15,
            }
        }
        assert set(manifest["timings"]["fit"]) == {"total_s", "load_s", "run_s", "save_s"}
        assert manifest["peak_rss_mib"] > 10
        assert {"kedro", "pandas", "pentathlon"} <= set(manifest["packages"])
        assert manifest["git"] == {}
    assert project.leftovers() == project.leftovers("data/other") == []


def test_a_run_elsewhere_keeps_paths_private_and_knows_its_revision(project):
    elsewhere = project.folder.parent / "elsewhere"
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "conf"], ["commit", "-qm", "x"]):
        subprocess.run(["git", *identity, *command], cwd=project.folder, check=True)
    root = f"data_root={elsewhere}"
    done = project.run(f"--params {root},fit.rate=2", f"--params {root} --only-missing-outputs")
    assert [outcome.code for outcome in done] == [0, 0]
    folder = elsewhere / "08_reporting/runs"
    first, second = (json.loads(path.read_text()) for path in sorted(folder.glob("*.json")))
    assert str(project.folder.parent) not in json.dumps(first)
    assert first["runtime_params"] == {"data_root": "{data_root}", "fit": {"rate": 2}}
    assert first["datasets"]["written"]["model"]["path"].startswith("{data_root}/06_models/")
    assert len(first["git"]["revision"]) == 40
    assert first["git"]["dirty"] is True
    assert second["filters"] == {"only_missing_outputs": True}
    assert set(second["nodes"]["skipped"]) >= {"fit", "judge"}


def test_failures_leave_a_manifest_that_names_the_node(project):
    outcomes = project.run(
        "--pipelines crash",
        "--pipelines refuse --runner ThreadRunner",
        "--pipelines load",
        "--pipelines save --runner ParallelRunner",
        "--pipelines killed --runner ParallelRunner",
    )
    assert [outcome.code for outcome in outcomes] == [1] * 5
    manifests = project.manifests()
    assert [manifest["status"] for manifest in manifests] == ["failed"] * 5
    assert [(m["error"]["type"], m["error"]["node"]) for m in manifests[:4]] == [
        ("RuntimeError", "crash"),
        ("DataError", "refuse"),
        ("DataError", "reader"),
        ("DataError", "writer"),
    ]
    assert manifests[0]["error"]["message"] == "unexpected in somewhere/file.py"
    for manifest, node in zip(manifests, ["crash", "refuse", "reader", "writer"], strict=False):
        assert manifest["nodes"]["failed"] == [node]
    # A worker that dies takes the others with it: nodes that were under way are all suspect.
    assert manifests[4]["error"]["type"] == "BrokenProcessPool"
    assert "killed" in manifests[4]["nodes"]["failed"]
    assert manifests[1]["nodes"]["run"] == ["count"]
    assert project.leftovers() == []


def test_spawned_workers_record_as_well(project):
    outcomes = project.run(
        "--runner ParallelRunner --runner-params max_workers=1", START_METHOD="spawn"
    )
    assert outcomes[0].code == 0
    manifest = project.manifest()
    assert set(manifest["timings"]) == {"clean", "count", "fit", "judge"}
    assert manifest["headline"]["gain"] == 1.0
    assert set(manifest["datasets"]["written"]) == {"cleaned", "model", "headline", "report"}


def test_a_killed_run_is_on_record_as_failed(project):
    done = project.python("-m", "kedro", "run", "--pipelines", "killed")
    assert done.returncode < 0
    manifest = project.manifest()
    assert (manifest["status"], manifest["error"]["type"]) == ("failed", "Interrupted")
    assert manifest["pipelines"] == ["killed"]


def test_a_manifest_that_cannot_be_written_stops_nothing(project):
    blocked = project.folder / "data/08_reporting/runs"
    blocked.parent.mkdir(parents=True)
    blocked.write_text("a file where the folder should be")
    done = project.python("-m", "kedro", "run")
    assert done.returncode == 0
    assert "run manifest may be incomplete" in " ".join(done.stdout.split())
    assert "Pipeline execution completed successfully" in done.stdout


def test_headline_keeps_finite_numbers_and_words():
    numpy = pytest.importorskip("numpy")
    data = {
        "a": numpy.float32(0.5),
        "b": float("nan"),
        "c": [1],
        "d": True,
        "e": "constant",
        "f": numpy.int64(2),
    }
    assert _numbers(data) == {"a": 0.5, "d": True, "e": "constant", "f": 2}
    assert _numbers([1, 2]) == {}


def test_hooks_outside_a_run_do_nothing(caplog):
    hook = RunManifestHook()
    hook.after_pipeline_run(pipeline=None, catalog=None)
    hook.on_pipeline_error(error=ValueError("x"))
    assert caplog.records == []


def test_a_hook_that_fails_warns(caplog):
    hook = RunManifestHook()
    hook.before_pipeline_run(run_params={}, pipeline=None, catalog=None)
    assert "run manifest may be incomplete: KeyError" in caplog.text


def test_what_a_fresh_run_skips_is_on_record_with_the_versions_that_hold(project):
    fresh = "--runner pentathlon.runners.FreshRunner"
    done = project.run(
        fresh, fresh, f"{fresh} --params fit.rate=2", "--explain", "--explain -n fit"
    )
    assert [outcome.code for outcome in done] == [0] * 5, done
    first, second, third = project.manifests()
    assert sorted(first["nodes"]["run"]) == ["clean", "count", "fit", "judge"]
    assert first["datasets"]["kept"] == {}
    # What `count` makes is kept in memory only.
    assert second["nodes"] == {
        "run": ["count"],
        "failed": [],
        "skipped": [n for n in first["nodes"]["run"] if n != "count"],
    }
    assert second["datasets"]["kept"] == first["datasets"]["written"]
    assert second["datasets"]["written"] == {}
    assert second["headline"] == first["headline"] == {"gain": 1.0, "buyers": 3, "policy": "all"}
    assert f"{first['id']}/report.html" in done[1].output.replace("\n", "")
    assert third["nodes"]["skipped"] == ["clean"]
    assert set(third["datasets"]["kept"]) == {"cleaned"}
    assert third["datasets"]["read"]["cleaned"]["version"] == first["id"]
    assert third["headline"]["gain"] == 4.0
    assert "run   fit: params:fit rate changed" in done[3].output
    assert "skip  clean: nothing has changed since its last success." in done[3].output
    assert done[4].output.rstrip().endswith("1 of 1 nodes run.")
