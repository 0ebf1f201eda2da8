"""Whole runs of the `test` environment, shared by the tests that look at them."""

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog

from pentathlon.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

ROOT = Path(__file__).parents[2]
# Models that fit in a second each.
TINY = ",".join(
    [
        "training.logistic_regression.fixed.C=0.1",
        "training.random_forest.fixed.n_estimators=10",
        "training.xgboost.fixed.n_estimators=15",
        "training.neural_network.fixed.units=8",
        "training.neural_network.fixed.layers=1",
        "training.neural_network.fixed.epochs=2",
        "training.neural_network.fixed.batch_size=16384",
        "order_value.n_trials=1",
        "order_value.candidates.xgboost.n_estimators.high=40",
        "randomness.threads=1",
    ]
)
# Several commands in one process: starting Kedro and importing the libraries takes seconds.
DRIVER = """
__file__ = "driver"  # pyspark, where it is, ends processes without one: it takes them for doctests
import json, shlex, sys
from pathlib import Path
from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI

for command in sys.argv[1:]:
    result = CliRunner().invoke(KedroCLI(Path.cwd()), ["run", *shlex.split(command)])
    outcome = {"code": result.exit_code, "output": result.output, "errors": result.stderr,
               "exception": repr(result.exception)}
    print("OUTCOME: " + json.dumps(outcome), flush=True)
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.end_to_end)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    output: str
    errors: str
    exception: str = "None"
    seconds: float = 0.0

    def checked(self) -> "Outcome":
        assert self.code == 0, f"{self.exception}\n{self.output[-4000:]}\n{self.errors[-4000:]}"
        return self


@dataclass(frozen=True)
class Results:
    """A data root, read through the catalog of its environment."""

    root: Path
    env: str = "test"

    @property
    def catalog(self) -> DataCatalog:
        loader = CONFIG_LOADER_CLASS(
            conf_source=str(ROOT / "conf"),
            env=self.env,
            runtime_params={"data_root": str(self.root)},
            **CONFIG_LOADER_ARGS,
        )
        return DataCatalog.from_config(loader["catalog"])

    def load(self, name: str) -> Any:
        return self.catalog.load(name)

    def manifests(self) -> list[dict[str, Any]]:
        paths = sorted((self.root / "08_reporting/runs").glob("*.json"))
        return [json.loads(path.read_text(encoding="utf-8")) for path in paths]

    def copy(self, root: Path) -> "Results":
        shutil.copytree(self.root, root)
        return Results(root, self.env)

    def path(self, name: str) -> Path:
        """Where the newest version of a dataset lies."""
        return Path(str(self.catalog[name]._get_load_path()))


def environment(compiled: Path | None = None) -> dict[str, str]:
    """The variables that commands are given.

    With a folder, what JAX compiles for the network of one fit is kept there and serves the
    others, also those of later commands: a third of a run's time, where time is not tested.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("KEDRO", "PENTATHLON"))}
    fixed = {"DO_NOT_TRACK": "1", "COLUMNS": "200", "PYTHONPATH": str(ROOT / "src")}
    if compiled is None:
        return clean | fixed
    return (
        clean
        | fixed
        | {
            "JAX_COMPILATION_CACHE_DIR": str(compiled),
            "JAX_PERSISTENT_COMPILATION_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_COMPILATION_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    )


def execute(arguments: list[str], compiled: Path | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment(compiled),
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def kedro_runs(compiled: Path, *commands: str) -> list[Outcome]:
    """Run several commands, one after the other, in one process."""
    done = execute(["-c", DRIVER, *commands], compiled)
    lines = [line[9:] for line in done.stdout.splitlines() if line.startswith("OUTCOME: ")]
    assert len(lines) == len(commands), done.stdout[-4000:] + done.stderr[-4000:]
    return [Outcome(**json.loads(line)) for line in lines]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("compiled")


@pytest.fixture(scope="session")
def run_all(compiled: Path) -> Any:
    return partial(kedro_runs, compiled)


@pytest.fixture(scope="session")
def make_results() -> type[Results]:
    return Results


@dataclass(frozen=True)
class Finished(Results):
    """A run that has ended."""

    outcome: Outcome | None = None


def finish(root: Path, *arguments: str, compiled: Path | None = None) -> Finished:
    """Run the whole pipeline from the command line, as a user does."""
    params = f"data_root={root},randomness.threads=1"
    started = time.perf_counter()
    command = ["-m", "kedro", "run", "--env", "test", *arguments, "--params", params]
    done = execute(command, compiled)
    seconds = time.perf_counter() - started
    outcome = Outcome(done.returncode, done.stdout, done.stderr, seconds=seconds)
    return Finished(root, "test", outcome)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The whole pipeline under the default runner. Look, do not touch."""
    return finish(tmp_path_factory.mktemp("one") / "data")


@pytest.fixture(scope="session")
def parallel(tmp_path_factory: pytest.TempPathFactory, compiled: Path) -> Finished:
    """The same again under `ParallelRunner`, whose workers must not use many threads each."""
    root = tmp_path_factory.mktemp("three") / "data"
    return finish(root, "--runner", "ParallelRunner", compiled=compiled)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with Hillstrom's file: PENTATHLON_SHARED, or `shared` beside the repository."""
    folder = Path(os.environ.get("PENTATHLON_SHARED", ROOT.parent / "shared"))
    if not (folder / "data/hillstrom.csv.gz").is_file():
        pytest.skip(
            f"NOT TESTED ON REAL DATA: {folder}/data/hillstrom.csv.gz is not there. Fetch the file "
            "(see the how-to on Hillstrom's experiment) and set PENTATHLON_SHARED."
        )
    return folder


@pytest.fixture(scope="session")
def tiny() -> str:
    """Parameters of a run whose models fit in a second each."""
    return TINY


@pytest.fixture(scope="session")
def hillstrom(
    shared: Path, tmp_path_factory: pytest.TempPathFactory, run_all: Any
) -> tuple[Results, Results]:
    """All of Hillstrom's file through data_processing; buyers and a sample through the rest."""
    everyone, sample = (tmp_path_factory.mktemp(name) for name in ("everyone", "sample"))
    raw = pd.read_csv(shared / "data/hillstrom.csv.gz")
    buyers = raw[raw["conversion"] == 1]
    others = raw[raw["conversion"] == 0].sample(6_000 - len(buyers), random_state=1)
    drawn = pd.concat([buyers, others]).sample(frac=1, random_state=1)
    drawn.to_csv(sample / "hillstrom.csv", index=False)
    commands = [
        "--env hillstrom --pipelines data_processing "
        f"--params data_root={everyone},raw_file={shared / 'data/hillstrom.csv.gz'}",
        f"--env hillstrom --pipelines engine --params data_root={sample},"
        f"raw_file={sample / 'hillstrom.csv'},data_processing.n_folds=4,{TINY}",
    ]
    done = run_all(*commands)
    for outcome in done:
        outcome.checked()
    return Results(everyone, "hillstrom"), Results(sample, "hillstrom")
