"""Nodes of the template; the same functions serve every response model."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from pentathlon.contract.scores import scores_table
from pentathlon.features import DesignBuilder
from pentathlon.models.importance import permutation_importance
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.selection import ChosenFeatures, narrowed_view
from pentathlon.models.training import Report, cross_fit
from pentathlon.models.tuning import StudyStore
from pentathlon.pipelines.params import MessagesParams, RandomnessParams
from pentathlon.pipelines.training.params import TrainingParams
from pentathlon.recipe import Observed, make_fitter, select_features, tune_model

logger = logging.getLogger(__name__)


def tune(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    study_store: StudyStore,
    messages: MessagesParams,
    settings: TrainingParams,
    randomness: RandomnessParams,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Search hyper-parameters by cross-validated log loss on natural-rate rows.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
    design_builder : DesignBuilder
    study_store : StudyStore
        Where the study is continued, or reused when it is finished.
    messages : MessagesParams
    settings : TrainingParams
    randomness : RandomnessParams

    Returns
    -------
    study : dict
        ``parameters`` to fit with, their ``log_loss``, ``trials`` done and the ``fingerprint``
        of what the study depends on.
    trials : DataFrame
    """
    train = Observed.training_rows(
        observations, model_input, design_builder, messages.message_set()
    )
    fitter = make_fitter(settings, design_builder, randomness)
    result = tune_model(train, fitter, settings, study_store, _reporter(settings.model))
    study = {
        "model": settings.model,
        "parameters": result.parameters,
        "log_loss": None if np.isnan(result.log_loss) else result.log_loss,
        "trials": len(result.trials),
        "fingerprint": result.fingerprint,
    }
    return study, result.trials


def select(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    study: dict[str, Any],
    messages: MessagesParams,
    settings: TrainingParams,
    randomness: RandomnessParams,
) -> pd.DataFrame:
    """Select the model's features on training rows, and anew without each fold.

    Returns
    -------
    DataFrame
        See :class:`pentathlon.models.selection.ChosenFeatures`.
    """
    train = Observed.training_rows(
        observations, model_input, design_builder, messages.message_set()
    )
    fitter = make_fitter(settings, design_builder, randomness)
    return select_features(
        train, fitter, study["parameters"], settings, _reporter(settings.model)
    ).table


def cross_fit_scores(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    study: dict[str, Any],
    feature_selection: pd.DataFrame,
    messages: MessagesParams,
    settings: TrainingParams,
    randomness: RandomnessParams,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score every training row under every message by a model fitted without its fold.

    Returns
    -------
    cross_fitted_scores : DataFrame
        Training rows.
    importance : DataFrame
        Permutation importance on the first fold, by the model fitted without it, of the features
        that it is told.
    """
    message_set = messages.message_set()
    train = Observed.training_rows(observations, model_input, design_builder, message_set)
    fitter = make_fitter(settings, design_builder, randomness)
    first_model: list[ResponseModel] = []
    scores = cross_fit(
        fitter,
        train.rows,
        train.fold,
        study["parameters"],
        _reporter(settings.model),
        keep_first=first_model,
        by_fold=ChosenFeatures(feature_selection).by_fold(fitter),
    )
    held_out = train.rows.take(train.fold == train.fold.min())
    view = narrowed_view(first_model[0], held_out, design_builder)
    importance = permutation_importance(*view, seed=randomness.seed)
    table = scores_table(observations[observations["split"] == "train"], scores, message_set)
    return table, importance


def fit_final_model(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    study: dict[str, Any],
    feature_selection: pd.DataFrame,
    messages: MessagesParams,
    settings: TrainingParams,
    randomness: RandomnessParams,
) -> ResponseModel:
    """Fit on all training rows."""
    train = Observed.training_rows(
        observations, model_input, design_builder, messages.message_set()
    )
    fitter = make_fitter(settings, design_builder, randomness)
    chosen = ChosenFeatures(feature_selection).fitter(fitter)
    return chosen.fit(train.rows, study["parameters"])


def collect_scores(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    model: ResponseModel,
    cross_fitted_scores: pd.DataFrame,
    messages: MessagesParams,
) -> pd.DataFrame:
    """Cross-fitted scores of training rows and the final model's scores of test rows.

    Returns
    -------
    DataFrame, n rows, in the order of the observations
        customer_id, fold (the fold that the scoring model never saw; -1 for test rows), one
        float32 purchase probability per message.
    """
    message_set = messages.message_set()
    train = (observations["split"] == "train").to_numpy()
    scores = np.full((len(observations), len(message_set)), np.nan, dtype=np.float32)
    scores[train] = cross_fitted_scores[list(message_set)].to_numpy(dtype=np.float32)
    if not train.all():
        scores[~train] = model.predict(design_builder.transform(model_input[~train]))
    return scores_table(observations, scores, message_set)


def _reporter(model: str) -> Report:
    def report(text: str) -> None:
        logger.info("%s: %s", model, text)

    return report
