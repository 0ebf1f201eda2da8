"""What every response model can do, and nothing about how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from pentathlon.features.design import Design, DesignBuilder

ProgressCallback = Callable[[int, float], None]
"""Called with (step, validation log loss) while a model that fits step by step is fitting."""


class Hyperparameters(BaseModel):
    """Base of every model's hyper-parameters: unknown names are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class TrainingRows:
    """Rows to fit or validate on.

    Attributes
    ----------
    design : Design of n customers
    message : ndarray of int64, shape (n,)
        Column of the logged message.
    response : ndarray of int8, shape (n,)
    sampling_weight : ndarray of float64, shape (n,)
    """

    design: Design
    message: NDArray[np.int64]
    response: NDArray[np.int8]
    sampling_weight: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.message)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> TrainingRows:
        """Some of the rows."""
        return TrainingRows(
            self.design.take(rows),
            self.message[rows],
            self.response[rows],
            self.sampling_weight[rows],
        )


@dataclass(frozen=True)
class Validation:
    """Held-out rows that a model may stop early on, and whom to tell of its progress."""

    rows: TrainingRows
    on_step: ProgressCallback | None = None


class ResponseModel(Protocol):
    """Purchase probability of every customer under every message.

    A model is fitted on case-control rows and returns probabilities at the population's rate; the
    correction happens inside, once.
    """

    name: ClassVar[str]
    hyperparameters: ClassVar[type[Hyperparameters]]

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
        """Fit on case-control rows.

        Parameters
        ----------
        rows : TrainingRows
            The sampled rows.
        builder : DesignBuilder
            Fitted; gives scales to the models that need them.
        parameters : mapping
            Hyper-parameters, validated against :attr:`hyperparameters`.
        logit_offset : float
            Prior correction of the sample.
        seed, threads : int
        validation : Validation, optional
            Natural-rate rows on which a model that fits step by step may stop early.
        """
        ...

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        """Hyper-parameters that refit this model without validation rows."""
        ...

    def predict(self, design: Design) -> NDArray[np.float32]:
        """Purchase probabilities.

        Parameters
        ----------
        design : Design of n customers

        Returns
        -------
        ndarray of float32, shape (n, n_messages)
        """
        ...

    def predict_logged(self, rows: TrainingRows) -> NDArray[np.float32]:
        """Purchase probability under each row's own message, shape ``(n,)``."""
        ...

    def save(self, folder: Path) -> None:
        """Write the model in its native format under ``folder``, which exists."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what :meth:`save` wrote."""
        ...
