"""From observations to a decision engine: models, fusion, and the policy that ships."""

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
from pentathlon.evaluation import customer_clusters
from pentathlon.features import DesignBuilder
from pentathlon.fusion import FusionResult
from pentathlon.fusion.settings import FusionSettings
from pentathlon.models.settings import OrderValueSettings, RandomnessSettings, TrainingSettings
from pentathlon.models.training import Report, silent
from pentathlon.recipe.fitting import fit_models
from pentathlon.recipe.observed import Observed


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


def decide_policy(
    train: Observed,
    fused: NDArray[np.float32],
    order_values: NDArray[np.float32],
    messages: MessageSet,
    settings: DecisionSettings,
    cluster: NDArray[np.int64] | None = None,
    by_model: Mapping[str, NDArray[np.float32]] | None = None,
    features: pd.DataFrame | None = None,
) -> PolicyChoice:
    """Choose the policy that ships on the cross-fitted training rows.

    ``cluster`` is the code of each row's customer, where customers have several rows; ``by_model``
    are the cross-fitted scores of the single models, from which contrasts are blended;
    ``features`` are what a policy tree and segments may ask about.
    """
    outcomes = logged_outcomes(
        train.rows.message,
        train.propensity,
        train.rows.response,
        train.order_value,
        train.rows.sampling_weight,
        order_values,
        messages,
        cluster,
    )
    return choose_policy(
        fused,
        order_values,
        outcomes,
        train.rows.response,
        train.fold,
        messages,
        settings,
        by_model,
        features,
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
    fitted = fit_models(
        train,
        builder,
        settings.training,
        settings.order_value,
        settings.fusion,
        settings.randomness,
        report,
    )
    choice = decide_policy(
        train,
        fitted.fusion.scores,
        fitted.order_values,
        messages,
        settings.decision,
        customer_clusters(observations["customer_id"].to_numpy()),
        fitted.scores,
        model_input,
    )
    engine = DecisionEngine(
        messages=messages,
        columns=columns,
        builder=builder,
        models=fitted.models,
        fusion=fitted.fusion.model,
        order_value=fitted.order_value.model,
        shrinkage=choice.shrinkage,
        leads=choice.leads,
        policy=choice.policy,
        constant_worth=choice.constant_worth,
        blend=choice.blend,
        router=choice.router,
    )
    return FittedRecipe(engine, fitted.fusion, choice)
