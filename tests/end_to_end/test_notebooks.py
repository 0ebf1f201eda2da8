"""The notebooks run from top to bottom on a finished run, and touch the catalog only."""

import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
PLOTLY = "application/vnd.plotly.v1+json"
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def code(notebook):
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def test_there_are_two():
    assert [p.stem for p in NOTEBOOKS] == ["01_explore_the_data", "02_read_a_finished_run"]


def test_outputs_are_stripped_and_cells_explained(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == "markdown"
    assert kinds.count("markdown") >= kinds.count("code") / 3


def test_only_the_catalog_is_read(path):
    text = code(nbformat.read(path, as_version=4))
    assert not re.findall(
        r"\bread_\w+\(|\bopen\(|\.load_model\(|glob\(|data/|\.parquet|\.json", text
    )
    loaded = set(re.findall(r'catalog\.load\("(\w+)"\)', text))
    assert len(loaded) >= 4


def run(path: Path, env: str, root: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PENTATHLON_ENV", env)
    monkeypatch.setenv("PENTATHLON_DATA_ROOT", str(root))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources)
    client.execute()
    return [o for cell in notebook.cells for o in cell.get("outputs", [])]


def test_it_runs(path, finished, monkeypatch):
    finished.outcome.checked()
    outputs = run(path, "test", finished.root, monkeypatch)
    for output in outputs:
        assert output.output_type != "error"
        assert "Traceback" not in str(output.get("text", ""))
        # Every quantity is known in this run: nothing may be missing in a table.
        assert not re.search(r">\s*(nan|NaN|None)\s*<", output.get("data", {}).get("text/html", ""))
    figures = [f for o in outputs if (f := o.get("data", {}).get(PLOTLY))]
    assert figures
    for figure in figures:
        assert len(figure["layout"]["title"]["text"]) > 10
        for axis in ("xaxis", "yaxis"):
            named = [v for k, v in figure["layout"].items() if k.startswith(axis)]
            assert all("tickfont" in v for v in named), "not in the project's theme"
        gaps = missing(figure["data"])
        assert [place for place in gaps if ".error_" in place] == []


def missing(value, place="data"):
    """Places of a figure's data where a number is missing."""
    if isinstance(value, dict):
        return [p for k, v in value.items() for p in missing(v, f"{place}.{k}")]
    if isinstance(value, list):
        return [p for i, v in enumerate(value) for p in missing(v, f"{place}[{i}]")]
    return [place] if pd.isna(value) else []


def test_they_run_on_a_file_without_purchases_on_record(path, hillstrom, monkeypatch):
    """Hillstrom's file has other quantities, no counts, and another currency."""
    everyone, sample = hillstrom
    results = everyone if path.stem.startswith("01") else sample
    for output in run(path, "hillstrom", results.root, monkeypatch):
        assert output.output_type != "error"
