"""The same declarations give the same values on Spark, through the same expressions."""

import os
import sys

import ibis
import pandas as pd
import pytest

from pentathlon.moments.engine import features_as_of
from pentathlon.moments.outcomes import with_outcomes
from pentathlon.moments.settings import OutcomeSettings

pytestmark = pytest.mark.end_to_end
pytest.importorskip(
    "pyspark",
    reason="SPARK IS NOT TESTED: pyspark is not installed. Install the extra spark to test it.",
)


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "PYSPARK_PYTHON", sys.executable)
        session = (
            SparkSession.builder.master("local[2]")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.driver.memory", "1g")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.shuffle.partitions", "2")
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.sql.autoBroadcastJoinThreshold", "-1")
            .getOrCreate()
        )
        yield ibis.pyspark.connect(session)
        session.stop()


@pytest.fixture(scope="module")
def on_spark(spark, small, as_arrow, tmp_path_factory):
    """The small tables as Spark reads them from Parquet."""
    tables = small.small_tables(3, customers=15)
    tables["rows"] = small.small_rows(tables, 3, n=30)
    folder = tmp_path_factory.mktemp("tables")
    read = {}
    for name, table in tables.items():
        import pyarrow.parquet as pq

        pq.write_table(as_arrow(table), folder / f"{name}.parquet")
        read[name] = spark.read_parquet(str(folder / f"{name}.parquet"), table_name=name)
    return tables, read


def test_features_are_the_same(on_spark, features, compute):
    tables, read = on_spark
    # One feature of each declaration: Spark compiles expressions at length.
    features = list({feature.declaration: feature for feature in features}.values())
    clean = {name: table for name, table in tables.items() if name != "rows"}
    expected = compute(clean, tables["rows"], features)
    found = features_as_of(read, read["rows"], features).order_by("row_id").to_pandas()
    for feature in features:
        left, right = found[feature.name], expected[feature.name]
        if feature.kind == "label":
            assert left.tolist() == right.tolist(), feature.name
        else:
            # Exponentials of two libraries may round to neighbouring millionths.
            pd.testing.assert_series_equal(left, right, rtol=1e-12, atol=1e-4, obj=feature.name)


def test_outcomes_are_the_same(on_spark, stored):
    tables, read = on_spark
    settings = OutcomeSettings(window_days=30)
    held = stored(tables)
    expected = with_outcomes(held, held["rows"], settings).order_by("row_id").to_pandas()
    found = with_outcomes(read, read["rows"], settings).order_by("row_id").to_pandas()
    assert expected["response"].sum() > 0
    pd.testing.assert_series_equal(found["order_value"], expected["order_value"])
    assert found["response"].tolist() == expected["response"].tolist()
