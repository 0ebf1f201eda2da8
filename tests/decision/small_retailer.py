"""A retailer of three messages, small enough to refit everything in a second."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.features import build_features

MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        "water": {"margin": 0.4, "department": "water", "send_cost": 0.05},
        "team": {"margin": 0.5, "department": "team", "send_cost": 0.02, "unsubscribe_cost": 0.08},
    }
)
COLUMNS = FeatureColumns(
    numeric=["income"],
    log=["income"],
    categorical=["age"],
    counts={"water": "freq_water", "team": "freq_team"},
)


class SmallRetailer(NamedTuple):
    messages: MessageSet
    columns: FeatureColumns
    observations: pd.DataFrame
    customers: pd.DataFrame
    model_input: pd.DataFrame


def make_retailer(n: int, seed: int = 0, n_folds: int = 3, test_share: float = 0.25):
    """One row per customer; a third of them buys; matching e-mails sell."""
    rng = np.random.default_rng(seed)
    ids = pd.Series([f"C{i:05d}" for i in rng.permutation(n)], dtype="str")
    customers = pd.DataFrame(
        {
            "customer_id": ids,
            "income": rng.gamma(2.0, 20.0, n).round(1),
            "age": pd.Series(rng.choice(["young", "middle", "old"], n), dtype="str"),
            "freq_water": rng.poisson(1.0, n),
            "freq_team": rng.poisson(1.0, n),
        }
    )
    message = rng.integers(0, 3, n)
    water = np.log1p(customers["freq_water"].to_numpy())
    team = np.log1p(customers["freq_team"].to_numpy())
    old = (customers["age"] == "old").to_numpy()
    index = -1.6 + 0.4 * old + 1.8 * water * (message == 1) + 1.8 * team * (message == 2)
    response = (rng.random(n) < 1 / (1 + np.exp(-index))).astype(np.int8)
    size = 20 + 0.3 * customers["income"].to_numpy()
    order_value = np.where(response == 1, size * rng.lognormal(-0.125, 0.5, n), 0.0)
    test = rng.permutation(n) < round(test_share * n)
    observations = pd.DataFrame(
        {
            "customer_id": ids,
            "message": pd.array(np.array(MESSAGES.names, dtype=object)[message], dtype="str"),
            "propensity": np.full(n, 1 / 3),
            "response": response,
            "order_value": order_value,
            "split": pd.array(np.where(test, "test", "train"), dtype="str"),
            "fold": np.where(test, -1, rng.permutation(n) % n_folds).astype(np.int8),
            "sampling_weight": np.ones(n),
            "natural_rate": np.ones(n, dtype=bool),
        }
    )
    model_input = build_features(customers, COLUMNS)
    return SmallRetailer(MESSAGES, COLUMNS, observations, customers, model_input)
