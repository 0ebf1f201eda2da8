"""Studies that are interrupted, continued, reused and started afresh."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from pentathlon.errors import ParameterError
from pentathlon.models import TrainingRows
from pentathlon.models.search_space import SearchDimension
from pentathlon.models.training import Fitter
from pentathlon.models.tuning import StudyStore, TuningResult, fixed_result, tune

SPACE = {"x": SearchDimension(type="float", low=0.0, high=1.0)}


class Tuner:
    def __init__(self, fitter: Fitter, rows: TrainingRows, fold: np.ndarray, path: Path | None):
        self.fitter, self.rows, self.fold = fitter, rows, fold
        self.store = StudyStore(path)
        self.reports: list[str] = []

    def __call__(self, n_trials: int, space: Any = SPACE, **changes: Any) -> TuningResult:
        arguments = {
            "fitter": self.fitter,
            "rows": self.rows,
            "fold": self.fold,
            "space": space,
            "n_trials": n_trials,
            "tuning_folds": 1,
            "store": self.store,
            "report": self.reports.append,
        }
        return tune(**(arguments | changes))


@pytest.fixture
def tuner(stub_fitter: Fitter, numbered_rows: Any, tmp_path: Path) -> Tuner:
    return Tuner(stub_fitter, *numbered_rows, tmp_path / "deep" / "studies.db")


@pytest.fixture
def in_memory(stub_fitter: Fitter, numbered_rows: Any) -> Tuner:
    return Tuner(stub_fitter, *numbered_rows, None)


def results(result: TuningResult) -> pd.DataFrame:
    return result.trials.drop(columns="seconds")


def test_the_best_trial_wins(stub: Any, in_memory: Tuner) -> None:
    result = in_memory(8)
    trials = result.trials
    assert trials["number"].tolist() == list(range(8))
    assert trials["x"].between(0, 1).all()
    best = trials.loc[trials["log_loss"].idxmin()]
    assert result.log_loss == best["log_loss"]
    assert result.parameters["x"] == best["x"]
    # Early stopping's finding comes along: the stub reports 4 steps plus the number of fits.
    assert result.parameters["steps"] == 4 + 1 + best["number"]
    assert len(in_memory.reports) == 8


def test_every_trial_holds_out_the_first_folds(stub: Any, in_memory: Tuner) -> None:
    in_memory(2, tuning_folds=2)
    held_out = [set(in_memory.fold[fit["validation"].astype(int)]) for fit in stub.fits]
    assert held_out == [{0}, {1}, {0}, {1}]


def test_a_finished_study_is_reused_without_a_fit(stub: Any, tuner: Tuner) -> None:
    first = tuner(6)
    assert len(stub.fits) == 6
    again = tuner(6)
    assert len(stub.fits) == 6
    pd.testing.assert_frame_equal(again.trials, first.trials)
    assert (again.parameters, again.log_loss) == (first.parameters, first.log_loss)
    fewer = tuner(3)
    assert (len(stub.fits), len(fewer.trials)) == (6, 6)


def test_more_trials_add_only_those(stub: Any, tuner: Tuner, in_memory: Tuner) -> None:
    tuner(6)
    continued = tuner(9)
    assert len(stub.fits) == 9
    stub.fits.clear()
    pd.testing.assert_frame_equal(results(continued), results(in_memory(9)))


def changed_response(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    response = rows.response.copy()
    response[1] = 1 - response[1]
    return {"rows": replace(rows, response=response)}


def changed_feature(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    base = rows.design.base.copy()
    base[0] += 100
    return {"rows": replace(rows, design=replace(rows.design, base=base))}


def changed_weight(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    return {"rows": replace(rows, sampling_weight=rows.sampling_weight * 2)}


def changed_message(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    return {"rows": replace(rows, message=1 - rows.message)}


def changed_fold(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    return {"fold": (fold + 1) % 3}


def changed_space(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    return {"space": {"x": SearchDimension(type="float", low=0.0, high=0.9)}}


def more_folds(rows: TrainingRows, fold: np.ndarray) -> dict[str, Any]:
    return {"tuning_folds": 2}


CHANGES = [
    changed_response,
    changed_feature,
    changed_weight,
    changed_message,
    changed_fold,
    changed_space,
    more_folds,
]


def test_whatever_the_result_depends_on_starts_a_study_afresh(stub: Any, tuner: Tuner) -> None:
    fingerprints = [tuner(1).fingerprint]
    for change in CHANGES:
        stub.fits.clear()
        result = tuner(1, **change(tuner.rows, tuner.fold))
        assert len(stub.fits) >= 1, change
        fingerprints.append(result.fingerprint)
    for setting in ({"seed": 4}, {"non_buyers_per_buyer": 2.0}):
        stub.fits.clear()
        result = tuner(1, fitter=replace(tuner.fitter, **setting))
        assert len(stub.fits) == 1, setting
        fingerprints.append(result.fingerprint)
    assert len(set(fingerprints)) == len(CHANGES) + 3
    stub.fits.clear()
    again = tuner(1, fitter=replace(tuner.fitter, threads=8))
    assert (again.fingerprint, stub.fits) == (fingerprints[0], [])


def test_an_interrupted_study_continues_to_the_same_end(
    stub: Any, tuner: Tuner, in_memory: Tuner
) -> None:
    uninterrupted = in_memory(9)
    stub.fits.clear()

    def interrupt(text: str) -> None:
        if text.startswith("trial 6/9"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner(9, report=interrupt)
    assert len(stub.fits) == 6
    continued = tuner(9)
    assert len(stub.fits) == 9
    assert tuner.reports[0] == "continuing the study with 6 of 9 trials done"
    pd.testing.assert_frame_equal(results(continued), results(uninterrupted))
    assert continued.parameters == uninterrupted.parameters


def test_a_trial_that_was_killed_half_way_is_done_again(
    stub: Any, tuner: Tuner, in_memory: Tuner
) -> None:
    uninterrupted = in_memory(8)
    stub.fits.clear()
    first = tuner(6)
    name = f"stub-{first.fingerprint}"
    killed = optuna.load_study(study_name=name, storage=tuner.store.storage())
    killed.ask().suggest_float("x", 0.0, 1.0)
    continued = tuner(8)
    assert len(stub.fits) == 8
    pd.testing.assert_frame_equal(results(continued), results(uninterrupted))


def test_after_the_timeout_no_trial_starts(stub: Any, tuner: Tuner) -> None:
    result = tuner(50, timeout=1e-9)
    assert len(stub.fits) == len(result.trials) == 1
    assert tuner.reports[-1].startswith("stopped at the timeout")
    tuner(50, timeout=1e-9)
    assert len(stub.fits) == 1
    assert len(tuner(3, timeout=600).trials) == 3


def test_hopeless_trials_are_pruned_and_count(stub: Any, in_memory: Tuner) -> None:
    result = in_memory(20)
    trials = result.trials
    pruned = trials["state"] == "PRUNED"
    assert 1 <= pruned.sum() < 15
    assert not pruned[:5].any()
    assert trials.loc[pruned, "log_loss"].isna().all()
    assert trials.loc[~pruned, "log_loss"].notna().all()
    assert trials.loc[pruned, "x"].min() > trials.loc[~pruned, "x"].median()
    assert any(": pruned, best" in text for text in in_memory.reports)
    assert len(stub.fits) == 20


def test_a_setting_that_gives_no_number_counts_as_a_pruned_trial(
    stub: Any, in_memory: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = stub.predict_logged

    def diverging(model: Any, rows: TrainingRows) -> np.ndarray:
        p = honest(model, rows)
        return p if len(stub.fits) % 2 else np.full_like(p, np.nan)

    monkeypatch.setattr(stub, "predict_logged", diverging)
    result = in_memory(4)
    assert result.trials["state"].tolist() == ["COMPLETE", "PRUNED"] * 2
    assert np.isfinite(result.log_loss)


def test_a_study_in_which_nothing_completes_says_so(
    stub: Any, in_memory: Tuner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stub, "predict_logged", lambda model, rows: np.full(len(rows), np.nan))
    with pytest.raises(ParameterError, match="stub: no trial completed"):
        in_memory(2)


def test_unknown_dimensions_are_refused_before_any_fit(stub: Any, in_memory: Tuner) -> None:
    with pytest.raises(ParameterError, match=r"\['y'\] are not hyper-parameters"):
        in_memory(1, {"y": SPACE["x"]})
    assert stub.fits == []


def test_fixed_hyper_parameters_skip_tuning(stub: Any, stub_fitter: Fitter) -> None:
    result = fixed_result(stub_fitter, {"x": 0.25})
    assert stub.fits == []
    assert result.parameters == {"x": 0.25, "steps": 4}
    assert result.fingerprint == "fixed"
    assert np.isnan(result.log_loss)
    assert result.trials["state"].tolist() == ["FIXED"]
    with pytest.raises(ParameterError, match=r"fixed: \['y'\]"):
        fixed_result(stub_fitter, {"y": 1})
