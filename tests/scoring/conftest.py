from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.decision import ContrastShrinkage, DecisionEngine
from pentathlon.features import DesignBuilder
from pentathlon.fusion import FusionModel
from pentathlon.models import model_class
from pentathlon.models.order_value import BoostedLevel, OrderValueModel
from pentathlon.models.training import Fitter
from pentathlon.recipe import Observed

SMALL = Path(__file__).parents[1] / "decision" / "small_retailer.py"
make_retailer = runpy.run_path(str(SMALL))["make_retailer"]


@pytest.fixture(scope="session")
def retailer() -> Any:
    return make_retailer(600)


@pytest.fixture(scope="session")
def saved_engine(retailer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small engine that personalises."""
    messages = retailer.messages
    builder = DesignBuilder.fit(retailer.model_input, retailer.columns, messages)
    seen = Observed.from_tables(retailer.observations, retailer.model_input, builder, messages)
    parameters: dict[str, dict[str, Any]] = {
        "logistic_regression": {"C": 0.1},
        "random_forest": {"n_estimators": 6, "max_depth": 4},
        "xgboost": {"n_estimators": 10},
    }
    models = {
        name: Fitter(model_class(name), builder, None, 1, 1).fit(seen.rows, p)
        for name, p in parameters.items()
    }
    logged = {name: model.predict_logged(seen.rows) for name, model in models.items()}
    fusion = FusionModel.fit("average_logit", logged, seen.rows.response, seen.rows.sampling_weight)
    level = BoostedLevel.fit(seen.orders(), builder, {}, seed=1, threads=1)
    engine = DecisionEngine(
        messages=messages,
        columns=retailer.columns,
        builder=builder,
        models=models,
        fusion=fusion,
        order_value=OrderValueModel(level, np.array([0.95, 1.0, 1.1])),
        shrinkage=ContrastShrinkage(
            (-0.2, 0.1, 0.1), (-0.2, 0.05, 0.15), (0.3, 0.9, 0.6), 0.6, 0.1, 0
        ),
        policy="personalised",
    )
    folder = tmp_path_factory.mktemp("engine")
    engine.save(folder)
    return folder


@pytest.fixture(scope="session")
def engine(saved_engine: Path) -> DecisionEngine:
    return DecisionEngine.load(saved_engine).compiled()


@pytest.fixture
def customers(retailer: Any) -> pd.DataFrame:
    return retailer.customers.copy()


@pytest.fixture
def folder(customers: pd.DataFrame, tmp_path: Path) -> Path:
    """Three partitions of 250, 250 and 100 customers, one of them in a subfolder."""
    place = tmp_path / "customers"
    (place / "day=2").mkdir(parents=True)
    customers.iloc[:250].to_parquet(place / "a.parquet")
    customers.iloc[250:500].to_parquet(place / "b.parquet")
    customers.iloc[500:].to_parquet(place / "day=2" / "c.parquet")
    return place


@pytest.fixture
def damage() -> Callable[[Path], None]:
    """Leaves a Parquet file its footer, but none of its rows."""

    def damaged(path: Path) -> None:
        whole = path.read_bytes()
        footer = int.from_bytes(whole[-8:-4], "little") + 8
        path.write_bytes(whole[:4] + bytes(len(whole) - 4 - footer) + whole[-footer:])

    return damaged
