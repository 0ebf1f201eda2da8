import decimal

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract.parse import MISSING_VALUES, labels, numbers, show, text, token


@pytest.mark.parametrize("value", [1, 1.0, "1", " 1 ", "1.0", "1.000", np.float32(1), np.int8(1)])
def test_token_is_the_same_for_every_way_to_store_a_flag(value):
    assert token(value) == "1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, "true"),
        (np.bool_(False), "false"),
        ("1.50", "1.50"),
        ("v1.0", "v1.0"),
        ("-3.0", "-3"),
    ],
)
def test_token(value, expected):
    assert token(value) == expected


def test_labels_spread_over_the_rows():
    found = labels(pd.Series(["a", None, "b", "NA", " a"]), MISSING_VALUES)
    assert found.lookup(str.upper, "?", object).tolist() == ["A", "?", "B", "?", "A"]


def test_labels_of_categories_and_gaps():
    found = labels(pd.Series([1.0, np.nan, 0.0]), MISSING_VALUES)
    assert found.lookup(str, "", object).tolist() == ["1", "", "0"]
    found = labels(pd.Series(["x", "y", None], dtype="category"), MISSING_VALUES)
    assert found.lookup(str, "", object).tolist() == ["x", "y", ""]


@pytest.mark.parametrize(
    ("stored", "dtype"),
    [
        ([1.5, np.nan], "float64"),
        ([1.5, None], "Float64"),
        (["1.5", ""], "str"),
        ([" 1.5", "NA"], "object"),
        ([decimal.Decimal("1.5"), None], "object"),
        (["1.5", None], "category"),
    ],
)
def test_numbers_from_every_storage(stored, dtype):
    values, bad = numbers(pd.Series(stored, dtype=dtype), MISSING_VALUES)
    assert values[0] == 1.5
    assert np.isnan(values[1])
    assert not bad.any()


@pytest.mark.parametrize(
    "value", ["12,50", "€ 12.50", "12 EUR", "abc", "1 000", "inf", "-inf", "1_000", "--1"]
)
def test_not_a_number(value):
    values, bad = numbers(pd.Series([value, "1"]), MISSING_VALUES)
    assert bad.tolist() == [True, False]
    assert np.isnan(values[0])


def test_dates_are_not_numbers():
    _, bad = numbers(pd.Series(pd.to_datetime(["2020-01-01"])), MISSING_VALUES)
    assert bad.all()


def test_text_of_identifiers():
    assert text(pd.Series([1.0, np.nan]), MISSING_VALUES).isna().tolist() == [False, True]
    assert text(pd.Series([1.0, np.nan]), MISSING_VALUES).iloc[0] == "1"
    assert text(pd.Series(["007", " a ", ""]), MISSING_VALUES).tolist()[:2] == ["007", "a"]
    assert text(pd.Series([2**60], dtype="int64"), MISSING_VALUES).iloc[0] == str(2**60)


def test_show_cuts_long_texts():
    assert show("a") == '"a"'
    assert len(show("x" * 500)) == 42
    assert show(3.0) == "3.0"
