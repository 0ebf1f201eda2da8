"""Gradient-boosted trees (XGBoost) on the shared design."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.metrics import log_loss
from pentathlon.models.protocol import Hyperparameters, TrainingRows, Validation
from pentathlon.models.sampling import expit

REPORT_EVERY = 10
PATIENCE = 30


class BoostingParameters(Hyperparameters):
    """Hyper-parameters of the boosted trees; names and meanings are XGBoost's."""

    n_estimators: Annotated[int, Field(ge=1)] = 400
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.06
    max_depth: Annotated[int, Field(ge=1)] = 4
    min_child_weight: Annotated[float, Field(ge=0)] = 10.0
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    colsample_bytree: Annotated[float, Field(gt=0, le=1)] = 0.7
    reg_lambda: Annotated[float, Field(ge=0)] = 5.0


@dataclass(frozen=True)
class XGBoostModel:
    """Boosted trees (Chen and Guestrin 2016), one row per customer and message.

    Attributes
    ----------
    parameters : BoostingParameters
        With the number of trees that early stopping found, where it was used.
    booster : xgboost.Booster
    logit_offset : float
        Prior correction of the case-control sample it was fitted on.
    """

    name: ClassVar[str] = "xgboost"
    hyperparameters: ClassVar[type[Hyperparameters]] = BoostingParameters

    parameters: BoostingParameters
    booster: Any
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
        """Boost; with validation rows, stop when their natural-rate log loss stops falling."""
        import xgboost as xgb

        p = BoostingParameters.model_validate(dict(parameters))
        settings = p.model_dump(exclude={"n_estimators"}) | {
            "objective": "binary:logistic",
            "tree_method": "hist",
            "max_bin": 128,
            "nthread": threads,
            "seed": seed,
            "base_score": float(np.mean(rows.response)),
            "disable_default_eval_metric": 1,
        }
        data = xgb.QuantileDMatrix(
            rows.design.logged(rows.message), rows.response, max_bin=128, nthread=threads
        )
        callbacks: list[Any] = []
        if validation is not None:
            held_out = xgb.DMatrix(
                validation.rows.design.logged(validation.rows.message), nthread=threads
            )
            callbacks.append(_early_stopping(held_out, validation, logit_offset))
        booster = xgb.train(
            settings, data, num_boost_round=p.n_estimators, callbacks=callbacks, verbose_eval=False
        )
        if callbacks:
            rounds = callbacks[0].best_rounds
            booster = booster[:rounds]
            p = p.model_copy(update={"n_estimators": rounds})
        booster.set_param({"nthread": threads})
        return cls(p, booster, logit_offset, threads)

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """Hyper-parameters with the number of trees that were kept."""
        return self.parameters.model_dump()

    def _probability(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        margin = self.booster.inplace_predict(x, predict_type="margin")
        return expit(np.asarray(margin, dtype=np.float64) + self.logit_offset).astype(np.float32)

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        out = np.empty((len(design), design.n_messages), dtype=np.float32)
        for k in range(design.n_messages):
            out[:, k] = self._probability(design.under(k))
        return out

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        return self._probability(rows.design.logged(rows.message))

    def save(self, folder: Path) -> None:
        """Write ``booster.ubj`` and ``model.json``."""
        self.booster.save_model(folder / "booster.ubj")
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
        booster = xgb.Booster(model_file=folder / "booster.ubj")
        booster.set_param({"nthread": state["threads"]})
        return cls(
            BoostingParameters.model_validate(state["parameters"]),
            booster,
            state["logit_offset"],
            state["threads"],
        )


def _early_stopping(held_out: Any, validation: Validation, logit_offset: float) -> Any:
    """Callback that watches the natural-rate log loss, which XGBoost's own metrics cannot."""
    import xgboost as xgb

    class NaturalRateStopping(xgb.callback.TrainingCallback):
        def __init__(self) -> None:
            self.best_loss = np.inf
            self.best_rounds = 1

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            if (epoch + 1) % REPORT_EVERY:
                return False
            margin = model.predict(held_out, output_margin=True)
            rows = validation.rows
            loss = log_loss(rows.response, expit(margin + logit_offset), rows.sampling_weight)
            if loss < self.best_loss:
                self.best_loss, self.best_rounds = loss, epoch + 1
            if validation.on_step is not None:
                validation.on_step(epoch + 1, self.best_loss)
            return epoch + 1 - self.best_rounds >= PATIENCE

    return NaturalRateStopping()
