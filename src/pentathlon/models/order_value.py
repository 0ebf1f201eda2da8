"""What a buyer spends: expected order value of every customer under every message.

Buyers only. The level comes from the customer's features through a model with a log link, fitted
on the money scale by the gamma deviance, so that there is no retransformation factor to forget;
a level correction on held-out rows keeps the mean exact. Messages act as multipliers, shrunk
toward 1 by their reliability: a few hundred orders a message cannot support more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pentathlon.errors import ArtifactError, DataError
from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.device import xgboost_device
from pentathlon.models.multipliers import MessageMultipliers
from pentathlon.models.protocol import Hyperparameters


@dataclass(frozen=True)
class Orders:
    """Orders to fit on: buyers only.

    Attributes
    ----------
    design : Design of n buyers
    message : ndarray of int64, shape (n,)
    value : ndarray of float64, shape (n,)
        Order values in currency, positive.
    sampling_weight : ndarray of float64, shape (n,)
    """

    design: Design
    message: NDArray[np.int64]
    value: NDArray[np.float64]
    sampling_weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.value)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Orders:
        """Some of the orders."""
        return Orders(
            self.design.take(rows), self.message[rows], self.value[rows], self.sampling_weight[rows]
        )


def gamma_deviance(
    value: NDArray[np.floating],
    expected: NDArray[np.floating],
    sampling_weight: NDArray[np.floating] | None = None,
) -> float:
    """Weighted mean unit gamma deviance, ``2 (y/m - 1 - log(y/m))``; lower is better.

    Parameters
    ----------
    value, expected : ndarray of positive numbers, shape (n,)
    sampling_weight : ndarray, shape (n,), optional

    Returns
    -------
    float
    """
    ratio = np.asarray(value, dtype=np.float64) / np.asarray(expected, dtype=np.float64)
    return float(np.average(2 * (ratio - 1 - np.log(ratio)), weights=sampling_weight))


class LevelModel(Protocol):
    """Expected order value of a buyer before any message effect."""

    name: ClassVar[str]
    hyperparameters: ClassVar[type[Hyperparameters]]

    @classmethod
    def fit(
        cls,
        orders: Orders,
        builder: DesignBuilder,
        parameters: Mapping[str, Any],
        *,
        seed: int,
        threads: int,
    ) -> Self:
        """Fit on buyers."""
        ...

    def predict(self, design: Design) -> NDArray[np.float64]:
        """Expected order value in currency, shape ``(n,)``."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model in its native format."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        ...


class GammaParameters(Hyperparameters):
    """Hyper-parameters of the gamma regression: ``alpha`` is the ridge penalty."""

    alpha: Annotated[float, Field(ge=0)] = 1e-3


@dataclass(frozen=True)
class GammaLevel:
    """Generalised linear model with gamma deviance and log link (McCullagh and Nelder 1989)."""

    name: ClassVar[str] = "gamma"
    hyperparameters: ClassVar[type[Hyperparameters]] = GammaParameters

    builder: DesignBuilder
    intercept: float
    coefficients: NDArray[np.float64]

    @classmethod
    def fit(
        cls,
        orders: Orders,
        builder: DesignBuilder,
        parameters: Mapping[str, Any],
        *,
        seed: int,
        threads: int,
    ) -> Self:
        """Fit by Newton's method; see :class:`LevelModel`."""
        from sklearn.linear_model import GammaRegressor

        p = GammaParameters.model_validate(dict(parameters))
        x = clipped(builder.standardise(orders.design).base)
        model = GammaRegressor(alpha=p.alpha, solver="newton-cholesky", max_iter=100)
        model.fit(x, orders.value, sample_weight=orders.sampling_weight)
        return cls(builder, float(model.intercept_), np.asarray(model.coef_, dtype=np.float64))

    def predict(self, design: Design) -> NDArray[np.float64]:
        """Expected order value in currency, shape ``(n,)``."""
        x = clipped(self.builder.standardise(design).base)
        return np.exp(self.intercept + x @ self.coefficients)

    def save(self, folder: Path) -> None:
        """Write ``level.json``."""
        state = {
            "builder": self.builder.to_dict(),
            "intercept": self.intercept,
            "coefficients": self.coefficients.tolist(),
        }
        (folder / "level.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``level.json``."""
        state = json.loads((folder / "level.json").read_text(encoding="utf-8"))
        return cls(
            DesignBuilder.from_dict(state["builder"]),
            state["intercept"],
            np.array(state["coefficients"], dtype=np.float64),
        )


class BoostedLevelParameters(Hyperparameters):
    """Hyper-parameters of the boosted gamma regression; names and meanings are XGBoost's."""

    n_estimators: Annotated[int, Field(ge=1)] = 100
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    max_depth: Annotated[int, Field(ge=1)] = 3
    min_child_weight: Annotated[float, Field(ge=0)] = 30.0
    subsample: Annotated[float, Field(gt=0, le=1)] = 0.8
    reg_lambda: Annotated[float, Field(ge=0)] = 10.0


@dataclass(frozen=True)
class BoostedLevel:
    """Boosted trees with gamma deviance and log link."""

    name: ClassVar[str] = "xgboost"
    hyperparameters: ClassVar[type[Hyperparameters]] = BoostedLevelParameters

    booster: Any

    @classmethod
    def fit(
        cls,
        orders: Orders,
        builder: DesignBuilder,
        parameters: Mapping[str, Any],
        *,
        seed: int,
        threads: int,
    ) -> Self:
        """Boost; see :class:`LevelModel`."""
        import xgboost as xgb

        p = BoostedLevelParameters.model_validate(dict(parameters))
        settings = p.model_dump(exclude={"n_estimators"}) | {
            "objective": "reg:gamma",
            "tree_method": "hist",
            "device": xgboost_device(),
            "nthread": threads,
            "seed": seed,
            "base_score": float(np.average(orders.value, weights=orders.sampling_weight)),
        }
        data = xgb.DMatrix(orders.design.base, orders.value, weight=orders.sampling_weight)
        booster = xgb.train(settings, data, num_boost_round=p.n_estimators, verbose_eval=False)
        booster.set_param({"device": "cpu"})
        return cls(booster)

    def predict(self, design: Design) -> NDArray[np.float64]:
        """Expected order value in currency, shape ``(n,)``."""
        return np.asarray(self.booster.inplace_predict(design.base), dtype=np.float64)

    def save(self, folder: Path) -> None:
        """Write ``level.ubj``."""
        self.booster.save_model(folder / "level.ubj")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``level.ubj``."""
        import xgboost as xgb

        return cls(xgb.Booster(model_file=folder / "level.ubj"))


LEVEL_MODELS: dict[str, type[LevelModel]] = {
    GammaLevel.name: GammaLevel,
    BoostedLevel.name: BoostedLevel,
}


@dataclass(frozen=True)
class OrderValueModel:
    """Level times message multiplier.

    Attributes
    ----------
    level : LevelModel
    multipliers : ndarray, shape (n_messages,)
        Shrunk multipliers; they carry the level correction too.
    """

    level: LevelModel
    multipliers: NDArray[np.float64]

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Expected order value of a buyer in currency, shape ``(n, n_messages)``."""
        return (self.level.predict(design)[:, None] * self.multipliers).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write ``order_value.json`` and the level model's own file."""
        state = {"level": self.level.name, "multipliers": self.multipliers.tolist()}
        (folder / "order_value.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
        self.level.save(folder)

    @classmethod
    def load(cls, folder: Path) -> OrderValueModel:
        """Read what :meth:`save` wrote."""
        state = json.loads((folder / "order_value.json").read_text(encoding="utf-8"))
        if state["level"] not in LEVEL_MODELS:
            raise ArtifactError(f"order_value.json names an unknown level model {state['level']}.")
        level = LEVEL_MODELS[state["level"]].load(folder)
        return cls(level, np.array(state["multipliers"], dtype=np.float64))


def cross_fit_level(
    candidate: type[LevelModel],
    orders: Orders,
    fold: NDArray[np.integer],
    builder: DesignBuilder,
    parameters: Mapping[str, Any],
    *,
    seed: int,
    threads: int,
) -> NDArray[np.float64]:
    """Level of every order from a model that was fitted without its fold, shape ``(n,)``."""
    level = np.full(len(orders), np.nan)
    for held_out in np.unique(fold):
        inside, outside = fold != held_out, fold == held_out
        if inside.sum() < 10:
            raise DataError(
                f"Only {int(inside.sum())} orders remain to fit order values on; "
                "Pentathlon needs more buyers or fewer folds."
            )
        model = candidate.fit(orders.take(inside), builder, parameters, seed=seed, threads=threads)
        level[outside] = model.predict(orders.design.take(outside))
    return level


def fit_order_value(
    candidate: type[LevelModel],
    orders: Orders,
    held_out_level: NDArray[np.float64],
    builder: DesignBuilder,
    parameters: Mapping[str, Any],
    *,
    seed: int,
    threads: int,
) -> tuple[OrderValueModel, MessageMultipliers]:
    """Fit the level on all orders and the multipliers on held-out levels.

    Parameters
    ----------
    candidate : type of LevelModel
    orders : Orders, n buyers
    held_out_level : ndarray, shape (n,)
        From :func:`cross_fit_level`.
    """
    level = candidate.fit(orders, builder, parameters, seed=seed, threads=threads)
    multipliers = MessageMultipliers.fit(orders, held_out_level, orders.design.n_messages)
    return OrderValueModel(level, multipliers.shrunk), multipliers


def cross_fit_order_value(
    candidate: type[LevelModel],
    buyers: NDArray[np.int64],
    orders: Orders,
    design: Design,
    fold: NDArray[np.integer],
    builder: DesignBuilder,
    parameters: Mapping[str, Any],
    *,
    seed: int,
    threads: int,
) -> NDArray[np.float32]:
    """Expected order values of every row by a model that was fitted without its fold.

    Multipliers are cross-fitted too: those of a fold come from the orders of the other folds.

    Parameters
    ----------
    candidate : type of LevelModel
    buyers : ndarray of int64, shape (n_orders,)
        Positions of the orders among the n rows.
    orders : Orders
    design : Design of n rows
    fold : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of float32, shape (n, n_messages)

    Raises
    ------
    DataError
        With buyers in fewer than three folds.
    """
    out = np.full((len(design), design.n_messages), np.nan, dtype=np.float32)
    order_fold = fold[buyers]
    folds = np.unique(order_fold)
    if len(folds) < 3:
        raise DataError(
            "Order values are cross-fitted within cross-fitting, which needs buyers in at least "
            f"three folds; there are buyers in {len(folds)}. Raise data_processing.n_folds."
        )
    for held_out in np.unique(fold):
        inside = order_fold != held_out
        mine = orders.take(inside)
        held_out_level = cross_fit_level(
            candidate, mine, order_fold[inside], builder, parameters, seed=seed, threads=threads
        )
        model, _ = fit_order_value(
            candidate, mine, held_out_level, builder, parameters, seed=seed, threads=threads
        )
        outside = fold == held_out
        out[outside] = model.predict(design.take(outside))
    return out


def clipped(x: NDArray[np.float32], limit: float = 6.0) -> NDArray[np.float64]:
    """Standardised columns held within ``limit`` spreads.

    A log link turns one extreme customer into an absurd order value.
    """
    return np.clip(x.astype(np.float64), -limit, limit)
