"""Nothing that happens at the moment or after it changes a feature."""

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

EVENTS = {
    "transactions": ("ordered_at",),
    "sessions": ("started_at",),
    "email_log": ("assigned_at", "opened_at", "clicked_at", "unsubscribed_at"),
}


@pytest.fixture(scope="module")
def base(small):
    """Tables, one moment for each customer, and their features."""
    tables = small.small_tables(5, customers=12)
    rows = tables["customers"][["customer_id"]].assign(
        row_id=range(12), moment=small.START + 250 * small.DAY
    )
    return tables, rows


@pytest.fixture
def unchanged(base, features, compute):
    tables, rows = base
    return compute(tables, rows, features)


def copies(table: pd.DataFrame, columns: tuple[str, ...], moment, hours: list[int], data):
    """Some events of the table again, at the moment or later; of orders that exist and new."""
    picked = data.draw(
        st.lists(st.integers(0, len(table) - 1), min_size=len(hours), max_size=len(hours))
    )
    later = table.iloc[picked].reset_index(drop=True)
    times = moment + pd.to_timedelta(hours, unit="h")
    for column in columns:
        # Only what has happened: an e-mail of before may be opened after the moment.
        kept = later[column].isna() if column != columns[0] else pd.Series(False, later.index)
        later[column] = pd.Series(times, later.index).mask(kept)
    return later


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_later_events_change_no_feature(base, unchanged, features, compute, data):
    tables, rows = base
    hours = st.lists(st.integers(0, 5_000), min_size=1, max_size=6)
    more = {
        name: pd.concat(
            [
                tables[name],
                copies(tables[name], columns, rows["moment"][0], data.draw(hours), data),
            ],
            ignore_index=True,
        ).astype(tables[name].dtypes.to_dict())
        for name, columns in EVENTS.items()
    }
    after = compute(tables | more, rows, features)
    pd.testing.assert_frame_equal(unchanged, after)


def test_an_open_after_the_moment_is_no_open_of_an_email_before_it(base, features, compute):
    tables, rows = base
    moment = rows["moment"][0]
    log = tables["email_log"].copy()
    log["opened_at"] = log["opened_at"].mask(log["assigned_at"] < moment, moment)
    log["clicked_at"] = log["clicked_at"].mask(log["assigned_at"] < moment, moment)
    found = compute(tables | {"email_log": log}, rows, features)
    assert (found["emails"] > 0).any()
    assert (found["opens"] == 0).all()
    assert (found["clicks"] == 0).all()


def test_a_line_added_to_an_order_later_does_not_change_the_order(
    base, unchanged, features, compute
):
    tables, rows = base
    moment = rows["moment"][0]
    lines = tables["transactions"]
    added = lines.loc[lines["ordered_at"] < moment].assign(ordered_at=moment, unit_price=1e6)
    more = pd.concat([lines, added], ignore_index=True)
    after = compute(tables | {"transactions": more}, rows, features)
    assert (unchanged["orders"] > 0).any()
    pd.testing.assert_frame_equal(unchanged, after)
