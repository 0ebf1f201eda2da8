"""Nodes of the pipeline."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pandas as pd

from pentathlon.contract.scores import scores_table
from pentathlon.features import DesignBuilder
from pentathlon.models.order_value import OrderValueModel
from pentathlon.models.order_value_tuning import OrderValueChoice
from pentathlon.pipelines.order_value.params import OrderValueParams
from pentathlon.pipelines.params import MessagesParams, RandomnessParams
from pentathlon.recipe import Observed, cross_fit_order_values, fit_order_values

logger = logging.getLogger(__name__)


def choose_and_fit(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    messages: MessagesParams,
    settings: OrderValueParams,
    randomness: RandomnessParams,
) -> tuple[dict[str, Any], pd.DataFrame, OrderValueModel, pd.DataFrame]:
    """Tune the candidates on the training rows' buyers, keep the best, fit it.

    Parameters
    ----------
    observations, model_input : DataFrame, n rows
    design_builder : DesignBuilder
    messages : MessagesParams
    settings : OrderValueParams
    randomness : RandomnessParams

    Returns
    -------
    choice : dict
        Candidate, hyper-parameters and held-out deviance.
    trials : DataFrame
    model : OrderValueModel
    multipliers : DataFrame
        Effect of each message on the order value, raw and shrunk.
    """
    message_set = messages.message_set()
    train = Observed.training_rows(observations, model_input, design_builder, message_set)
    fit = fit_order_values(train, design_builder, settings, randomness)
    logger.info(
        "order value: %s chosen at a held-out deviance of %.4f on %s orders",
        fit.choice.candidate,
        fit.choice.deviance,
        f"{len(train.buyers):,}",
    )
    choice = {
        "candidate": fit.choice.candidate,
        "parameters": fit.choice.parameters,
        "deviance": fit.choice.deviance,
    }
    m = fit.multipliers
    multipliers = pd.DataFrame(
        {
            "message": list(message_set),
            "orders": np.bincount(train.rows.message[train.buyers], minlength=len(message_set)),
            "raw_multiplier": m.raw,
            "shrunk_multiplier": m.shrunk,
            "log_standard_error": np.where(np.isfinite(m.standard_error), m.standard_error, np.nan),
        }
    )
    return choice, fit.choice.trials, fit.model, multipliers


def score_order_values(
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    design_builder: DesignBuilder,
    choice: dict[str, Any],
    model: OrderValueModel,
    messages: MessagesParams,
    randomness: RandomnessParams,
) -> pd.DataFrame:
    """Expected order values: cross-fitted on training rows, the final model's on test rows.

    Returns
    -------
    DataFrame, n rows, in the order of the observations
        customer_id, fold, one float32 expected order value (in currency) per message.
    """
    message_set = messages.message_set()
    train = (observations["split"] == "train").to_numpy()
    rows = Observed.training_rows(observations, model_input, design_builder, message_set)
    chosen = OrderValueChoice(
        choice["candidate"], choice["parameters"], choice["deviance"], pd.DataFrame()
    )
    scores = np.full((len(observations), len(message_set)), np.nan, dtype=np.float32)
    scores[train] = cross_fit_order_values(rows, design_builder, chosen, randomness)
    if not train.all():
        scores[~train] = model.predict(design_builder.transform(model_input[~train]))
    return scores_table(observations, scores, message_set)
