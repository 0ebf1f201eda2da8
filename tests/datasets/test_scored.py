from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DatasetError

from pentathlon.datasets import ParquetFolderDataset, ScoredDataset


class Job:
    def write_to(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        (folder / "run.json").write_text("{}")


def test_the_folder_of_customers_is_handed_on_and_never_written(tmp_path: Path) -> None:
    dataset = ParquetFolderDataset(filepath=str(tmp_path / "customers"))
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="Put the customers to score there"):
        dataset.load()
    (tmp_path / "customers").mkdir()
    assert dataset.exists()
    assert dataset.load() == tmp_path / "customers"
    with pytest.raises(DatasetError, match="read only"):
        dataset.save(tmp_path)


def test_saving_a_job_does_it(tmp_path: Path) -> None:
    dataset = ScoredDataset(filepath=str(tmp_path / "scored"))
    with pytest.raises(DatasetError, match="Nothing was scored"):
        dataset.load()
    dataset.save(Job())
    assert dataset.exists()
    assert dataset.load().run == {}
