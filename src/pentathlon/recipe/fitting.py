"""The models of the recipe: tuned, fitted, cross-fitted and fused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.features import DesignBuilder
from pentathlon.fusion import FusionResult, choose_fusion
from pentathlon.fusion.settings import FusionSettings
from pentathlon.models import model_class
from pentathlon.models.device import fitting_on
from pentathlon.models.multipliers import MessageMultipliers
from pentathlon.models.order_value import (
    OrderValueModel,
    cross_fit_level,
    cross_fit_order_value,
    fit_order_value,
)
from pentathlon.models.order_value_tuning import OrderValueChoice, choose_order_value
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.selection import ChosenFeatures, choose_features
from pentathlon.models.settings import OrderValueSettings, RandomnessSettings, TrainingSettings
from pentathlon.models.training import Fitter, Report, cross_fit, silent
from pentathlon.models.tuning import StudyStore, TuningResult, fixed_result, tune
from pentathlon.recipe.observed import Observed


def make_fitter(
    settings: TrainingSettings, builder: DesignBuilder, randomness: RandomnessSettings
) -> Fitter:
    """Fitter of the model that the settings name."""
    return Fitter(
        model_class(settings.model),
        builder,
        settings.non_buyers_per_buyer,
        randomness.seed,
        randomness.threads,
        randomness.device,
    )


def tune_model(
    train: Observed,
    fitter: Fitter,
    settings: TrainingSettings,
    store: StudyStore,
    report: Report = silent,
) -> TuningResult:
    """Tune one response model, or take its fixed hyper-parameters."""
    if settings.fixed is not None:
        return fixed_result(fitter, settings.fixed)
    return tune(
        fitter,
        train.rows,
        train.fold,
        settings.search_space,
        n_trials=settings.n_trials,
        tuning_folds=settings.tuning_folds,
        timeout=settings.timeout,
        store=store,
        report=report,
    )


def select_features(
    train: Observed,
    fitter: Fitter,
    parameters: Mapping[str, Any],
    settings: TrainingSettings,
    report: Report = silent,
) -> ChosenFeatures:
    """Select one response model's features, and anew without each fold."""
    return choose_features(
        fitter, train.rows, train.fold, parameters, settings.feature_selection, report
    )


@dataclass(frozen=True)
class OrderValueFit:
    """A chosen and fitted order-value model.

    Attributes
    ----------
    choice : OrderValueChoice
    model : OrderValueModel
    multipliers : MessageMultipliers
    """

    choice: OrderValueChoice
    model: OrderValueModel
    multipliers: MessageMultipliers


def fit_order_values(
    train: Observed,
    builder: DesignBuilder,
    settings: OrderValueSettings,
    randomness: RandomnessSettings,
) -> OrderValueFit:
    """Choose, tune and fit the order-value model on the training rows' buyers."""
    with fitting_on(randomness.device):
        return _fit_order_values(train, builder, settings, randomness)


def _fit_order_values(
    train: Observed,
    builder: DesignBuilder,
    settings: OrderValueSettings,
    randomness: RandomnessSettings,
) -> OrderValueFit:
    orders, fold = train.orders(), train.fold[train.buyers]
    choice = choose_order_value(
        orders,
        fold,
        builder,
        settings.candidates,
        n_trials=settings.n_trials,
        seed=randomness.seed,
        threads=randomness.threads,
    )
    kwargs = {"seed": randomness.seed, "threads": randomness.threads}
    held_out = cross_fit_level(
        choice.level_model, orders, fold, builder, choice.parameters, **kwargs
    )
    model, multipliers = fit_order_value(
        choice.level_model, orders, held_out, builder, choice.parameters, **kwargs
    )
    return OrderValueFit(choice, model, multipliers)


def cross_fit_order_values(
    train: Observed,
    builder: DesignBuilder,
    choice: OrderValueChoice,
    randomness: RandomnessSettings,
) -> NDArray[np.float32]:
    """Expected order values of the training rows, cross-fitted, shape ``(n, n_messages)``."""
    with fitting_on(randomness.device):
        return cross_fit_order_value(
            choice.level_model,
            train.buyers,
            train.orders(),
            train.rows.design,
            train.fold,
            builder,
            choice.parameters,
            seed=randomness.seed,
            threads=randomness.threads,
        )


@dataclass(frozen=True)
class FittedModels:
    """All that is learnt from training rows before a policy is chosen.

    Attributes
    ----------
    builder : DesignBuilder
    models : dict of str to ResponseModel
    scores : dict of str to ndarray of float32, shape (n, n_messages)
        Purchase probabilities of the training rows by each single model, cross-fitted.
    fusion : FusionResult
        Its scores are fused and cross-fitted.
    order_value : OrderValueFit
    order_values : ndarray of float32, shape (n, n_messages)
        Cross-fitted expected order values of the training rows, in currency.
    """

    builder: DesignBuilder
    models: Mapping[str, ResponseModel]
    scores: Mapping[str, NDArray[np.float32]]
    fusion: FusionResult
    order_value: OrderValueFit
    order_values: NDArray[np.float32]


def fit_models(
    train: Observed,
    builder: DesignBuilder,
    training: Mapping[str, TrainingSettings],
    order_value: OrderValueSettings,
    fusion: FusionSettings,
    randomness: RandomnessSettings,
    report: Report = silent,
) -> FittedModels:
    """Tune and fit every model on training rows, and fuse the response models.

    Parameters
    ----------
    train : Observed, n rows
        Training rows only, with their folds.
    builder : DesignBuilder
        Learnt on them.
    training : dict of str to TrainingSettings
        By name of the model.
    order_value, fusion, randomness
        Settings.
    report : callable

    Returns
    -------
    FittedModels
    """
    models: dict[str, ResponseModel] = {}
    scores: dict[str, NDArray[np.float32]] = {}
    for name, settings in training.items():
        fitter = make_fitter(settings, builder, randomness)
        tuned = tune_model(train, fitter, settings, StudyStore(None))
        chosen = select_features(train, fitter, tuned.parameters, settings)
        scores[name] = cross_fit(
            fitter, train.rows, train.fold, tuned.parameters, by_fold=chosen.by_fold(fitter)
        )
        models[name] = chosen.fitter(fitter).fit(train.rows, tuned.parameters)
        report(f"{name} fitted")
    orders = fit_order_values(train, builder, order_value, randomness)
    order_values = cross_fit_order_values(train, builder, orders.choice, randomness)
    fused = choose_fusion(
        scores,
        train.rows.message,
        train.rows.response,
        train.rows.sampling_weight,
        train.fold,
        methods=fusion.methods,
        stacking_penalty=fusion.stacking_penalty,
    )
    return FittedModels(builder, models, scores, fused, orders, order_values)
