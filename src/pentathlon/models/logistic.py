"""Logistic regression whose message interactions shrink on their own terms."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pentathlon.features.crosses import choose_split, cross_columns
from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.newton import fit_grouped_ridge
from pentathlon.models.protocol import Hyperparameters, TrainingRows, Validation
from pentathlon.special import expit

CHUNK_ROWS = 200_000
WORTH_THREADS = 2e9
"""Multiplications of one Newton step from which on it pays to share them between threads."""


class LogisticParameters(Hyperparameters):
    """Hyper-parameters of the logistic regression.

    Attributes
    ----------
    C : float
        Inverse strength of the ridge penalty on customer features.
    match_scale : float
        Freedom of the match features relative to customer features; 0 removes them.
    interaction_scale : float
        Freedom of each message's own slopes relative to customer features; 0 removes them.
        A column scaled by ``s`` before a ridge penalty is penalised ``1 / s**2`` times as much.
    cross_scale : float
        Freedom of crossed features, for themselves and per message; 0 removes them.
    """

    C: Annotated[float, Field(gt=0)] = 1.0
    match_scale: Annotated[float, Field(ge=0)] = 1.0
    interaction_scale: Annotated[float, Field(ge=0)] = 0.05
    cross_scale: Annotated[float, Field(ge=0)] = 0.1


@dataclass(frozen=True)
class LogisticRegressionModel:
    """Ridge logistic regression on customer, message and match features and interactions.

    The index of customer ``i`` under message ``k`` is ``b0 + a_k + z_i'(b + B_k) + m_ik'g`` with
    ``z`` the customer's features and their crosses and ``m`` the match, all standardised. The
    message's own slopes ``B`` are shrunk by strengths of their own, and each raw feature enters
    them once. All messages are scored by two matrix products.

    Attributes
    ----------
    parameters : LogisticParameters
    builder : DesignBuilder
        Scales of the base columns.
    splits : mapping of str to float
        Where numeric features are split for the crosses.
    cross_mean, cross_scale : ndarray of float32, shape (n_crosses,)
        Scales of the crosses.
    intercept : float
        Prior correction included.
    customer : ndarray, shape (n_base + n_crosses,)
    message : ndarray, shape (n_messages,)
    match : ndarray, shape (n_match,)
    interaction : ndarray, shape (n_base + n_crosses, n_messages)
    """

    name: ClassVar[str] = "logistic_regression"
    hyperparameters: ClassVar[type[Hyperparameters]] = LogisticParameters

    parameters: LogisticParameters
    builder: DesignBuilder
    splits: Mapping[str, float]
    cross_mean: NDArray[np.float32]
    cross_scale: NDArray[np.float32]
    intercept: float
    customer: NDArray[np.float64]
    message: NDArray[np.float64]
    match: NDArray[np.float64]
    interaction: NDArray[np.float64]

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
        """Fit by Newton's method; see :class:`pentathlon.models.protocol.ResponseModel`."""
        from threadpoolctl import threadpool_limits

        p = LogisticParameters.model_validate(dict(parameters))
        n, k = len(rows), rows.design.n_messages
        standard = builder.standardise(rows.design)
        with threadpool_limits(_useful_threads(standard.base, threads)):
            splits = _choose_splits(rows, builder, standard, p.C)
        crosses = cross_columns(rows.design.base, builder, splits)
        cross_mean = crosses.mean(axis=0, dtype=np.float64).astype(np.float32)
        spread = crosses.std(axis=0, dtype=np.float64).astype(np.float32)
        cross_scale = np.where(spread > 1e-6, spread, np.float32(1))
        match = standard.match[np.arange(n), rows.message]
        x = np.concatenate([standard.base, (crosses - cross_mean) / cross_scale, match], axis=1)
        f, c, m = standard.base.shape[1], crosses.shape[1], match.shape[1]
        moderated = np.zeros(f + c)
        moderated[builder.moderators] = p.interaction_scale
        moderated[f:] = p.cross_scale
        own = np.flatnonzero(moderated)
        with threadpool_limits(_useful_threads(x, threads)):
            fitted = fit_grouped_ridge(
                x,
                rows.message,
                rows.response,
                k,
                strength=p.C,
                freedom=np.r_[np.ones(f), np.full(c, p.cross_scale), np.full(m, p.match_scale)],
                own=own,
                own_freedom=moderated[own],
            )
        interaction = np.zeros((f + c, k))
        interaction[own] = fitted.own_slopes.T
        return cls(
            parameters=p,
            builder=builder,
            splits=splits,
            cross_mean=cross_mean,
            cross_scale=cross_scale.astype(np.float32),
            intercept=fitted.intercept + logit_offset,
            customer=fitted.common[: f + c],
            message=fitted.level,
            match=fitted.common[f + c :],
            interaction=interaction,
        )

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """The hyper-parameters as given."""
        return self.parameters.model_dump()

    def index(self, design: Design) -> NDArray[np.float64]:
        """Log odds of a purchase, shape ``(n, n_messages)``."""
        slopes = (self.customer[:, None] + self.interaction).astype(np.float32)
        out = np.empty((len(design), design.n_messages), dtype=np.float64)
        for start in range(0, len(design), CHUNK_ROWS):
            part = design.take(slice(start, start + CHUNK_ROWS))
            standard = self.builder.standardise(part)
            crosses = cross_columns(part.base, self.builder, self.splits)
            z = np.concatenate(
                [standard.base, (crosses - self.cross_mean) / self.cross_scale], axis=1
            )
            out[start : start + CHUNK_ROWS] = z @ slopes + standard.match @ self.match.astype(
                np.float32
            )
        return out + self.message + self.intercept

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities, shape ``(n, n_messages)``."""
        return expit(self.index(design)).astype(np.float32)

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        return self.predict(rows.design)[np.arange(len(rows)), rows.message]

    def save(self, folder: Path) -> None:
        """Write ``model.json``: every coefficient, in the open."""
        state = {
            "parameters": self.parameters.model_dump(),
            "builder": self.builder.to_dict(),
            "splits": dict(self.splits),
            "intercept": self.intercept,
            **{key: getattr(self, key).tolist() for key in _ARRAYS},
        }
        (folder / "model.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``model.json``."""
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return cls(
            parameters=LogisticParameters.model_validate(state["parameters"]),
            builder=DesignBuilder.from_dict(state["builder"]),
            splits=state["splits"],
            intercept=state["intercept"],
            **{key: np.array(state[key], dtype=dtype) for key, dtype in _ARRAYS.items()},
        )


def _useful_threads(x: NDArray[np.float32], threads: int) -> int:
    """One where products are so small that threads would wait for each other more than work."""
    return threads if x.size * x.shape[1] >= WORTH_THREADS else 1


def _choose_splits(
    rows: TrainingRows,
    builder: DesignBuilder,
    standard: Design,
    strength: float,
) -> dict[str, float]:
    """Split each numeric feature where messages differ most, beyond a fit of who buys."""
    n_base = standard.base.shape[1]
    plain = fit_grouped_ridge(
        standard.base,
        rows.message,
        rows.response,
        rows.design.n_messages,
        strength=strength,
        freedom=np.ones(n_base),
        own=np.array([], dtype=np.int64),
        own_freedom=np.array([]),
    )
    common = plain.common.astype(np.float32)
    probability = expit(standard.base @ common + plain.level[rows.message] + plain.intercept)
    names = builder.base_names
    return {
        name: choose_split(
            rows.design.base[:, names.index(name)],
            candidates,
            rows.message,
            rows.response - probability,
            probability * (1 - probability),
        )
        for name, candidates in builder.splits.items()
        if candidates
    }


_ARRAYS: dict[str, type] = {
    "cross_mean": np.float32,
    "cross_scale": np.float32,
    "customer": np.float64,
    "message": np.float64,
    "match": np.float64,
    "interaction": np.float64,
}
