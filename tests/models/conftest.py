"""Small simulated files, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pytest
import yaml

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.features import Design, DesignBuilder, build_features
from pentathlon.models import TrainingRows
from pentathlon.models.protocol import Hyperparameters, Validation
from pentathlon.models.training import Fitter
from pentathlon.simulation import SimulationConfig, simulate_retailer

BASE = yaml.safe_load(
    (Path(__file__).parents[2] / "conf" / "base" / "parameters.yml").read_text(encoding="utf-8")
)


@dataclass(frozen=True)
class Simulated:
    builder: DesignBuilder
    rows: TrainingRows
    order_value: np.ndarray
    fold: np.ndarray


@pytest.fixture(scope="session")
def simulated() -> Simulated:
    """8,000 customers of the simulated retailer, all at the natural response rate."""
    messages, columns = MessageSet(BASE["messages"]), FeatureColumns(**BASE["features"])
    file = simulate_retailer(SimulationConfig(rows=8_000, seed=1)).file
    file = file.rename(columns={"custid": "customer_id"})
    features = build_features(file, columns)
    builder = DesignBuilder.fit(features, columns, messages)
    rows = TrainingRows(
        design=builder.transform(features),
        message=messages.codes(file["message"].astype(str).to_numpy()),
        response=(file["buyer"] == "yes").to_numpy(dtype=np.int8),
        sampling_weight=np.ones(len(file)),
    )
    fold = np.random.default_rng(0).permutation(len(file)) % 4
    return Simulated(builder, rows, file["total_os"].to_numpy(dtype=np.float64), fold)


class StubParameters(Hyperparameters):
    x: float = 0.5
    steps: int = 4


@dataclass(frozen=True)
class StubModel:
    """Predicts the response rate, remembers the rows that it was given.

    Its loss, as tuning sees it step by step, is its hyper-parameter.
    """

    name: ClassVar[str] = "stub"
    hyperparameters: ClassVar[type[Hyperparameters]] = StubParameters
    fits: ClassVar[list[dict[str, Any]]] = []

    parameters: StubParameters
    level: float

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
        p = StubParameters.model_validate(dict(parameters))
        cls.fits.append(
            {
                "rows": rows.design.base[:, 0].astype(int),
                "response": rows.response,
                "offset": logit_offset,
                "parameters": p,
                "validation": None if validation is None else validation.rows.design.base[:, 0],
                "told": validation is not None and validation.on_step is not None,
            }
        )
        if validation is not None and validation.on_step is not None:
            for step in range(1, p.steps + 1):
                validation.on_step(step, p.x)
        return cls(p, 0.1 + 0.8 * p.x + 0.001 * len(rows))

    @property
    def fitted_parameters(self) -> dict[str, Any]:
        return self.parameters.model_dump() | {"steps": self.parameters.steps + len(self.fits)}

    def predict(self, design: Design) -> np.ndarray:
        return np.full((len(design), design.n_messages), len(self.fits), dtype=np.float32)

    def predict_logged(self, rows: TrainingRows) -> np.ndarray:
        return np.full(len(rows), self.level, dtype=np.float32)


@pytest.fixture
def stub() -> type[StubModel]:
    StubModel.fits.clear()
    return StubModel


@pytest.fixture
def numbered_rows() -> tuple[TrainingRows, np.ndarray]:
    """60 rows whose only feature is their number, and their folds."""
    n = 60
    base = np.arange(n, dtype=np.float32)[:, None]
    design = Design(base, np.zeros((n, 2, 3), dtype=np.float32))
    response = (np.arange(n) % 6 == 0).astype(np.int8)
    weight = np.where(np.arange(n) % 3 == 0, 2.0, 0.5)
    rows = TrainingRows(design, np.arange(n) % 2, response, weight)
    return rows, np.arange(n) // 3 % 3


@pytest.fixture
def stub_fitter(stub: type[StubModel]) -> Fitter:
    builder = DesignBuilder(("control", "water"), (None, None), ("number",), {}, {})
    return Fitter(stub, builder, non_buyers_per_buyer=1.0, seed=3, threads=1)
