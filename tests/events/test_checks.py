"""Every reason that a row can be quarantined for is given to a row that deserves it."""

import csv
import io
from datetime import datetime, timedelta

import pandas as pd
import pytest

from pentathlon.errors import DataError
from pentathlon.events import enforce_limits, quality_report, quality_table
from pentathlon.events.checks import (
    BROKEN_TEXT,
    MALFORMED,
    RETURN_BEFORE_ORDER,
    WARNINGS,
    phrases,
    place_checks,
    row_checks,
)

EXTRA = {
    "customers": {
        "income": {"type": "integer", "nullable": False, "range": [0, 1000]},
        "score": {"type": "number"},
        "club": {"type": "boolean"},
        "called_at": {"type": "timestamp"},
        "member_until": {"type": "timestamp", "future": True},
        "hobbies": {"type": "texts"},
        "select": {"type": "text"},
        "card": {"type": "text", "personal": True},
    },
    "products": {"weight": {"type": "number", "range": [0, None]}, "brand": {"type": "text"}},
    "sessions": {"share": {"type": "number", "range": [None, 1]}},
}

PRODUCT = {
    **{"product_id": "p", "department": "a", "name": "thing", "price": "5", "cost": "2"},
    **{"weight": "12.5", "brand": "own"},
}
CUSTOMER = {
    **{"customer_id": "U1", "joined_at": "2020-01-01", "region": "north", "gender": "woman"},
    **{"birth_year": "1970", "tier": "gold", "consented_at": "2020-01-01", "opted_out_at": ""},
    **{"income": "500", "score": "0.5", "club": "true", "called_at": "2021-01-01"},
    **{"member_until": "2190-01-01", "hobbies": "chess|go", "select": "yes", "card": "4711"},
}
LINE = {
    **{"order_id": "o", "line_number": "1", "customer_id": "U1", "ordered_at": "2022-01-01"},
    **{"department": "a", "product_id": "p", "quantity": "2", "unit_price": "5", "discount": "1"},
    "returns_order_id": "",
}
SESSION = {
    **{"session_id": "s", "customer_id": "U1", "started_at": "2022-01-01"},
    **{"duration_seconds": "60", "pages": "3", "departments_viewed": "a", "carts_left": "0"},
    "share": "0.5",
}
EMAIL = {
    **{"assignment_id": "e", "customer_id": "U1", "message": "water", "sent": "true"},
    **{"assigned_at": "2022-01-01 10:00", "propensity": "0.1", "opened_at": "2022-01-01 11:00"},
    **{"clicked_at": "2022-01-01 11:01", "unsubscribed_at": ""},
}
GOOD = {
    **{"products": PRODUCT, "customers": CUSTOMER, "transactions": LINE},
    **{"sessions": SESSION, "email_log": EMAIL},
}
KEYS = {
    **{"products": "product_id", "customers": "customer_id", "transactions": "order_id"},
    **{"sessions": "session_id", "email_log": "assignment_id"},
}
LATER = "2199-01-01"
UNREAD = {"opened_at": "", "clicked_at": ""}
BACK = {"quantity": "-1", "returns_order_id": "o"}
AGAIN = "the key of the good row"

# What is wrong with a copy of the good row, by table and reason.
CASES = {
    "products": {
        "duplicate": {"product_id": AGAIN},
        "no product": {"product_id": ""},
        "no department": {"department": "NULL"},
        "no name": {"name": ""},
        "no price": {"price": "NA"},
        "price is not a number": {"price": "five"},
        "cost is not a number": {"cost": "inf"},
        "negative price": {"price": "-0.01"},
        "negative cost": {"cost": "-2"},
        "weight is not a number": {"weight": "heavy"},
        "weight out of range": {"weight": "-1"},
    },
    "customers": {
        "duplicate": {"customer_id": AGAIN},
        "no customer": {"customer_id": ""},
        "no joining time": {"joined_at": ""},
        "joined_at is not a time": {"joined_at": "2020-02-30"},
        "no region": {"region": ""},
        "birth_year is not a whole number": {"birth_year": "1970.5"},
        "consented_at is not a time": {"consented_at": "yes"},
        "opted_out_at is not a time": {"opted_out_at": "no"},
        "joined_at in the future": {"joined_at": LATER},
        "consented_at in the future": {"consented_at": LATER},
        "opted_out_at in the future": {"opted_out_at": LATER},
        "impossible birth year": {"birth_year": "1066"},
        "no income": {"income": ""},
        "income is not a whole number": {"income": "much"},
        "income out of range": {"income": "1001"},
        "score is not a number": {"score": "x"},
        "club is not a yes or a no": {"club": "perhaps"},
        "called_at is not a time": {"called_at": "once"},
        "called_at in the future": {"called_at": LATER},
        "member_until is not a time": {"member_until": "for ever"},
    },
    "transactions": {
        "duplicate": {"order_id": AGAIN},
        "no order": {"order_id": ""},
        "no line number": {"line_number": ""},
        "line_number is not a whole number": {"line_number": "first"},
        "no customer": {"customer_id": ""},
        "no order time": {"ordered_at": ""},
        "ordered_at is not a time": {"ordered_at": "Monday"},
        "no department": {"department": ""},
        "no product": {"product_id": ""},
        "no quantity": {"quantity": ""},
        "quantity is not a whole number": {"quantity": "1.5"},
        "no price": {"unit_price": ""},
        "unit_price is not a number": {"unit_price": "1,50"},
        "no discount": {"discount": ""},
        "discount is not a number": {"discount": "10 %"},
        "ordered_at in the future": {"ordered_at": LATER},
        "negative price": {"unit_price": "-5", "discount": "0"},
        "negative discount": {"discount": "-1"},
        "discount above the price": {"discount": "10.01"},
        "no pieces": {"quantity": "0", "discount": "0"},
        "return of a positive quantity": {"returns_order_id": "o"},
        "unknown department": {"department": "b"},
        "unknown customer": {"customer_id": "U9"},
        "before the customer joined": {"ordered_at": "2019-12-31"},
        "unknown product": {"product_id": "q"},
        "return without an order": {**BACK, "returns_order_id": "none"},
        "return before its order": {**BACK, "ordered_at": "2021-12-31"},
    },
    "sessions": {
        "duplicate": {"session_id": AGAIN},
        "no session": {"session_id": ""},
        "no customer": {"customer_id": ""},
        "no starting time": {"started_at": ""},
        "started_at is not a time": {"started_at": "25:00"},
        "no duration": {"duration_seconds": ""},
        "duration_seconds is not a number": {"duration_seconds": "1 min"},
        "no number of pages": {"pages": ""},
        "pages is not a whole number": {"pages": "2.5"},
        "no number of carts left": {"carts_left": ""},
        "carts_left is not a whole number": {"carts_left": "one"},
        "started_at in the future": {"started_at": LATER},
        "negative duration": {"duration_seconds": "-1"},
        "negative number of pages": {"pages": "-1"},
        "negative number of carts": {"carts_left": "-1"},
        "unknown department": {"departments_viewed": "a|b"},
        "unknown customer": {"customer_id": "U9"},
        "before the customer joined": {"started_at": "2019-12-31"},
        "share is not a number": {"share": "half"},
        "share out of range": {"share": "1.01"},
    },
    "email_log": {
        "duplicate": {"assignment_id": AGAIN},
        "no assignment": {"assignment_id": ""},
        "no customer": {"customer_id": ""},
        "no message": {"message": ""},
        "no time of assignment": {"assigned_at": ""},
        "assigned_at is not a time": {"assigned_at": "soon"},
        "no mark of being sent": {"sent": ""},
        "sent is not a yes or a no": {"sent": "bounced"},
        "propensity is not a number": {"propensity": "high"},
        "opened_at is not a time": {"opened_at": "yes"},
        "clicked_at is not a time": {"clicked_at": "yes"},
        "unsubscribed_at is not a time": {"unsubscribed_at": "yes"},
        "assigned_at in the future": {**UNREAD, "assigned_at": LATER},
        "unknown message": {"message": "wine"},
        "impossible propensity": {"propensity": "0"},
        "control that was sent": {"message": "control"},
        "opened but not sent": {"sent": "false"},
        "opened before sent": {**UNREAD, "opened_at": "2022-01-01 09:00"},
        "clicked before sent": {**UNREAD, "clicked_at": "2022-01-01 09:00"},
        "unsubscribed before sent": {"unsubscribed_at": "2022-01-01 09:00"},
        "opened_at in the future": {"opened_at": LATER},
        "clicked_at in the future": {"clicked_at": LATER},
        "unsubscribed_at in the future": {"unsubscribed_at": LATER},
        "unknown customer": {"customer_id": "U9"},
        "before the customer joined": {"assigned_at": "2019-12-31"},
    },
}
FORM = [*MALFORMED, BROKEN_TEXT]
"""Reasons that lie in the text of a file and not in its values."""
ALL = [(table, reason) for table in GOOD for reason in (*CASES[table], *FORM)]


def line(values):
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow(values)
    return out.getvalue()


def text_of(table, rows):
    """A table of rows that differ from the good one, each under a key of its own."""
    good = GOOD[table]
    lines = [line(good), line(good.values())]
    for number, changes in enumerate(rows, 1):
        own = {KEYS[table]: f"{good[KEYS[table]]}{number + 100}"}
        row = {**good, **own, **changes}
        lines.append(line([good[k] if v == AGAIN else v for k, v in row.items()]))
    return "".join(lines)


def sources():
    return {table: {"path": f"{table}.csv", "extra": EXTRA.get(table, {})} for table in GOOD}


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory, check):
    """What came of a retailer's tables with every mistake once."""
    folder = tmp_path_factory.mktemp("mistakes")
    for table, good in GOOD.items():
        text = text_of(table, [{}, *CASES[table].values()]).encode()
        fields = [good[KEYS[table]] + "x", *list(good.values())[1:]]
        text += line([*fields, "one more"]).encode() + line(fields[:-1]).encode()
        place = list(good).index(
            {"products": "name", "customers": "region"}.get(table, KEYS[table])
        )
        fields[place] = "s\xfcd"
        (folder / f"{table}.csv").write_bytes(text + line(fields).encode("latin-1"))
    return check(folder, tmp_path_factory.mktemp("scratch"), tables=sources())


@pytest.fixture(scope="module")
def found(mistaken):
    rows = pd.read_parquet(mistaken.quarantine.path)
    assert not rows.duplicated(["table", "row_number"]).any()
    return rows.set_index(["table", "row_number"])["reason"]


def test_every_reason_that_the_checks_can_give_has_a_case(configured):
    for name, contract in configured(tables=sources()).contracts().items():
        assert set(phrases(contract)) == {*CASES[name], *FORM}


@pytest.mark.parametrize(("table", "reason"), ALL)
def test_a_bad_row_is_quarantined_for_its_reason(found, table, reason):
    # Row 1 is good, and so is 2; cases follow in order, then what lies in the text.
    row = 3 + [*CASES[table], *FORM].index(reason)
    assert found[table, row] == reason


def test_good_rows_beside_the_bad_ones_are_used(mistaken, found):
    for table in GOOD:
        used = pd.read_parquet(mistaken.tables.path / table)
        assert len(used) == 2
        assert not {1, 2} & set(found[table].index)
        counted = mistaken.quality["tables"][table]
        assert {r["reason"]: r["rows"] for r in counted["reasons"]} == dict.fromkeys(
            [*CASES[table], *FORM], 1
        )
        assert counted["warnings"] == []


# --- clocks that differ

EXPORT = datetime(2026, 1, 1)
ASSIGNED = datetime(2022, 1, 1, 10)
JOINED = datetime(2020, 1, 1)

# What happens some minutes too early or too late, by table and reason.
OFF = {
    ("customers", "joined_at in the future"): lambda m: {"joined_at": EXPORT + m},
    ("customers", "consented_at in the future"): lambda m: {"consented_at": EXPORT + m},
    ("customers", "opted_out_at in the future"): lambda m: {"opted_out_at": EXPORT + m},
    ("customers", "called_at in the future"): lambda m: {"called_at": EXPORT + m},
    ("transactions", "ordered_at in the future"): lambda m: {"ordered_at": EXPORT + m},
    ("transactions", "before the customer joined"): lambda m: {"ordered_at": JOINED - m},
    ("transactions", "return before its order"): lambda m: {
        **BACK,
        "ordered_at": datetime(2022, 1, 1) - m,
    },
    ("sessions", "started_at in the future"): lambda m: {"started_at": EXPORT + m},
    ("sessions", "before the customer joined"): lambda m: {"started_at": JOINED - m},
    ("email_log", "assigned_at in the future"): lambda m: {**UNREAD, "assigned_at": EXPORT + m},
    ("email_log", "opened_at in the future"): lambda m: {"clicked_at": "", "opened_at": EXPORT + m},
    ("email_log", "clicked_at in the future"): lambda m: {"clicked_at": EXPORT + m},
    ("email_log", "unsubscribed_at in the future"): lambda m: {"unsubscribed_at": EXPORT + m},
    ("email_log", "before the customer joined"): lambda m: {**UNREAD, "assigned_at": JOINED - m},
    ("email_log", "opened before sent"): lambda m: {"opened_at": ASSIGNED - m},
    ("email_log", "clicked before sent"): lambda m: {"opened_at": "", "clicked_at": ASSIGNED - m},
    ("email_log", "unsubscribed before sent"): lambda m: {"unsubscribed_at": ASSIGNED - m},
}


def test_every_check_that_compares_times_knows_of_clocks(configured):
    compared = set()
    for name, contract in configured(tables=sources()).contracts().items():
        checks = [*row_checks(contract), *place_checks(contract, products=True)]
        checks += [RETURN_BEFORE_ORDER] if name == "transactions" else []
        conditions = {c.reason: c.condition for c in checks if c.reason != "impossible birth year"}
        compared |= {
            (name, reason)
            for reason, condition in conditions.items()
            if "{skew}" in condition or "{latest}" in condition
        }
    assert compared == set(OFF)


@pytest.mark.parametrize(("skew", "used", "held"), [(10, 9, 11), (0, 0, 1), (1440, 1439, 1441)])
def test_clocks_may_differ_by_so_many_minutes_and_no_more(intake, skew, used, held):
    wrong = {table: [] for table in GOOD}
    for (table, _), change in OFF.items():
        wrong[table] += [change(timedelta(minutes=minutes)) for minutes in (used, held)]
    tables, _ = intake(
        {table: text_of(table, rows) for table, rows in wrong.items()},
        sources(),
        clock_skew_minutes=skew,
        as_of=EXPORT,
    )
    rows = tables["quarantine"].set_index(["table", "row_number"])["reason"]
    expected = {
        (table, 3 + 2 * i): reason
        for table in GOOD
        for i, reason in enumerate(reason for at, reason in OFF if at == table)
    }
    assert rows.to_dict() == expected


# --- rows that are used with a warning


@pytest.fixture
def warned(intake):
    """E-mails to customers who did not want them, or clicked before they were opened."""
    people = [
        {"customer_id": "left", "opted_out_at": "2022-01-01 09:45"},
        {"customer_id": "leaving", "opted_out_at": "2022-01-01 09:55"},
        {"customer_id": "silent", "consented_at": ""},
        {"customer_id": "late", "consented_at": "2022-01-02"},
    ]
    mails = [
        {"customer_id": "left"},
        {"customer_id": "leaving"},
        {"customer_id": "silent"},
        {"customer_id": "late"},
        {"customer_id": "late", "assigned_at": "2022-02-01", **UNREAD},
        {"customer_id": "left", "sent": "false", **UNREAD},
        {"customer_id": "left", "message": "control", "sent": "false", **UNREAD},
        {"clicked_at": "2022-01-01 10:49"},
        {"clicked_at": "2022-01-01 10:51"},
        {"opened_at": ""},
    ]
    texts = {"customers": text_of("customers", people), "email_log": text_of("email_log", mails)}
    texts["transactions"] = text_of("transactions", [])

    def run(**changes):
        return intake(texts, {"customers": {"extra": EXTRA["customers"]}}, **changes)

    return run


EXPECTED = {
    "clicked before opened": (1, "email_log.csv, row 9"),
    "sent after the opt-out": (1, "email_log.csv, row 2"),
    "sent without consent": (2, "email_log.csv, row 4"),
}


def test_every_warning_is_tested():
    assert {c.reason for checks in WARNINGS.values() for c in checks} == set(EXPECTED)
    assert set(WARNINGS) == {"email_log"}


def test_rows_with_a_warning_are_counted_and_used(warned):
    tables, quality = warned()
    counted = quality["tables"]["email_log"]
    assert {w["reason"]: (w["rows"], w["example"]) for w in counted["warnings"]} == EXPECTED
    assert len(tables["quarantine"]) == 0
    assert counted["rows_used"] == len(tables["email_log"]) == 11
    table = quality_table(quality).set_index("reason").loc[list(EXPECTED)]
    assert not table["quarantined"].any()
    assert (table["share"] == table["rows"] / 11).all()
    page = quality_report(quality)
    assert "Rows that are used all the same" in page
    assert "sent after the opt-out" in page
    enforce_limits(quality_table(quality))


def test_a_warning_stops_the_run_where_a_limit_says_so(warned):
    _, quality = warned(limits={"email_log": {"sent after the opt-out": 0}})
    with pytest.raises(DataError) as caught:
        enforce_limits(quality_table(quality))
    first = str(caught.value).splitlines()[0]
    expected = "9.1 % of assigned e-mails were sent after their customer had opted out"
    assert first == f"{expected}; the limit is 0 %."
