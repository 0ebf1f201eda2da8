"""What scoring on Spark is made of, without Spark."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import pentathlon.scoring.spark.session as session_module
from pentathlon.datasets import SparkScoredDataset
from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import FREE, SendingSettings
from pentathlon.errors import DataError, ParameterError
from pentathlon.scoring import BatchDecider
from pentathlon.scoring.blocks import Block, Lottery
from pentathlon.scoring.spark import MissingSparkError, SparkSettings, start_session
from pentathlon.scoring.spark.files import Files
from pentathlon.scoring.spark.job import as_own
from pentathlon.scoring.spark.outcomes import OUTCOMES, counts_of_figures, figures_of
from pentathlon.scoring.spark.session import options_of
from pentathlon.scoring.spark.sweeps import SparkSweeps
from pentathlon.scoring.spark.work import Shipment, deciding, spilled_schema, spilling
from pentathlon.scoring.spill import SpilledParts
from pentathlon.scoring.statistics import Counts

EDGES = {"purchase_probability": (0.2, 0.4)}

# --- what may be missing


def test_without_pyspark_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "find_spec", lambda name: None)
    for act in (
        lambda: start_session(SparkSettings(master="local[1]")),
        SparkScoredDataset(filepath="x").load,
    ):
        with pytest.raises(Exception, match=r"pip install 'pentathlon\[spark\]'"):
            act()


def test_without_java_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_module, "find_spec", lambda name: object())
    monkeypatch.setattr(session_module.shutil, "which", lambda *args, **kwargs: None)
    for name in ("PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingSparkError, match=r"^[^.]* there is no Java; [^.]*\.$"):
        start_session(SparkSettings(master="local[1]"))
    monkeypatch.setenv("PYSPARK_GATEWAY_PORT", "1")  # whose Java is there already
    session_module.check_installed()


def test_local_mode_keeps_to_this_machine_unless_told_otherwise() -> None:
    local = options_of(SparkSettings(master="local[2]", options={"spark.ui.enabled": False}))
    assert local["spark.driver.bindAddress"] == "127.0.0.1"
    assert local["spark.ui.enabled"] == "false"
    assert "spark.driver.host" not in options_of(SparkSettings(master="spark://head:7077"))
    told = SparkSettings(master="local[2]", options={"spark.driver.host": "driver"})
    assert options_of(told)["spark.driver.host"] == "driver"


# --- places


def test_files_are_named_as_the_embedded_run_names_them() -> None:
    files = Files.of(
        ["file:///d/day=2%20x/b%2541.parquet", "file:/d/a.parquet", "file:///d/day/c.parquet"]
    )
    assert files.names == ("a.parquet", "day/c.parquet", "day=2 x/b%41.parquet")
    assert files.uris[0] == "file:/d/a.parquet"
    assert Files.of(["s3a://bucket/in/x.parquet"]).names == ("x.parquet",)
    assert Files.of([]).names == ()


def test_the_lottery_asks_for_partition_and_row_alone() -> None:
    lottery = Lottery(("in/a", "in/b"), seed=3)
    rows = np.arange(50_000)
    one, two = (lottery.numbers(np.full(len(rows), p), rows) for p in (0, 1))
    assert (lottery.numbers(np.array([1, 0]), np.array([7, 9])) == [two[7], one[9]]).all()
    for numbers in (one, two):
        assert numbers.min() >= 0
        assert numbers.max() < 1
        histogram = np.histogram(numbers, bins=20, range=(0, 1))[0]
        assert ((histogram - 2_500) ** 2 / 2_500).sum() < 45  # chi-square of 19: 1 in 1,000
    assert abs(np.corrcoef(one, two)[0, 1]) < 0.02
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.02
    assert (Lottery(("elsewhere/a",), seed=3).numbers(np.zeros(9, int), rows[:9]) == one[:9]).all()
    assert (Lottery(("in/a", "in/b"), seed=4).numbers(np.zeros(9, int), rows[:9]) != one[:9]).all()


# --- counts and errors


def test_counts_survive_being_summed() -> None:
    counts = Counts(decided=3, rejected=1, expected_profit=1 / 3, histograms={"s": [1, 0, 2]})
    counts.messages.update({"water": 2, "team": 1})
    counts.reasons["age is missing"] = 1
    assert counts_of_figures(list(figures_of(counts)), {"s": (0.1, 0.2)}) == counts
    assert counts_of_figures([], {"s": (0.1, 0.2)}) == Counts(histograms={"s": [0, 0, 0]})


def test_an_executors_error_of_ours_is_told_as_ours() -> None:
    text = "Traceback:\n  File\npentathlon.errors.ParameterError: campaign.date is not set.\n\nJVM"
    own = as_own(RuntimeError(text))
    assert isinstance(own, ParameterError)
    assert str(own) == "campaign.date is not set."
    assert as_own(RuntimeError("ValueError: no")) is None


# --- what executors do


def placed(customers: pd.DataFrame, parts: Any, rows: Any) -> pa.RecordBatch:
    table = customers.reset_index(drop=True)
    place = {
        "__part": np.asarray(parts, dtype=np.int32),
        "__row": np.asarray(rows, dtype=np.int64),
        "__repeated": np.zeros(len(table), dtype=bool),
    }
    arrow = pa.Table.from_pandas(table.assign(**place), preserve_index=False)
    return arrow.combine_chunks().to_batches()[0]


def shipped(decider: BatchDecider) -> Any:
    return SimpleNamespace(value=pickle.loads(pickle.dumps(Shipment.of(decider, ("a", "b")))))


def test_executors_decide_as_the_engine_does_whatever_the_order(
    engine: DecisionEngine, customers: pd.DataFrame
) -> None:
    decider = BatchDecider(engine, FREE, campaign="may", edges=EDGES)
    mixed = np.random.default_rng(1).permutation(600)
    batch = placed(customers.iloc[mixed], mixed // 300, mixed % 300)
    found = pa.Table.from_batches(deciding(shipped(decider))([batch]), schema=OUTCOMES).to_pandas()
    decided = found[found["__kind"] == "decided"].set_index("customer_id")
    expected = engine.decide(customers, campaign="may").set_index("customer_id")
    decided = decided.loc[expected.index, expected.columns]
    pd.testing.assert_frame_equal(decided, expected, check_dtype=False, check_exact=True)
    figures = found[found["__kind"] == "counted"]
    assert set(figures["__part"]) == {0, 1}
    assert figures.loc[figures["__what"] == "decided", "__n"].tolist() == [300, 300]


def test_rejected_rows_keep_their_place_and_their_values(
    engine: DecisionEngine, customers: pd.DataFrame
) -> None:
    some = customers.iloc[:4].reset_index(drop=True)
    some["income"] = some["income"].mask(some.index == 2)
    decider = BatchDecider(engine, FREE, edges=EDGES)
    batch = placed(some, [1, 1, 1, 1], [10, 20, 30, 40])
    found = pa.Table.from_batches(deciding(shipped(decider))([batch]), schema=OUTCOMES).to_pylist()
    (rejected,) = [row for row in found if row["__kind"] == "rejected"]
    assert (rejected["__part"], rejected["__row"]) == (1, 31)
    assert rejected["__reason"].startswith("income is missing")
    fields = dict(rejected["__fields"])
    assert fields["customer_id"] == some["customer_id"][2]
    assert set(fields) == set(some.columns)


LIMITED = SendingSettings.model_validate(
    {"limits": [{"name": "water", "messages": ["water"], "at_most": 90}]}
)


def test_the_spill_has_every_row_and_scores_of_those_that_can_be_used(
    engine: DecisionEngine, customers: pd.DataFrame
) -> None:
    some = customers.iloc[:5].reset_index(drop=True)
    some["income"] = some["income"].mask(some.index == 1)
    decider = BatchDecider(engine, LIMITED)
    batch = placed(some, np.zeros(5), np.arange(5))
    (spilled,) = spilling(shipped(decider))([batch])
    assert spilled.schema.names == [*batch.schema.names, *spilled_schema(engine.messages).names]
    table = spilled.to_pandas()
    assert table["__spilled_segment"].isna().tolist() == [False, True, False, False, False]
    expected = decider.spill(pa.RecordBatch.from_pandas(some)).decisions.to_pandas()
    known = table.dropna(subset="__spilled_segment")
    assert known["__spilled_ranked_2"].tolist() == expected["ranked_2"].tolist()


def test_a_batch_that_no_rule_leaves_a_message_is_handed_on_with_its_reason(
    engine: DecisionEngine, customers: pd.DataFrame
) -> None:
    class Impossible(BatchDecider):
        def decide(self, *args: Any, **kwargs: Any) -> Any:
            raise DataError("customers have no message left.")

    batch = placed(customers.iloc[:3], [0, 0, 0], [0, 1, 2])
    shared = SimpleNamespace(value=Shipment(Impossible(engine, FREE), ("a",)))
    (row,) = pa.Table.from_batches(deciding(shared)([batch])).to_pylist()
    assert (row["__kind"], row["__part"]) == ("failed", 0)
    assert row["__reason"] == "customers have no message left."


# --- sweeps: Spark's sums and files' sweeps find the same


class InMemory(SparkSweeps):
    """Sweeps whose sums are made here."""

    def _summed(self, figures: Any) -> Any:
        found: dict[str, dict[int, float]] = {}
        for block in self.spilled:
            for what, keys, numbers in figures(block):
                sums = found.setdefault(what, {})
                for key, n in zip(keys.tolist(), numbers.tolist(), strict=True):
                    sums[key] = sums.get(key, 0.0) + n
        return found

    def _collected(self, choose: Any) -> Block:
        block = Block.joined([choose(block) for block in self.spilled])
        return block.take(np.lexsort((block.rows, block.part)))


def blocks(ties: bool) -> list[Block]:
    rng = np.random.default_rng(5)
    ranked = rng.normal(size=(400, 3)).astype(np.float32)
    if ties:
        ranked = np.round(ranked)
    ranked[::7, 1] = -np.inf
    ranked[3::50, :2] = -np.inf  # nothing to choose
    given = np.where(np.arange(400) % 11 == 0, 2, -1).astype(np.int8)
    part, rows = np.repeat([0, 1], 200).astype(np.int32), np.tile(np.arange(200), 2)
    whole = Block(part, rows, rng.integers(0, 2, 400), given, ranked)
    return [whole.take(np.arange(i, i + 100)) for i in range(0, 400, 100)]


class FromBlocks(SpilledParts):
    """A spill that lies in memory."""

    held: list[Block]

    def blocks(self) -> Iterator[Block]:
        return iter(self.held)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("most", [1, 37, 360, 1_000])
def test_the_nearest_customers_are_the_same_by_sums_and_by_files(ties: bool, most: int) -> None:
    held = blocks(ties)
    spill = FromBlocks([("a", Path("a")), ("b", Path("b"))], 3)
    object.__setattr__(spill, "held", held)
    shuffled = [block.take(np.arange(len(block.rows))[::-1]) for block in reversed(held)]
    sweeps = InMemory(shuffled, ["a", "b"], 3)
    keys, table = np.array([0, 1]), np.array([[0.0, 0.1, 0.2], [0.0, 0.3, -0.1]])
    near, counts, value = spill.nearest(keys, table, most)
    other, other_counts, other_value = sweeps.nearest(keys, table, most)
    assert len(near.rows) >= min(most, 300)
    for name in ("part", "rows", "key", "given", "ranked"):
        assert np.array_equal(getattr(near, name), getattr(other, name)), name
    assert np.array_equal(counts, other_counts)
    assert value == pytest.approx(other_value, rel=1e-12)
    total, taken = spill.dual(keys, table)
    other_total, other_taken = sweeps.dual(keys, table)
    assert total == pytest.approx(other_total, rel=1e-12)
    assert np.array_equal(taken, other_taken)
    one, two = spill.sample(0.3, 9), sweeps.sample(0.3, 9)
    assert 60 < len(one.rows) < 180
    assert np.array_equal(one.rows, two.rows)
    assert np.array_equal(one.ranked, two.ranked)
