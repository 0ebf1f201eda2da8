"""Whose word counts for which message moves a customer.

The model that says best who buys need not say best which message moves them: fusion weights are
chosen by held-out log loss, and nearly all of that is who buys. So what models say about the
differences between messages gets weights of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.shrinkage import ARM_RIDGE, NO_SPREAD
from pentathlon.errors import DataError
from pentathlon.fusion import fit_logistic
from pentathlon.special import expit, logit

RIDGE = 1.0
"""In observations: how firmly weights are held to equal ones; a few hundred orders outweigh it."""

Scores = Mapping[str, NDArray[np.float32]]
"""Purchase probabilities by model, each of shape (n, n_messages)."""


@dataclass(frozen=True)
class ContrastBlend:
    r"""Fused log odds with personal contrasts blended from the single models.

    .. math:: z_{ik} = \bar z_i + D_k + \sum_m w_m \left( c^m_{ik} - C^m_k \right)

    with ``z`` the fused log odds (their mean over messages and the mean effect of a message),
    ``c`` a model's differences between messages and ``C`` their means. Weights are not negative
    and minimise held-out log loss given free effects of messages, with a weak pull to equal ones:
    stacking (Wolpert 1992; Breiman 1996, "Stacked regressions", for the sign) of contrasts.

    Attributes
    ----------
    models : tuple of str
        None: the fused contrasts stay as they are.
    weights : tuple of float, length n_models
    means : tuple of tuple of float, shape (n_models, n_messages)
        ``C``.
    effect : tuple of float, length n_messages
        ``D``.
    """

    models: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    means: tuple[tuple[float, ...], ...] = ()
    effect: tuple[float, ...] = ()

    def predict(self, fused: NDArray[np.float32], by_model: Scores | None) -> NDArray[np.float32]:
        """Blended probabilities, shape ``(n, n_messages)``.

        Parameters
        ----------
        fused : ndarray of float32, shape (n, n_messages)
        by_model : mapping of model to ndarray of float32, shape (n, n_messages)

        Raises
        ------
        DataError
            When the scores of a model are missing.
        """
        if not self.models:
            return fused
        missing = [m for m in self.models if by_model is None or m not in by_model]
        if missing or by_model is None:
            raise DataError(
                f"Blending contrasts needs the scores of {list(self.models)}; {missing} missing."
            )
        index = logit(fused).mean(axis=1, keepdims=True) + np.array(self.effect)
        for model, weight, mean in zip(self.models, self.weights, self.means, strict=True):
            if weight:
                index += weight * (_contrast(by_model[model]) - np.array(mean))
        return expit(index).astype(np.float32)

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "weights": dict(zip(self.models, self.weights, strict=True)),
            "means": [list(m) for m in self.means],
            "effect": list(self.effect),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> ContrastBlend:
        """Rebuild from :meth:`to_dict`."""
        return cls(
            tuple(state["weights"]),
            tuple(float(w) for w in state["weights"].values()),
            tuple(tuple(float(c) for c in mean) for mean in state["means"]),
            tuple(float(e) for e in state["effect"]),
        )


FUSED = ContrastBlend()
"""Leaves contrasts as fusion made them."""


class BlendFitter:
    """Fits blends on subsets of the same rows.

    Parameters
    ----------
    fused : ndarray of float32, shape (n, n_messages)
        Cross-fitted.
    by_model : mapping of model to ndarray of float32, shape (n, n_messages)
        Cross-fitted by the same folds.
    message, response : ndarray of int, shape (n,)
    sampling_weight : ndarray, shape (n,)
    """

    def __init__(
        self,
        fused: NDArray[np.float32],
        by_model: Scores,
        message: NDArray[np.int64],
        response: NDArray[np.integer],
        sampling_weight: NDArray[np.float64],
    ) -> None:
        rows, n_messages = np.arange(len(message)), fused.shape[1]
        z = logit(fused)
        base = z.mean(axis=1)
        # Means are over what was predicted, not over what came of it: all rows may give them.
        effect = np.average(z - base[:, None], axis=0, weights=sampling_weight)
        self._fused, self._by_model = fused, by_model
        self._response, self._weight = response, sampling_weight
        self._effect = tuple(effect.tolist())
        self._offset = base + effect[message]
        sent = np.flatnonzero(np.bincount(message, minlength=n_messages))
        self._arms = (message[:, None] == sent).astype(np.float64)
        means, logged = [], []
        for scores in by_model.values():
            contrast = _contrast(scores)
            mean = np.average(contrast, axis=0, weights=sampling_weight)
            means.append(tuple(mean.tolist()))
            logged.append((contrast - mean)[rows, message])
        self._means = tuple(means)
        self._logged = np.column_stack(logged)

    def fit(self, rows: NDArray[np.bool_]) -> ContrastBlend:
        """Weights that rows support.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
        """
        n_arms, n_models = self._arms.shape[1], self._logged.shape[1]
        used = [j for j in range(n_models) if self._logged[rows, j].std() >= NO_SPREAD]
        weights = np.zeros(n_models)
        while used:
            fit = fit_logistic(
                np.column_stack([self._arms[rows], self._logged[rows][:, used]]),
                self._response[rows],
                self._weight[rows],
                offset=self._offset[rows],
                penalty=np.array([ARM_RIDGE] * n_arms + [RIDGE] * len(used)),
                centre=np.array([0.0] * n_arms + [1 / n_models] * len(used)),
            )
            found = fit.coefficients[n_arms:]
            worst = int(np.argmin(found))
            if found[worst] >= 0:
                weights[used] = found
                break
            del used[worst]
        return ContrastBlend(
            tuple(self._by_model), tuple(weights.tolist()), self._means, self._effect
        )

    def cross_fit(self, fold: NDArray[np.integer]) -> CrossFittedBlend:
        """Blend every fold by weights that its outcomes had no part in."""
        found = np.unique(fold)
        single = {f: self._blended(fold != f, fold == f) for f in found}
        double: dict[frozenset[Any], dict[Any, NDArray[np.float32]]] = {}
        for pair in combinations(found, 2):
            blend = self.fit(~np.isin(fold, pair))
            double[frozenset(pair)] = {f: self._predict(blend, fold == f) for f in pair}
        return CrossFittedBlend(fold, single, double)

    def _blended(
        self, fitted_on: NDArray[np.bool_], rows: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        return self._predict(self.fit(fitted_on), rows)

    def _predict(self, blend: ContrastBlend, rows: NDArray[np.bool_]) -> NDArray[np.float32]:
        return blend.predict(self._fused[rows], {m: s[rows] for m, s in self._by_model.items()})


@dataclass(frozen=True)
class CrossFittedBlend:
    """Blended probabilities whose weights are free of their rows' outcomes.

    Attributes
    ----------
    fold : ndarray of int, shape (n,)
    single : dict of fold to ndarray
        Rows of a fold, by weights from all other folds.
    double : dict of pairs of folds to dict of fold to ndarray
        Rows of either fold, by weights from the folds outside the pair.
    """

    fold: NDArray[np.integer]
    single: Mapping[Any, NDArray[np.float32]]
    double: Mapping[frozenset[Any], Mapping[Any, NDArray[np.float32]]]

    def held_out(self) -> NDArray[np.float32]:
        """Every row by weights from the other folds, shape ``(n, n_messages)``."""
        return self._collect(self.single)

    def without(self, fold: int) -> NDArray[np.float32]:
        """Every row by weights from the other folds but ``fold``, shape ``(n, n_messages)``.

        What is fitted on rows outside the fold then owes nothing to its outcomes, and is applied
        to its rows as :meth:`held_out` blends them.
        """
        parts = {
            f: rows if f == fold else self.double[frozenset((f, fold))][f]
            for f, rows in self.single.items()
        }
        return self._collect(parts)

    def _collect(self, parts: Mapping[Any, NDArray[np.float32]]) -> NDArray[np.float32]:
        width = next(iter(parts.values())).shape[1]
        out = np.empty((len(self.fold), width), dtype=np.float32)
        for f, rows in parts.items():
            out[self.fold == f] = rows
        return out


def _contrast(probability: NDArray[np.float32]) -> NDArray[np.float64]:
    z = logit(probability)
    return np.asarray(z - z.mean(axis=1, keepdims=True), dtype=np.float64)
