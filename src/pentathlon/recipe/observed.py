"""Observations as arrays, row by row with their design."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.errors import DataError
from pentathlon.features import DesignBuilder
from pentathlon.models import TrainingRows
from pentathlon.models.order_value import Orders


@dataclass(frozen=True)
class Observed:
    """Observations as arrays, row by row with their design.

    Attributes
    ----------
    rows : TrainingRows, n rows
        Design, logged message, response, sampling weight.
    order_value, propensity : ndarray of float64, shape (n,)
    fold : ndarray of int64, shape (n,)
        -1 on test rows.
    """

    rows: TrainingRows
    order_value: NDArray[np.float64]
    propensity: NDArray[np.float64]
    fold: NDArray[np.int64]

    @classmethod
    def from_tables(
        cls,
        observations: pd.DataFrame,
        model_input: pd.DataFrame,
        builder: DesignBuilder,
        messages: MessageSet,
    ) -> Observed:
        """Read the arrays from ``observations`` and ``model_input``, which go row by row.

        Raises
        ------
        DataError
            When the tables are not of the same customers in the same order.
        """
        if (
            len(observations) != len(model_input)
            or not (
                observations["customer_id"].to_numpy() == model_input["customer_id"].to_numpy()
            ).all()
        ):
            raise DataError(
                "observations and model_input are not of the same customers in the same order; "
                "run feature_engineering again on these observations."
            )
        rows = TrainingRows(
            design=builder.transform(model_input),
            message=messages.codes(observations["message"].to_numpy()),  # type: ignore[arg-type]
            response=observations["response"].to_numpy(dtype=np.int8),
            sampling_weight=observations["sampling_weight"].to_numpy(dtype=np.float64),
        )
        return cls(
            rows,
            observations["order_value"].to_numpy(dtype=np.float64),
            observations["propensity"].to_numpy(dtype=np.float64),
            observations["fold"].to_numpy(dtype=np.int64),
        )

    @classmethod
    def training_rows(
        cls,
        observations: pd.DataFrame,
        model_input: pd.DataFrame,
        builder: DesignBuilder,
        messages: MessageSet,
    ) -> Observed:
        """Read the training rows alone."""
        train = (observations["split"] == "train").to_numpy()
        return cls.from_tables(observations[train], model_input[train], builder, messages)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Observed:
        """Some of the rows."""
        return Observed(
            self.rows.take(chosen),
            self.order_value[chosen],
            self.propensity[chosen],
            self.fold[chosen],
        )

    @property
    def buyers(self) -> NDArray[np.int64]:
        """Positions of the rows with a response."""
        return np.flatnonzero(self.rows.response == 1)

    def orders(self) -> Orders:
        """Orders of the buyers."""
        buyers = self.buyers
        return Orders(
            self.rows.design.take(buyers),
            self.rows.message[buyers],
            self.order_value[buyers],
            self.rows.sampling_weight[buyers],
        )
