"""Limits that bind customers who are never in memory together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import InfeasibleError, ParameterError
from pentathlon.scoring import BatchDecider, ScoredFolder, ScoringJob, ScoringSettings
from pentathlon.scoring.parts import partitions_in
from pentathlon.scoring.prices import Prices, find_prices
from pentathlon.scoring.spill import Spill

EDGES = {"purchase_probability": (0.2, 0.4)}
STATED: dict[str, Any] = {
    "limits": [
        {"name": "budget", "of": "cost", "at_most": 20.0},
        {"name": "water", "messages": ["water"], "at_most": 90},
        {
            "name": "team for the old",
            "messages": ["team"],
            "of": "share",
            "at_least": 0.3,
            "where": [{"column": "age", "equals": "old"}],
        },
    ]
}
PRESSURE = {
    "unsubscribe": [0.0],
    "complaint": [0.002],
    "max_complaint_rate": 0.01,
}


def score(
    engine: DecisionEngine, folder: Path, out: Path, stated: dict[str, Any], **settings: Any
) -> pd.DataFrame:
    sending = SendingSettings.model_validate(stated)
    decider = BatchDecider(engine, sending, campaign="may", edges=EDGES)
    ScoringJob(folder, decider, ScoringSettings(batch_rows=64, **settings), threads=2).write_to(out)
    return pd.concat(ScoredFolder(out).decisions(), ignore_index=True)


@pytest.mark.parametrize(
    "stated",
    [
        STATED,
        STATED | {"exploration": {"share": 0.1, "holdout": 0.05}},
        STATED | {"rules": {"pressure": PRESSURE, "minimum_gain": 0.05}},
    ],
    ids=["limits", "chance", "complaints"],
)
def test_a_plan_in_two_passes_is_as_good_as_one_in_memory(
    engine: DecisionEngine,
    folder: Path,
    customers: pd.DataFrame,
    tmp_path: Path,
    stated: dict[str, Any],
) -> None:
    found = score(engine, folder, tmp_path / "out", stated)
    expected = engine.decide(customers, SendingSettings.model_validate(stated), campaign="may")
    assert found["customer_id"].tolist() == expected["customer_id"].tolist()
    assert found["expected_profit"].sum() == pytest.approx(
        expected["expected_profit"].sum(), rel=2e-4
    )
    assert (found["message"] == expected["message"]).mean() > 0.99
    assert found["decided_by"].tolist().count("limit") > 20
    sent = found["message"].value_counts()
    assert sent["water"] <= 90
    assert 0.05 * sent["water"] + 0.02 * sent["team"] + 0.08 * sent["team"] <= 20.0 + 1e-9
    old = (customers["age"] == "old").to_numpy()
    assert (found["message"][old] == "team").sum() >= 0.3 * old.sum()
    account = ScoredFolder(tmp_path / "out").run["limits"]
    assert account["gap"] < 1e-3
    used = {limit["name"]: limit["used"] for limit in account["limits"]}
    assert used["water"] == sent["water"]


def test_with_a_sample_limits_hold_to_the_last_e_mail(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    """A quarter of the customers in memory at a time; near the best all the same."""
    score(engine, folder, tmp_path / "out", STATED)
    parts = list(partitions_in(tmp_path / "out" / "scores").items())
    sending = SendingSettings.model_validate(STATED)
    spill = Spill(parts, 3)
    best = find_prices(spill, sending, engine.messages, 1_000)
    found = find_prices(spill, sending, engine.messages, 150, seed=3)
    assert found.profit == pytest.approx(best.profit, rel=0.01)
    assert found.profit <= found.bound
    counts = np.zeros(3)
    for block in spill.blocks():
        name = parts[int(block.part[0])][0]
        choice = found.choose(name, block.rows, block.key, block.ranked)
        counts += np.bincount(choice, minlength=3)
    assert counts[1] <= 90
    assert 0.05 * counts[1] + 0.1 * counts[2] <= 20.0 + 1e-9


def test_finished_parts_are_kept_and_other_limits_score_nobody_anew(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(engine, folder, out, STATED)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")}
    score(engine, folder, out, STATED)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")} == before


def test_without_limits_nothing_of_an_earlier_plan_stays(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(engine, folder, out, STATED)
    found = score(engine, folder, out, {})
    assert found["message"].tolist().count("water") > 90
    assert not list((out / "scores").rglob("*.parquet"))
    assert not (out / "prices.json").exists()


def test_prices_survive_being_saved() -> None:
    prices = Prices(
        np.array([3, 1 << 40]),
        np.array([[0.1, 1 / 3], [0.0, -2e-9]]),
        {"a": (np.array([5, 7]), np.array([1, 0]))},
        (),
        2.0,
        1.9,
    )
    again = Prices.from_state(prices.to_state())
    assert again.to_state() == prices.to_state()
    chosen = again.choose(
        "a", np.array([4, 5, 8]), np.array([3, 3, 3]), np.zeros((3, 2), dtype=np.float32)
    )
    assert chosen.tolist() == [0, 1, 0]


def test_limits_that_cannot_hold_stop_the_run_and_leave_no_decision(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    score(engine, folder, out, STATED)
    impossible = {"limits": [{"name": "many", "messages": ["water"], "at_least": 1e6}]}
    with pytest.raises(InfeasibleError, match="many"):
        score(engine, folder, out, impossible)
    assert not list((out / "decisions").rglob("*.parquet"))


def test_a_limit_that_concerns_nobody_is_an_error(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    nobody = [{"column": "age", "equals": "ancient"}]
    stated = {"limits": [{"name": "nobody", "at_most": 5, "where": nobody}]}
    with pytest.raises(ParameterError, match="'nobody' concerns nobody"):
        score(engine, folder, tmp_path / "out", stated)


def test_top_two_cannot_be_drawn_before_prices_are_known(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    stated = STATED | {"exploration": {"share": 0.1, "among": "top_two"}}
    with pytest.raises(ParameterError, match="top_two"):
        score(engine, folder, tmp_path / "out", stated)


def test_a_batch_is_not_decided_without_prices(engine: DecisionEngine, folder: Path) -> None:
    import pyarrow.parquet as pq

    decider = BatchDecider(engine, SendingSettings.model_validate(STATED))
    with pytest.raises(ParameterError, match="find their prices"):
        decider.decide(next(pq.ParquetFile(folder / "a.parquet").iter_batches()))


@pytest.mark.parametrize(
    "changes",
    [
        {"top_departments": {"departments": 2}},
        {
            "limits": [
                {"name": "half", "of": "share_of_emails", "messages": ["water"], "at_most": 0.5}
            ]
        },
    ],
)
def test_shares_of_emails_are_refused(engine: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match="scoring in batches does not know"):
        BatchDecider(engine, SendingSettings.model_validate(changes))
