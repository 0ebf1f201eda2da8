import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import FeatureColumns
from pentathlon.errors import DataError
from pentathlon.features import build_features

COLUMNS = FeatureColumns(
    numeric=["income", "children"],
    log=["income"],
    categorical=["age"],
    counts={"water": "freq_water", "team": "freq_team"},
)


@pytest.fixture
def customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": ["old", "young"],
            "freq_team": [1, 0],
            "freq_water": [3, 0],
            "children": [0.5, 2.0],
            "income": [0, 100],
            "customer_id": [7, 8],
        },
        index=[40, 50],
    )


def test_features_of_two_customers(customers: pd.DataFrame) -> None:
    features = build_features(customers, COLUMNS)
    expected = {
        "income": [0, 100],
        "children": [0.5, 2.0],
        "log_income": [0, np.log(101)],
        "freq_water": [3, 0],
        "log_freq_water": [np.log(4), 0],
        "share_water": [0.75, 0],
        "freq_team": [1, 0],
        "log_freq_team": [np.log(2), 0],
        "share_team": [0.25, 0],
        "total_count": [4, 0],
        "log_total_count": [np.log(5), 0],
    }
    assert list(features.columns) == ["customer_id", *expected, "age"]
    assert features["customer_id"].tolist() == ["7", "8"]
    assert features["age"].tolist() == ["old", "young"]
    for name, values in expected.items():
        assert features[name].dtype == np.float32, name
        np.testing.assert_allclose(features[name], values, rtol=1e-6, err_msg=name)
    assert list(features.index) == [0, 1]


def test_customers_are_left_as_they_are(customers: pd.DataFrame) -> None:
    before = customers.copy(deep=True)
    build_features(customers, COLUMNS)
    pd.testing.assert_frame_equal(customers, before)


def test_missing_columns_are_named(customers: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"\['age', 'income'\] are missing"):
        build_features(customers.drop(columns=["age", "income"]), COLUMNS)


@pytest.mark.parametrize("column", ["income", "freq_team"])
def test_a_negative_quantity_is_refused_with_its_row(customers: pd.DataFrame, column: str) -> None:
    customers[column] = [1, -2]
    with pytest.raises(DataError, match=rf"'{column}' is negative in 1 rows .*row 2, value -2"):
        build_features(customers, COLUMNS)


def test_a_numeric_column_without_logarithm_may_be_negative(customers: pd.DataFrame) -> None:
    customers["children"] = [-1.0, 0.0]
    assert build_features(customers, COLUMNS)["children"].tolist() == [-1.0, 0.0]


def test_without_counts_there_is_no_total() -> None:
    columns = FeatureColumns(numeric=["income"])
    features = build_features(pd.DataFrame({"customer_id": ["a"], "income": [1.0]}), columns)
    assert list(features.columns) == ["customer_id", "income"]
