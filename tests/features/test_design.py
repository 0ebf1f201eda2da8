import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.errors import DataError
from pentathlon.features import Design, DesignBuilder, build_features

COLUMNS = FeatureColumns(
    numeric=["income"],
    log=["income"],
    categorical=["age", "female"],
    counts={"water": "freq_water", "team": "freq_team"},
)
MESSAGES = MessageSet(
    {
        "team": {"margin": 0.4, "department": "team"},
        "control": {"margin": 0.4},
        "water": {"margin": 0.4, "department": "water"},
        "golf": {"margin": 0.4, "department": "golf"},
    }
)
TEAM, CONTROL, WATER, GOLF = range(4)
CUSTOMERS = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c"],
        "income": [10.0, 20.0, 60.0],
        "age": ["old", "young", "old"],
        "female": ["no", "yes", "yes"],
        "freq_water": [3, 0, 1],
        "freq_team": [1, 0, 1],
    }
)


@pytest.fixture
def features() -> pd.DataFrame:
    return build_features(CUSTOMERS, COLUMNS)


@pytest.fixture
def builder(features: pd.DataFrame) -> DesignBuilder:
    return DesignBuilder.fit(features, COLUMNS, MESSAGES)


def test_base_columns_are_numbers_then_levels(
    builder: DesignBuilder, features: pd.DataFrame
) -> None:
    assert builder.base_names == [
        *["income", "log_income"],
        *["freq_water", "log_freq_water", "share_water"],
        *["freq_team", "log_freq_team", "share_team"],
        *["total_count", "log_total_count"],
        *["age=old", "age=young", "female=no", "female=yes"],
    ]
    base = builder.transform(features).base
    assert base.dtype == np.float32
    numbers = features[builder.base_names[:10]].to_numpy(dtype=np.float32)
    np.testing.assert_array_equal(base[:, :10], numbers)
    np.testing.assert_array_equal(base[:, 10:], [[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 0, 1]])


def test_every_base_column_knows_its_raw_column(builder: DesignBuilder) -> None:
    assert builder.sources == [
        *["income"] * 2,
        *["freq_water"] * 3,
        *["freq_team"] * 3,
        *["total_count"] * 2,
        *["age"] * 2,
        *["female"] * 2,
    ]


def test_match_features_are_those_of_the_mailed_department(
    builder: DesignBuilder, features: pd.DataFrame
) -> None:
    match = builder.transform(features).match
    assert match.shape == (3, 4, 3)
    water = [[np.log(4), 0.75, 1], [0, 0, 0], [np.log(2), 0.5, 1]]
    team = [[np.log(2), 0.25, 1], [0, 0, 0], [np.log(2), 0.5, 1]]
    np.testing.assert_allclose(match[:, WATER], water, rtol=1e-6)
    np.testing.assert_allclose(match[:, TEAM], team, rtol=1e-6)
    np.testing.assert_array_equal(match[:, [CONTROL, GOLF]], 0)


def test_an_unknown_level_is_all_zeros(builder: DesignBuilder, features: pd.DataFrame) -> None:
    base = builder.transform(features.assign(age=["ancient", "young", "old"])).base
    np.testing.assert_array_equal(base[:, 10:12], [[0, 0], [0, 1], [1, 0]])
    np.testing.assert_array_equal(base[0, 12:], [1, 0])


def test_a_missing_feature_is_named(builder: DesignBuilder, features: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"\['share_team', 'age'\] are missing"):
        builder.transform(features.drop(columns=["share_team", "age"]))


def test_standardised_training_rows_have_mean_0_and_spread_1(
    builder: DesignBuilder, features: pd.DataFrame
) -> None:
    standard = builder.standardise(builder.transform(features))
    np.testing.assert_allclose(standard.base.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(standard.base.std(axis=0), 1, atol=1e-6)
    mailed = standard.match[:, [TEAM, WATER]].reshape(-1, 3)
    np.testing.assert_allclose(mailed.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(mailed.std(axis=0), 1, atol=1e-6)
    np.testing.assert_array_equal(standard.match[:, [CONTROL, GOLF]], 0)


def test_a_constant_column_is_centred_and_not_divided_by_zero() -> None:
    columns = FeatureColumns(numeric=["income"])
    features = build_features(pd.DataFrame({"customer_id": ["a", "b"], "income": [5, 5]}), columns)
    builder = DesignBuilder.fit(features, columns, MESSAGES)
    design = builder.transform(features)
    assert builder.scale == (1.0,)
    np.testing.assert_array_equal(builder.standardise(design).base, 0)
    np.testing.assert_array_equal(design.match, 0)


def test_rows_under_a_message() -> None:
    base = np.array([[1, 2], [3, 4]], dtype=np.float32)
    match = np.array([[[5], [6], [7]], [[8], [9], [10]]], dtype=np.float32)
    design = Design(base, match)
    logged = design.logged(np.array([2, 0]))
    np.testing.assert_array_equal(logged, [[1, 2, 0, 0, 1, 7], [3, 4, 1, 0, 0, 8]])
    np.testing.assert_array_equal(design.under(1), [[1, 2, 0, 1, 0, 6], [3, 4, 0, 1, 0, 9]])
    assert logged.dtype == np.float32
    assert (len(design), design.n_messages) == (2, 3)
    np.testing.assert_array_equal(design.take(np.array([False, True])).match, match[1:])


def test_a_design_of_uneven_arrays_is_refused() -> None:
    with pytest.raises(ValueError, match="base must be"):
        Design(np.zeros((2, 1), np.float32), np.zeros((3, 1, 1), np.float32))


def test_a_builder_survives_its_dictionary_and_its_file(
    builder: DesignBuilder, tmp_path: Path
) -> None:
    assert DesignBuilder.from_dict(json.loads(json.dumps(builder.to_dict()))) == builder
    builder.save(tmp_path)
    assert DesignBuilder.load(tmp_path) == builder


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(3)), messages=st.permutations(list(MESSAGES)))
def test_order_of_customers_and_messages_does_not_matter(
    order: list[int], messages: list[str]
) -> None:
    definitions = MESSAGES.to_dict()
    straight = build_features(CUSTOMERS, COLUMNS)
    shuffled = build_features(CUSTOMERS.iloc[order], COLUMNS)
    reference = DesignBuilder.fit(straight, COLUMNS, MESSAGES)
    other = DesignBuilder.fit(shuffled, COLUMNS, MessageSet({m: definitions[m] for m in messages}))
    np.testing.assert_allclose(other.mean, reference.mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(other.match_scale, reference.match_scale, rtol=1e-6)
    expected, got = reference.transform(straight), other.transform(shuffled)
    np.testing.assert_array_equal(got.base, expected.base[order])
    columns = [MESSAGES.names.index(m) for m in messages]
    np.testing.assert_array_equal(got.match, expected.match[order][:, columns])
