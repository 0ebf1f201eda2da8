"""A small project in a folder, run again and again as if each time in a new process."""

import functools
import importlib
import os
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from kedro.framework.hooks import hook_impl
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog

from pentathlon.runners import FreshRunner, fresh, libraries

FILES = {
    "__init__.py": "",
    "constants.py": "RATE = 2\nUNUSED = 1\n",
    "deep.py": """
        from shop.constants import RATE

        def scale(values):
            return [value * RATE for value in values]

        def beside(values):
            return values
        """,
    "helpers.py": """
        from shop import deep

        class Adder:
            def __init__(self, amount):
                self.amount = amount

            def add(self, values):
                return [value + self.amount for value in values]

        def prepare(values):
            return Adder(1).add(deep.scale(values))
        """,
    "nodes.py": """
        from shop.helpers import prepare

        def clean(raw):
            return prepare(raw)

        def fit(cleaned, settings):
            return {"mean": sum(cleaned) / len(cleaned) * settings["tree"]["depth"]}

        def judge(model, raw):
            return {"gain": model["mean"] - raw[0]}
        """,
    "pipe.py": """
        from kedro.pipeline import Node, Pipeline

        from shop import nodes

        def create():
            return Pipeline([
                Node(nodes.clean, "raw", "cleaned", name="clean"),
                Node(nodes.fit, ["cleaned", "params:settings"], "model", name="fit"),
                Node(nodes.judge, ["model", "raw"], "report", name="judge"),
            ])
        """,
}


class Recorder:
    """Nodes whose hooks have fired."""

    def __init__(self):
        self.ran = []
        self.saved = []

    @hook_impl
    def before_node_run(self, node):
        self.ran.append(node.name)

    @hook_impl
    def after_dataset_saved(self, dataset_name):
        self.saved.append(dataset_name)


class Shop:
    """The project: change it, run it, see what ran."""

    def __init__(self, root: Path):
        self.root = root
        self.data = root / "data"
        self.parameters = {"settings": {"tree": {"depth": 2}, "rate": 0.5}}
        self.catalog_config = {
            "raw": self.entry("01_raw/raw.json", versioned=False),
            "cleaned": self.entry("03_primary/cleaned.json"),
            "model": self.entry("06_models/model.json"),
            "report": self.entry("08_reporting/report.json"),
        }
        self.clock = 0
        self.catalog = None
        self.recorder = Recorder()
        for name, text in FILES.items():
            self.write(name, text)
        self.put("01_raw/raw.json", "[1, 2, 3]")

    def entry(self, path, versioned=True, **more):
        return {
            "type": "json.JSONDataset",
            "filepath": str(self.data / path),
            "versioned": versioned,
            **more,
        }

    def put(self, path, text):
        place = self.data / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        return place

    def write(self, name, text):
        path = self.root / "src/shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"))
        return path

    def change(self, name, old, new):
        path = self.root / "src/shop" / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def forget_modules(self):
        for name in [n for n in sys.modules if n.partition(".")[0] == "shop"]:
            del sys.modules[name]
        importlib.invalidate_caches()

    def pipeline(self):
        self.forget_modules()
        return importlib.import_module("shop.pipe").create()

    def open(self, pipeline=None):
        pipeline = pipeline or self.pipeline()
        self.clock += 1
        catalog = DataCatalog.from_config(
            {name: dict(config) for name, config in self.catalog_config.items()},
            save_version=f"2026-01-01T00.{self.clock:02d}.00.000Z",
        )
        catalog["parameters"] = self.parameters
        for name, value in self.parameters.items():
            catalog[f"params:{name}"] = value
        return pipeline, catalog

    def run(self, pipeline=None, memory=None, load_versions=None, **options):
        """Run, and give the names of the nodes that ran, in order."""
        pipeline, self.catalog = self.open(pipeline)
        for name, value in (memory or {}).items():
            self.catalog[name] = value
        for name, version in (load_versions or {}).items():
            dataset = self.catalog.get(name)
            dataset._version = type(dataset._version)(version, dataset._version.save)
        self.recorder = Recorder()
        hooks = _create_hook_manager()
        hooks.register(self.recorder)
        options.setdefault("state", str(self.data / ".fresh.sqlite"))
        FreshRunner(**options).run(pipeline, self.catalog, hooks, run_id="ignored")
        return self.recorder.ran

    def plan(self, pipeline=None):
        pipeline, catalog = self.open(pipeline)
        runner = FreshRunner(state=str(self.data / ".fresh.sqlite"))
        plan = runner.plan(pipeline, catalog)
        return {decision.node.name: decision.reasons for decision in plan.decisions}

    def newest(self, name):
        """File of a dataset's newest version."""
        folder = Path(self.catalog_config[name]["filepath"])
        return max(folder.glob("*/*"), key=lambda path: path.parent.name)


@pytest.fixture(autouse=True)
def _as_if_in_a_new_process(monkeypatch):
    # Tests write modules and import them at once, as nobody else does.
    monkeypatch.setattr(fresh, "session_started", lambda: float("inf"))
    monkeypatch.setattr(libraries, "_installed", functools.cache(_INSTALLED))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


_INSTALLED = functools.cache(libraries._installed)


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    made = Shop(tmp_path)
    yield made
    made.forget_modules()


def keep_times(path, text):
    """Change a file's content, and none of its size and time of modification."""
    before = path.stat()
    assert len(text.encode()) == before.st_size
    path.write_text(text)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def change_in_secret():
    return keep_times
