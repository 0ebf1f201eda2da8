"""Fitted models that benchmarks keep, so that a change of the decision costs seconds."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from kedro.config import OmegaConfigLoader
from numpy.typing import NDArray

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.decision import ContrastShrinkage, DecisionEngine
from pentathlon.decision.policies import constant_name
from pentathlon.features import DesignBuilder
from pentathlon.pipelines.decision.params import DecisionParams
from pentathlon.pipelines.fusion.params import FusionParams
from pentathlon.pipelines.order_value.params import OrderValueParams
from pentathlon.pipelines.params import RandomnessParams
from pentathlon.pipelines.training.params import TrainingParams
from pentathlon.recipe import Observed, RecipeSettings, fit_models

PROJECT = Path(__file__).resolve().parents[1]
RESULTS = PROJECT / "benchmarks" / "results"
FITTING_CODE = (
    *("contract", "features", "models", "fusion", "simulation"),
    *("recipe/observed.py", "recipe/fitting.py"),
)
"""What fitted models depend on, below the package; they are kept while it stays the same."""
NOT_FITTING_CODE = ("models/compiled/", "simulation/events_")
"""Within it, what starts like this: fast predictions, and a retailer's raw tables."""
NO_PART_OF_FITS = (
    *("decision", "evaluation", "campaign", "simulation", "plan", "scoring"),
    *("simulate_events", "intake", "moments"),
)
"""Blocks of parameters that come after fitting, belong to raw tables, or are set here."""


def parameters(env: str = "base") -> dict[str, Any]:
    """Parameters of an environment, over those of base."""
    loader = OmegaConfigLoader(
        str(PROJECT / "conf"), base_env="base", default_run_env="local", env=env
    )
    return dict(loader["parameters"])


def recipe_settings(
    config: dict[str, Any], fixed: dict[str, dict[str, Any]] | None = None
) -> RecipeSettings:
    """Settings of every step, with fixed hyper-parameters where they are given."""
    return RecipeSettings(
        training={
            name: TrainingParams.model_validate(block | ({"fixed": fixed[name]} if fixed else {}))
            for name, block in config["training"].items()
        },
        order_value=OrderValueParams.model_validate(config["order_value"]),
        fusion=FusionParams.model_validate(config["fusion"]),
        decision=DecisionParams.model_validate(config["decision"]),
        randomness=RandomnessParams.model_validate(config["randomness"]),
    )


def fingerprint(config: dict[str, Any], fixed: dict[str, dict[str, Any]] | None = None) -> str:
    """Hash of the parameters and the code that a fit depends on; the decision is no part of it."""
    parts = {key: block for key, block in config.items() if key not in NO_PART_OF_FITS}
    digest = hashlib.sha256(json.dumps([parts, fixed], sort_keys=True, default=str).encode())
    root = PROJECT / "src" / "pentathlon"
    for package in FITTING_CODE:
        place = root / package
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            if not path.relative_to(root).as_posix().startswith(NOT_FITTING_CODE):
                digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class KeptFit:
    """Everything fitted, ready to decide.

    Attributes
    ----------
    train : Observed
    engine : DecisionEngine
        Ships no e-mail: no policy has been chosen.
    fused, order_values : ndarray of float32, shape (n_train, n_messages)
        Cross-fitted.
    by_model : dict of str to ndarray of float32, shape (n_train, n_messages)
        Cross-fitted scores of the single models.
    features : DataFrame, n_train rows
    """

    train: Observed
    engine: DecisionEngine
    fused: NDArray[np.float32]
    order_values: NDArray[np.float32]
    by_model: dict[str, NDArray[np.float32]]
    features: pd.DataFrame


def keep_fit(
    home: Path,
    mark: str,
    observations: pd.DataFrame,
    model_input: pd.DataFrame,
    columns: FeatureColumns,
    messages: MessageSet,
    settings: RecipeSettings,
) -> KeptFit:
    """Fit every model on training rows, or read what the same code fitted with the same settings.

    Parameters
    ----------
    home : Path
        Folder of the fit.
    mark : str
        Fingerprint of code and settings; a fit with another one is thrown away.
    observations, model_input : DataFrame, n rows
        Training rows only.
    columns : FeatureColumns
    messages : MessageSet
    settings : RecipeSettings
    """
    builder = DesignBuilder.fit(model_input, columns, messages)
    train = Observed.from_tables(observations, model_input, builder, messages)
    if not (home / mark).is_file():
        shutil.rmtree(home, ignore_errors=True)
        (home / "engine").mkdir(parents=True)
        fitted = fit_models(
            train,
            builder,
            settings.training,
            settings.order_value,
            settings.fusion,
            settings.randomness,
        )
        DecisionEngine(
            messages=messages,
            columns=columns,
            builder=builder,
            models=fitted.models,
            fusion=fitted.fusion.model,
            order_value=fitted.order_value.model,
            shrinkage=ContrastShrinkage.none(len(messages)),
            policy=constant_name(messages.names[0]),
        ).save(home / "engine")
        np.savez(
            home / "scores.npz",
            fused=fitted.fusion.scores,
            order_values=fitted.order_values,
            **{f"model_{name}": scores for name, scores in fitted.scores.items()},
        )
        (home / mark).touch()
    with np.load(home / "scores.npz") as scores:
        return KeptFit(
            train,
            DecisionEngine.load(home / "engine"),
            scores["fused"],
            scores["order_values"],
            {name: scores[f"model_{name}"] for name in settings.training},
            model_input,
        )
