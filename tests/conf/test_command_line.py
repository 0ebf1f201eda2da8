"""What `kedro run` says to a mistake, in the project itself: before anything runs, in words."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Several commands in one process: starting Kedro takes seconds.
DRIVER = """
import json, shlex, sys
from pathlib import Path
from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI

for command in sys.argv[1:]:
    result = CliRunner().invoke(KedroCLI(Path.cwd()), ["run", *shlex.split(command)])
    outcome = {"code": result.exit_code, "output": result.output, "errors": result.stderr}
    print("OUTCOME: " + json.dumps(outcome), flush=True)
"""
COMMANDS = {
    "block": "--env test --params decision.confidnce=0.9",
    "model": "--env case --pipelines training --params training.xgboost.max_trials=3",
    "range": "--env hillstrom --pipelines engine --params evaluation.confidence=95",
    "runtime": "--env test --params data_rot=x",
    "simulate": "--env case --pipelines simulate",
    "default": "--env hillstrom",
    "pipeline": "--env test --pipelines enginee",
    "tags": "--env test --tags no_such_tag",
    "message": "--env case --pipelines engine --params messages.water.margins=0.4,raw_file={raw}",
    "file": "--env case_b --pipelines engine",
    "spark": "--env spark --pipelines scoring",
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")

    raw = root.parent / "rows.csv"
    raw.write_text("custid\n1\n")

    def rooted(command):
        command = command.format(raw=raw)
        extra = f"data_root={root}"
        return command + (f",{extra}" if "--params" in command else f" --params {extra}")

    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KEDRO", "PENTATHLON"))}
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *map(rooted, COMMANDS.values())],
        cwd=ROOT,
        env={
            **clean,
            "DO_NOT_TRACK": "1",
            "COLUMNS": "200",
            "PYTHONPATH": str(ROOT / "src"),
            "JAVA_HOME": str(root / "no Java here"),
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = [line[9:] for line in done.stdout.splitlines() if line.startswith("OUTCOME: ")]
    assert len(lines) == len(COMMANDS), done.stdout + done.stderr
    return {name: json.loads(line) for name, line in zip(COMMANDS, lines, strict=True)} | {
        "root": root
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_a_mistake_ends_with_a_message_and_no_traceback(outcomes, name):
    outcome = outcomes[name]
    assert outcome["code"] == 1
    assert outcome["errors"].startswith("Error: ")
    assert "Traceback" not in outcome["output"]


def test_nothing_has_run_when_a_parameter_is_wrong(outcomes):
    for name in ("block", "model", "range", "runtime", "message", "spark"):
        assert "Running node" not in outcomes[name]["output"]
    assert not list(outcomes["root"].rglob("*.parquet"))


def test_messages_say_what_is_wrong_and_what_to_do(outcomes):
    assert outcomes["block"]["errors"] == (
        "Error: Wrong parameters:\n"
        "  - decision.confidnce: not a parameter (given 0.9). Did you mean 'confidence'?\n"
    )
    assert "training.xgboost.max_trials: not a parameter" in outcomes["model"]["errors"]
    assert "evaluation.confidence: given 95" in outcomes["range"]["errors"]
    assert "Did you mean 'data_root'?" in outcomes["runtime"]["errors"]
    for name in ("simulate", "default"):
        assert "does not simulate" in outcomes[name]["errors"]
        assert "--pipelines engine" in outcomes[name]["errors"]
    assert "enginee" in outcomes["pipeline"]["errors"]
    assert outcomes["message"]["errors"] == (
        "Error: Wrong parameters:\n"
        "  - messages.water.margins: not a parameter (given 0.4). Did you mean 'margin'?\n"
    )
    assert "pentathlon_nptb.parquet" in outcomes["file"]["errors"]
    assert re.fullmatch(
        r"Error: Spark is asked for and (pyspark is not installed|there is no Java); .+\.\n",
        outcomes["spark"]["errors"],
    )
