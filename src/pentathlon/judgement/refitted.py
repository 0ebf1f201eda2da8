"""Judging by engines that were made again without the rows that they judge."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.decision import DecisionEngine
from pentathlon.errors import EvaluationError
from pentathlon.judgement.judged import Judged, Sending, judge_rows
from pentathlon.models.training import Report, silent
from pentathlon.moments.splits import rolling_origin

Refit = Callable[[pd.DataFrame, pd.DataFrame], DecisionEngine]

_ASSIGNED_AT = "assigned_at"
_DAY = 24 * 60 * 60 * 1_000_000


def judge_cross_fitted(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    refit: Refit,
    report: Report = silent,
    sending: Sending | None = None,
) -> Judged:
    """Refit the whole recipe without each fold and let it decide for that fold's customers.

    Tuning, fusion, shrinkage and gate are all repeated, so every row is judged by parties that
    never saw it, and every row judges.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
        Training rows are judged; test rows, if any, are left alone.
    refit : callable
        Makes the engine that ships from the observations and model input it is given.
    report : callable
    sending : Sending, optional
        Rules and limits; none by default.

    Returns
    -------
    Judged, in the order of the observations
    """
    train = (observations["split"] == "train").to_numpy()
    observations, model_input = observations[train], model_input[train]
    fold = observations["fold"].to_numpy()
    folds = np.unique(fold)
    if len(folds) < 4:
        raise EvaluationError(
            "Cross-fitted evaluation needs at least four folds: one to judge, one to cross-fit "
            "within, two to cross-fit order values within that. "
            f"data_processing.n_folds gave {len(folds)}."
        )
    parts: list[Judged] = []
    positions: list[NDArray[np.int64]] = []
    for number, held_out in enumerate(folds):
        inside, outside = fold != held_out, fold == held_out
        report(f"fold {number + 1}/{len(folds)}: refitting the whole recipe without it")
        engine = refit(observations[inside], model_input[inside])
        part = judge_rows(engine, observations[outside], model_input[outside], sending)
        report(f"fold {number + 1}/{len(folds)}: {engine.policy} ships")
        parts.append(part)
        positions.append(np.flatnonzero(outside))
    return _together(parts, positions)


def judge_rolling_origin(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    refit: Refit,
    origins: int,
    outcome_days: int,
    report: Report = silent,
    sending: Sending | None = None,
) -> Judged:
    """Refit the whole recipe as time goes on and let it decide for what came after.

    The observations are cut by time into ``origins + 1`` stretches of about the same size. At the
    start of each but the first, the recipe is fitted on the rows whose outcome was known by then,
    and judged on the stretch: as it would have been used.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
        With ``assigned_at``. Training rows take part; test rows, if any, are left alone.
    refit : callable
        Makes the engine that ships from the observations and model input it is given.
    origins : int
    outcome_days : int
        Days after which an outcome is known.
    report : callable
    sending : Sending, optional
        Rules and limits; none by default.

    Returns
    -------
    Judged, in the order of the observations
        Of the rows after the first origin; ``fold`` is the number of the origin, from 0.

    Raises
    ------
    EvaluationError
        When the observations have no times.
    DataError
        When they span too little time, or an origin's past lacks a message or an outcome.

    References
    ----------
    Tashman (2000), "Out-of-sample tests of forecasting accuracy: an analysis and review".
    """
    if _ASSIGNED_AT not in observations:
        raise EvaluationError(
            "evaluation.scheme rolling_origin needs the time of every assignment: name its "
            "column in data_processing.columns.assigned_at."
        )
    train = (observations["split"] == "train").to_numpy()
    observations, model_input = observations[train], model_input[train]
    moments = observations[_ASSIGNED_AT].to_numpy(dtype="datetime64[us]").astype(np.int64)
    parts: list[Judged] = []
    positions: list[NDArray[np.int64]] = []
    for number, origin in enumerate(rolling_origin(moments, origins, outcome_days * _DAY)):
        start = np.datetime64(origin.start, "us").astype("datetime64[D]")
        report(
            f"origin {number + 1}/{origins}, {start}: refitting the whole recipe on the "
            f"{len(origin.train):,} rows that were known"
        )
        engine = refit(observations.iloc[origin.train], model_input.iloc[origin.train])
        judging = observations.iloc[origin.test].assign(fold=np.int8(number))
        part = judge_rows(engine, judging, model_input.iloc[origin.test], sending)
        report(f"origin {number + 1}/{origins}: {engine.policy} ships")
        parts.append(part)
        positions.append(origin.test)
    return _together(parts, positions)


def _together(parts: list[Judged], positions: list[NDArray[np.int64]]) -> Judged:
    """Rows that different engines judged, in the order of the observations."""
    order = np.argsort(np.concatenate(positions))

    def joined(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        return np.concatenate(arrays)[order]

    return Judged(
        keys=pd.concat([p.keys for p in parts]).iloc[order].reset_index(drop=True),
        probabilities={
            name: joined([p.probabilities[name] for p in parts]) for name in parts[0].probabilities
        },
        order_values=joined([p.order_values for p in parts]),
        profit=joined([p.profit for p in parts]),
        messages=parts[0].messages,
    )
