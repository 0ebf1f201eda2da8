"""A small Kedro project with our hooks, context and commands, run as a user would run it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

SOURCE = Path(__file__).parents[2] / "src"

FILES = {
    "pyproject.toml": """
        [tool.kedro]
        package_name = "shop"
        project_name = "Shop"
        kedro_init_version = "1.7.0"
        """,
    ".telemetry": "consent: false\n",
    "src/shop/__init__.py": "",
    "src/shop/cli.py": "from pentathlon.cli import cli\n",
    "src/shop/settings.py": """
        import multiprocessing
        import os

        from pentathlon.settings import CONFIG_LOADER_ARGS, CONTEXT_CLASS, HOOKS

        if "START_METHOD" in os.environ:
            multiprocessing.set_start_method(os.environ["START_METHOD"], force=True)
        """,
    "src/shop/nodes.py": """
        import os
        import signal

        from pydantic import BaseModel, ConfigDict, Field

        from pentathlon.errors import DataError


        class Tree(BaseModel):
            model_config = ConfigDict(extra="forbid")
            max_depth: int = Field(6, ge=1)


        class Fit(BaseModel):
            model_config = ConfigDict(extra="forbid")
            rate: float = Field(gt=0)
            tree: Tree = Tree()


        def clean(raw):
            return [x for x in raw if x is not None]


        def count(raw):
            return {"rows": len(raw)}


        def fit(cleaned, fit: Fit):
            return {"mean": sum(cleaned) / len(cleaned) * fit.rate}


        def judge(model):
            return {"gain": model["mean"], "buyers": 3, "policy": "all"}, "<h1>Report</h1>"


        def refuse(raw):
            try:
                raw["customer_id"]
            except TypeError as error:
                raise DataError("Column customer_id is missing in raw.json.") from error


        def crash(raw):
            raise RuntimeError(f"unexpected in {os.getcwd()}/somewhere/file.py")


        def killed(raw):
            os.kill(os.getpid(), signal.SIGKILL)


        def passed(data):
            return data
        """,
    "src/shop/datasets.py": """
        from kedro.io import AbstractDataset

        from pentathlon.errors import DataError


        class Unreadable(AbstractDataset):
            def __init__(self, filepath, metadata=None):
                self._filepath = filepath

            def load(self):
                raise DataError("Row 7 of the file has 3 fields, expected 5.")

            def save(self, data):
                raise DataError("The disk is full.")

            def _describe(self):
                return {}
        """,
    "src/shop/pipeline_registry.py": """
        from kedro.pipeline import node, pipeline

        from shop import nodes


        def register_pipelines():
            main = pipeline(
                [
                    node(nodes.clean, "raw", "cleaned", name="clean"),
                    node(nodes.count, "raw", "counts", name="count"),
                    node(nodes.fit, ["cleaned", "params:fit"], "model", name="fit"),
                    node(nodes.judge, "model", ["headline", "report"], name="judge"),
                ]
            )
            def alone(name, function, source, target):
                # A node beside it keeps ParallelRunner from running it in a single worker.
                return pipeline(
                    [
                        node(function, source, target, name=name),
                        node(nodes.count, "raw", "counts", name="count"),
                    ]
                )
            return {
                "__default__": main,
                "refuse": alone("refuse", nodes.refuse, "raw", "nothing"),
                "crash": alone("crash", nodes.crash, "raw", "nothing"),
                "killed": alone("killed", nodes.killed, "raw", "nothing"),
                "load": alone("reader", nodes.passed, "unreadable", "nothing"),
                "save": alone("writer", nodes.passed, "raw", "unwritable"),
                "absent": alone("seeker", nodes.passed, "not_there", "nothing"),
            }
        """,
    "conf/base/globals.yml": "data_root: data\n",
    "conf/base/parameters.yml": "fit: {rate: 0.5}\nlimit: .inf\n",
    "conf/base/catalog.yml": """
        _json: &json
          type: json.JSONDataset
          versioned: true
        raw:
          type: json.JSONDataset
          filepath: ${_root}/01_raw/raw.json
        cleaned:
          <<: *json
          filepath: ${_root}/03_primary/cleaned.json
        counts:
          type: MemoryDataset
        model:
          <<: *json
          filepath: ${_root}/06_models/model.json
        headline:
          <<: *json
          filepath: ${_root}/08_reporting/headline.json
        report:
          type: text.TextDataset
          filepath: ${_root}/08_reporting/report.html
          versioned: true
        unreadable:
          type: shop.datasets.Unreadable
          filepath: ${_root}/01_raw/unreadable.csv
        unwritable:
          type: shop.datasets.Unreadable
          filepath: ${_root}/02_intermediate/unwritable.csv
        not_there:
          type: json.JSONDataset
          filepath: ${_root}/01_raw/not_there.json
        _root: ${runtime_params:data_root,${globals:data_root}}
        """,
    "conf/local/.gitkeep": "",
    "conf/other/globals.yml": "data_root: data/other\n",
}


DRIVER = """
import json, logging, shlex, sys
from pathlib import Path

from click.testing import CliRunner
from kedro.framework.cli.cli import KedroCLI

logging.getLogger("pentathlon").setLevel("INFO")
for command in sys.argv[1:]:
    result = CliRunner().invoke(KedroCLI(Path.cwd()), ["run", *shlex.split(command)])
    kind = type(result.exception).__name__
    outcome = {"code": result.exit_code, "output": result.output,
               "errors": result.stderr, "exception": kind}
    print("OUTCOME: " + json.dumps(outcome), flush=True)
"""


@dataclass
class Outcome:
    code: int
    output: str
    errors: str
    exception: str


@dataclass
class Project:
    folder: Path

    def run(self, *commands: str, **env: str) -> list[Outcome]:
        """Give `kedro run` several times in one process: starting Kedro takes seconds."""
        done = self.python("-c", DRIVER, *commands, **env)
        lines = [line[9:] for line in done.stdout.splitlines() if line.startswith("OUTCOME: ")]
        assert len(lines) == len(commands), done.stdout + done.stderr
        return [Outcome(**json.loads(line)) for line in lines]

    def python(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(SOURCE), str(self.folder / "src")])
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("KEDRO", "PENTATHLON"))}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            # A repository around the temporary folder must not be taken for the project's.
            env={
                **clean,
                "PYTHONPATH": path,
                "COLUMNS": "200",
                "GIT_CEILING_DIRECTORIES": str(self.folder.parent),
                **env,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def manifests(self, root: str = "data") -> list[dict]:
        runs = self.folder / root / "08_reporting/runs"
        return [json.loads(path.read_text()) for path in sorted(runs.glob("*.json"))]

    def manifest(self, root: str = "data") -> dict:
        return self.manifests(root)[-1]

    def leftovers(self, root: str = "data") -> list[Path]:
        return list((self.folder / root / "08_reporting/runs").glob(".*"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
    for root in ("data", "data/other", "../elsewhere"):
        raw = folder / root / "01_raw/raw.json"
        raw.parent.mkdir(parents=True, exist_ok=True)
        raw.write_text("[1, 2, null, 3]")
    return Project(folder)
