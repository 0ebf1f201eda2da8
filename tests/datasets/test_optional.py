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


def test_a_csv_file_of_the_same_name_will_do(tmp_path: Path) -> None:
    (tmp_path / "contact_history.csv").write_text("customer_id,sent_at\n007,2026-03-31\n")
    dataset = OptionalTableDataset(filepath=str(tmp_path / "contact_history.parquet"))
    assert dataset.exists()
    table = dataset.load()
    assert table["customer_id"].tolist() == ["007"]
    dataset.save(table.assign(customer_id="008"))
    assert dataset.load()["customer_id"].tolist() == ["008"]  # Parquet comes first
