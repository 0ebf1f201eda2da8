"""Features of a handful of events, worked out by hand."""

import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.errors import DataError, ParameterError
from pentathlon.moments import FeatureDeclaration, MomentSettings, expand_declarations
from pentathlon.moments.assemble import declared_features
from pentathlon.moments.outcomes import end_of_events, with_outcomes
from pentathlon.moments.settings import OutcomeSettings

NOW = pd.Timestamp("2025-06-01")


def day(before: float) -> pd.Timestamp:
    return NOW - pd.Timedelta(days=before)


def line(order, at, department="water", quantity=1, price=10.0, discount=0.0, customer="A"):
    return {
        "order_id": order,
        "line_number": 1,
        "customer_id": customer,
        "ordered_at": at,
        "department": department,
        "product_id": "P1",
        "quantity": quantity,
        "unit_price": price,
        "discount": discount,
        "returns_order_id": None,
    }


@pytest.fixture
def value(small, compute):
    """Value of one declared feature of customer A as of now, out of some order lines."""

    def of(lines, moment=NOW, **declaration):
        declared = {"f": FeatureDeclaration.model_validate(declaration)}
        features = expand_declarations(declared, small.DEPARTMENTS, small.MESSAGES)
        table = pd.DataFrame(lines).astype({"returns_order_id": "str"})
        rows = pd.DataFrame({"row_id": [0], "customer_id": ["A"], "moment": [moment]})
        found = compute({"transactions": table}, rows, features)
        values = found.drop(columns=rows.columns).iloc[0].tolist()
        return values[0] if len(values) == 1 else values

    return of


def test_an_event_at_the_moment_does_not_count_and_one_a_microsecond_before_does(value):
    at = [line("1", NOW), line("2", NOW - pd.Timedelta(microseconds=1))]
    assert value(at, source="orders", aggregation="count") == 1


def test_a_window_begins_with_its_first_instant(value):
    edge = [line("1", day(30)), line("2", day(30) - pd.Timedelta(microseconds=1))]
    assert value(edge, source="orders", aggregation="count", windows=[30, "all"]) == [1, 2]


def test_lines_of_one_time_are_one_order_and_equal_lines_all_count(value):
    same = [line("1", day(2)), line("1", day(2)), line("2", day(2))]
    assert value(same, source="orders", aggregation="count") == 2
    assert value(same, source="order_lines", aggregation="count") == 3
    assert value(same, source="orders", aggregation="max", column="revenue") == 20


def test_money_is_what_was_paid_and_returns_are_a_source_of_their_own(value):
    lines = [
        line("1", day(5), quantity=3, price=19.99, discount=6.0),
        line("2", day(1), quantity=-1, price=19.99, discount=2.0),
    ]
    assert value(lines, source="orders", aggregation="sum", column="revenue") == 53.97
    assert value(lines, source="returns", aggregation="sum", column="value") == 17.99
    assert value(lines, source="returns", aggregation="sum", column="pieces") == 1


def test_an_event_loses_half_its_weight_in_each_half_life(value):
    lines = [line("1", day(60), quantity=8), line("2", day(30), quantity=2)]
    faded = value(
        lines, source="order_lines", aggregation="decayed", column="pieces", half_lives=[30]
    )
    assert faded == pytest.approx(8 / 4 + 2 / 2, abs=1e-6)


def test_cadence_is_the_mean_gap_and_needs_two_orders(value):
    one = [line("1", day(9))]
    declared = {"source": "orders", "aggregation": "cadence", "empty": -1}
    assert value(one, **declared) == -1
    assert value([*one, line("2", day(3)), line("3", day(1))], **declared) == 4


def test_recency_looks_into_its_window_alone(value):
    declared = {"source": "orders", "aggregation": "recency", "windows": [30, "all"], "empty": 99}
    assert value([line("1", day(40.5))], **declared) == [99, 40.5]


def test_the_last_department_is_the_first_declared_where_two_tie(value):
    declared = {"source": "order_lines", "aggregation": "last", "by": "department"}
    tie = [line("1", day(1), "team"), line("2", day(1), "water"), line("3", day(9), "racquet")]
    assert value(tie, **declared) == "water"
    assert value(tie[2:], **declared) == "racquet"


def test_only_labels_that_are_asked_for_count(value):
    lines = [line("1", day(1), "team"), line("2", day(1), "water", quantity=5)]
    declared = {"source": "order_lines", "aggregation": "sum", "column": "pieces"}
    assert value(lines, **declared, where={"department": ["water"]}) == 5


def test_a_customer_without_events_has_zero_sums_and_empty_values(value):
    others = [line("1", day(1), customer="B")]
    assert value(others, source="orders", aggregation="sum", column="revenue") == 0
    assert value(others, source="orders", aggregation="recency", empty=3650) == 3650
    assert pd.isna(value(others, source="orders", aggregation="recency"))


def test_a_source_whose_table_is_absent_is_named(value):
    with pytest.raises(DataError, match="need the table sessions, which is not there"):
        value([line("1", day(1))], source="sessions", aggregation="count")


@pytest.mark.parametrize(
    ("declaration", "says"),
    [
        ({"source": "orders", "aggregation": "sum"}, "sum needs one of"),
        ({"source": "orders", "aggregation": "count", "column": "pieces"}, "cannot take pieces"),
        ({"source": "orders", "aggregation": "count", "by": "department"}, "can be divided by"),
        ({"source": "order_lines", "aggregation": "last"}, "must say of what"),
        ({"source": "orders", "aggregation": "decayed"}, "half_lives go with"),
        ({"source": "visits", "aggregation": "count"}, "visits is none of"),
        ({"source": "orders", "aggregation": "label"}, "is not one of the source orders"),
        ({"source": "customers", "aggregation": "age", "column": "tier"}, "the source customers"),
        ({"source": "orders", "aggregation": "count", "windows": [7, 7]}, "names one twice"),
        ({"aggregation": "share", "of": "a"}, "a share needs of and over"),
        ({"source": "emails", "aggregation": "count", "where": {"tier": ["x"]}}, "no labels of"),
        ({"source": "orders", "aggregation": "count", "windows": []}, "name at least one"),
        (
            {"aggregation": "share", "of": "a", "over": "b", "source": "orders"},
            "a share takes source",
        ),
        (
            {
                "source": "calendar",
                "aggregation": "calendar",
                "column": "month",
                "windows": [30],
            },
            "the source calendar takes no windows",
        ),
        (
            {"source": "orders", "aggregation": "cadence", "windows": [30]},
            "cadence looks at all events",
        ),
        (
            {"source": "orders", "aggregation": "decayed", "half_lives": [7], "windows": [30]},
            "decayed looks at all events",
        ),
    ],
)
def test_declarations_that_make_no_sense_are_refused(declaration, says):
    with pytest.raises(ValueError, match=says):
        FeatureDeclaration.model_validate(declaration)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"features": {}}, "declare at least one"),
        ({"now": "2026-01-01T00:00:00+01:00"}, "written without a time zone"),
        (
            {"features": {"s": {"aggregation": "share", "of": "orders", "over": "none"}}},
            "none must be a declaration that counts",
        ),
        (
            {
                "features": {
                    "s": {
                        "aggregation": "share",
                        "of": "orders",
                        "over": "orders",
                        "by": "department",
                    }
                }
            },
            "orders cannot be divided by department",
        ),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed, says):
    count = {"orders": {"source": "orders", "aggregation": "count"}}
    if changed.get("features"):
        changed = changed | {"features": count | changed["features"]}
    with pytest.raises(ValueError, match=says):
        MomentSettings.model_validate({"features": count} | changed)


@pytest.mark.parametrize(
    ("column", "expected"),
    [("month", 3), ("weekday", 6), ("hour", 14), ("season", "spring"), ("year_sine", 0.8494)],
)
def test_the_calendar_of_a_moment(value, column, expected):
    """1 March 2026, a Sunday, 14:30; the 60th day of the year."""
    found = value(
        [line("1", day(1))],
        moment=pd.Timestamp("2026-03-01 14:30"),
        source="calendar",
        aggregation="calendar",
        column=column,
    )
    assert (
        found == pytest.approx(expected, abs=1e-3) if column == "year_sine" else found == expected
    )


def test_features_of_customers_without_their_table_are_refused(value):
    with pytest.raises(DataError, match="need the table customers, which is not there"):
        value([line("1", day(1))], source="customers", aggregation="age", column="birth_year")


def test_departments_are_those_of_the_messages_unless_they_are_declared():
    pieces = {"source": "order_lines", "aggregation": "sum", "column": "pieces"}
    declared = {"features": {"pieces": pieces | {"by": "department"}}}
    messages = MessageSet(
        {
            "control": {"margin": 0.4},
            "a": {"margin": 0.4, "department": "water"},
            "b": {"margin": 0.4, "department": "water"},
            "c": {"margin": 0.4, "department": "team"},
        }
    )
    settings = MomentSettings.model_validate(declared)
    names = [f.name for f in declared_features(settings, messages)]
    assert names == ["pieces_water", "pieces_team"]
    settings = MomentSettings.model_validate(declared | {"departments": ["gifts"]})
    assert [f.name for f in declared_features(settings, messages)] == ["pieces_gifts"]


def test_tables_without_events_or_orders_are_refused(stored):
    empty = {"transactions": pd.DataFrame({"ordered_at": pd.Series(dtype="datetime64[us]")})}
    with pytest.raises(DataError, match="hold no event"):
        end_of_events(stored(empty))
    rows = stored({"rows": pd.DataFrame({"row_id": [0], "customer_id": ["A"], "moment": [NOW]})})
    with pytest.raises(DataError, match="Outcomes need the table transactions"):
        with_outcomes(rows["rows"], {}, OutcomeSettings())


def test_two_features_of_one_name_are_refused():
    count = {"source": "orders", "aggregation": "count"}
    declared = {
        "orders": FeatureDeclaration.model_validate(count | {"windows": [30]}),
        "orders_30d": FeatureDeclaration.model_validate(count),
    }
    with pytest.raises(ParameterError, match="orders_30d"):
        expand_declarations(declared, [], [])


def test_names_say_department_half_life_and_window():
    declared = {
        "pieces": FeatureDeclaration.model_validate(
            {
                "source": "order_lines",
                "aggregation": "sum",
                "column": "pieces",
                "by": "department",
                "windows": [30, "all"],
            }
        ),
        "fading": FeatureDeclaration.model_validate(
            {"source": "orders", "aggregation": "decayed", "half_lives": [7]}
        ),
    }
    names = [f.name for f in expand_declarations(declared, ["water"], [])]
    assert names == ["pieces_water_30d", "pieces_water", "fading_h7"]
