from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pentathlon.decision import ContrastShrinkage, DecisionEngine
from pentathlon.decision.leads import MessageLeads
from pentathlon.features import DesignBuilder
from pentathlon.fusion import FusionModel
from pentathlon.models import model_class
from pentathlon.models.order_value import GammaLevel, OrderValueModel
from pentathlon.models.training import Fitter
from pentathlon.recipe import Observed

make_retailer = runpy.run_path(str(Path(__file__).parent / "small_retailer.py"))["make_retailer"]


@pytest.fixture(scope="session")
def retailer() -> Any:
    return make_retailer(600)


@pytest.fixture(scope="session")
def engine(retailer: Any) -> DecisionEngine:
    """An engine of three small models that personalises."""
    messages, columns = retailer.messages, retailer.columns
    builder = DesignBuilder.fit(retailer.model_input, columns, messages)
    seen = Observed.from_tables(retailer.observations, retailer.model_input, builder, messages)
    parameters: dict[str, dict[str, Any]] = {
        "logistic_regression": {"C": 0.1},
        "random_forest": {"n_estimators": 5, "max_depth": 4},
        "xgboost": {"n_estimators": 10},
    }
    models = {
        name: Fitter(model_class(name), builder, None, 1, 1).fit(seen.rows, p)
        for name, p in parameters.items()
    }
    logged = {name: model.predict_logged(seen.rows) for name, model in models.items()}
    fusion = FusionModel.fit("average_logit", logged, seen.rows.response, seen.rows.sampling_weight)
    level = GammaLevel.fit(seen.orders(), builder, {}, seed=1, threads=1)
    return DecisionEngine(
        messages=messages,
        columns=columns,
        builder=builder,
        models=models,
        fusion=fusion,
        order_value=OrderValueModel(level, np.array([0.95, 1.0, 1.1])),
        shrinkage=ContrastShrinkage(
            (-0.2, 0.1, 0.1), (-0.2, 0.05, 0.15), (0.3, 0.9, 0.6), 0.7, 0.25, 0
        ),
        policy="personalised",
        leads=MessageLeads((1.0, 0.9, 1.1)),
    )
