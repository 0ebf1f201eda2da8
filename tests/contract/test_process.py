import json
import re

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.contract.tables import (
    check_customers,
    check_observations,
    customers_schema,
    observations_schema,
)
from pentathlon.errors import DataError, ParameterError


def with_value(raw, column, row, value):
    """The file with one value replaced; row counts from 1."""
    return raw.astype({column: object}).assign(
        **{column: [value if i == row - 1 else v for i, v in enumerate(raw[column])]}
    )


def only_rejection(processed):
    assert len(processed.rejected_rows) == 1
    return processed.rejected_rows.iloc[0]


# --- a good file


def test_clean_file_meets_both_schemas(raw, process):
    messages = MessageSet({m: {"margin": 0.4} for m in ("control", "water", "team")})
    features = FeatureColumns(
        numeric=["income"],
        categorical=["age", "female"],
        counts={"water": "freq_water", "team": "freq_team"},
    )
    p = process(raw)
    observations_schema.validate(p.observations, lazy=True)
    customers_schema.validate(p.customers, lazy=True)
    check_observations(p.observations, messages, 2)
    check_customers(p.customers, p.observations, features)
    assert len(p.observations) == 60
    assert list(p.rejected_rows.columns) == ["row", "reason", *raw.columns]
    assert p.rejected_rows.empty


def test_values_arrive_as_they_were(raw, process):
    p = process(raw)
    o = p.observations
    assert o["customer_id"].tolist() == raw["custid"].tolist()
    assert o["message"].tolist() == raw["message"].tolist()
    assert o["response"].tolist() == (raw["buyer"] == "yes").astype(int).tolist()
    assert o["order_value"].tolist() == raw["total_os"].tolist()
    assert o["split"].tolist() == np.where(raw["training"] == 1, "train", "test").tolist()
    assert (o["propensity"] == 1 / 3).all()
    assert (o["sampling_weight"] == 1).all()
    assert o["natural_rate"].all()
    assert p.customers["freq_water"].tolist() == raw["freq_water"].tolist()
    assert p.customers["age"].tolist() == raw["age"].tolist()


def test_text_and_typed_files_give_the_same_tables(raw, process):
    typed, text = process(raw), process(raw.astype("str"))
    pd.testing.assert_frame_equal(typed.observations, text.observations)
    pd.testing.assert_frame_equal(typed.customers, text.customers)


def test_raw_file_is_left_alone(raw, process):
    before = raw.copy(deep=True)
    process(raw)
    pd.testing.assert_frame_equal(raw, before)


def test_data_quality_is_json_with_exact_arms(raw, process):
    quality = process(raw).data_quality
    assert json.loads(json.dumps(quality)) == quality
    assert (quality["rows_read"], quality["rows_kept"], quality["rows_rejected"]) == (60, 60, 0)
    control = raw[raw["message"] == "control"]
    assert quality["arms"]["control"] == {
        "observations": len(control),
        "responses": int((control["buyer"] == "yes").sum()),
        "response_rate": pytest.approx((control["buyer"] == "yes").mean()),
        "mean_order_value": pytest.approx(
            control.loc[control["buyer"] == "yes", "total_os"].mean()
        ),
    }
    assert quality["columns"]["message"] == "message"
    assert quality["unused_columns"] == []


def test_columns_nobody_named_are_listed(raw, process):
    assert process(raw.assign(visit=1)).data_quality["unused_columns"] == ["visit"]


# --- spellings and aliases


def test_spelling_variants_are_repaired_and_counted(raw, process):
    variant = raw.assign(age=raw["age"].replace({"< 30": "less than 30", ">= 60": "60 and older"}))
    p = process(variant, category_values={"age": {"less than 30": "< 30", "60 and older": ">= 60"}})
    assert p.customers["age"].tolist() == raw["age"].tolist()
    assert p.data_quality["repairs"] == {
        'age spelled "less than 30": "< 30"': 20,
        'age spelled "60 and older": ">= 60"': 20,
    }


def test_alias_with_its_own_values(raw, process):
    b = raw.assign(gender=np.where(raw["female"] == "yes", "F", "M")).drop(columns="female")
    p = process(
        b,
        aliases={"female": ["sex", "gender"]},
        category_values={"female": {"F": "yes", "M": "no"}},
    )
    assert p.customers["female"].tolist() == raw["female"].tolist()
    assert p.data_quality["columns"]["female"] == "gender"


def test_messages_and_responses_can_be_spelled_otherwise(raw, process):
    other = raw.assign(
        message=raw["message"].replace({"control": "No E-Mail", "water": "Water!"}),
        buyer=np.where(raw["buyer"] == "yes", "bought", "passed"),
    )
    p = process(
        other,
        message_values={"No E-Mail": "control", "Water!": "water"},
        response_values={"bought": 1, "passed": 0},
    )
    pd.testing.assert_frame_equal(p.observations, process(raw).observations)


@pytest.mark.parametrize(("yes", "no"), [("TRUE", "FALSE"), ("1", "0"), ("Yes", "No"), (1.0, 0.0)])
def test_usual_spellings_of_the_outcome_need_no_setting(raw, process, yes, no):
    outcome = [yes if b == "yes" else no for b in raw["buyer"]]
    assert process(raw.assign(buyer=outcome)).observations["response"].sum() == 20


def test_whole_number_ids_stay_whole_and_zeros_stay_in_front(raw, process):
    n = len(raw)
    ids = process(raw.assign(custid=np.arange(n) + 0.0)).observations["customer_id"]
    assert ids.tolist() == [str(i) for i in range(n)]
    ids = process(raw.assign(custid=[f"00{i}" for i in range(n)])).observations["customer_id"]
    assert ids.iloc[7] == "007"


def test_without_an_id_column_rows_are_numbered(raw, process, columns):
    p = process(raw, columns={**columns, "customer_id": None})
    assert p.customers["customer_id"].tolist() == [str(i) for i in range(1, 61)]


# --- rows that are quarantined


@pytest.mark.parametrize(
    ("column", "row", "value", "reason"),
    [
        (
            "message",
            4,
            "golf",
            'the message is none of the configured messages: column "message" holds "golf"',
        ),
        ("message", 4, None, "the message is missing"),
        ("buyer", 4, "maybe", 'the response is neither a yes nor a no: column "buyer" holds'),
        ("buyer", 4, None, "the response is missing"),
        ("buyer", 4, "no", 'an order value without a response: column "total_os" holds 13'),
        ("buyer", 5, "yes", 'a response without an order value: column "total_os" holds 0'),
        ("total_os", 4, None, "a response without an order value"),
        ("total_os", 4, -5, 'the order value is negative: column "total_os" holds -5'),
        ("total_os", 4, "abc", 'the order value is not a number: column "total_os" holds "abc"'),
        ("total_os", 4, "12,50", 'column "total_os" holds "12,50"'),
        ("total_os", 4, "€ 12.50", 'column "total_os" holds "€ 12.50"'),
        ("total_os", 4, np.inf, "the order value is not a number"),
        ("income", 4, -1, 'income is below its lowest possible value 0: column "income" holds -1'),
        ("income", 4, 10**7, "income is above its highest possible value 200000"),
        ("income", 4, "lots", 'income is not a number: column "income" holds "lots"'),
        ("freq_team", 4, -1, "freq_team is a negative count"),
        ("custid", 4, "  ", "the customer_id is missing"),
        ("training", 4, 7, "the split is neither training nor test"),
    ],
)
def test_bad_value_is_quarantined_with_its_reason(raw, process, column, row, value, reason):
    p = process(with_value(raw, column, row, value))
    rejected = only_rejection(p)
    assert rejected["row"] == row
    assert reason in rejected["reason"]
    untouched = "age" if column != "age" else "female"
    assert rejected[untouched] == raw[untouched].iloc[row - 1]
    assert len(p.observations) == 59
    assert sum(p.data_quality["rejected_by_reason"].values()) == 1
    assert f"U{row}" not in set(p.customers["customer_id"])


def test_a_row_with_two_faults_is_listed_once(raw, process):
    bad = with_value(with_value(raw, "income", 4, "lots"), "message", 4, "golf")
    assert len(process(bad).rejected_rows) == 1


def test_missing_order_value_of_a_non_buyer_is_zero_and_counted(raw, process):
    p = process(with_value(raw, "total_os", 5, None))
    assert p.observations["order_value"].iloc[4] == 0
    assert p.data_quality["repairs"] == {"order value missing without a response: 0": 1}


def test_identical_duplicate_keeps_the_first(raw, process):
    p = process(pd.concat([raw, raw.iloc[[6]]]))
    rejected = only_rejection(p)
    assert rejected["row"] == 61
    assert rejected["reason"] == (
        'duplicate customer_id: column "custid" holds "U7"; row 7 is the same and is kept'
    )
    assert (p.observations["customer_id"] == "U7").sum() == 1


def test_contradicting_duplicates_all_go(raw, process):
    twin = raw.iloc[[6]].assign(message="water")
    p = process(pd.concat([raw, twin]))
    assert p.rejected_rows["row"].tolist() == [7, 61]
    assert p.data_quality["rejected_by_reason"] == {
        "duplicate customer_id on rows that contradict each other": 2
    }
    assert "U7" not in set(p.observations["customer_id"])


def test_a_duplicate_of_a_bad_row_is_not_a_duplicate(raw, process):
    p = process(pd.concat([with_value(raw, "total_os", 7, "abc"), raw.iloc[[6]]]))
    assert only_rejection(p)["row"] == 7
    assert (p.observations["customer_id"] == "U7").sum() == 1


def test_repeated_customers_stay_together(raw, process, columns):
    twice = pd.concat([raw, raw.assign(message=np.roll(raw["message"], 3), income=1.0)])
    p = process(twice, allow_repeated_customers=True, columns={**columns, "split": None})
    o = p.observations
    assert len(o) == 120
    assert len(p.customers) == 60
    assert o[["customer_id", "fold", "split"]].drop_duplicates()["customer_id"].is_unique
    assert any(
        "repeat a customer with other feature values" in w for w in p.data_quality["warnings"]
    )
    observations_schema.validate(o, lazy=True)
    customers_schema.validate(p.customers, lazy=True)


def test_repeated_customer_on_both_sides_of_the_split_goes(raw, process):
    twin = raw.iloc[[6]].assign(training=1 - raw["training"].iloc[6], message="team")
    p = process(pd.concat([raw, twin]), allow_repeated_customers=True)
    assert p.rejected_rows["row"].tolist() == [7, 61]
    assert "both training and test" in p.rejected_rows["reason"].iloc[0]


def test_rejected_rows_survive_a_file_with_columns_of_the_same_name(raw, process):
    p = process(with_value(raw.assign(row=9, reason="x"), "message", 4, "golf"))
    rejected = only_rejection(p)
    assert (rejected["row"], rejected["row_in_file"], rejected["reason_in_file"]) == (4, "9", "x")


# --- split, sampling, propensities


def test_test_share_where_the_file_does_not_say(raw, process, columns):
    unsaid = {**columns, "split": None}
    p = process(raw, columns=unsaid, split={"test_share": 0.3})
    assert (p.observations["split"] == "test").sum() == 18
    p = process(raw, columns=unsaid, split={"test_share": 0})
    assert (p.observations["split"] == "train").all()
    assert p.data_quality["splits"].keys() == {"train"}


def test_every_fold_has_every_message_and_outcome_evenly(raw, process):
    o = process(raw, n_folds=3).observations
    train = o[o["split"] == "train"]
    for _, rows in train.groupby(["message", "response"]):
        sizes = np.bincount(rows["fold"], minlength=3)
        assert sizes.max() - sizes.min() <= 1
    assert (o.loc[o["split"] == "test", "fold"] == -1).all()


def test_population_rate_without_representative_rows(raw, process):
    p = process(raw, sampling={"population_rate": 0.01})
    assert not p.observations["natural_rate"].any()
    for _, rows in p.observations.groupby("split"):
        assert rows["sampling_weight"].mean() == pytest.approx(1)
    rates = [arm["response_rate"] for arm in p.data_quality["arms"].values()]
    assert max(rates) < 0.02


@pytest.mark.parametrize("side", ["train", "test"])
def test_representative_rows_go_where_the_settings_say(raw, process, columns, side):
    flagged = raw.assign(
        rep=(raw.index >= 40).astype(int), training=raw["training"].mask(raw.index >= 40, -(2**31))
    )
    p = process(
        flagged,
        columns={**columns, "representative": "rep"},
        split={"train": [1], "test": [0], "representative": side},
        sampling={"population_rate": 0.3},
    )
    o = p.observations
    assert p.rejected_rows.empty
    assert o["natural_rate"].tolist() == [i >= 40 for i in range(60)]
    assert (o.loc[o["natural_rate"], "split"] == side).all()


def test_unreadable_representative_flag(raw, process, columns):
    flagged = with_value(raw.assign(rep=0), "rep", 4, "perhaps")
    p = process(
        flagged,
        columns={**columns, "representative": "rep"},
        sampling={"population_rate": 0.3},
    )
    assert "the representative flag is neither a yes nor a no" in only_rejection(p)["reason"]


@pytest.mark.parametrize("value", [0, -0.1, 1.01, None, "often"])
def test_logged_propensities(raw, process, columns, value):
    logged = with_value(raw.assign(p=0.25), "p", 4, value)
    p = process(logged, columns={**columns, "propensity": "p"}, propensity="logged")
    assert (p.observations["propensity"] == 0.25).all()
    reason = only_rejection(p)["reason"]
    assert reason.startswith("the propensity is not a number above 0 and up to 1")


@pytest.mark.parametrize("value", [None, "soon", "31.12.2025"])
def test_times_of_assignment(raw, process, columns, value):
    days = pd.Timestamp("2026-03-01") + pd.to_timedelta(np.arange(len(raw)) % 30, unit="D")
    timed = raw.assign(at=days.strftime("%Y-%m-%dT%H:%M:%S+02:00"))
    p = process(with_value(timed, "at", 4, value), columns={**columns, "assigned_at": "at"})
    assert only_rejection(p)["reason"].startswith("the time of assignment is no ISO 8601 time")
    expected = (days - pd.Timedelta(hours=2)).delete(3).astype("datetime64[us]")
    assert p.observations["assigned_at"].tolist() == expected.tolist()
    observations_schema.validate(p.observations)
    typed = process(raw.assign(at=days), columns={**columns, "assigned_at": "at"})
    assert typed.observations["assigned_at"].tolist() == days.tolist()


def test_estimated_propensities_stay_above_their_floor(raw, process):
    rare = raw.copy()
    team = rare.index[rare["message"] == "team"]
    rare.loc[team[len(team) // 5 :], "message"] = "water"
    p = process(rare, propensity="estimated", propensity_floor=0.1)
    assert p.observations["propensity"].between(0.1, 1).all()
    floored = (p.observations["propensity"] <= 0.1).sum()
    assert p.data_quality["propensity"]["at_floor"] == floored > 0
    assert any("lie at the floor of 0.1" in w for w in p.data_quality["warnings"])


# --- missing feature values


def test_missing_features_are_repaired_from_training_rows_only(raw, process):
    holes = raw.astype({"income": float, "age": object, "freq_team": float})
    holes.loc[0, ["income", "age", "freq_team"]] = [np.nan, None, np.nan]
    holes.loc[holes["training"] == 0, "income"] = 199_000.0
    p = process(holes)
    train = holes.loc[(holes["training"] == 1), "income"].dropna()
    first = p.customers.iloc[0]
    assert first["income"] == train.median()
    assert first["age"] == "unknown"
    assert first["freq_team"] == 0
    assert p.data_quality["repairs"] == {
        "income missing: median of the training customers": 1,
        'age missing: "unknown"': 1,
        "freq_team missing: 0": 1,
    }


@pytest.mark.parametrize(
    ("column", "kind"), [("income", "numeric"), ("age", "categorical"), ("freq_team", "counts")]
)
def test_missing_features_can_be_rejected_instead(raw, process, column, kind):
    p = process(with_value(raw, column, 4, None), missing={kind: "reject"})
    assert only_rejection(p)["reason"].startswith(f"{column} is missing")


def test_feature_without_any_value_has_no_median(raw, process):
    with pytest.raises(DataError, match=r"no training row has a value of \['income'\]"):
        process(raw.assign(income=None))


# --- files that cannot be used


def test_missing_column_suggests_the_closest(raw, process):
    renamed = raw.rename(columns={"total_os": "Total_OS", "income": "incomes"})
    with pytest.raises(DataError) as error:
        process(renamed)
    message = str(error.value)
    assert "2 missing columns" in message
    assert "'total_os' of data_processing.columns.order_value; did you mean 'Total_OS'?" in message
    assert "'income' of features; did you mean 'incomes'?" in message


def test_message_of_an_error_names_the_file(raw, process):
    raw.attrs["source"] = "data/01_raw/customers.csv"
    with pytest.raises(DataError, match=r"^data/01_raw/customers\.csv: 1 missing column:"):
        process(raw.drop(columns="buyer"))


def test_repeated_column_name(raw, process):
    with pytest.raises(DataError, match=r"more than once: \['age'\]"):
        process(pd.concat([raw, raw[["age"]]], axis=1))


def test_empty_file(raw, process):
    with pytest.raises(DataError, match="column names but no rows"):
        process(raw.head(0))


def test_too_many_rejected_rows_summarise_the_reasons(raw, process):
    bad = raw.assign(
        message=raw["message"].replace("water", "wter"), total_os=["1,5", *raw["total_os"][1:]]
    )
    with pytest.raises(DataError) as error:
        process(bad, max_rejected_share=0.05)
    assert str(error.value).startswith(
        "the customer file: 22 of 60 rows (36.7%) cannot be used, more than "
        "data_processing.max_rejected_share (5.0%) allows:\n"
        "  21 rows, for example row 4: the message is none of the configured messages: "
        'column "message" holds "wter"\n'
        '  1 rows, for example row 1: the order value is not a number: column "total_os" '
        'holds "1,5"\n'
    )


def test_share_of_rejected_rows_may_equal_the_limit(raw, process):
    bad = with_value(
        with_value(with_value(raw, "message", 2, "x"), "message", 5, "x"), "age", 1, "?"
    )
    assert len(process(bad, max_rejected_share=2 / 60).rejected_rows) == 2


@pytest.mark.parametrize("outcome", ["yes", "no"])
def test_one_class_outcome(raw, process, outcome):
    with pytest.raises(DataError, match="of 60 kept rows 0 are with"):
        process(raw.assign(buyer=outcome, total_os=10 if outcome == "yes" else 0))


def test_one_class_test_rows(raw, process):
    test = raw["training"] == 0
    bad = raw.assign(buyer=raw["buyer"].mask(test, "no"), total_os=raw["total_os"].mask(test, 0))
    with pytest.raises(DataError, match=r"of \d+ test rows 0 are with a response"):
        process(bad)


def test_fewer_buyers_than_folds(raw, process):
    with pytest.raises(DataError, match=r"at least 30 \(one a fold\)"):
        process(raw, n_folds=30)


def test_configured_message_nobody_received(raw, process):
    golf = MessageSet({m: {"margin": 0.4} for m in ("control", "water", "team", "golf")})
    with pytest.raises(DataError, match=r"nobody received in the 60 rows: \['golf'\]"):
        process(raw, messages=golf)


def test_message_only_in_test_rows(raw, process):
    training = raw["training"].mask(raw["message"] == "team", 0.0)
    with pytest.raises(DataError, match=r"nobody received in the \d+ training rows: \['team'\]"):
        process(raw.assign(training=training))


# --- settings that contradict themselves


def test_outcome_as_a_feature_is_refused(raw, process):
    with pytest.raises(ParameterError, match=r"'total_os' is also data_processing\.columns"):
        process(raw, features=FeatureColumns(numeric=["income", "total_os"]))


def test_outcome_as_a_feature_through_an_alias_is_refused(raw, process):
    with pytest.raises(ParameterError, match="would read the answer"):
        process(
            raw,
            features=FeatureColumns(numeric=["spent", "income"]),
            aliases={"spent": ["total_os"]},
        )


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("aliases", {"femal": ["gender"]}),
        ("category_values", {"income": {"a": "b"}}),
        ("valid_ranges", {"age": [0, 1]}),
    ],
)
def test_settings_of_unknown_columns_are_refused(raw, process, setting, value):
    name = next(iter(value))
    with pytest.raises(ParameterError, match=rf"{setting}: \['{re.escape(name)}'\] are no such"):
        process(raw, **{setting: value})


def test_message_values_must_lead_to_messages(raw, process):
    with pytest.raises(ParameterError, match=r"message_values: \['golf'\] are none of"):
        process(raw, message_values={"G": "golf"})
