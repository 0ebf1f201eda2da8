"""Choosing and tuning the order-value model by held-out deviance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import ParameterError
from pentathlon.features.design import DesignBuilder
from pentathlon.models.order_value import (
    LEVEL_MODELS,
    LevelModel,
    Orders,
    cross_fit_level,
    gamma_deviance,
)
from pentathlon.models.search_space import SearchDimension, check_search_space


@dataclass(frozen=True)
class OrderValueChoice:
    """The order-value candidate with the lowest held-out deviance.

    Attributes
    ----------
    candidate : str
    parameters : dict
    deviance : float
    trials : DataFrame
        Columns candidate, number, deviance and one per hyper-parameter.
    """

    candidate: str
    parameters: dict[str, Any]
    deviance: float
    trials: pd.DataFrame

    @property
    def level_model(self) -> type[LevelModel]:
        """Class of the chosen candidate."""
        return LEVEL_MODELS[self.candidate]


def choose_order_value(
    orders: Orders,
    fold: NDArray[np.integer],
    builder: DesignBuilder,
    candidates: Mapping[str, Mapping[str, SearchDimension]],
    *,
    n_trials: int,
    seed: int,
    threads: int,
) -> OrderValueChoice:
    """Tune every candidate and keep the best.

    Parameters
    ----------
    orders : Orders, n buyers
    fold : ndarray of int, shape (n,)
    builder : DesignBuilder
    candidates : mapping of candidate name to search space
    n_trials : int
        Per candidate.
    seed, threads : int

    Returns
    -------
    OrderValueChoice

    Raises
    ------
    ParameterError
        When there is no such candidate, or it has no such hyper-parameter.
    """
    import optuna

    strangers = sorted(set(candidates) - set(LEVEL_MODELS))
    if strangers:
        raise ParameterError(
            f"order_value.candidates: there is no {strangers}; choose from {sorted(LEVEL_MODELS)}."
        )
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    records: list[dict[str, Any]] = []
    for name, space in candidates.items():
        candidate = LEVEL_MODELS[name]
        check_search_space(dict(space), {}, candidate.hyperparameters)

        def objective(
            trial: Any,
            candidate: type[LevelModel] = candidate,
            space: Mapping[str, SearchDimension] = space,
        ) -> float:
            parameters = {key: d.suggest(trial, key) for key, d in space.items()}
            level = cross_fit_level(
                candidate, orders, fold, builder, parameters, seed=seed, threads=threads
            )
            return gamma_deviance(orders.value, level, orders.sampling_weight)

        study = optuna.create_study(
            direction="minimize", sampler=optuna.samplers.TPESampler(seed=seed)
        )
        study.optimize(objective, n_trials=n_trials, n_jobs=1)
        for trial in study.trials:
            records.append(
                {
                    "candidate": name,
                    "number": trial.number,
                    "deviance": trial.value,
                    "parameters": dict(trial.params),
                }
            )
    best = min(records, key=lambda r: (r["deviance"], r["candidate"], r["number"]))
    trials = pd.DataFrame(
        [{k: v for k, v in r.items() if k != "parameters"} | r["parameters"] for r in records]
    )
    return OrderValueChoice(best["candidate"], best["parameters"], best["deviance"], trials)
