"""A small file in the format of the Pentathlon case, edition A."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.contract.process import ProcessedFile, process_customer_file
from pentathlon.contract.source import FileContract

MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        "water": {"margin": 0.4, "department": "water"},
        "team": {"margin": 0.4, "department": "team"},
    }
)
FEATURES = FeatureColumns(
    numeric=["income"],
    categorical=["age", "female"],
    counts={"water": "freq_water", "team": "freq_team"},
)
CONTRACT: dict[str, Any] = {
    "columns": {
        "customer_id": "custid",
        "message": "message",
        "response": "buyer",
        "order_value": "total_os",
        "split": "training",
    },
    "valid_ranges": {"income": [0, 200_000]},
    "split": {"train": [1], "test": [0]},
    "propensity": "uniform",
    "n_folds": 2,
    "seed": 1,
    "max_rejected_share": 0.5,
}


def make_file(n: int = 60) -> pd.DataFrame:
    i = np.arange(n)
    buyer = i % 3 == 0
    return pd.DataFrame(
        {
            "custid": [f"U{k}" for k in i + 1],
            "buyer": np.where(buyer, "yes", "no"),
            "total_os": np.where(buyer, 10 + i, 0),
            # Blocks of three rows share a message, so that each has buyers and others.
            "message": np.array(list(MESSAGES), dtype=object)[i // 3 % 3],
            "age": np.array(["< 30", "30 to 44", ">= 60"], dtype=object)[i % 3],
            "female": np.where(i % 2 == 0, "yes", "no"),
            "income": 5_000.0 * (i % 20),
            "freq_water": i % 4,
            "freq_team": i % 5,
            "training": np.where(i // 9 % 3 == 2, 0.0, 1.0),
        }
    )


Process = Callable[..., ProcessedFile]


@pytest.fixture
def raw() -> pd.DataFrame:
    return make_file()


@pytest.fixture
def process() -> Process:
    """Process a file under the contract of the case, with changes to its settings."""

    def run(
        raw: pd.DataFrame,
        messages: MessageSet = MESSAGES,
        features: FeatureColumns = FEATURES,
        **changes: Any,
    ) -> ProcessedFile:
        contract = FileContract.model_validate({**CONTRACT, **changes})
        return process_customer_file(raw, messages, features, contract)

    return run


@pytest.fixture
def columns() -> dict[str, str]:
    return dict(CONTRACT["columns"])
