"""Gradient-boosted trees (XGBoost) on the shared design."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.device import xgboost_device
from pentathlon.models.metrics import log_loss
from pentathlon.models.protocol import (
    Hyperparameters,
    ProgressCallback,
    TrainingRows,
    Validation,
)
from pentathlon.special import expit

CHUNK_ROWS = 200_000
REPORT_EVERY = 10
PATIENCE = 30
CONTRAST_RATE = 0.1
CONTRAST_PATIENCE = 10


class BoostingParameters(Hyperparameters):
    """Hyper-parameters of the boosted trees.

    Attributes
    ----------
    n_estimators, learning_rate, max_depth, min_child_weight, subsample, colsample_bytree, \
reg_lambda
        Of the trees that learn who buys; names and meanings are XGBoost's.
    contrast_estimators, contrast_depth, contrast_lambda
        Number, depth and penalty of the trees that learn which message moves whom.
    """

    n_estimators: Annotated[int, Field(ge=1)] = 400
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.06
    max_depth: Annotated[int, Field(ge=1)] = 4
    min_child_weight: Annotated[float, Field(ge=0)] = 10.0
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    colsample_bytree: Annotated[float, Field(gt=0, le=1)] = 0.7
    reg_lambda: Annotated[float, Field(ge=0)] = 5.0
    contrast_estimators: Annotated[int, Field(ge=0)] = 30
    contrast_depth: Annotated[int, Field(ge=1)] = 3
    contrast_lambda: Annotated[float, Field(ge=0)] = 100.0


@dataclass(frozen=True)
class XGBoostModel:
    """Boosted trees (Chen and Guestrin 2016) in two stages.

    Who buys is a strong signal and which message moves whom a faint one; trees that look for
    both at once spend their splits on the first. So the first stage may not let messages
    interact with anything (customer features, message and match features each keep to
    themselves), and the second boosts on from there with trees whose leaves hold one effect per
    message, split where the messages' effects differ most between customers.

    Attributes
    ----------
    parameters : BoostingParameters
        With the numbers of trees that early stopping found, where it was used.
    booster : xgboost.Booster
        First stage: one output, a row per customer and message.
    contrasts : xgboost.Booster or None
        Second stage: one output per message, a row per customer.
    logit_offset : float
        Prior correction of the case-control sample they were fitted on.
    threads : int
    """

    name: ClassVar[str] = "xgboost"
    hyperparameters: ClassVar[type[Hyperparameters]] = BoostingParameters

    parameters: BoostingParameters
    booster: Any
    contrasts: Any
    logit_offset: float
    threads: int = 1

    @classmethod
    def fit(
        cls,
        rows: TrainingRows,
        builder: DesignBuilder,
        parameters: Mapping[str, Any],
        *,
        logit_offset: float,
        seed: int,
        threads: int,
        validation: Validation | None = None,
    ) -> Self:
        """Boost; with validation rows, stop each stage when their log loss stops falling."""
        p = BoostingParameters.model_validate(dict(parameters))
        booster, trees = _fit_buyers(rows, p, logit_offset, seed, threads, validation)
        p = p.model_copy(update={"n_estimators": trees})
        model = cls(p, booster, None, logit_offset, threads)
        if p.contrast_estimators == 0:
            return model
        contrasts, trees = _fit_contrasts(model, rows, seed, validation)
        p = p.model_copy(update={"contrast_estimators": trees})
        return cls(p, booster, contrasts if trees else None, logit_offset, threads)

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """Hyper-parameters with the numbers of trees that were kept."""
        return self.parameters.model_dump()

    def margins(self, design: Design) -> NDArray[np.float32]:
        """Log odds on the sample's scale, shape ``(n, n_messages)``."""
        out = np.empty((len(design), design.n_messages), dtype=np.float32)
        for start in range(0, len(design), CHUNK_ROWS):
            part = design.take(slice(start, start + CHUNK_ROWS))
            margin = out[start : start + CHUNK_ROWS]
            for k in range(design.n_messages):
                margin[:, k] = self.booster.inplace_predict(part.under(k), predict_type="margin")
            if self.contrasts is not None:
                margin += self.contrasts.inplace_predict(part.base, predict_type="margin")
        return out

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        return expit(self.margins(design) + np.float64(self.logit_offset)).astype(np.float32)

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        margin = self.booster.inplace_predict(
            rows.design.logged(rows.message), predict_type="margin"
        ).astype(np.float64)
        if self.contrasts is not None:
            effects = self.contrasts.inplace_predict(rows.design.base, predict_type="margin")
            margin += effects[np.arange(len(rows)), rows.message]
        return expit(margin + self.logit_offset).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``booster.ubj``, ``contrasts.ubj`` where there are any, and ``model.json``."""
        self.booster.save_model(folder / "booster.ubj")
        if self.contrasts is not None:
            self.contrasts.save_model(folder / "contrasts.ubj")
        state = {
            "parameters": self.parameters.model_dump(),
            "logit_offset": self.logit_offset,
            "threads": self.threads,
        }
        (folder / "model.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        import xgboost as xgb

        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        parameters = BoostingParameters.model_validate(state["parameters"])
        threads = state["threads"]
        booster = xgb.Booster(model_file=folder / "booster.ubj")
        booster.set_param({"nthread": threads})
        contrasts = None
        if parameters.contrast_estimators:
            contrasts = xgb.Booster(model_file=folder / "contrasts.ubj")
            contrasts.set_param({"nthread": threads})
        return cls(parameters, booster, contrasts, state["logit_offset"], threads)


def _fit_buyers(
    rows: TrainingRows,
    p: BoostingParameters,
    logit_offset: float,
    seed: int,
    threads: int,
    validation: Validation | None,
) -> tuple[Any, int]:
    """First stage: who buys, and what each message does to everybody."""
    import xgboost as xgb

    f, k = rows.design.base.shape[1], rows.design.n_messages
    groups = [range(f), range(f, f + k), range(f + k, f + k + rows.design.match.shape[2])]
    settings = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        "max_bin": 128,
        "device": xgboost_device(),
        "nthread": threads,
        "seed": seed,
        "base_score": float(np.mean(rows.response)),
        "disable_default_eval_metric": 1,
        "interaction_constraints": str([list(group) for group in groups]),
        "learning_rate": p.learning_rate,
        "max_depth": p.max_depth,
        "min_child_weight": p.min_child_weight,
        "subsample": p.subsample,
        "colsample_bytree": p.colsample_bytree,
        "reg_lambda": p.reg_lambda,
    }
    data = xgb.QuantileDMatrix(
        rows.design.logged(rows.message), rows.response, max_bin=128, nthread=threads
    )
    stopping = None
    if validation is not None:
        held_out = xgb.DMatrix(
            validation.rows.design.logged(validation.rows.message), nthread=threads
        )

        def loss(booster: Any) -> float:
            z = booster.predict(held_out, output_margin=True)
            return _log_loss(validation.rows, z + logit_offset)

        stopping = _stopping(
            loss, p.n_estimators, REPORT_EVERY, PATIENCE, on_step=validation.on_step
        )
    booster = xgb.train(
        settings,
        data,
        num_boost_round=p.n_estimators,
        callbacks=[stopping] if stopping else None,
        verbose_eval=False,
    )
    trees = stopping.best_rounds if stopping else p.n_estimators
    booster = booster[:trees] if stopping else booster
    booster.set_param({"nthread": threads, "device": "cpu"})
    return booster, trees


def _fit_contrasts(
    model: XGBoostModel, rows: TrainingRows, seed: int, validation: Validation | None
) -> tuple[Any, int]:
    """Second stage: trees with one effect per message in every leaf.

    Each row informs the output of its own message only. A split gains
    ``sum_k G_k^2 / (H_k + lambda)``, so it is made where messages' effects differ. The trees are
    few and shallow, and leaves of several effects are young on GPUs: fitted on the processor
    whatever the device.
    """
    import xgboost as xgb

    p, n, k = model.parameters, len(rows), rows.design.n_messages
    at = np.arange(n)
    data = xgb.QuantileDMatrix(
        rows.design.base,
        rows.response,
        base_margin=model.margins(rows.design),
        max_bin=64,
        nthread=model.threads,
    )

    def objective(margin: Any, _: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        probability = expit(np.asarray(margin).reshape(n, k)[at, rows.message])
        gradient = np.zeros((n, k), dtype=np.float32)
        hessian = np.zeros((n, k), dtype=np.float32)
        gradient[at, rows.message] = probability - rows.response
        hessian[at, rows.message] = probability * (1 - probability)
        return gradient, hessian

    stopping = None
    if validation is not None:
        held_out = validation.rows
        level = model.margins(held_out.design)[np.arange(len(held_out)), held_out.message]
        features = xgb.DMatrix(held_out.design.base, nthread=model.threads)
        features.set_base_margin(np.zeros((len(held_out), k), dtype=np.float32))

        def loss(booster: Any) -> float:
            effects = booster.predict(features, output_margin=True).reshape(-1, k)
            z = level + effects[np.arange(len(held_out)), held_out.message]
            return _log_loss(held_out, z + model.logit_offset)

        stopping = _stopping(
            loss,
            p.contrast_estimators,
            every=2,
            patience=CONTRAST_PATIENCE,
            start=_log_loss(held_out, level + model.logit_offset),
        )
    booster = xgb.train(
        {
            "multi_strategy": "multi_output_tree",
            "num_target": k,
            "tree_method": "hist",
            "max_bin": 64,
            "nthread": model.threads,
            "seed": seed,
            "base_score": 0.0,
            "disable_default_eval_metric": 1,
            "learning_rate": CONTRAST_RATE,
            "max_depth": p.contrast_depth,
            "reg_lambda": p.contrast_lambda,
            "subsample": p.subsample,
        },
        data,
        num_boost_round=p.contrast_estimators,
        obj=objective,
        callbacks=[stopping] if stopping else None,
        verbose_eval=False,
    )
    trees = stopping.best_rounds if stopping else p.contrast_estimators
    booster = booster[:trees] if stopping and trees else booster
    booster.set_param({"nthread": model.threads})
    return booster, trees


def _log_loss(rows: TrainingRows, index: NDArray[np.floating]) -> float:
    """Log loss of log odds on natural-rate rows, which XGBoost's own metrics cannot give."""
    return log_loss(rows.response, expit(index), rows.sampling_weight)


def _stopping(
    loss: Callable[[Any], float],
    rounds: int,
    every: int,
    patience: int,
    start: float = np.inf,
    on_step: ProgressCallback | None = None,
) -> Any:
    """Callback that remembers the number of trees with the lowest validation loss.

    ``start`` is the loss without any tree, where none is a choice.
    """
    import xgboost as xgb

    class NaturalRateStopping(xgb.callback.TrainingCallback):
        def __init__(self) -> None:
            self.best_loss = start
            self.best_rounds = 0 if np.isfinite(start) else 1

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            if (epoch + 1) % every and epoch + 1 < rounds:
                return False
            now = loss(model)
            if now < self.best_loss:
                self.best_loss, self.best_rounds = now, epoch + 1
            if on_step is not None:
                on_step(epoch + 1, self.best_loss)
            return epoch + 1 - self.best_rounds >= patience

    return NaturalRateStopping()
