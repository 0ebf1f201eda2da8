"""The scoring pipeline on the engine of a finished run."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pentathlon.scoring.spark.session import java


@pytest.fixture(scope="module")
def scored(finished: Any, run_all: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Two runs: the customers of the training data, and customers ten times as rich."""
    results = finished.copy(tmp_path_factory.mktemp("scoring") / "data")
    folder = results.root / "01_raw" / "customers_to_score"
    folder.mkdir()
    customers = results.load("customers")
    for i in range(3):
        customers.iloc[i::3].to_parquet(folder / f"part-{i}.parquet")
    other = results.copy(results.root.parent / "other")
    rich = customers.assign(income=10 * customers["income"])
    rich.to_parquet(other.root / "01_raw" / "customers_to_score" / "part-1.parquet")
    command = "--env test --pipelines scoring --params data_root={},randomness.threads=2"
    good, bad = run_all(command.format(results.root), command.format(other.root))
    return results, good.checked(), other, bad


def test_scoring_decides_as_the_run_did(scored: Any) -> None:
    results, *_ = scored
    found = pd.concat(results.load("scored_decisions").decisions()).set_index("customer_id")
    expected = results.load("decisions").set_index("customer_id")
    found = found.loc[expected.index]
    assert found["message"].tolist() == expected["message"].tolist()
    for column in ("purchase_probability", "expected_order_value", "expected_profit"):
        pd.testing.assert_series_equal(found[column], expected[column], rtol=2e-6)


def test_the_training_customers_may_be_sent_to(scored: Any) -> None:
    results, *_ = scored
    summary = results.load("scoring_summary")
    assert summary["may_be_sent"]
    assert summary["customers"] == len(results.load("customers"))
    assert max(summary["score_shift"].values()) < 0.01
    assert sum(summary["messages"].values()) == summary["customers"]
    table = results.load("scored_partitions")
    assert table["partition"].tolist() == [f"part-{i}.parquet" for i in range(3)]
    assert table["expected_profit"].sum() == pytest.approx(summary["expected_profit"])


def test_another_population_is_stopped_before_anything_is_sent(scored: Any) -> None:
    _, _, other, bad = scored
    assert bad.code != 0
    assert "Nothing of this may be sent" in bad.output + bad.errors
    summary = other.load("scoring_summary")
    assert not summary["may_be_sent"]
    assert any("not distributed as in the training data" in p for p in summary["problems"])
    assert isinstance(other.root, Path)


@pytest.mark.skipif(
    find_spec("pyspark") is None or java() is None,
    reason="SPARK IS NOT TESTED: pyspark or Java is missing. Install both to test it.",
)
def test_on_spark_the_command_line_decides_the_same(scored: Any, run_all: Any) -> None:
    results, *_ = scored
    params = f"data_root={results.root},spark_master=local[2],randomness.threads=1"
    (outcome,) = run_all(f"--env spark --pipelines scoring --params {params}")
    outcome.checked()
    found = pd.read_parquet(results.root / "07_model_output/scored_on_spark/decisions")
    expected = pd.concat(results.load("scored_decisions").decisions())
    pd.testing.assert_frame_equal(
        found.sort_values("customer_id", ignore_index=True),
        expected.sort_values("customer_id", ignore_index=True),
        check_exact=True,
    )
    embedded = sorted((results.root / "08_reporting/scoring_summary.json").glob("*/*.json"))
    assert len(embedded) == 2
    one, two = (json.loads(path.read_text()) for path in embedded)
    assert one["run"]["partitions"] == two["run"]["partitions"] == 3
    assert (one["messages"], one["decided_by"]) == (two["messages"], two["decided_by"])
    assert two["may_be_sent"]
