"""Fusion: several models' purchase probabilities become one, calibrated."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import DataError
from pentathlon.fusion.calibration import PlattCalibrator
from pentathlon.fusion.pooling import METHODS, Method, fit_pool, pool
from pentathlon.models.metrics import log_loss
from pentathlon.special import expit, logit

Scores = Mapping[str, NDArray[np.float32]]
"""Purchase probabilities by model, each of shape (n, n_messages) or (n,)."""


@dataclass(frozen=True)
class FusionModel:
    """Calibrate each model, pool, calibrate the pool.

    Attributes
    ----------
    method : str
        One of :data:`pentathlon.fusion.pooling.METHODS`.
    models : tuple of str
    calibrators : tuple of PlattCalibrator
        One per model.
    weights : tuple of float
    intercept : float
    final : PlattCalibrator
    """

    method: Method
    models: tuple[str, ...]
    calibrators: tuple[PlattCalibrator, ...]
    weights: tuple[float, ...]
    intercept: float
    final: PlattCalibrator

    @classmethod
    def fit(
        cls,
        method: Method,
        scores: Scores,
        response: NDArray[np.integer],
        sampling_weight: NDArray[np.float64],
        stacking_penalty: float = 10.0,
    ) -> FusionModel:
        """Fit on held-out probabilities under the logged message.

        Parameters
        ----------
        method : str
        scores : mapping of model to ndarray of shape (n,)
        response, sampling_weight : ndarray, shape (n,)
        stacking_penalty : float
        """
        models = tuple(scores)
        calibrators = tuple(
            PlattCalibrator.fit(scores[m], response, sampling_weight) for m in models
        )
        index = np.column_stack(
            [c.index(scores[m]) for m, c in zip(models, calibrators, strict=True)]
        )
        weights, intercept = fit_pool(method, index, response, sampling_weight, stacking_penalty)
        pooled = expit(pool(method, index, weights, intercept))
        final = PlattCalibrator.fit(pooled, response, sampling_weight)
        return cls(method, models, calibrators, tuple(float(w) for w in weights), intercept, final)

    def predict(self, scores: Scores) -> NDArray[np.float32]:
        """Fused, calibrated purchase probabilities.

        Parameters
        ----------
        scores : mapping of model to ndarray
            All of the same shape, ``(n,)`` or ``(n, n_messages)``.

        Returns
        -------
        ndarray of float32, same shape

        Raises
        ------
        DataError
            When a model's scores are missing.
        """
        missing = [m for m in self.models if m not in scores]
        if missing:
            raise DataError(f"Fusion needs the scores of {list(self.models)}; {missing} missing.")
        index = np.stack(
            [c.index(scores[m]) for m, c in zip(self.models, self.calibrators, strict=True)],
            axis=-1,
        )
        pooled = pool(self.method, index, np.array(self.weights), self.intercept)
        return self.final.predict(expit(pooled))

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "method": self.method,
            "models": list(self.models),
            "calibrators": [[c.intercept, c.slope] for c in self.calibrators],
            "weights": list(self.weights),
            "intercept": self.intercept,
            "final": [self.final.intercept, self.final.slope],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, object]) -> FusionModel:
        """Rebuild from :meth:`to_dict`."""
        calibrators = state["calibrators"]
        weights, models, final = state["weights"], state["models"], state["final"]
        assert isinstance(calibrators, Sequence)
        assert isinstance(weights, Sequence)
        assert isinstance(models, Sequence)
        assert isinstance(final, Sequence)
        return cls(
            method=state["method"],  # type: ignore[arg-type]
            models=tuple(models),
            calibrators=tuple(PlattCalibrator(a, b) for a, b in calibrators),
            weights=tuple(weights),
            intercept=float(state["intercept"]),  # type: ignore[arg-type]
            final=PlattCalibrator(*final),
        )

    def save(self, folder: Path) -> None:
        """Write ``fusion.json``."""
        (folder / "fusion.json").write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> FusionModel:
        """Read ``fusion.json``."""
        return cls.from_dict(json.loads((folder / "fusion.json").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class FusionResult:
    """Outcome of choosing a fusion.

    Attributes
    ----------
    model : FusionModel
        The winner, fitted on all training rows.
    scores : ndarray of float32, shape (n, n_messages)
        Fused probabilities of the training rows, each by a fusion fitted without its fold.
    table : DataFrame
        One row per candidate and single model: kind, cross-validated log loss with the standard
        error of its difference to the winner, Brier score, whether chosen.
    """

    model: FusionModel
    scores: NDArray[np.float32]
    table: pd.DataFrame


def choose_fusion(
    scores: Scores,
    message: NDArray[np.int64],
    response: NDArray[np.integer],
    sampling_weight: NDArray[np.float64],
    fold: NDArray[np.integer],
    *,
    methods: Sequence[Method] = METHODS,
    stacking_penalty: float = 10.0,
) -> FusionResult:
    """Choose the fusion with the lowest cross-validated log loss.

    Every step, calibration included, is refitted without the fold that it is judged on.

    Parameters
    ----------
    scores : mapping of model to ndarray of float32, shape (n, n_messages)
        Cross-fitted.
    message, response, sampling_weight, fold : ndarray, shape (n,)
    methods : sequence of str
    stacking_penalty : float

    Returns
    -------
    FusionResult
    """
    n = len(message)
    logged = {m: s[np.arange(n), message] for m, s in scores.items()}
    candidates: dict[str, tuple[str, Method, list[str]]] = {
        method: ("fusion", method, list(scores)) for method in methods
    }
    if len(scores) > 1:
        candidates |= {m: ("single model", "equal", [m]) for m in scores}
    held_out: dict[str, NDArray[np.float64]] = {}
    for name, (_, method, members) in candidates.items():
        p = np.empty(n)
        for f in np.unique(fold):
            inside, outside = fold != f, fold == f
            model = FusionModel.fit(
                method,
                {m: logged[m][inside] for m in members},
                response[inside],
                sampling_weight[inside],
                stacking_penalty,
            )
            p[outside] = model.predict({m: logged[m][outside] for m in members})
        held_out[name] = p
    losses = {name: log_loss(response, p, sampling_weight) for name, p in held_out.items()}
    winner = min(methods, key=lambda method: (losses[method], METHODS.index(method)))
    model = FusionModel.fit(winner, logged, response, sampling_weight, stacking_penalty)
    fused = np.empty_like(next(iter(scores.values())))
    for f in np.unique(fold):
        inside, outside = fold != f, fold == f
        part = FusionModel.fit(
            winner,
            {m: logged[m][inside] for m in scores},
            response[inside],
            sampling_weight[inside],
            stacking_penalty,
        )
        fused[outside] = part.predict({m: s[outside] for m, s in scores.items()})
    table = pd.DataFrame(
        [
            {
                "candidate": name,
                "kind": candidates[name][0],
                "log_loss": losses[name],
                **_difference(response, held_out[name], held_out[winner], sampling_weight),
                "brier": float(
                    np.average((held_out[name] - response) ** 2, weights=sampling_weight)
                ),
                "chosen": name == winner,
            }
            for name in candidates
        ]
    ).sort_values("log_loss", ignore_index=True)
    return FusionResult(model, fused, table)


def _difference(
    response: NDArray[np.integer],
    p: NDArray[np.float64],
    reference: NDArray[np.float64],
    sampling_weight: NDArray[np.float64],
) -> dict[str, float]:
    """Paired difference in log loss, positive when worse than the reference."""
    gap = (
        np.where(response == 1, logit(reference) - logit(p), 0.0)
        + np.log1p(-np.clip(reference, 0, 1 - 1e-12))
        - np.log1p(-np.clip(p, 0, 1 - 1e-12))
    )
    w = sampling_weight / sampling_weight.mean()
    return {
        "worse_by": float(np.mean(w * gap)),
        "worse_by_standard_error": float(np.std(w * gap) / np.sqrt(len(gap))),
    }
