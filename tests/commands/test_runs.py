import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from pentathlon.commands.manifests import compare, default_roots, find_runs, pick
from pentathlon.commands.runs import runs


def manifest(number: int, **facts) -> dict:
    run_id = f"2026-01-0{number}T10.00.00.000Z"
    return {
        "id": run_id,
        "started_at": f"2026-01-0{number}T10:00:00+00:00",
        "duration_s": 61.2 * number,
        "status": "completed",
        "error": None,
        "env": "base",
        "pipelines": ["__default__"],
        "runner": "SequentialRunner",
        "git": {"revision": "0123456789abcdef", "dirty": number == 2},
        "parameters": {"fit": {"rate": 0.1 * number, "seed": 7}, "messages": ["a", "b"]},
        "packages": {"kedro": "1.7.0"},
        "machine": {"python": "3.11.7", "platform": "Linux-x86_64"},
        "runtime_params": {"fit": {"rate": 0.1}},
        "inputs": {"raw": {"path": "data/raw", "sha256": "ab" * 32, "bytes": 3}},
        "datasets": {
            "read": {"split": {"version": f"v{number}", "path": "p"}},
            "written": {"model": {"version": run_id, "path": "p"}},
        },
        "nodes": {"run": ["x", "y"], "failed": [], "skipped": ["z"]},
        "timings": {"x": {"total_s": 3.0}, "y": {"total_s": 8.0}},
        "headline": {"gain": 0.5 * number, "buyers": 1200 * number, "policy": "all"},
        **facts,
    }


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data/08_reporting/runs"
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        facts: dict = {}
        if number == 3:
            error = {"type": "DataError", "message": "Column x is missing.", "node": "clean"}
            facts = {"status": "failed", "error": error, "headline": {}}
        entry = manifest(number, **facts)
        (folder / f"{entry['id']}.json").write_text(json.dumps(entry))
    return tmp_path / "data"


def invoke(root: Path, *arguments: str):
    return CliRunner().invoke(runs, ["--data-root", str(root), *arguments])


def test_table_lists_the_newest_run_first(root):
    result = invoke(root)
    assert result.exit_code == 0
    heading, *lines = result.output.splitlines()
    assert " ".join(heading.split()) == "id when (UTC) env pipelines took status git headline"
    assert [line[:10] for line in lines] == ["2026-01-03", "2026-01-02", "2026-01-01"]
    assert "3m04s  failed" in lines[0]
    assert "completed  01234567+  gain=1  buyers=2,400  policy=all" in lines[1]
    assert "older runs" in invoke(root, "-n", "1").output


def test_json_and_limit(root):
    listed = json.loads(invoke(root, "--json", "--limit", "2").output)
    assert [run["headline"].get("gain") for run in listed] == [None, 1.0]


@pytest.mark.parametrize("name", ["latest", "2026-01-03T10.00.00.000Z", "2026-01-03"])
def test_one_run_in_detail(root, name):
    result = invoke(root, name)
    assert result.exit_code == 0
    assert "DataError in clean: Column x is missing." in result.output
    assert "Nodes: 2 run, 0 failed, 1 skipped" in result.output
    assert result.output.index("  y  8.0s") < result.output.index("  x  3.0s")


@pytest.mark.parametrize(
    "arguments", [("2026-01-01", "2026-01-02"), ("--compare", "2026-01-01", "previous")]
)
def test_comparison_shows_what_differs(root, arguments):
    shown = [" ".join(line.split()) for line in invoke(root, *arguments).output.splitlines()]
    assert "gain 0.5 1 +0.5" in shown
    assert "buyers 1,200 2,400 +1,200" in shown
    assert "policy all all -" in shown
    assert "fit.rate 0.1 0.2" in shown
    assert "split v1 v2" in shown
    assert "git 01234567 01234567+" in shown
    assert not any(line.startswith(("fit.seed", "model", "kedro", "raw")) for line in shown)


def test_comparison_of_three_runs_as_json(root):
    result = json.loads(invoke(root, "2026-01-01", "previous", "latest", "--json").output)
    assert result["headline"]["gain"] == {"values": [0.5, 1.0, None], "differences": [0.5, None]}
    assert result["parameters"]["fit.rate"][:2] == [0.1, 0.2]
    assert result["datasets"] == {"split": ["v1", "v2", "v3"]}
    assert result["facts"]["status"] == ["completed", "completed", "failed"]


def test_equal_runs_differ_in_nothing():
    result = compare([manifest(1), manifest(1)])
    assert not any(result[key] for key in ("facts", "parameters", "packages", "inputs"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("1999", "No run has the id '1999'. The newest is 2026-01-03T10.00.00.000Z."),
        ("2026", "'2026' could be any of 3 runs"),
    ],
)
def test_unknown_and_ambiguous_ids_exit_with_2(root, name, message):
    result = invoke(root, name)
    assert result.exit_code == 2
    assert f"Error: {message}" in result.output


def test_no_runs(tmp_path):
    assert invoke(tmp_path).output == "No runs yet.\n"
    assert "There is no latest run" in invoke(tmp_path, "latest").output
    assert "There is no previous run: 1 found." in str(_refused([manifest(1)], "previous"))


def _refused(found: list[dict], name: str) -> Exception:
    with pytest.raises(Exception, match="run") as caught:
        pick(found, name)
    return caught.value


def test_broken_manifests_are_skipped_with_a_warning(root):
    (root / "08_reporting/runs/odd.json").write_text("{")
    result = invoke(root)
    assert result.exit_code == 0
    assert "odd.json: not a run manifest" in result.output
    assert "2026-01-01" in result.output


def test_a_run_whose_process_lives_is_running(root):
    parts = root / "08_reporting/runs/.parts/2026-01-03T10.00.00.000Z"
    parts.mkdir(parents=True)
    (parts / "owner.pid").write_text(str(os.getpid()))
    assert find_runs([root])[0]["status"] == "running"
    (parts / "owner.pid").write_text("99999999")
    assert find_runs([root])[0]["status"] == "failed"


def test_default_roots_are_data_and_its_folders_with_runs(root):
    project = root.parent
    (project / "pyproject.toml").touch()
    (root / "case/08_reporting/runs").mkdir(parents=True)
    (root / "01_raw").mkdir()
    (project / "notebooks").mkdir()
    assert default_roots(project / "notebooks") == [root, root / "case"]


def test_a_file_tells_which_run_wrote_it_wherever_it_lies_now(root, tmp_path):
    for number in (1, 2):
        run_id = f"2026-01-0{number}T10.00.00.000Z"
        report = root / "08_reporting/report.html" / run_id / "report.html"
        report.parent.mkdir(parents=True)
        report.write_text(f"<p>{number}</p>")
        path = root / "08_reporting/runs" / f"{run_id}.json"
        entry = json.loads(path.read_text())
        shown = f"{{data_root}}/08_reporting/report.html/{run_id}/report.html"
        entry["datasets"]["written"]["report"] = {"version": run_id, "path": shown}
        path.write_text(json.dumps(entry))
    forwarded = tmp_path / "for the board.html"
    forwarded.write_text("<p>1</p>")
    found = invoke(root, "--of", str(forwarded), "--json")
    assert json.loads(found.output)["id"] == "2026-01-01T10.00.00.000Z"
    forwarded.write_text("<p>3</p>")  # as long as the others
    unknown = invoke(root, "--of", str(forwarded))
    assert unknown.exit_code == 2
    assert "wrote what is in" in unknown.output
    assert "Name other places with --data-root" in unknown.output
    assert "There is no file" in invoke(root, "--of", str(tmp_path / "gone.html")).output
