"""Observations and customers on disk: passes, outcomes, divisions, what is left out and counted."""

import logging

import pandas as pd
import pyarrow.parquet as pq
import pytest

from pentathlon.errors import DataError
from pentathlon.moments.assemble import assemble_customers, assemble_observations, load_parts
from pentathlon.moments.database import open_database
from pentathlon.moments.dictionary import dictionary_page, feature_dictionary
from pentathlon.moments.settings import DatabaseSettings

CHOSEN = {"orders", "revenue", "days_since_order", "emails", "tier", "season", "open_share"}


@pytest.fixture(scope="module")
def tables(small):
    return small.small_tables(4, customers=60)


@pytest.fixture(scope="module")
def folders(tables, as_arrow, tmp_path_factory):
    """Clean tables as folders of part files."""
    root = tmp_path_factory.mktemp("clean")
    for name, table in tables.items():
        (root / name).mkdir()
        half = len(table) // 2
        for i, part in enumerate((table.iloc[:half], table.iloc[half:])):
            pq.write_table(as_arrow(part.reset_index(drop=True)), root / name / f"part-{i}.parquet")
    return {name: root / name for name in tables}


@pytest.fixture
def few(features):
    return [feature for feature in features if feature.declaration in CHOSEN]


def changed(settings, **changes):
    return settings.model_copy(update=changes)


def observations(folders, few, settings, scratch):
    made = assemble_observations(folders, few, settings, scratch)
    return load_parts(made.folder), made.summary


def test_every_assignment_is_an_observation_or_counted(folders, tables, few, settings, tmp_path):
    found, summary = observations(folders, few, settings, tmp_path)
    left_out = ("incomplete", "not_drawn", "in_the_gap", "observations")
    assert sum(summary[name] for name in left_out) == summary["assignments"]
    assert summary["assignments"] == len(tables["email_log"])
    assert all(summary[name] > 0 for name in left_out)
    assert len(found) == summary["observations"]
    assert found["customer_id"].is_unique
    assert not (tmp_path / "spill").exists()


def test_windows_are_complete_and_the_past_trains(folders, few, settings, tmp_path):
    found, summary = observations(folders, few, settings, tmp_path)
    wait = pd.Timedelta(days=28)
    assert (found["assigned_at"] + wait <= pd.Timestamp(summary["now"])).all()
    train, test = (found[found["split"] == split]["assigned_at"] for split in ("train", "test"))
    assert train.max() + wait <= test.min()
    assert len(train) > 0


def test_observations_carry_the_features_of_their_moment(
    folders, tables, few, settings, small, tmp_path
):
    every = {"division": settings.division.model_copy(update={"scheme": "none"})}
    every["observations"] = settings.observations.model_copy(update={"per_customer": "all"})
    found, _ = observations(folders, few, changed(settings, **every), tmp_path)
    sample = found.sample(25, random_state=1).reset_index(drop=True)
    rows = sample[["customer_id"]].assign(row_id=range(25), moment=sample["assigned_at"])
    expected = small.reference_features(tables, rows, few)
    for feature in few:
        wanted = expected[feature.name].tolist()
        if feature.kind == "number":
            wanted = pytest.approx(wanted, rel=1e-9, abs=1e-5)
        assert sample[feature.name].tolist() == wanted, feature.name


def test_the_draw_does_not_depend_on_the_order_of_the_log(
    folders, tables, few, settings, as_arrow, tmp_path
):
    first, _ = observations(folders, few, settings, tmp_path / "a")
    shuffled = tmp_path / "log"
    shuffled.mkdir()
    again = tables["email_log"].sample(frac=1, random_state=3).reset_index(drop=True)
    pq.write_table(as_arrow(again), shuffled / "part-0.parquet")
    second, _ = observations(folders | {"email_log": shuffled}, few, settings, tmp_path / "b")
    pd.testing.assert_frame_equal(first, second)
    seed = settings.observations.model_copy(update={"seed": 2})
    third, _ = observations(folders, few, changed(settings, observations=seed), tmp_path / "c")
    assert set(third["assignment_id"]) != set(first["assignment_id"])


def test_passes_change_nothing(folders, few, settings, tmp_path):
    whole = assemble_customers(folders, few, settings, tmp_path / "whole")
    small_passes = settings.database.model_copy(update={"rows_per_pass": 17})
    parts = assemble_customers(
        folders, few, changed(settings, database=small_passes), tmp_path / "parts"
    )
    assert whole.summary["effort"]["passes"] == 1
    assert parts.summary["effort"]["passes"] == 4
    table = load_parts(whole.folder)
    pd.testing.assert_frame_equal(table, load_parts(parts.folder))
    assert table["customer_id"].is_monotonic_increasing
    assert list(table.columns) == ["customer_id", *(feature.name for feature in few)]


def test_nothing_after_now_is_known(folders, tables, few, settings, tmp_path):
    now = tables["transactions"]["ordered_at"].sort_values().iloc[len(tables["transactions"]) // 2]
    then = changed(settings, now=now.to_pydatetime())
    table = load_parts(assemble_customers(folders, few, then, tmp_path).folder)
    lines = tables["transactions"]
    lines = lines[(lines["ordered_at"] <= now) & (lines["quantity"] > 0)]
    orders = lines.drop_duplicates(["order_id", "ordered_at"]).groupby("customer_id").size()
    expected = orders.reindex(table["customer_id"], fill_value=0)
    assert table["orders"].tolist() == expected.tolist()


def test_order_values_may_be_margins(folders, tables, few, settings, as_arrow, tmp_path):
    codes = tables["transactions"]["product_id"].drop_duplicates()
    products = pd.DataFrame({"product_id": codes, "cost": 2.0})
    pq.write_table(as_arrow(products.reset_index(drop=True)), tmp_path / "products.parquet")
    priced = folders | {"products": tmp_path / "products.parquet"}
    margin = settings.outcome.model_copy(update={"value": "margin"})
    left, summary = observations(priced, few, changed(settings, outcome=margin), tmp_path / "a")
    paid, _ = observations(folders, few, settings, tmp_path / "b")
    assert (left["response"] == paid["response"]).all()
    bought = paid["response"] == 1
    assert (left["order_value"] < paid["order_value"])[bought].all()
    assert summary["at_a_loss"] == (left["order_value"] == 0.01).sum()


def test_nothing_is_computed_for_who_may_not_be_mailed(folders, tables, few, settings, tmp_path):
    everybody = tables["customers"]["customer_id"]
    made = assemble_customers(folders, few, settings, tmp_path, everybody.iloc[[0, 5]])
    found = load_parts(made.folder)
    assert set(found["customer_id"]) == set(everybody) - set(everybody.iloc[[0, 5]])
    with pytest.raises(DataError, match="Of no customer there is consent"):
        assemble_customers(folders, few, settings, tmp_path / "none", everybody)


def test_a_log_without_complete_windows_is_refused(folders, few, settings, tmp_path, small):
    early = changed(settings, now=(small.START + 2 * small.DAY).to_pydatetime())
    with pytest.raises(DataError, match="complete outcome window of 28 days"):
        assemble_observations(folders, few, early, tmp_path)


def test_a_database_that_spills_says_so(tmp_path, features, caplog):
    import ibis

    few = [feature for feature in features if feature.declaration in {"orders", "revenue"}]
    settings = DatabaseSettings(memory_gib=0.07, threads=1, rows_per_pass=1_000_000)
    with open_database(settings, tmp_path / "spill") as database:
        people = ibis.range(150_000).unnest().name("row_id").as_table()
        people = people.mutate(customer_id=people.row_id.cast("string").hexdigest("md5"))
        rows = database.keep("people", people.mutate(moment=ibis.timestamp("2025-06-01T00:00:00")))
        lines = rows.select(
            "customer_id",
            order_id=rows.customer_id,
            ordered_at=ibis.timestamp("2025-05-01T00:00:00"),
            department=ibis.literal("water"),
            product_id=ibis.literal("P"),
            quantity=ibis.literal(2),
            unit_price=ibis.literal(1.5),
            discount=ibis.literal(0.0),
        )
        with caplog.at_level(logging.WARNING):
            effort = database.write_features({"transactions": lines}, rows, few, tmp_path / "out")
    found = load_parts(tmp_path / "out")
    assert len(found) == effort.rows == 150_000
    assert (found["revenue"] == 3.0).all()
    assert effort.spilled > 0
    assert "spilled up to" in caplog.text


def test_what_spills_while_a_table_is_kept_is_noted(tmp_path):
    import ibis

    settings = DatabaseSettings(memory_gib=0.05, threads=1)
    with open_database(settings, tmp_path / "spill") as database:
        numbers = ibis.range(1_000_000).unnest().name("row_id").as_table()
        wide = numbers.mutate(key=numbers.row_id.cast("string").hexdigest("md5"))
        kept = database.keep("kept", wide.group_by("key").aggregate(n=wide.count()))
        assert kept.count().execute() == 1_000_000
        assert database.spilled > 0
    assert not (tmp_path / "spill").exists()


def test_the_dictionary_describes_every_feature(folders, few, settings, tmp_path):
    made = assemble_customers(folders, few, settings, tmp_path)
    database = settings.database.model_copy(update={"scratch": str(tmp_path / "scratch")})
    described = feature_dictionary(few, made.folder, database)
    assert described["feature"].tolist() == [feature.name for feature in few]
    row = described.set_index("feature").loc["orders_30d"]
    table = load_parts(made.folder)
    assert row["zero"] == pytest.approx((table["orders_30d"] == 0).mean())
    assert row["maximum"] == table["orders_30d"].max()
    assert row["meaning"].endswith("in the 30 days before.")
    page = dictionary_page(described)
    assert page.count("\n| `") == len(few)
