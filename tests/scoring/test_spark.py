"""Spark decides as the embedded run does: the same choices, the same reasons, the same counts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.datasets import SparkScoredDataset
from pentathlon.decision import DecisionEngine
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import DataError, InfeasibleError, ParameterError
from pentathlon.scoring import (
    BatchDecider,
    Reference,
    ScoredFolder,
    ScoringJob,
    ScoringSettings,
    summarise,
)
from pentathlon.scoring.spark import SparkScored, SparkScoringJob, SparkSettings, start_session
from pentathlon.scoring.spark.session import java

pytestmark = pytest.mark.end_to_end
pytest.importorskip(
    "pyspark",
    reason="SPARK IS NOT TESTED: pyspark is not installed. Install the extra spark to test it.",
)
if java() is None:
    pytest.skip("SPARK IS NOT TESTED: there is no Java.", allow_module_level=True)

ROOT = Path(__file__).parents[2]
OPTIONS: dict[str, Any] = {
    "spark.driver.memory": "1g",
    "spark.ui.enabled": False,
    "spark.ui.showConsoleProgress": False,
    "spark.sql.shuffle.partitions": 2,
    "spark.log.level": "OFF",
}
LIMITS = [
    {"name": "budget", "of": "cost", "at_most": 3_000.0},
    {"name": "water", "messages": ["water"], "at_most": 15_000},
    {
        "name": "team for the old",
        "messages": ["team"],
        "of": "share",
        "at_least": 0.3,
        "where": [{"column": "age", "equals": "old"}],
    },
]
RULES = {
    "minimum_gain": 0.02,
    "eligibility": [
        {"name": "no team for the rich", "messages": ["team"], "when": [
            {"column": "income", "above": 60_000}
        ]}
    ],
}  # fmt: skip
EXPLORATION = {"share": 0.1, "holdout": 0.05}


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "PYSPARK_PYTHON", sys.executable)
        patch.setitem(os.environ, "PYTHONPATH", str(ROOT / "src"))
        session = start_session(SparkSettings(master="local[2]", options=OPTIONS))
        yield session
        session.stop()


@pytest.fixture(scope="module")
def many(retailer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100,000 customers in partitions of several types, some of them and some rows unusable."""
    customers = pd.concat([retailer.customers] * 167, ignore_index=True).iloc[:100_000]
    rng = np.random.default_rng(7)
    customers["customer_id"] = [f"C{i:06d}" for i in range(100_000)]
    customers["income"] = customers["income"] * rng.uniform(0.3, 3, 100_000)
    folder = tmp_path_factory.mktemp("many")
    (folder / "day=2").mkdir()
    one, two, three, four = (
        customers.iloc[i : i + 25_000].copy() for i in range(0, 100_000, 25_000)
    )
    one.to_parquet(folder / "a.parquet")
    two["customer_id"] = two["customer_id"].mask(two.index % 5_000 == 3)
    two.iloc[20_000] = two.iloc[7]
    two.to_parquet(folder / "b c.parquet", row_group_size=3_000)
    three["income"] = three["income"].map("{:.17g}".format).mask(three.index % 9_000 == 1, "a lot")
    three.to_parquet(folder / "day=2" / "c%41.parquet")
    four["age"] = four["age"].astype("category")
    four["income"] = four["income"].mask(four.index % 7_000 == 2)
    four.to_parquet(folder / "day=2" / "d.parquet", row_group_size=9_000)
    one.head(100).drop(columns="age").to_parquet(folder / "no age.parquet")
    (folder / "no.parquet").write_bytes(b"no such thing")
    return folder


@pytest.fixture
def on_spark(spark: Any, tmp_path: Path) -> Callable[..., SparkScored]:
    def score(folder: Path, decider: BatchDecider, settings: ScoringSettings) -> SparkScored:
        from kedro.io import AbstractDataset

        load_args = {
            "schema": "customer_id STRING",
            "recursiveFileLookup": True,
            "pathGlobFilter": "*.parquet",
        }
        config = {"type": "spark.SparkDatasetV2", "filepath": str(folder), "load_args": load_args}
        customers = AbstractDataset.from_config("customers_to_score", config).load()
        scored = SparkScoredDataset(filepath=str(tmp_path / "on_spark"))
        scored.save(SparkScoringJob(customers, decider, settings))
        return scored.load()

    return score


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("customer_id").reset_index(drop=True)


@pytest.mark.parametrize(
    "stated",
    [
        {"rules": RULES, "exploration": EXPLORATION},
        {"rules": RULES, "exploration": EXPLORATION, "limits": LIMITS},
    ],
    ids=["rules", "limits"],
)
def test_100_000_customers_get_the_same_on_spark(
    engine: DecisionEngine,
    customers: pd.DataFrame,
    many: Path,
    tmp_path: Path,
    on_spark: Callable[..., SparkScored],
    stated: dict[str, Any],
) -> None:
    """Limits are priced on a sample of a fifth, the rest decides at these prices."""
    reference = Reference.of(engine, customers, 1_000, seed=1)
    sending = SendingSettings.model_validate(stated)
    decider = BatchDecider(engine, sending, campaign="may", edges=reference.edges)
    settings = ScoringSettings(batch_rows=8_192, limit_customers=20_000)
    ScoringJob(many, decider, settings, threads=2).write_to(tmp_path / "embedded")
    embedded, found = ScoredFolder(tmp_path / "embedded"), on_spark(many, decider, settings)

    expected = ordered(pd.concat(embedded.decisions()))
    decisions = ordered(found.decisions.toPandas())
    assert len(expected) > 99_980
    assert expected["message"].nunique() == 3
    assert {"exploration", "holdout"} <= set(expected["decided_by"])
    assert (expected["decided_by"] == "limit").any() == ("limits" in stated)
    pd.testing.assert_frame_equal(decisions, expected, check_dtype=False, check_exact=True)

    rejected = found.rejected.toPandas().set_index(["partition", "row"]).sort_index()
    for name, part in rejected.groupby("partition"):
        rows = pd.read_parquet(tmp_path / "embedded" / "rejected" / name).set_index("row")
        assert part.loc[name].index.tolist() == rows.index.tolist()
        for column in ("reason", "customer_id", "age"):
            assert part.loc[name][column].fillna("").tolist() == rows[column].fillna("").tolist()
    assert len(rejected) == sum(counts.rejected for _, counts in embedded.parts()) > 10

    bad, embedded_bad = found.run["rejected_partitions"], embedded.run["rejected_partitions"]
    assert set(bad) == set(embedded_bad) == {"no age.parquet", "no.parquet"}
    assert bad["no age.parquet"] == embedded_bad["no age.parquet"]
    assert bad["no.parquet"].startswith("it is no Parquet file: ")

    one, two = (summarise(scored, reference, settings) for scored in (embedded, found))
    assert one.pop("run")["partitions"] == two.pop("run")["partitions"] == 6
    assert one.pop("problems")[0].startswith("2 partitions were left out")
    assert two.pop("problems")[0].startswith("2 partitions were left out")
    for key, value in one.items():  # sums over customers hang on their order in the last digits
        assert two[key] == pytest.approx(value, rel=1e-9), key
    assert dict(found.parts()).keys() == dict(embedded.parts()).keys()
    limits = [scored.run["limits"] for scored in (embedded, found)]
    if "limits" in stated:
        assert limits[0]["exceptions"] == limits[1]["exceptions"]
        for key in ("bound", "worth"):
            assert limits[0][key] == pytest.approx(limits[1][key], rel=1e-9)
    else:
        assert limits == [None, None]


def test_a_partition_whose_rows_are_damaged_is_left_out_and_the_rest_goes_on(
    engine: DecisionEngine,
    folder: Path,
    damage: Callable[[Path], None],
    on_spark: Callable[..., SparkScored],
) -> None:
    damage(folder / "b.parquet")
    free = BatchDecider(engine, SendingSettings(), campaign="may")
    found = on_spark(folder, free, ScoringSettings(batch_rows=64))
    assert [name for name, _ in found.parts()] == ["a.parquet", "day=2/c.parquet"]
    assert found.run["rejected_partitions"] == {"b.parquet": "only 0 of its 250 rows can be read."}
    assert found.decisions.count() == 350


@pytest.mark.parametrize(
    ("stated", "damaged", "expected"),
    [
        ({}, False, ["Shipment"]),
        ({"limits": LIMITS[1:2]}, False, ["Prices", "Shipment"]),
        ({"limits": LIMITS[1:2]}, True, ["Prices", "Shipment"]),
    ],
    ids=["free", "limited", "second attempt"],
)
def test_a_run_broadcasts_the_engine_once_and_prices_by_themselves(
    spark: Any,
    engine: DecisionEngine,
    customers: pd.DataFrame,
    folder: Path,
    on_spark: Callable[..., SparkScored],
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    stated: dict[str, Any],
    damaged: bool,
    expected: list[str],
) -> None:
    """Whatever the number of types of partitions, which are read one by one, and of attempts."""
    other = customers.assign(income=customers["income"].map("{:.17g}".format))
    other.iloc[250:500].to_parquet(folder / "b.parquet")
    customers.astype({"freq_water": float}).iloc[500:].to_parquet(folder / "day=2" / "c.parquet")
    if damaged:
        damage(folder / "a.parquet")
    sent: list[str] = []
    broadcast = type(spark.sparkContext).broadcast

    def counted(context: Any, value: Any) -> Any:
        sent.append(type(value).__name__)
        return broadcast(context, value)

    monkeypatch.setattr(type(spark.sparkContext), "broadcast", counted)
    decider = BatchDecider(engine, SendingSettings.model_validate(stated), campaign="may")
    found = on_spark(folder, decider, ScoringSettings(batch_rows=64))
    decided = ordered(found.decisions.toPandas())
    if damaged:
        assert len(decided) == 350
    else:
        expected_decisions = ordered(engine.decide(customers, decider.settings, campaign="may"))
        pd.testing.assert_frame_equal(
            decided, expected_decisions, check_dtype=False, check_exact=True
        )
    assert sorted(sent) == expected


def test_decisions_that_are_not_those_of_the_run_are_not_sent(
    spark: Any, engine: DecisionEngine, folder: Path, on_spark: Callable[..., SparkScored]
) -> None:
    free = BatchDecider(engine, SendingSettings(), campaign="may")
    found = on_spark(folder, free, ScoringSettings(batch_rows=64))
    assert found.problems() == []
    some = found.decisions.limit(200).toPandas()
    found.store.save("decisions", spark.createDataFrame(some))
    (problem,) = found.problems()
    assert problem.startswith("The table of decisions has 200 customers and the run decided 600:")


def test_a_run_that_breaks_off_leaves_nothing_that_looks_finished(
    engine: DecisionEngine, folder: Path, tmp_path: Path, on_spark: Callable[..., SparkScored]
) -> None:
    dataset = SparkScoredDataset(filepath=str(tmp_path / "on_spark"))
    small = ScoringSettings(batch_rows=64)
    free = BatchDecider(engine, SendingSettings(), campaign="may")
    on_spark(folder, free, small)
    assert dataset.exists()
    impossible = {"limits": [{"name": "many", "messages": ["water"], "at_least": 1e6}]}
    limited = replace(free, settings=SendingSettings.model_validate(impossible))
    with pytest.raises(Exception, match="many"):
        on_spark(folder, limited, small)
    assert not dataset.exists()
    for path in (tmp_path / "on_spark" / "run").iterdir():
        path.unlink()  # as where the note that a run began was not written to the end
    assert not dataset.exists()
    with pytest.raises(Exception, match="Nothing was scored"):
        dataset.load()


def test_a_worker_unpacks_the_engine_once(spark: Any, engine: DecisionEngine) -> None:
    from pentathlon.decision.settings import FREE
    from pentathlon.scoring.spark.work import Shipment

    shared = spark.sparkContext.broadcast(Shipment.of(BatchDecider(engine, FREE), ("a",)))

    def seen(batches: Any) -> Any:
        import pyarrow as pa

        for _ in batches:
            found = {"process": [os.getpid()], "engine": [id(shared.value.decider.engine)]}
            yield pa.RecordBatch.from_pydict(found)

    many = spark.range(0, 20_000, 1, 12)
    rows = many.mapInArrow(seen, "process LONG, engine LONG").collect()
    assert len(rows) >= 12
    assert len(set(rows)) == len({row.process for row in rows}) <= 2


def test_what_stops_an_embedded_run_stops_this_one_in_the_same_words(
    engine: DecisionEngine,
    retailer: Any,
    tmp_path: Path,
    on_spark: Callable[..., SparkScored],
) -> None:
    folder = tmp_path / "customers"
    folder.mkdir()
    small = ScoringSettings(batch_rows=64)
    free = BatchDecider(engine, SendingSettings(), campaign="may")
    with pytest.raises(Exception, match="no Parquet file"):
        on_spark(folder, free, small)
    (folder / "x.parquet").write_bytes(b"nothing")
    with pytest.raises(Exception, match=r"No partition can be used, for example x\.parquet"):
        on_spark(folder, free, small)
    retailer.customers.to_parquet(folder / "x.parquet")
    asked = SendingSettings.model_validate({"rules": {"consent": {"opted_in": "agreed_at"}}})
    impossible = {"limits": [{"name": "many", "messages": ["water"], "at_least": 1e6}]}
    with pytest.raises(Exception, match=r"campaign\.date") as wrong:
        on_spark(folder, replace(free, settings=asked), small)
    assert ParameterError in _kinds(wrong.value)
    limited = replace(free, settings=SendingSettings.model_validate(impossible))
    with pytest.raises(Exception, match="many") as clash:
        on_spark(folder, limited, small)
    assert InfeasibleError in _kinds(clash.value)
    with pytest.raises(Exception, match="Nothing was scored"):
        SparkScoredDataset(filepath=str(tmp_path / "on_spark")).load()
    assert len(on_spark(folder, free, small).decisions.toPandas()) == 600


def _kinds(error: BaseException) -> set[type]:
    kinds = set()
    cause: BaseException | None = error
    while cause is not None:
        kinds.add(type(cause))
        cause = cause.__cause__ or cause.__context__
    assert DataError not in kinds
    return kinds
