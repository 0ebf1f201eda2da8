"""The declarations of the base environment over three departments, and a database."""

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ibis
import pandas as pd
import pyarrow as pa
import pytest
import yaml

from pentathlon.moments import Feature, MomentSettings, expand_declarations
from pentathlon.moments.compiled import features_by_walk
from pentathlon.moments.engine import features_as_of
from pentathlon.moments.passes import Passes

PARAMETERS = Path(__file__).parents[2] / "conf" / "base" / "parameters_moments.yml"
SMALL = SimpleNamespace(**runpy.run_path(str(Path(__file__).parent / "small_events.py")))


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """Small random tables, and the slow reference."""
    return SMALL


@pytest.fixture(scope="session")
def settings() -> MomentSettings:
    read = yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))
    return MomentSettings.model_validate(read["moments"])


@pytest.fixture(scope="session")
def features(settings) -> list[Feature]:
    return expand_declarations(settings.features, SMALL.DEPARTMENTS, SMALL.MESSAGES)


@pytest.fixture(scope="session")
def duckdb() -> Any:
    return ibis.duckdb.connect(threads=1)


@pytest.fixture
def stored(duckdb):
    """Puts tables into the database."""

    def store(tables: dict[str, pd.DataFrame]) -> dict[str, Any]:
        return {
            name: duckdb.create_table(name, to_arrow(table), overwrite=True)
            for name, table in tables.items()
        }

    return store


@pytest.fixture
def compute(stored, duckdb):
    def kept(name, table):
        return duckdb.create_table(name, table.to_pyarrow(), overwrite=True)

    def as_of(
        tables: dict[str, pd.DataFrame], rows: pd.DataFrame, features: list[Feature]
    ) -> pd.DataFrame:
        moments, read = stored({"rows": rows})["rows"], stored(tables)
        found = features_as_of(read, moments, features).order_by("row_id").to_pandas()
        # Whatever is asked, the compiled walk answers with the same numbers.
        n = len(rows) and int(rows["row_id"].max()) + 1
        passes = Passes(
            read,
            moments,
            features,
            size=max(n, 1),
            n_passes=1,
            keep=kept,
            scatter=None,
            folder=None,
        )
        walked = features_by_walk(passes[0], features, kept, threads=2)
        walked = walked.order_by("row_id").to_pandas()
        pd.testing.assert_frame_equal(walked, found, check_exact=True)
        return found

    return as_of


def to_arrow(table: pd.DataFrame) -> pa.Table:
    """Arrow with the types of the clean tables, whatever pandas made of empty columns."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    for i, field in enumerate(arrow.schema):
        wanted = field.type
        if pa.types.is_timestamp(wanted):
            wanted = pa.timestamp("us")
        elif pa.types.is_large_string(wanted) or pa.types.is_null(wanted):
            wanted = pa.string()
        if pa.types.is_list(wanted) or pa.types.is_large_list(wanted):
            wanted = pa.list_(pa.string())
        arrow = arrow.set_column(i, field.name, arrow.column(i).cast(wanted))
    return arrow


@pytest.fixture(scope="session")
def as_arrow():
    return to_arrow
