"""The notebooks run from top to bottom on a finished run, and touch the catalog only."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
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


def test_it_runs(path, finished, monkeypatch):
    finished.outcome.checked()
    monkeypatch.setenv("PENTATHLON_ENV", "test")
    monkeypatch.setenv("PENTATHLON_DATA_ROOT", str(finished.root))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=120, kernel_name="python3", resources=resources)
    client.execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert "Traceback" not in str(output.get("text", ""))
