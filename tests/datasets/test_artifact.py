from __future__ import annotations

import stat
from pathlib import Path

import pytest
from kedro.io import DatasetError, Version

from pentathlon.datasets.artifact import ArtifactDataset


class Note:
    """Saves two files, and may fail between them."""

    def __init__(self, text: str, fails: bool = False) -> None:
        self.text, self.fails = text, fails

    def save(self, folder: Path) -> None:
        (folder / "first.txt").write_text(self.text)
        if self.fails:
            raise OSError("disk full")
        (folder / "second.txt").write_text(self.text)

    @classmethod
    def load(cls, folder: Path) -> Note:
        assert (folder / "second.txt").is_file()
        return cls((folder / "first.txt").read_text())


ARTIFACT = f"{__name__}.Note"


@pytest.fixture
def dataset(tmp_path: Path) -> ArtifactDataset:
    return ArtifactDataset(filepath=str(tmp_path / "models" / "note"), artifact=ARTIFACT)


def test_what_is_saved_is_loaded(dataset: ArtifactDataset, tmp_path: Path) -> None:
    assert not dataset.exists()
    dataset.save(Note("one"))
    assert dataset.exists()
    assert dataset.load().text == "one"
    folder = tmp_path / "models" / "note"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert [p.name for p in folder.parent.iterdir()] == ["note"]


def test_saving_again_replaces_the_whole_folder(dataset: ArtifactDataset, tmp_path: Path) -> None:
    dataset.save(Note("one"))
    folder = tmp_path / "models" / "note"
    (folder / "left_over.txt").write_text("old")
    dataset.save(Note("two"))
    assert dataset.load().text == "two"
    assert sorted(p.name for p in folder.iterdir()) == ["first.txt", "second.txt"]


def test_a_save_that_fails_leaves_what_was_there(dataset: ArtifactDataset, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(Note("half", fails=True))
    assert not dataset.exists()
    dataset.save(Note("one"))
    with pytest.raises(DatasetError, match="disk full"):
        dataset.save(Note("half", fails=True))
    assert dataset.load().text == "one"
    assert [p.name for p in (tmp_path / "models").iterdir()] == ["note"]


def test_versions_stand_side_by_side(tmp_path: Path) -> None:
    def at(load: str | None, save: str | None) -> ArtifactDataset:
        return ArtifactDataset(
            filepath=str(tmp_path / "note"), artifact=ARTIFACT, version=Version(load, save)
        )

    early, late = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"
    assert not at(None, early).exists()
    at(None, early).save(Note("early"))
    at(None, late).save(Note("late"))
    assert at(None, None).load().text == "late"
    assert at(early, None).load().text == "early"
    assert (tmp_path / "note" / early / "note" / "first.txt").is_file()
    with pytest.raises(DatasetError, match="must not exist"):
        at(None, early).save(Note("again"))
    assert at(early, None).load().text == "early"
    with pytest.raises(DatasetError):
        at("2025-01-01T00.00.00.000Z", None).load()


def test_a_version_that_failed_to_save_is_not_the_latest(tmp_path: Path) -> None:
    early, late = "2026-01-01T00.00.00.000Z", "2026-02-01T00.00.00.000Z"
    path = str(tmp_path / "note")
    ArtifactDataset(filepath=path, artifact=ARTIFACT, version=Version(None, early)).save(Note("a"))
    broken = ArtifactDataset(filepath=path, artifact=ARTIFACT, version=Version(None, late))
    with pytest.raises(DatasetError, match="disk full"):
        broken.save(Note("half", fails=True))
    latest = ArtifactDataset(filepath=path, artifact=ARTIFACT, version=Version(None, None))
    assert latest.load().text == "a"


def test_the_class_is_imported_only_to_load(tmp_path: Path) -> None:
    dataset = ArtifactDataset(filepath=str(tmp_path / "note"), artifact="no_such_package.Note")
    dataset.save(Note("one"))
    with pytest.raises(DatasetError, match="no_such_package"):
        dataset.load()
    assert "no_such_package.Note" in str(dataset)
