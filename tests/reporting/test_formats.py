import pandas as pd
import pytest

from pentathlon.reporting.formats import (
    Money,
    about,
    listing,
    number,
    p_value,
    percent,
    plural,
    shares,
)


def spaced(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        (1234567, 0, "1,234,567"),
        (-1.5, 1, "−1.5"),
        (-0.0004, 3, "0.000"),
        (None, 0, "–"),
        (float("nan"), 2, "–"),
        (pd.NA, 0, "–"),
        (float("inf"), 0, "–"),
    ],
)
def test_numbers_have_separators_and_a_true_minus(value, decimals, expected):
    assert number(value, decimals) == expected


def test_signed_zero_has_no_sign():
    assert number(0.0, 1, signed=True) == "0.0"
    assert number(2.0, 1, signed=True) == "+2.0"


def test_percents_have_one_decimal():
    assert spaced(percent(0.12345)) == "12.3 %"
    assert percent(None) == "–"


@pytest.mark.parametrize(
    ("value", "expected"), [(42, "42"), (12_345, "12,000"), (99_700, "100,000")]
)
def test_counts_to_two_digits(value, expected):
    assert about(value) == expected


def test_a_p_value_is_never_zero():
    assert p_value(1e-9) == "below 0.001"
    assert p_value(0.04) == "0.040"


def test_phrases():
    assert listing([]) == ""
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"
    assert plural(1, "row") == "1 row"
    assert plural(2, "propensity", "propensities") == "2 propensities"
    assert spaced(shares({"a": 0.25, "b": 0.7499, "c": 0.0001})) == "75.0 % b and 25.0 % a"


@pytest.mark.parametrize(
    ("currency", "expected"), [("EUR", "−0.123 EUR"), ("$", "−$0.123"), ("", "−0.123")]
)
def test_codes_follow_and_symbols_precede(currency, expected):
    assert spaced(Money(currency).each(-0.1234)) == expected


def test_digits_suit_the_size():
    money = Money("EUR")
    assert spaced(money.each(12.3456)) == "12.35 EUR"
    assert spaced(money.each(1234.5)) == "1,234 EUR"
    assert spaced(money.each_interval(-0.5, 12.0)) == "−0.50 to 12.00 EUR"


def test_a_total_has_the_scale_of_its_interval():
    money = Money("EUR")
    around = (820_170, -846_000, 2_486_000)
    assert spaced(money.total(*around, signed=True)) == "+0.82 million EUR"
    assert spaced(money.total_interval(*around, signed=True)) == "−0.85 to +2.49 million EUR"
    assert spaced(Money("$").total(2e9, 1e9, 3e9)) == "$2.00 billion"
    assert spaced(money.total(1234.4, 1000, 2000)) == "1,234 EUR"
    assert money.total(None, 1, 2) == "–"


def test_what_is_not_known_is_shown_as_absent():
    money = Money("EUR")
    assert p_value(None) == about(float("nan")) == "–"
    assert money.each(None) == money.each_interval(None, 1.0) == "–"
