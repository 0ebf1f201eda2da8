from pathlib import Path

import pandas as pd

from pentathlon.datasets.optional import OptionalTableDataset


def test_a_table_that_is_not_there_is_none(tmp_path: Path) -> None:
    dataset = OptionalTableDataset(filepath=str(tmp_path / "folder" / "truth.parquet"))
    assert not dataset.exists()
    assert dataset.load() is None


def test_a_table_that_is_there_is_itself(tmp_path: Path) -> None:
    dataset = OptionalTableDataset(filepath=str(tmp_path / "folder" / "truth.parquet"))
    table = pd.DataFrame({"custid": ["a", "b"], "p": [0.1, 0.2]}, index=[5, 6])
    dataset.save(table)
    assert dataset.exists()
    pd.testing.assert_frame_equal(dataset.load(), table.reset_index(drop=True))
