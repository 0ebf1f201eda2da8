from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.judgement import Judged
from pentathlon.judgement.overlap import assess_overlap

MESSAGES = MessageSet({m: {"margin": 1.0} for m in ("control", "team", "water")})
COLUMNS = FeatureColumns(numeric=["age"], categorical=["city"], counts={"team": "freq_team"})
N = 3_000


def make(seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    customers = pd.DataFrame(
        {
            "customer_id": np.arange(N).astype(str),
            "age": rng.normal(40, 10, N),
            "city": rng.choice(["A", "B", "C"], N),
            "freq_team": rng.poisson(0.5, N),
        }
    )
    return customers, rng.integers(0, 3, N)


def judged(message: np.ndarray, decision: np.ndarray, propensity: object = 1 / 3) -> Judged:
    names = np.array(MESSAGES.names, dtype=object)
    keys = pd.DataFrame(
        {
            "customer_id": np.arange(len(message)).astype(str),
            "fold": 0,
            "message": names[message],
            "propensity": np.broadcast_to(propensity, (len(message),)),
            "response": 0,
            "order_value": 0.0,
            "sampling_weight": 1.0,
            "natural_rate": True,
            "decision": names[decision],
            "policy": "personalised",
        }
    )
    scores = np.full((len(message), 3), 0.1, dtype=np.float32)
    return Judged(keys, {"fusion": scores}, scores, scores, MESSAGES)


def test_a_randomised_log_reaches_everybody() -> None:
    alarms = 0
    for seed in range(60):
        customers, message = make(seed)
        decision = np.where(customers["age"] > 40, 1, 2)
        found = assess_overlap(judged(message, decision), customers, COLUMNS)
        alarms += found.unreached_share > 0
    # One in a hundred by design.
    assert alarms <= 3


def test_reach_by_hand() -> None:
    customers, _ = make()
    message = np.arange(N) % 3
    decision = np.where(np.arange(N) < 1_500, 1, 2)
    found = assess_overlap(judged(message, decision), customers, COLUMNS)
    row = found.table.iloc[0]
    assert (row["message"], row["group"], row["customers"]) == ("team", "", 1_500)
    assert row["followed"] == 500
    assert row["reached"] == pytest.approx(1.0)
    assert row["effective_sample_size"] == pytest.approx(500)
    assert row["largest_weight"] == pytest.approx(1 / 500)
    assert row["lowest_propensity"] == pytest.approx(1 / 3)


def test_customers_who_never_got_a_message_are_named() -> None:
    customers, message = make()
    in_a = (customers["city"] == "A").to_numpy()
    message = np.where(in_a & (message == 1), 2, message)  # the log never sent A team
    found = assess_overlap(judged(message, np.ones(N, dtype=np.int64)), customers, COLUMNS)
    lost = found.table[found.table["unreached"]].set_index("group")
    assert lost.loc["city is A", "followed"] == 0
    assert lost.loc["city is A", "reached"] == 0
    assert found.unreached_share >= in_a.mean() - 1e-9
    # The policy that sends A water instead is reached.
    spared = assess_overlap(
        judged(message, np.where(in_a, 2, 1)), customers[["customer_id", *COLUMNS.columns]], COLUMNS
    )
    assert not spared.table[spared.table["message"] == "team"]["unreached"].any()


def test_propensities_that_are_not_those_of_the_log_are_found() -> None:
    customers, _ = make()
    rng = np.random.default_rng(5)
    old = customers["age"].to_numpy() > 40
    message = np.where(rng.random(N) < np.where(old, 0.05, 0.6), 1, 0)
    wrong = assess_overlap(judged(message, np.ones(N, dtype=np.int64), 0.5), customers, COLUMNS)
    assert wrong.unreached_share > 0.4
    chance = np.where(old, 0.05, 0.6)
    right = np.where(message == 1, chance, 1 - chance)
    found = assess_overlap(judged(message, np.ones(N, dtype=np.int64), right), customers, COLUMNS)
    assert found.unreached_share == 0
    row = found.table.iloc[0]
    assert row["imbalance_before"] > 0.4
    assert row["imbalance_after"] < 0.25
    assert row["largest_weight"] > 1 / row["followed"]
