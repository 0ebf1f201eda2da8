"""The library's models with their predictions compiled: the same numbers for all messages at once.

Each is its model with another ``predict``, so it is saved and asked as that is. A row's scores
are the same bits whatever rows come with it, so a customer decided alone is decided alike in a
batch.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from pentathlon.features.crosses import cross_columns
from pentathlon.features.design import Design
from pentathlon.models.boosting import XGBoostModel
from pentathlon.models.compiled.ensemble import Ensemble, Layout
from pentathlon.models.compiled.readers import booster_ensemble, forest_ensemble
from pentathlon.models.compiled.walk import add_by_message, add_by_output, in_parts
from pentathlon.models.forest import LEAF_FLOOR, RandomForestModel
from pentathlon.models.logistic import LogisticRegressionModel
from pentathlon.models.network import NeuralNetworkModel
from pentathlon.models.order_value import BoostedLevel, GammaLevel, clipped
from pentathlon.models.sampling import shift_prior
from pentathlon.models.selection.selected import SelectedModel
from pentathlon.special import expit


def _parts_of(model: Any) -> dict[str, Any]:
    return {f.name: getattr(model, f.name) for f in fields(model)}


@dataclass(frozen=True)
class CompiledForest(RandomForestModel):
    """A forest whose messages share each tree down to where they part."""

    ensembles: dict[Layout, Ensemble] = field(default_factory=dict, repr=False, compare=False)
    threads: int = 1

    @classmethod
    def of(cls, model: RandomForestModel, threads: int) -> Self:
        """Compile a forest; its trees are laid out when the first design comes."""
        return cls(**_parts_of(model), threads=threads)

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        layout = layout_of(design)
        if layout not in self.ensembles:
            self.ensembles[layout] = forest_ensemble(self.estimator, layout)
        total = np.zeros((len(design), design.n_messages))
        add_by_message(self.ensembles[layout], design.base, design.match, total, self.threads)
        return shift_prior(total / len(self.estimator.estimators_), self.logit_offset, LEAF_FLOOR)


@dataclass(frozen=True)
class CompiledBoosting(XGBoostModel):
    """Boosted trees in XGBoost's own float32 arithmetic, tree after tree."""

    ensembles: dict[Layout, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, model: XGBoostModel, threads: int) -> Self:
        """Compile boosted trees."""
        return cls(**_parts_of(model) | {"threads": threads})

    def margins(self, design: Design) -> NDArray[np.float32]:
        """Log odds on the sample's scale, shape ``(n, n_messages)``."""
        buyers, contrasts = self._compiled(layout_of(design))
        trees, score = buyers
        margin = np.full((len(design), design.n_messages), score[0], dtype=np.float32)
        add_by_message(trees, design.base, design.match, margin, self.threads)
        if contrasts is not None:
            trees, score = contrasts
            effects = np.tile(score, (len(design), 1))
            add_by_output(trees, design.base, effects, self.threads)
            margin += effects
        return margin

    def _compiled(self, layout: Layout) -> Any:
        if layout not in self.ensembles:
            contrasts = None
            if self.contrasts is not None:
                contrasts = booster_ensemble(self.contrasts, Layout(layout.n_base))
            self.ensembles[layout] = booster_ensemble(self.booster, layout), contrasts
        return self.ensembles[layout]


@dataclass(frozen=True)
class CompiledLogistic(LogisticRegressionModel):
    """Logistic regression as one product for all messages."""

    threads: int = 1

    @classmethod
    def of(cls, model: LogisticRegressionModel, threads: int) -> Self:
        """Compile a logistic regression."""
        return cls(**_parts_of(model), threads=threads)

    def index(self, design: Design) -> NDArray[np.float64]:
        """Log odds of a purchase, shape ``(n, n_messages)``."""
        from pentathlon.models.compiled.products import row_products

        slopes = (self.customer[:, None] + self.interaction).astype(np.float32)
        match_slopes = self.match.astype(np.float32)
        out = np.empty((len(design), design.n_messages), dtype=np.float64)

        def part(rows: slice) -> None:
            mine = design.take(rows)
            standard = self.builder.standardise(mine)
            crosses = cross_columns(mine.base, self.builder, self.splits)
            total = np.zeros((len(mine), design.n_messages), dtype=np.float32)
            row_products(standard.base, slopes[: standard.base.shape[1]], total)
            crosses = (crosses - self.cross_mean) / self.cross_scale
            row_products(crosses, slopes[standard.base.shape[1] :], total)
            for m, slope in enumerate(match_slopes):
                total += standard.match[:, :, m] * slope
            out[rows] = total

        in_parts(part, len(design), self.threads)
        return out + self.message + self.intercept


@dataclass(frozen=True)
class CompiledNetwork(NeuralNetworkModel):
    """The network in one pass over customers."""

    threads: int = 1

    @classmethod
    def of(cls, model: NeuralNetworkModel, threads: int) -> Self:
        """Compile a network."""
        return cls(**_parts_of(model), threads=threads)

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        from pentathlon.models.compiled.products import network_logits

        layers, run = _padded(self.weights), cast(Any, network_logits)
        logit = np.empty((len(design), design.n_messages), dtype=np.float32)

        def part(rows: slice) -> None:
            standard = self.builder.standardise(design.take(rows))
            run(standard.base, standard.match, *layers, logit[rows])

        in_parts(part, len(design), self.threads)
        return expit(logit.astype(np.float64) + self.logit_offset).astype(np.float32)


@dataclass(frozen=True)
class CompiledGammaLevel(GammaLevel):
    """Order values of a gamma regression, row by row."""

    @classmethod
    def of(cls, model: GammaLevel, threads: int) -> Self:
        """Compile a gamma regression."""
        return cls(**_parts_of(model))

    def predict(self, design: Design) -> NDArray[np.float64]:
        """Expected order value in currency, shape ``(n,)``."""
        from pentathlon.models.compiled.products import row_products

        x = clipped(self.builder.standardise(design).base)
        index = np.full((len(design), 1), self.intercept)
        row_products(x, self.coefficients[:, None], index)
        return np.asarray(np.exp(index[:, 0]), dtype=np.float64)


@dataclass(frozen=True)
class CompiledBoostedLevel(BoostedLevel):
    """Order values of boosted trees."""

    ensembles: dict[Layout, Any] = field(default_factory=dict, repr=False, compare=False)
    threads: int = 1

    @classmethod
    def of(cls, model: BoostedLevel, threads: int) -> Self:
        """Compile boosted order values."""
        return cls(**_parts_of(model), threads=threads)

    def predict(self, design: Design) -> NDArray[np.float64]:
        """Expected order value in currency, shape ``(n,)``."""
        layout = Layout(design.base.shape[1])
        if layout not in self.ensembles:
            self.ensembles[layout] = booster_ensemble(self.booster, layout)
        trees, score = self.ensembles[layout]
        margin = np.full((len(design), 1), score[0], dtype=np.float32)
        add_by_output(trees, design.base, margin, self.threads)
        value = np.exp(margin[:, 0].astype(np.float64)).astype(np.float32)
        return value.astype(np.float64)


COMPILED: dict[type, Any] = {
    RandomForestModel: CompiledForest,
    XGBoostModel: CompiledBoosting,
    LogisticRegressionModel: CompiledLogistic,
    NeuralNetworkModel: CompiledNetwork,
    GammaLevel: CompiledGammaLevel,
    BoostedLevel: CompiledBoostedLevel,
}
"""Compiled form of each model; a model without one is asked as it is."""


def compiled(model: Any, threads: int = 1) -> Any:
    """The model with its predictions compiled, or the model itself where there is no such form.

    Parameters
    ----------
    model : ResponseModel or LevelModel
    threads : int
        Of every prediction.
    """
    if isinstance(model, SelectedModel):
        return replace(model, model=compiled(model.model, threads))
    form = COMPILED.get(type(model))
    return model if form is None else form.of(model, threads)


def portable(model: Any) -> Any:
    """A compiled model as other processes need it: to predict, not to be saved.

    Reading a network of Keras takes Keras, and seconds; predictions ask for its weights alone.
    """
    return replace(model, network=None) if isinstance(model, CompiledNetwork) else model


def layout_of(design: Design) -> Layout:
    """Columns of a design as trees see them."""
    return Layout(design.base.shape[1], design.n_messages, design.match.shape[2])


def _padded(
    weights: tuple[tuple[NDArray[np.float32], NDArray[np.float32]], ...],
) -> tuple[Any, ...]:
    """Layers as arrays of one shape; see :func:`products.network_logits`."""
    kernels, biases = [w for w, _ in weights], [b for _, b in weights]
    widths = [w.shape[1] for w in kernels[:-1]]
    width = max(widths)
    inner = np.zeros((len(widths) - 1, width, width), dtype=np.float32)
    inner_biases = np.zeros((len(widths) - 1, width), dtype=np.float32)
    for layer, (kernel, bias) in enumerate(zip(kernels[1:-1], biases[1:-1], strict=True)):
        inner[layer, : kernel.shape[0], : kernel.shape[1]] = kernel
        inner_biases[layer, : len(bias)] = bias
    first = np.zeros((kernels[0].shape[0], width), dtype=np.float32)
    first[:, : widths[0]] = kernels[0]
    first_bias = np.zeros(width, dtype=np.float32)
    first_bias[: widths[0]] = biases[0]
    last = np.ascontiguousarray(kernels[-1][:, 0])
    return (
        first,
        first_bias,
        inner,
        inner_biases,
        np.array(widths, dtype=np.int64),
        last,
        np.float32(biases[-1][0]),
    )
