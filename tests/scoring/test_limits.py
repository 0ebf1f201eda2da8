"""Limits that bind customers who are never in memory together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.decision import DecisionEngine
from pentathlon.decision.allocation.exact import TIED_ROWS
from pentathlon.decision.limiting import LimitOutcome
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import InfeasibleError, ParameterError
from pentathlon.scoring import BatchDecider, ScoredFolder, ScoringJob, ScoringSettings, passes
from pentathlon.scoring.parts import partitions_in
from pentathlon.scoring.prices import Prices, find_prices
from pentathlon.scoring.spill import SpilledParts

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
    scoring = ScoringSettings(**{"batch_rows": 64} | settings)
    ScoringJob(folder, decider, scoring, threads=2).write_to(out)
    return pd.concat(ScoredFolder(out).decisions(), ignore_index=True)


def times(folder: Path) -> dict[Path, int]:
    """When each part was written."""
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*.parquet")}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, the report of the run apart."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "run.json"
    }


def in_memory(
    engine: DecisionEngine, customers: pd.DataFrame, stated: dict[str, Any]
) -> tuple[pd.DataFrame, tuple[LimitOutcome, ...]]:
    """Decisions of all customers at once, and what became of limits."""
    sending = SendingSettings.model_validate(stated)
    _, plan = engine.plan(customers, sending, campaign="may")
    return engine.decide(customers, sending, campaign="may"), plan.limits


@pytest.mark.parametrize(
    "stated",
    [
        STATED,
        STATED | {"exploration": {"share": 0.1, "holdout": 0.05}},
        STATED | {"rules": {"pressure": PRESSURE, "minimum_gain": 0.05}},
    ],
    ids=["limits", "chance", "complaints"],
)
def test_a_plan_in_two_passes_is_the_one_in_memory(
    engine: DecisionEngine,
    folder: Path,
    customers: pd.DataFrame,
    tmp_path: Path,
    stated: dict[str, Any],
) -> None:
    found = score(engine, folder, tmp_path / "out", stated)
    expected, outcomes = in_memory(engine, customers, stated)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True)
    assert found["decided_by"].tolist().count("limit") > 20
    sent = found["message"].value_counts()
    assert sent["water"] <= 90
    assert 0.05 * sent["water"] + 0.02 * sent["team"] + 0.08 * sent["team"] <= 20.0 + 1e-9
    old = (customers["age"] == "old").to_numpy()
    assert (found["message"][old] == "team").sum() >= 0.3 * old.sum()
    account = ScoredFolder(tmp_path / "out").run["limits"]
    assert account["gap"] < 1e-3
    assert account["limits"] == [asdict(outcome) for outcome in outcomes]
    used = {limit["name"]: limit["used"] for limit in account["limits"]}
    assert used["water"] == sent["water"]


@pytest.mark.parametrize(
    "stated",
    [
        {
            "limits": [
                {"name": "budget", "of": "cost", "at_most": 600.0},
                {"name": "water", "messages": ["water"], "at_most": 4_001},
                *STATED["limits"][2:],
            ],
            "exploration": {"share": 0.1, "holdout": 0.05},
            "rules": {"pressure": PRESSURE},
        },
        {
            "limits": [
                {"name": "budget", "of": "cost", "at_most": 250.01, "may_give_way": 1},
                {"name": "team", "messages": ["team"], "at_least": 7_503},
            ],
            "rules": {"minimum_gain": 0.3},
        },
    ],
    ids=["chance", "a limit that gives way"],
)
def test_many_customers_whom_prices_leave_nearly_tied_get_what_the_engine_gives_them(
    engine: DecisionEngine, customers: pd.DataFrame, tmp_path: Path, stated: dict[str, Any]
) -> None:
    """More than one exact program holds: most decide at prices, some are exceptions to them."""
    many = pd.concat([customers] * 50, ignore_index=True)
    assert len(many) > 2 * TIED_ROWS
    many["customer_id"] = [f"M{i:05d}" for i in range(len(many))]
    many["income"] *= np.random.default_rng(2).uniform(0.5, 2, len(many))
    folder = tmp_path / "customers"
    folder.mkdir()
    for i, start in enumerate(range(0, len(many), 11_000)):
        many.iloc[start : start + 11_000].to_parquet(folder / f"{i}.parquet")
    found = score(engine, folder, tmp_path / "out", stated, batch_rows=4_096)
    expected, outcomes = in_memory(engine, many, stated)
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True)
    account = ScoredFolder(tmp_path / "out").run["limits"]
    assert account["limits"] == [asdict(outcome) for outcome in outcomes]
    assert account["exceptions"] > 0
    assert found["decided_by"].value_counts()["limit"] > 1_000


def test_with_a_sample_limits_hold_to_the_last_e_mail(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    """A quarter of the customers in memory at a time; near the best all the same."""
    score(engine, folder, tmp_path / "out", STATED)
    parts = list(partitions_in(tmp_path / "out" / "scores").items())
    sending = SendingSettings.model_validate(STATED)
    spill = SpilledParts(parts, 3)
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


def test_finished_parts_are_kept(engine: DecisionEngine, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    score(engine, folder, out, STATED)
    before = times(out)
    score(engine, folder, out, STATED)
    assert times(out) == before


@pytest.mark.parametrize("trouble", ["no parquet", "damaged", "no column"])
def test_beside_a_bad_partition_finished_parts_are_kept(
    engine: DecisionEngine,
    folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    trouble: str,
) -> None:
    path, out = folder / "b.parquet", tmp_path / "out"
    good = path.read_bytes()
    if trouble == "no parquet":
        path.write_bytes(b"no such thing")
    elif trouble == "damaged":
        damage(path)
    else:
        pd.read_parquet(path).drop(columns="age").to_parquet(path)
    score(engine, folder, out, STATED)
    before = times(out)
    assert len(before) == 4  # scores and decisions of the others
    score(engine, folder, out, STATED)
    assert times(out) == before
    run = ScoredFolder(out).run
    assert list(run["rejected_partitions"]) == ["b.parquet"]
    assert (run["partitions_scored_before"], run["customers_scored"]) == (2, 0)
    bad = path.read_bytes()
    path.unlink()  # whoever was priced is still there
    score(engine, folder, out, STATED)
    assert times(out) == before
    path.write_bytes(bad)
    score(engine, folder, out, STATED)
    score(engine, folder, out, STATED)
    assert (ScoredFolder(out).run["customers_scored"], len(times(out))) == (0, 4)
    path.write_bytes(good)  # everybody now competes with its customers, at other prices
    score(engine, folder, out, STATED)
    score(engine, folder, tmp_path / "fresh", STATED)
    assert contents(out) == contents(tmp_path / "fresh")


def test_a_partition_that_can_be_read_again_leaves_no_decision_at_old_prices(
    engine: DecisionEngine, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes could not be read once, as on a disk that was away for a while."""
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        readable = passes.opened

        def away(path: Path) -> Any:
            if path == folder / "b.parquet":
                raise OSError("the disk is away")
            return readable(path)

        patch.setattr(passes, "opened", away)
        score(engine, folder, out, STATED)
    assert list(ScoredFolder(out).run["rejected_partitions"]) == ["b.parquet"]

    def unsolved(*args: Any, **kwargs: Any) -> Any:
        assert not list((out / "decisions").rglob("*.parquet"))
        raise RuntimeError("no prices")

    with monkeypatch.context() as patch:
        patch.setattr("pentathlon.scoring.job.find_prices", unsolved)
        with pytest.raises(RuntimeError, match="no prices"):
            score(engine, folder, out, STATED)
    score(engine, folder, out, STATED)
    score(engine, folder, tmp_path / "fresh", STATED)
    assert contents(out) == contents(tmp_path / "fresh")


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
