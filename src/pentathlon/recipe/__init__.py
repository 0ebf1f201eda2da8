"""The whole recipe on arrays: tune, fit, fuse, shrink, gate.

Pipelines run these steps one by one, so that each result is a dataset. Cross-fitted evaluation
runs them all again without each fold; both call the same functions.
"""

from pentathlon.recipe.fitting import (
    FittedModels,
    OrderValueFit,
    cross_fit_order_values,
    fit_models,
    fit_order_values,
    make_fitter,
    select_features,
    tune_model,
)
from pentathlon.recipe.observed import Observed
from pentathlon.recipe.whole import FittedRecipe, RecipeSettings, decide_policy, fit_recipe

__all__ = [
    "FittedModels",
    "FittedRecipe",
    "Observed",
    "OrderValueFit",
    "RecipeSettings",
    "cross_fit_order_values",
    "decide_policy",
    "fit_models",
    "fit_order_values",
    "fit_recipe",
    "make_fitter",
    "select_features",
    "tune_model",
]
