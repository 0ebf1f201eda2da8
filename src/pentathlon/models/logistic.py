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

from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.protocol import Hyperparameters, TrainingRows, Validation
from pentathlon.models.sampling import expit


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
    """

    C: Annotated[float, Field(gt=0)] = 1.0
    match_scale: Annotated[float, Field(ge=0)] = 1.0
    interaction_scale: Annotated[float, Field(ge=0)] = 0.1


@dataclass(frozen=True)
class LogisticRegressionModel:
    """Ridge logistic regression on customer, message and match features and interactions.

    The index of customer ``i`` under message ``k`` is
    ``b0 + x_i'b + a_k + m_ik'g + x_i'B_k`` with ``x`` and ``m`` standardised; ``B`` is shrunk by
    its own strength, and each raw feature enters it once. All messages are scored by two matrix products.

    Attributes
    ----------
    parameters : LogisticParameters
    builder : DesignBuilder
        Scales of the columns.
    intercept : float
        Prior correction included.
    base : ndarray, shape (n_base,)
    message : ndarray, shape (n_messages,)
    match : ndarray, shape (n_match,)
    interaction : ndarray, shape (n_base, n_messages)
    """

    name: ClassVar[str] = "logistic_regression"
    hyperparameters: ClassVar[type[Hyperparameters]] = LogisticParameters

    parameters: LogisticParameters
    builder: DesignBuilder
    intercept: float
    base: NDArray[np.float64]
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
        from sklearn.linear_model import LogisticRegression
        from threadpoolctl import threadpool_limits

        p = LogisticParameters.model_validate(dict(parameters))
        standard = builder.standardise(rows.design)
        n, f = standard.base.shape
        k = standard.n_messages
        onehot = np.zeros((n, k), dtype=np.float32)
        onehot[np.arange(n), rows.message] = 1.0
        blocks = [standard.base, onehot]
        match = standard.match[np.arange(n), rows.message]
        if p.match_scale > 0:
            blocks.append(match * np.float32(p.match_scale))
        if p.interaction_scale > 0:
            moderators = standard.base[:, builder.moderators] * np.float32(p.interaction_scale)
            blocks.append((onehot[:, :, None] * moderators[:, None, :]).reshape(n, -1))
        x = np.concatenate(blocks, axis=1, dtype=np.float64)
        estimator = LogisticRegression(C=p.C, solver="newton-cholesky", max_iter=50, tol=1e-6)
        with threadpool_limits(threads):
            estimator.fit(x, rows.response)
        coefficients = estimator.coef_[0]
        at = f + k
        match_coefficients = np.zeros(match.shape[1])
        if p.match_scale > 0:
            match_coefficients = coefficients[at : at + match.shape[1]] * p.match_scale
            at += match.shape[1]
        interactions = np.zeros((k, f))
        if p.interaction_scale > 0:
            interactions[:, builder.moderators] = (
                coefficients[at:].reshape(k, -1) * p.interaction_scale
            )
        return cls(
            parameters=p,
            builder=builder,
            intercept=float(estimator.intercept_[0]) + logit_offset,
            base=coefficients[:f].copy(),
            message=coefficients[f : f + k].copy(),
            match=match_coefficients,
            interaction=interactions.T.copy(),
        )

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """The hyper-parameters as given."""
        return self.parameters.model_dump()

    def index(self, design: Design) -> NDArray[np.float64]:
        """Log odds of a purchase, shape ``(n, n_messages)``."""
        standard = self.builder.standardise(design)
        z = standard.base @ (self.base[:, None] + self.interaction).astype(np.float32)
        z = z + standard.match @ self.match.astype(np.float32)
        return np.asarray(z, dtype=np.float64) + self.message + self.intercept

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
            "intercept": self.intercept,
            "base": self.base.tolist(),
            "message": self.message.tolist(),
            "match": self.match.tolist(),
            "interaction": self.interaction.tolist(),
        }
        (folder / "model.json").write_text(json.dumps(state, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read ``model.json``."""
        state = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        return cls(
            parameters=LogisticParameters.model_validate(state["parameters"]),
            builder=DesignBuilder.from_dict(state["builder"]),
            intercept=state["intercept"],
            **{
                key: np.array(state[key], dtype=np.float64)
                for key in ("base", "message", "match", "interaction")
            },
        )
