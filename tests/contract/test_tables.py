import numpy as np
import pandas as pd
import pandera.errors
import pytest
from kedro.validation import ValidatorSpec, resolve_validator
from kedro.validation.exceptions import DataValidationError

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.contract.tables import (
    check_customers,
    check_observations,
    customers_schema,
    observations_schema,
)
from pentathlon.errors import DataError


@pytest.fixture
def observations(raw, process):
    return process(raw).observations


@pytest.fixture
def customers(raw, process):
    return process(raw).customers


def test_kedro_resolves_the_schemas_by_path(observations, customers):
    for name, table in (("observations", observations), ("customers", customers)):
        spec = ValidatorSpec.from_dataset_config(name, f"pentathlon.contract.tables.{name}_schema")
        validator = resolve_validator(spec)
        pd.testing.assert_frame_equal(validator.validate(table), table)


def test_kedro_reports_a_broken_table_in_words(observations):
    spec = ValidatorSpec.from_dataset_config(
        "observations", "pentathlon.contract.tables.observations_schema"
    )
    broken = observations.assign(order_value=1.0)
    with pytest.raises(DataValidationError, match="an order value if and only if a response"):
        resolve_validator(spec).validate(broken)


def test_schemas_survive_parquet(observations, customers, tmp_path):
    for schema, table in ((observations_schema, observations), (customers_schema, customers)):
        table.to_parquet(tmp_path / "t.parquet")
        back = pd.read_parquet(tmp_path / "t.parquet")
        schema.validate(back, lazy=True)
        pd.testing.assert_frame_equal(back, table)


@pytest.mark.parametrize(
    "change",
    [
        {"propensity": 0.0},
        {"propensity": 1.5},
        {"response": np.int8(2)},
        {"response": np.int64(1)},
        {"order_value": -1.0},
        {"order_value": np.nan},
        {"split": "validation"},
        {"fold": np.int8(-1)},
        {"fold": np.int8(1)},
        {"sampling_weight": 2.0},
        {"natural_rate": 1},
        {"customer_id": ""},
        {"customer_id": "U1"},
        {"message": None},
        {"extra": 1},
    ],
)
def test_broken_observations_are_refused(observations, change):
    with pytest.raises(pandera.errors.SchemaErrors):
        observations_schema.validate(observations.assign(**change), lazy=True)


@pytest.mark.parametrize(
    "change", [{"customer_id": "U1"}, {"age": None}, {"income": np.nan}, {"income": np.inf}]
)
def test_broken_customers_are_refused(customers, change):
    with pytest.raises(pandera.errors.SchemaErrors):
        customers_schema.validate(customers.assign(**change), lazy=True)


def test_customers_without_a_feature_are_refused(customers):
    with pytest.raises(pandera.errors.SchemaErrors, match="at least one feature"):
        customers_schema.validate(customers[["customer_id"]], lazy=True)


def test_messages_and_folds_are_checked_against_the_parameters(observations):
    three = {m: {"margin": 0.4} for m in ("control", "water", "team")}
    check_observations(observations, MessageSet(three), 2)
    with pytest.raises(DataError, match=r"folds \[0, 1\], data_processing.n_folds is 3"):
        check_observations(observations, MessageSet(three), 3)
    with pytest.raises(DataError, match=r"without a training row: \['golf'\]"):
        check_observations(observations, MessageSet({**three, "golf": {"margin": 0.4}}), 2)
    with pytest.raises(DataError, match=r"Unknown messages \['team'\]"):
        check_observations(observations, MessageSet({k: three[k] for k in list(three)[:2]}), 2)


def test_customers_are_checked_against_features_and_observations(customers, observations):
    features = FeatureColumns(
        numeric=["income"], categorical=["age", "female"], counts={"w": "freq_water"}
    )
    with pytest.raises(DataError, match="Run data_processing again"):
        check_customers(customers, observations, features)
    some = customers.drop(columns="freq_team").iloc[1:]
    with pytest.raises(DataError, match=r"1 customers of the observations .* example 'U1'"):
        check_customers(some, observations, features)
