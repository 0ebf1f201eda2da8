"""The key of pseudonyms reaches raw tables and nothing else."""

import pytest
from kedro.io import DataCatalog, DatasetError, MemoryDataset

from pentathlon.datasets import RawEventsDataset
from pentathlon.errors import DataError
from pentathlon.hooks.pseudonym_key import PseudonymKeyHook

ENTRY = {"pseudonyms": {"key_id": "k1", "key": "s" * 32}, "others": {"key": "secret"}}


def catalog(tmp_path, **more):
    places = {"filepath": str(tmp_path), "scratch": str(tmp_path / "scratch")}
    return DataCatalog({"raw_events": RawEventsDataset(**places), **more})


def test_raw_tables_get_the_key(tmp_path):
    known = catalog(tmp_path)
    PseudonymKeyHook().after_catalog_created(known, ENTRY)
    raw = known.load("raw_events")
    assert (raw.folder, raw.key.key_id) == (tmp_path, "k1")
    assert "s" * 32 not in repr(raw)
    assert "s" * 32 not in repr(known["raw_events"])


def test_runs_without_credentials_or_raw_tables_are_left_alone(tmp_path):
    known = catalog(tmp_path)
    PseudonymKeyHook().after_catalog_created(known, {})
    assert known.load("raw_events").key is None
    PseudonymKeyHook().after_catalog_created(DataCatalog({}), {})


def test_raw_tables_may_be_read_in_another_way():
    known = DataCatalog({"raw_events": MemoryDataset([1, 2])})
    PseudonymKeyHook().after_catalog_created(known, ENTRY)
    assert known.load("raw_events") == [1, 2]


def test_a_folder_that_is_not_there_is_named(tmp_path):
    dataset = RawEventsDataset(filepath=str(tmp_path / "nowhere"), scratch=str(tmp_path / "s"))
    with pytest.raises(
        (DataError, DatasetError), match=r"There is no folder .*nowhere with raw tables"
    ):
        dataset.load()
