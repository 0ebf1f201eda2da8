from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract.source import MissingRules
from pentathlon.datasets import ScoredDataset
from pentathlon.decision import DecisionEngine
from pentathlon.decision.rules import Sources
from pentathlon.decision.settings import FREE, SendingSettings
from pentathlon.errors import DataError, ParameterError
from pentathlon.scoring import (
    BatchDecider,
    Reference,
    ScoredFolder,
    ScoringJob,
    ScoringSettings,
    summarise,
)
from pentathlon.scoring.parts import stamp_of

EDGES = {"purchase_probability": (0.2, 0.4)}
SMALL = ScoringSettings(batch_rows=64)


def job(engine: DecisionEngine, folder: Path, **changes: Any) -> ScoringJob:
    decider = BatchDecider(engine, FREE, campaign="may", edges=EDGES)
    return ScoringJob(folder, replace(decider, **changes), SMALL, threads=2)


def files(folder: Path) -> dict[str, str]:
    """Every file with the hash of its bytes, the report of the run apart."""
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "run.json"
    }


def decided(folder: Path) -> pd.DataFrame:
    return pd.concat(ScoredFolder(folder).decisions(), ignore_index=True)


def test_partitions_are_decided_as_the_engine_decides(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    job(engine, folder).write_to(tmp_path / "out")
    expected = engine.decide(customers, campaign="may")
    found = decided(tmp_path / "out")
    assert sorted(files(tmp_path / "out")) == [
        "decisions/a.parquet",
        "decisions/b.parquet",
        "decisions/day=2/c.parquet",
    ]
    assert len(set(expected["message"])) > 1
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, check_exact=True)


@pytest.mark.parametrize(("rows", "threads"), [(23, 3), (1_000, 1)])
def test_batches_and_threads_change_no_decision(
    engine: DecisionEngine, folder: Path, tmp_path: Path, rows: int, threads: int
) -> None:
    job(engine, folder).write_to(tmp_path / "one")
    other = replace(job(engine, folder), settings=ScoringSettings(batch_rows=rows), threads=threads)
    other.write_to(tmp_path / "other")
    pd.testing.assert_frame_equal(
        decided(tmp_path / "one"), decided(tmp_path / "other"), check_exact=True
    )


def test_a_finished_partition_is_not_scored_twice(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    job(engine, folder).write_to(out)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")}
    job(engine, folder).write_to(out)
    assert {p: p.stat().st_mtime_ns for p in out.rglob("*.parquet")} == before
    run = ScoredFolder(out).run
    assert (run["partitions_scored_before"], run["customers_scored"]) == (3, 0)


def test_a_changed_partition_is_scored_again_and_a_lost_one_forgotten(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    job(engine, folder).write_to(out)
    customers["income"] *= 1.5
    customers.iloc[:250].to_parquet(folder / "a.parquet")
    (folder / "day=2" / "c.parquet").unlink()
    job(engine, folder).write_to(out)
    assert ScoredFolder(out).run["partitions_scored_before"] == 1
    job(engine, folder).write_to(tmp_path / "fresh")
    assert files(out) == files(tmp_path / "fresh")
    assert not (out / "decisions" / "day=2").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"campaign": "june"},
        {"settings": SendingSettings.model_validate({"exploration": {"share": 0.1}})},
        {"sources": Sources(suppressed=pd.DataFrame({"customer_id": ["C00001"]}))},
        {"edges": {"purchase_probability": (0.2, 0.5)}},
        {"fill": {"income": 1.0}},
        {"digest": "another engine"},
        {"policy": "send water"},
    ],
    ids=["campaign", "settings", "sources", "edges", "fill", "engine", "policy"],
)
def test_whatever_decisions_follow_from_makes_old_parts_stale(
    engine: DecisionEngine, folder: Path, tmp_path: Path, change: dict[str, Any]
) -> None:
    out = tmp_path / "out"
    job(engine, folder).write_to(out)
    if {"digest", "policy"} & set(change):
        job(replace(engine, **change), folder).write_to(out)
    else:
        job(engine, folder, **change).write_to(out)
    assert ScoredFolder(out).run["partitions_scored_before"] == 0


def test_no_stale_part_is_left_when_a_run_breaks_off(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    job(engine, folder).write_to(out)
    asked = {"rules": {"consent": {"opted_in": "agreed_at"}}}
    broken = job(engine, folder, settings=SendingSettings.model_validate(asked))
    with pytest.raises(ParameterError, match=r"campaign\.date"):
        broken.write_to(out)
    assert files(out) == {}


@pytest.mark.parametrize("limited", [False, True], ids=["free", "limited"])
def test_a_run_that_breaks_off_leaves_nothing_that_looks_finished(
    engine: DecisionEngine, folder: Path, tmp_path: Path, limited: bool
) -> None:
    """Whatever the run before had come to; and customers who are gone are no result either."""
    limits = [{"name": "water", "messages": ["water"], "at_most": 90}]
    settings = SendingSettings.model_validate({"limits": limits} if limited else {})
    dataset, out = ScoredDataset(filepath=str(tmp_path / "out")), tmp_path / "out"
    dataset.save(job(engine, folder, settings=settings))
    assert dataset.exists()

    class Breaks(BatchDecider):
        def decide(self, *args: Any, **kwargs: Any) -> Any:
            assert not dataset.exists()
            raise RuntimeError("the lights went out")

    good = job(engine, folder, settings=settings, campaign="june")
    breaks = Breaks(**vars(good.decider))
    with pytest.raises(Exception, match="the lights went out"):
        dataset.save(replace(good, decider=breaks))
    assert not dataset.exists()
    with pytest.raises(Exception, match="Nothing was scored"):
        dataset.load()
    dataset.save(good)
    assert dataset.load().problems() == []
    for path in folder.rglob("*.parquet"):
        path.unlink()
    with pytest.raises(Exception, match="no Parquet file"):
        dataset.save(good)
    assert not (out / "run.json").exists()


def test_every_partition_has_its_part_or_nothing_may_be_sent(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    reference = Reference.of(engine, customers, 1_000, seed=1)
    out = tmp_path / "out"
    job(engine, folder, edges=reference.edges).write_to(out)
    scored = ScoredFolder(out)
    assert summarise(scored, reference, SMALL)["may_be_sent"]
    (out / "decisions" / "b.parquet").unlink()
    summary = summarise(scored, reference, SMALL)
    assert not summary["may_be_sent"]
    (problem,) = summary["problems"]
    assert problem.startswith("1 partitions have no decisions of this run, for example b.parquet.")
    assert "it keeps what is finished" in problem
    job(engine, folder, edges=reference.edges).write_to(out)
    assert ScoredFolder(out).run["partitions_scored_before"] == 2
    assert summarise(scored, reference, SMALL)["may_be_sent"]


def test_rows_that_cannot_be_used_are_kept_with_their_reasons(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    bad = customers.iloc[:250].astype({"income": object, "freq_water": "float64"})
    bad.iloc[3, bad.columns.get_loc("income")] = None
    bad.iloc[4, bad.columns.get_loc("income")] = "a lot"
    bad.iloc[70, bad.columns.get_loc("freq_water")] = -1
    bad.iloc[71, bad.columns.get_loc("customer_id")] = bad["customer_id"].iloc[0]
    bad.iloc[72, bad.columns.get_loc("customer_id")] = None
    bad.iloc[73, bad.columns.get_loc("age")] = None
    bad["income"] = bad["income"].astype("str")
    bad.to_parquet(folder / "a.parquet")
    job(engine, folder).write_to(tmp_path / "out")
    rejected = pd.read_parquet(tmp_path / "out" / "rejected" / "a.parquet")
    assert rejected["row"].tolist() == [4, 5, 71, 72, 73, 74]
    assert rejected["reason"].str.split(":").str[0].tolist() == [
        "income is missing",
        "income is not a number",
        "freq_water is a negative count",
        "the customer_id occurs before in this partition",
        "the customer_id is missing",
        "age is missing",
    ]
    kept = customers.drop(index=[3, 4, 70, 71, 72, 73])
    expected = engine.decide(kept, campaign="may")
    pd.testing.assert_frame_equal(
        decided(tmp_path / "out"), expected, check_dtype=False, check_exact=True
    )
    counts = dict(ScoredFolder(tmp_path / "out").parts())["a.parquet"]
    assert (counts.decided, counts.rejected) == (244, 6)


def test_a_lost_file_of_rejected_rows_is_written_again(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    customers["income"] = customers["income"].mask(customers.index == 5)
    customers.iloc[:250].to_parquet(folder / "a.parquet")
    out = tmp_path / "out"
    job(engine, folder).write_to(out)
    before = files(out)
    (out / "rejected" / "a.parquet").unlink()
    job(engine, folder).write_to(out)
    assert files(out) == before


@pytest.mark.parametrize("trouble", ["no parquet", "damaged", "no column"])
def test_a_bad_partition_is_left_out_and_the_rest_goes_on(
    engine: DecisionEngine,
    folder: Path,
    tmp_path: Path,
    damage: Callable[[Path], None],
    trouble: str,
) -> None:
    path, out = folder / "b.parquet", tmp_path / "out"
    job(engine, folder).write_to(out)  # what was made of it before must go
    if trouble == "no parquet":
        path.write_bytes(b"no such thing")
    elif trouble == "damaged":
        damage(path)
    else:
        pd.read_parquet(path).drop(columns="age").to_parquet(path)
    job(engine, folder).write_to(out)
    scored = ScoredFolder(out)
    assert [name for name, _ in scored.parts()] == ["a.parquet", "day=2/c.parquet"]
    assert list(scored.run["rejected_partitions"]) == ["b.parquet"]
    assert len(decided(out)) == 350


def test_nothing_to_score_is_an_error(engine: DecisionEngine, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no Parquet file"):
        job(engine, tmp_path / "empty").write_to(tmp_path / "out")
    (tmp_path / "empty" / "x.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"No partition can be used, for example x\.parquet"):
        job(engine, tmp_path / "empty").write_to(tmp_path / "out")


def test_an_engine_that_was_never_saved_is_refused(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="saved and loaded"):
        job(replace(engine, digest=""), folder).write_to(tmp_path / "out")


def test_an_empty_partition_has_an_empty_part(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    customers.iloc[:0].to_parquet(folder / "b.parquet")
    job(engine, folder).write_to(tmp_path / "out")
    stamp = stamp_of(tmp_path / "out" / "decisions" / "b.parquet")
    assert stamp is not None
    assert stamp.counts.decided == 0
    assert len(pd.read_parquet(tmp_path / "out" / "decisions" / "b.parquet")) == 0


def test_counts_are_those_of_the_decisions(
    engine: DecisionEngine, folder: Path, tmp_path: Path
) -> None:
    job(engine, folder).write_to(tmp_path / "out")
    for (_, counts), table in zip(
        ScoredFolder(tmp_path / "out").parts(),
        ScoredFolder(tmp_path / "out").decisions(),
        strict=True,
    ):
        assert counts.decided == len(table)
        assert dict(counts.messages) == table["message"].value_counts().to_dict()
        profit = table["expected_profit"].to_numpy(dtype=np.float64).sum()
        assert counts.expected_profit == pytest.approx(profit, rel=1e-6)
        assert sum(counts.histograms["purchase_probability"]) == len(table)


def test_progress_tells_the_rate_and_the_rest(
    engine: DecisionEngine, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chatty = replace(
        job(engine, folder), settings=ScoringSettings(batch_rows=64, progress_seconds=1e-9)
    )
    with caplog.at_level(logging.INFO, logger="pentathlon.scoring"):
        chatty.write_to(tmp_path / "out")
    lines = [r.getMessage() for r in caplog.records if "a second" in r.getMessage()]
    assert len(lines) > 5
    assert lines[-1].startswith("scored 600 of 600 customers (100 %)")


def test_what_was_missing_in_training_is_filled_like_then_and_counted(
    engine: DecisionEngine, folder: Path, customers: pd.DataFrame, tmp_path: Path
) -> None:
    missing = MissingRules(numeric="median", categorical="unknown", counts="reject")
    fill = Reference.of(engine, customers, 1_000, seed=1, missing=missing).fill
    median = customers["income"].median()
    assert fill["income"] == median
    assert "freq_water" not in fill
    given = customers.iloc[:250].astype({"freq_water": "float64"})
    income, age, water = (given.columns.get_loc(c) for c in ("income", "age", "freq_water"))
    given.iloc[[3, 4, 7], income] = np.nan
    given.iloc[5, age] = None
    given.iloc[[6, 7], water] = np.nan
    given.to_parquet(folder / "a.parquet")
    job(engine, folder, fill=fill).write_to(tmp_path / "out")
    expected = customers.drop(index=[6, 7])
    expected.iloc[[3, 4], income] = median
    expected.iloc[5, age] = "unknown"
    pd.testing.assert_frame_equal(
        decided(tmp_path / "out"),
        engine.decide(expected, campaign="may"),
        check_dtype=False,
        check_exact=True,
    )
    counts = dict(ScoredFolder(tmp_path / "out").parts())["a.parquet"]
    assert counts.filled == {"income": 2, "age": 1}
    assert counts.reasons == {"freq_water is missing": 2}
