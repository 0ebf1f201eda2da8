from pathlib import Path

import optuna
import pytest
from kedro.io import DatasetError

from pentathlon.datasets.study_store import StudyStoreDataset
from pentathlon.models.tuning import StudyStore


def test_the_store_is_handed_out_before_there_is_a_file(tmp_path: Path) -> None:
    dataset = StudyStoreDataset(filepath=str(tmp_path / "deep" / "studies.db"))
    assert dataset.exists()
    store = dataset.load()
    assert store == StudyStore(tmp_path / "deep" / "studies.db")
    assert not (tmp_path / "deep").exists()


def test_trials_are_there_for_the_next_who_loads(tmp_path: Path) -> None:
    dataset = StudyStoreDataset(filepath=str(tmp_path / "studies.db"))
    study = optuna.create_study(study_name="s", storage=dataset.load().storage())
    study.add_trial(optuna.trial.create_trial(value=0.25))
    again = optuna.load_study(study_name="s", storage=dataset.load().storage())
    assert again.best_value == 0.25


def test_a_node_cannot_save_one(tmp_path: Path) -> None:
    dataset = StudyStoreDataset(filepath=str(tmp_path / "studies.db"))
    with pytest.raises(DatasetError, match="tuning, which writes its trials itself"):
        dataset.save(StudyStore(None))
