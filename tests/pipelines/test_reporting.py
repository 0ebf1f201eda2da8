import importlib.util
from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog
from kedro.runner import SequentialRunner
from kedro.validation import ParameterValidator

from pentathlon.pipelines.reporting import create_pipeline
from pentathlon.pipelines.reporting.nodes import FIGURES

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf" / "base"


def small_run():
    path = ROOT / "tests" / "reporting" / "small_run.py"
    spec = importlib.util.spec_from_file_location("small_run", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def catalog_entries():
    return yaml.safe_load((CONF / "catalog_reporting.yml").read_text(encoding="utf-8"))


def run(tmp_path, **options):
    """Run the pipeline as Kedro does: typed parameters, the catalog's own datasets, a runner."""
    module, pipeline = small_run(), create_pipeline()
    raw = {
        "messages": {n: m.model_dump() for n, m in module.messages().items()},
        "campaign": {"name": "Spring", "customers": 1_000_000, "currency": "EUR"},
        "evaluation": {},
        "decision": {},
        "randomness": {"seed": 7},
    }
    parameters = ParameterValidator({"reporting": pipeline}).validate_raw_params(raw)
    config = {}
    for name, entry in catalog_entries().items():
        file = entry["filepath"].rsplit("/", 1)[1]
        config[name] = {**entry, "filepath": str(tmp_path / file), "versioned": False}
    catalog = DataCatalog.from_config(config)
    for name, value in {**module.datasets(**options)}.items():
        catalog[name] = value
    for name, value in parameters.items():
        catalog[f"params:{name}"] = value
    SequentialRunner().run(pipeline, catalog)
    return catalog


def test_the_slice_draws_figures_and_writes_the_report(tmp_path):
    catalog = run(tmp_path)
    page = catalog.load("report")
    assert "Send everyone the run e-mail." in page
    figure = catalog.load("policy_profit_figure")
    assert figure.layout.title.text.startswith("Ships: run, ")
    shipped = next(trace for trace in figure.data if trace.name == "What ships")
    assert list(shipped.y) == ["Ships: run"]
    assert list(shipped.error_x.array) == pytest.approx([0.2])
    for name in FIGURES:
        assert catalog.load(f"{name}_figure").layout.meta["alt"]


def test_the_catalog_holds_what_the_pipeline_writes():
    entries = catalog_entries()
    assert set(entries) == create_pipeline().all_outputs()
    for entry in entries.values():
        assert entry["versioned"]
        assert "runtime_params:data_root" in entry["filepath"]
        assert entry["metadata"]["kedro-viz"]["layer"] == "reporting"


def test_every_node_is_named_and_tagged():
    nodes = create_pipeline().nodes
    assert {node.namespace for node in nodes} == {"reporting"}
    assert all("reporting" in node.tags for node in nodes)
