"""Every command of the pages is run as it is typed, on a copy of the project with tiny models."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS = ("kedro run", "python -m pentathlon")

# All in one process: starting Kedro and importing the libraries takes seconds each time.
DRIVER = """
import json, shlex, sys
from pathlib import Path
from click.testing import CliRunner

if __name__ == "__main__":
    from kedro.framework.cli.cli import KedroCLI
    from pentathlon.cli import cli

    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        words = shlex.split(line)
        if words[0] == "kedro":
            result = CliRunner().invoke(KedroCLI(Path.cwd()), words[1:])
        elif words[3:4] == ["run"]:
            result = CliRunner().invoke(KedroCLI(Path.cwd()), words[3:])
        else:
            result = CliRunner().invoke(cli, words[3:], input="y\\n")
        outcome = {"line": line, "code": result.exit_code, "output": result.output[-4000:],
                   "errors": result.stderr[-4000:], "exception": repr(result.exception)}
        print("OUTCOME: " + json.dumps(outcome), flush=True)
"""

# Pages that tests/end_to_end/test_how_to.py follows step by step.
FOLLOWED = {
    *("add-a-feature", "add-a-model", "add-a-rule", "change-a-margin"),
    *("explain-a-decision", "trace-a-number"),
}
ROWS = 6_000

# What a page cannot know is filled in, and sizes are made small.
TYPED = {
    "simulation.rows=300000": f"simulation.rows={ROWS}",
    "2026-01-31T09.30.00.000Z": "{version}",
    "--customer ID": "--customer {customer}",
    "--customer U123": "--customer {person}",
}
NOT_HERE = {
    "--env spark": "needs Spark: tests/conf/test_spark.py and tests/scoring/test_spark.py run it",
    "--params randomness.device=cuda": "needs a GPU: tests/models/test_device.py",
}
# Runs of other tests, with the same pipelines and environment.
ELSEWHERE = {
    "--pipelines engine --env case_b": "test_files_of_users.py",
    "--pipelines engine --env hillstrom": "conftest.py",
    "--pipelines from_events --env events": "test_features_from_events.py",
}
ALONE = "--runner ParallelRunner"
FIXED = {
    "logistic_regression": {"C": 0.1},
    "random_forest": {"n_estimators": 10},
    "xgboost": {"n_estimators": 15},
    "neural_network": {"units": 8, "layers": 1, "epochs": 2, "batch_size": 16_384},
}
BOOKSHOP = ROOT / "docs" / "how-to" / "own-data.md"


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^([ ]*)```{language}\n(.*?)^\1```", text, flags=re.M | re.S)
    return [textwrap.dedent(body) for _, body in found]


def commands() -> list[str]:
    """Each command once, in the order of the pages; other retailers come last, then erasing."""
    found = [
        line.split(" #")[0].strip()
        for page in PAGES
        if page.stem not in FOLLOWED
        for language in ("bash", "text")
        for body in blocks(page, language)
        for line in body.splitlines()
    ]
    found = [line for line in dict.fromkeys(found) if line.startswith(COMMANDS)]
    return sorted(found, key=lambda line: ("erase" in line, "--env" in line))


def here(line: str) -> bool:
    return not any(part in line for part in (*NOT_HERE, *ELSEWHERE))


def shrink(conf: Path, env: str) -> None:
    """Give an environment models that fit in a second each, and base's retailer few customers."""
    for name in ("training", "order_value"):
        file = f"parameters_{name}.yml"
        settings = yaml.safe_load((ROOT / "conf/test" / file).read_text(encoding="utf-8"))
        for model, fixed in FIXED.items():
            if name == "training":
                settings["training"][model]["fixed"] = fixed
        (conf / env / file).write_text(yaml.safe_dump(settings), encoding="utf-8")
    if env == "local":
        path = conf / env / "parameters_simulate.yml"
        settings = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings["simulation"]["rows"] = ROWS
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")


class Project:
    """A copy of the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("src", "conf"):
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "driver.py").write_text(DRIVER, encoding="utf-8")

    def execute(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=os.environ | {"DO_NOT_TRACK": "1", "PYTHONPATH": str(self.folder / "src")},
            check=False,
            capture_output=True,
            text=True,
        )

    def run(self, lines: list[str]) -> dict[str, dict]:
        """Outcome of each line."""
        (self.folder / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
        done = self.execute("driver.py", "lines.txt")
        outcomes = [
            json.loads(line.removeprefix("OUTCOME: "))
            for line in done.stdout.splitlines()
            if line.startswith("OUTCOME: ")
        ]
        assert len(outcomes) == len(lines), done.stdout[-3000:] + done.stderr[-3000:]
        return {outcome["line"]: outcome for outcome in outcomes}

    def alone(self, line: str) -> dict:
        """Outcome of a line in a process of its own: its workers are forked from that."""
        done = self.execute("-m", *shlex.split(line))
        return {
            "code": done.returncode,
            "output": done.stdout,
            "errors": done.stderr,
            "exception": "",
        }

    def newest(self, pattern: str) -> Path:
        return max(self.folder.glob(pattern))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project after a first run, with the files that the pages speak of."""
    project = Project(tmp_path_factory.mktemp("project"))
    folder = project.folder
    (folder / "conf/bookshop").mkdir()
    for path in (ROOT / "conf/test").glob("parameters*.yml"):
        shutil.copy(path, folder / "conf/local" / path.name)
    for env in ("local", "test", "case", "bookshop"):
        shrink(folder / "conf", env)
    # The bookshop of "Use your own data": its settings, and the file that the page makes.
    for body in blocks(BOOKSHOP, "yaml"):
        (folder / re.match(r"# (\S+)\n", body)[1]).write_text(body, encoding="utf-8")  # type: ignore[index]
    made = project.execute("-c", blocks(BOOKSHOP, "python")[0])
    assert made.returncode == 0, made.stderr
    first = project.run(["kedro run", "kedro run --pipelines events"])
    assert [outcome["code"] for outcome in first.values()] == [0, 0], first
    # A retailer's file, tables and report, under the names that the pages give them.
    given = folder / "path/to"
    given.mkdir(parents=True)
    raw = pd.read_parquet(project.newest("data/01_raw/simulated/customers.parquet"))
    for name in ("file.csv", "pentathlon_nptb.csv"):
        raw.to_csv(given / name, index=False)
    (folder / "data/case/01_raw").mkdir(parents=True)
    raw.to_parquet(folder / "data/case/01_raw/pentathlon_nptb.parquet")
    raw.to_pickle(folder / "pentathlon_nptb.pkl")
    (given / "folder").symlink_to(folder / "data/01_raw/simulated/events")
    shutil.copy(project.newest("data/08_reporting/report.html/*/report.html"), given)
    ids = pd.read_parquet(project.newest("data/*/decisions.parquet/*/*.parquet"))["customer_id"]
    addresses = pd.DataFrame({"customer_id": ids, "email": ids + "@example.org"})
    addresses.to_csv(folder / "addresses.csv", index=False)
    # What is scored day by day: a folder of partitions.
    (folder / "data/01_raw/customers_to_score").mkdir()
    customers = pd.read_parquet(project.newest("data/03_primary/customers.parquet/*/*.parquet"))
    customers.to_parquet(folder / "data/01_raw/customers_to_score/part.parquet")
    return project


@pytest.fixture(scope="module")
def outcomes(project: Project) -> dict[str, dict]:
    decisions = project.newest("data/*/decisions.parquet/*/*.parquet")
    people = next((project.folder / "data/01_raw/simulated/events/customers").rglob("*.parquet"))
    fill = {
        "version": project.newest("data/*/fused_scores.parquet/*").name,
        "customer": pd.read_parquet(decisions)["customer_id"].iloc[0],
        "person": pd.read_parquet(people)["customer_id"].iloc[0],
    }
    typed = {}
    for line in filter(here, commands()):
        filled = line
        for written, meant in TYPED.items():
            filled = filled.replace(written, meant.format(**fill))
        typed[line] = filled
    together = [line for line in dict.fromkeys(typed.values()) if ALONE not in line]
    found = project.run(together)
    found |= {line: project.alone(line) for line in typed.values() if ALONE in line}
    return {line: found[filled] for line, filled in typed.items()}


@pytest.mark.parametrize("line", commands())
def test_commands_run(line: str, request: pytest.FixtureRequest) -> None:
    for part, why in NOT_HERE.items():
        if part in line:
            pytest.skip(f"NOT RUN HERE: {why}")
    for part, test in ELSEWHERE.items():
        if part in line:
            options = re.findall(r"--(\w+ \w+)", part)
            ran = (Path(__file__).parent / test).read_text(encoding="utf-8")
            assert all(f"--{option}" in ran for option in options)
            return
    outcome = request.getfixturevalue("outcomes")[line]
    assert outcome["code"] == 0, outcome["exception"] + outcome["output"] + outcome["errors"]


@pytest.mark.parametrize(
    "page", ["campaign-limits", "case-file", "score-millions", "select-features"]
)
def test_python_runs(page: str, project: Project, outcomes: dict[str, dict]) -> None:
    """After the commands of the pages, which make what it reads."""
    for source in blocks(ROOT / "docs/how-to" / f"{page}.md", "python"):
        done = project.execute("-W", "error::FutureWarning", "-c", source)
        assert done.returncode == 0, done.stderr
