"""Fitting one response model on folds: the objective, cross-fitted scores, the final model."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.features.design import DesignBuilder
from pentathlon.models.device import Device, fitting_on
from pentathlon.models.metrics import log_loss
from pentathlon.models.protocol import ProgressCallback, ResponseModel, TrainingRows, Validation
from pentathlon.models.sampling import case_control_sample

Report = Callable[[str], None]
"""Told in words what is being done."""


def silent(_: str) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Fitter:
    """Everything a fit needs besides rows and hyper-parameters.

    Attributes
    ----------
    model : type of ResponseModel
    builder : DesignBuilder
    non_buyers_per_buyer : float or None
        Case-control sampling of the rows that fit; validation rows are never sampled.
    seed, threads : int
    device : {"cpu", "cuda"}
    """

    model: type[ResponseModel]
    builder: DesignBuilder
    non_buyers_per_buyer: float | None
    seed: int
    threads: int
    device: Device = "cpu"

    def fit(
        self,
        rows: TrainingRows,
        parameters: Mapping[str, Any],
        validation: Validation | None = None,
    ) -> ResponseModel:
        """Sample, fit, and correct the prior."""
        sample = case_control_sample(
            rows.response, rows.sampling_weight, self.non_buyers_per_buyer, self.seed
        )
        with fitting_on(self.device):
            return self.model.fit(
                rows.take(sample.rows),
                self.builder,
                parameters,
                logit_offset=sample.logit_offset,
                seed=self.seed,
                threads=self.threads,
                validation=validation,
            )


@dataclass(frozen=True)
class CrossValidation:
    """Result of one hyper-parameter setting.

    Attributes
    ----------
    log_loss : float
        Weighted mean over the folds, natural-rate rows.
    fitted_parameters : dict
        The setting, with what early stopping found (numbers: mean over the folds).
    """

    log_loss: float
    fitted_parameters: dict[str, Any]


def cross_validate(
    fitter: Fitter,
    rows: TrainingRows,
    fold: NDArray[np.integer],
    parameters: Mapping[str, Any],
    folds: list[int],
    on_step: ProgressCallback | None = None,
) -> CrossValidation:
    """Log loss of a hyper-parameter setting on held-out folds.

    Parameters
    ----------
    fitter : Fitter
    rows : TrainingRows
        All training rows.
    fold : ndarray of int, shape (n,)
    parameters : mapping
    folds : list of int
        Folds to hold out, in turn.
    on_step : callable, optional
        Told of the first fold's progress, so that hopeless settings can be pruned.

    Returns
    -------
    CrossValidation
    """
    losses, weights, fitted = [], [], []
    for position, held_out in enumerate(folds):
        inside = rows.take(fold != held_out)
        outside = rows.take(fold == held_out)
        validation = Validation(outside, on_step if position == 0 else None)
        model = fitter.fit(inside, parameters, validation)
        losses.append(
            log_loss(outside.response, model.predict_logged(outside), outside.sampling_weight)
        )
        weights.append(float(outside.sampling_weight.sum()))
        fitted.append(model.fitted_parameters)
    merged = dict(fitted[0])
    for key, first in merged.items():
        if isinstance(first, int) and any(f[key] != first for f in fitted):
            merged[key] = max(1, round(float(np.mean([f[key] for f in fitted]))))
    return CrossValidation(float(np.average(losses, weights=weights)), merged)


def cross_fit(
    fitter: Fitter,
    rows: TrainingRows,
    fold: NDArray[np.integer],
    parameters: Mapping[str, Any],
    report: Report = silent,
    keep_first: list[ResponseModel] | None = None,
    by_fold: Mapping[int, Fitter] | None = None,
) -> NDArray[np.float32]:
    """Score every row under every message by a model that was fitted without its fold.

    Parameters
    ----------
    fitter : Fitter
    rows : TrainingRows, n rows
    fold : ndarray of int, shape (n,)
    parameters : mapping
    report : callable
    keep_first : list, optional
        Receives the model that was fitted without the first fold.
    by_fold : mapping of int to Fitter, optional
        Fitters of single folds, where what is fitted without a fold was chosen without it too.

    Returns
    -------
    ndarray of float32, shape (n, n_messages)
    """
    scores = np.full((len(rows), rows.design.n_messages), np.nan, dtype=np.float32)
    folds = np.unique(fold)
    for position, held_out in enumerate(folds):
        started = time.perf_counter()
        own = (by_fold or {}).get(int(held_out), fitter)
        model = own.fit(rows.take(fold != held_out), parameters)
        if keep_first is not None and position == 0:
            keep_first.append(model)
        outside = fold == held_out
        scores[outside] = model.predict(rows.design.take(outside))
        report(
            f"cross-fitting fold {position + 1}/{len(folds)}: "
            f"{int(outside.sum()):,} rows scored in {time.perf_counter() - started:.1f} s"
        )
    return scores
