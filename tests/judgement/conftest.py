from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import expected_profit
from pentathlon.judgement import Judged

make_retailer = runpy.run_path(str(Path(__file__).parents[1] / "decision" / "small_retailer.py"))[
    "make_retailer"
]
MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        "water": {"margin": 0.4, "send_cost": 0.1},
        "sea_team": {"margin": 0.5, "send_cost": 0.2},
    }
)
N = 600


@pytest.fixture(scope="session")
def retailer() -> Any:
    return make_retailer(600, n_folds=4)


@pytest.fixture(scope="session")
def judged() -> Judged:
    """Rows of a randomised campaign, uneven propensities and weights, two models."""
    rng = np.random.default_rng(4)
    logging = np.array([0.2, 0.5, 0.3])
    message = rng.choice(3, N, p=logging)
    p = rng.beta(4, 8, (N, 3))
    response = (rng.random(N) < p[np.arange(N), message]).astype(np.int8)
    probabilities = {
        name: np.clip(p + rng.normal(0, 0.05, (N, 3)), 0.01, 0.99).astype(np.float32)
        for name in ("logistic_regression", "xgboost", "fusion")
    }
    order_values = rng.uniform(20, 60, (N, 3)).astype(np.float32)
    profit = expected_profit(probabilities["fusion"], order_values, MESSAGES)
    names = np.array(MESSAGES.names, dtype=object)
    keys = pd.DataFrame(
        {
            "customer_id": [f"C{i}" for i in range(N)],
            "fold": np.full(N, -1, dtype=np.int8),
            "message": names[message],
            "propensity": logging[message],
            "response": response,
            "order_value": np.where(response == 1, rng.gamma(4.0, 10.0, N), 0.0),
            "sampling_weight": np.where(response == 1, 0.7, 0.7 + 0.3 * N / (N - response.sum())),
            "natural_rate": np.arange(N) % 2 == 0,
            "decision": names[profit.argmax(axis=1)],
            "policy": "personalised",
        }
    ).astype(dict.fromkeys(("customer_id", "message", "decision", "policy"), "str"))
    return Judged(keys, probabilities, order_values, profit, MESSAGES)
