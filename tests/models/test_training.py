"""Who saw which rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pentathlon.models import model_class
from pentathlon.models.training import Fitter, cross_fit, cross_validate


def test_cross_fitting_leaves_every_fold_out_of_its_own_model(
    stub: Any, stub_fitter: Fitter, numbered_rows: Any
) -> None:
    rows, fold = numbered_rows
    reports: list[str] = []
    first: list[Any] = []
    scores = cross_fit(stub_fitter, rows, fold, {"x": 0.2}, reports.append, keep_first=first)
    assert len(stub.fits) == len(reports) == 3
    for held_out, fit in enumerate(stub.fits):
        assert held_out not in set(fold[fit["rows"]])
        assert len(fit["rows"]) > 0
        assert fit["validation"] is None
        assert fit["parameters"].x == 0.2
        buyers = np.flatnonzero((rows.response == 1) & (fold != held_out))
        assert set(buyers) <= set(fit["rows"])
    assert len(first) == 1
    # The stub scores with the number of models fitted so far.
    np.testing.assert_array_equal(scores, np.repeat(fold[:, None] + 1, 2, axis=1))


def test_a_folds_own_outcomes_do_not_reach_its_scores(simulated: Any) -> None:
    fitter = Fitter(model_class("logistic_regression"), simulated.builder, None, 1, 1)
    rows, fold = simulated.rows, simulated.fold
    held_out = fold == 2
    changed = rows.take(np.arange(len(rows)))
    changed.response[held_out] = 1 - changed.response[held_out]
    parameters = {"C": 0.01, "interaction_scale": 0.0}
    before = cross_fit(fitter, rows, fold, parameters)
    after = cross_fit(fitter, changed, fold, parameters)
    np.testing.assert_array_equal(after[held_out], before[held_out])
    assert (after[~held_out] != before[~held_out]).any(axis=1).all()
    assert not np.isnan(before).any()


def test_the_sample_and_its_correction_go_to_the_model(
    stub: Any, stub_fitter: Fitter, numbered_rows: Any
) -> None:
    rows, _ = numbered_rows
    stub_fitter.fit(rows, {})
    (fit,) = stub.fits
    assert np.bincount(fit["response"]).tolist() == [10, 10]
    assert (fit["rows"][fit["response"] == 1] % 6 == 0).all()
    buyers, others = rows.response == 1, rows.response == 0
    expected = np.log(
        10 / 50 * rows.sampling_weight[buyers].mean() / rows.sampling_weight[others].mean()
    )
    assert fit["offset"] == pytest.approx(expected)


def test_cross_validation_judges_on_every_held_out_row(
    stub: Any, stub_fitter: Fitter, numbered_rows: Any
) -> None:
    rows, fold = numbered_rows
    steps: list[int] = []
    result = cross_validate(
        stub_fitter, rows, fold, {"x": 0.2}, [0, 2], lambda step, _: steps.append(step)
    )
    assert steps == [1, 2, 3, 4]
    assert [fit["told"] for fit in stub.fits] == [True, False]
    for held_out, fit in zip([0, 2], stub.fits, strict=True):
        np.testing.assert_array_equal(np.sort(fit["validation"]), np.flatnonzero(fold == held_out))
        assert held_out not in set(fold[fit["rows"]])
    losses, weights = [], []
    for held_out, fit in zip([0, 2], stub.fits, strict=True):
        p = 0.1 + 0.8 * 0.2 + 0.001 * len(fit["rows"])
        out = fold == held_out
        y, w = rows.response[out], rows.sampling_weight[out]
        losses.append(np.average(-np.where(y == 1, np.log(p), np.log(1 - p)), weights=w))
        weights.append(w.sum())
    assert result.log_loss == pytest.approx(np.average(losses, weights=weights), rel=1e-6)


def test_what_early_stopping_found_is_averaged_over_folds(
    stub_fitter: Fitter, numbered_rows: Any
) -> None:
    rows, fold = numbered_rows
    # The stub reports 4 steps plus the number of fits so far: 5, 6 and 7.
    result = cross_validate(stub_fitter, rows, fold, {"x": 0.2}, [0, 1, 2])
    assert result.fitted_parameters == {"x": 0.2, "steps": 6}
