"""The whole recipe on arrays: tune, fit, fuse, shrink, gate.

Pipelines run these steps one by one, so that each result is a dataset. Cross-fitted evaluation
runs them all again without each fold; both call the same functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.decision import (
    DecisionEngine,
    DecisionSettings,
    PolicyChoice,
    choose_policy,
    logged_outcomes,
)
from pentathlon.errors import DataError
from pentathlon.features import DesignBuilder
from pentathlon.fusion import FusionResult, choose_fusion
from pentathlon.fusion.settings import FusionSettings
from pentathlon.models import TrainingRows, model_class
from pentathlon.models.multipliers import MessageMultipliers
from pentathlon.models.order_value import (
    Orders,
    OrderValueModel,
    cross_fit_level,
    cross_fit_order_value,
    fit_order_value,
)
from pentathlon.models.order_value_tuning import OrderValueChoice, choose_order_value
from pentathlon.models.protocol import ResponseModel
from pentathlon.models.settings import OrderValueSettings, RandomnessSettings, TrainingSettings
from pentathlon.models.training import Fitter, Report, cross_fit, silent
from pentathlon.models.tuning import StudyStore, TuningResult, fixed_result, tune


@dataclass(frozen=True)
class RecipeSettings:
    """Settings of every step.

    Attributes
    ----------
    training : dict of str to TrainingSettings
        By name of the model.
    order_value : OrderValueSettings
    fusion : FusionSettings
    decision : DecisionSettings
    randomness : RandomnessSettings
    """

    training: Mapping[str, TrainingSettings]
    order_value: OrderValueSettings
    fusion: FusionSettings
    decision: DecisionSettings
    randomness: RandomnessSettings


@dataclass(frozen=True)
class Observed:
    """Observations as arrays, row by row with their design.

    Attributes
    ----------
    rows : TrainingRows, n rows
        Design, logged message, response, sampling weight.
    order_value, propensity : ndarray of float64, shape (n,)
    fold : ndarray of int64, shape (n,)
        -1 on test rows.
    """

    rows: TrainingRows
    order_value: NDArray[np.float64]
    propensity: NDArray[np.float64]
    fold: NDArray[np.int64]

    @classmethod
    def from_tables(
        cls,
        observations: pd.DataFrame,
        model_input: pd.DataFrame,
        builder: DesignBuilder,
        messages: MessageSet,
    ) -> Observed:
        """Read the arrays from ``observations`` and ``model_input``, which go row by row.

        Raises
        ------
        DataError
            When the tables are not of the same customers in the same order.
        """
        if (
            len(observations) != len(model_input)
            or not (
                observations["customer_id"].to_numpy() == model_input["customer_id"].to_numpy()
            ).all()
        ):
            raise DataError(
                "observations and model_input are not of the same customers in the same order; "
                "run feature_engineering again on these observations."
            )
        rows = TrainingRows(
            design=builder.transform(model_input),
            message=messages.codes(observations["message"].to_numpy()),  # type: ignore[arg-type]
            response=observations["response"].to_numpy(dtype=np.int8),
            sampling_weight=observations["sampling_weight"].to_numpy(dtype=np.float64),
        )
        return cls(
            rows,
            observations["order_value"].to_numpy(dtype=np.float64),
            observations["propensity"].to_numpy(dtype=np.float64),
            observations["fold"].to_numpy(dtype=np.int64),
        )

    @classmethod
    def training_rows(
        cls,
        observations: pd.DataFrame,
        model_input: pd.DataFrame,
        builder: DesignBuilder,
        messages: MessageSet,
    ) -> Observed:
        """Read the training rows alone."""
        train = (observations["split"] == "train").to_numpy()
        return cls.from_tables(observations[train], model_input[train], builder, messages)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Observed:
        """Some of the rows."""
        return Observed(
            self.rows.take(chosen),
            self.order_value[chosen],
            self.propensity[chosen],
            self.fold[chosen],
        )

    @property
    def buyers(self) -> NDArray[np.int64]:
        """Positions of the rows with a response."""
        return np.flatnonzero(self.rows.response == 1)

    def orders(self) -> Orders:
        """Orders of the buyers."""
        buyers = self.buyers
        return Orders(
            self.rows.design.take(buyers),
            self.rows.message[buyers],
            self.order_value[buyers],
            self.rows.sampling_weight[buyers],
        )


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


def decide_policy(
    train: Observed,
    fused: NDArray[np.float32],
    order_values: NDArray[np.float32],
    messages: MessageSet,
    settings: DecisionSettings,
) -> PolicyChoice:
    """Choose the policy that ships on the cross-fitted training rows."""
    outcomes = logged_outcomes(
        train.rows.message,
        train.propensity,
        train.rows.response,
        train.order_value,
        train.rows.sampling_weight,
        order_values,
        messages,
    )
    return choose_policy(
        fused, order_values, outcomes, train.rows.response, train.fold, messages, settings
    )


@dataclass(frozen=True)
class FittedRecipe:
    """Outcome of the whole recipe.

    Attributes
    ----------
    engine : DecisionEngine
    fusion : FusionResult
    choice : PolicyChoice
    """

    engine: DecisionEngine
    fusion: FusionResult
    choice: PolicyChoice


def fit_recipe(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    columns: FeatureColumns,
    messages: MessageSet,
    settings: RecipeSettings,
    report: Report = silent,
) -> FittedRecipe:
    """Run every step on training rows.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
        Training rows only, with their folds; levels and scales are learnt here too.
    columns : FeatureColumns
    messages : MessageSet
    settings : RecipeSettings
    report : callable

    Returns
    -------
    FittedRecipe
    """
    builder = DesignBuilder.fit(model_input, columns, messages)
    train = Observed.from_tables(observations, model_input, builder, messages)
    models: dict[str, ResponseModel] = {}
    scores: dict[str, NDArray[np.float32]] = {}
    for name, training in settings.training.items():
        fitter = make_fitter(training, builder, settings.randomness)
        tuned = tune_model(train, fitter, training, StudyStore(None))
        scores[name] = cross_fit(fitter, train.rows, train.fold, tuned.parameters)
        models[name] = fitter.fit(train.rows, tuned.parameters)
        report(f"{name} fitted")
    order_value = fit_order_values(train, builder, settings.order_value, settings.randomness)
    order_values = cross_fit_order_values(train, builder, order_value.choice, settings.randomness)
    fusion = choose_fusion(
        scores,
        train.rows.message,
        train.rows.response,
        train.rows.sampling_weight,
        train.fold,
        methods=settings.fusion.methods,
        stacking_penalty=settings.fusion.stacking_penalty,
    )
    choice = decide_policy(train, fusion.scores, order_values, messages, settings.decision)
    engine = DecisionEngine(
        messages=messages,
        columns=columns,
        builder=builder,
        models=models,
        fusion=fusion.model,
        order_value=order_value.model,
        shrinkage=choice.shrinkage,
        policy=choice.policy,
    )
    return FittedRecipe(engine, fusion, choice)
