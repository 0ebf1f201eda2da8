"""The simulated retailer's tables say what its truth says."""

import json

import numpy as np
import pandas as pd
import pytest

from pentathlon.simulation import DEPARTMENTS, MESSAGES
from pentathlon.simulation.assignment import propensities
from pentathlon.simulation.events_settings import EventsConfig
from pentathlon.simulation.events_timeline import draw_block
from pentathlon.simulation.events_write import SimulatedEvents
from pentathlon.simulation.population import Customers
from pentathlon.simulation.world import build_world

CONFIG = EventsConfig(customers=800, dirty_rate=0.0)
NAMES = ("customers", "transactions", "sessions", "email_log", "products", "truth", "truth_now")


def written(config, folder):
    SimulatedEvents(config).save(folder)
    return {name: pd.read_parquet(folder / name) for name in NAMES}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    return written(CONFIG, tmp_path_factory.mktemp("events"))


@pytest.fixture(scope="module")
def block():
    return draw_block(CONFIG, build_world(CONFIG.effects, CONFIG.strength), 0)


def counts(tables, moments):
    """Purchases by customer and department in the 365 days before a moment of each."""
    lines = tables["transactions"].query("quantity > 0").merge(moments, on="customer_id")
    year = pd.Timedelta(days=365)
    lines = lines[(lines["ordered_at"] < lines["at"]) & (lines["ordered_at"] >= lines["at"] - year)]
    wide = lines.pivot_table(
        index="customer_id", columns="department", values="quantity", aggfunc="size", fill_value=0
    )
    return wide.reindex(index=moments["customer_id"], columns=list(DEPARTMENTS), fill_value=0)


def assigned(tables, campaign):
    log = tables["email_log"]
    rows = log[log["assignment_id"].str.startswith(f"A{campaign}-")].reset_index(drop=True)
    return rows, rows[["customer_id", "assigned_at"]].rename(columns={"assigned_at": "at"})


def position(customer_id):
    return customer_id.str[1:].astype(int).to_numpy()


def test_at_the_first_assignment_the_tables_count_what_was_drawn(tables, block):
    rows, moments = assigned(tables, 0)
    found = counts(tables, moments).to_numpy()
    assert (found == block.people.frequencies()[position(rows["customer_id"])]).all()
    assert found.sum() > 1000


@pytest.mark.parametrize("campaign", [0, 3])
def test_propensity_and_truth_follow_from_the_counts_in_the_tables(tables, block, campaign):
    rows, moments = assigned(tables, campaign)
    who = position(rows["customer_id"])
    numeric = block.people.numeric[who].copy()
    numeric[:, 3:] = counts(tables, moments).to_numpy()
    now = Customers(numeric, block.people.age[who], block.people.man[who])
    codes = rows["message"].map(MESSAGES.index).to_numpy()
    expected = propensities(now)[np.arange(len(rows)), codes]
    np.testing.assert_allclose(rows["propensity"], expected, rtol=1e-12)
    truth = tables["truth"].set_index("assignment_id").loc[rows["assignment_id"]]
    world = build_world(CONFIG.effects, CONFIG.strength)
    names = [f"purchase_probability_{m}" for m in MESSAGES]
    np.testing.assert_allclose(truth[names], world.purchase_probabilities(now), rtol=1e-5)


def test_a_customer_orders_in_the_window_if_and_only_if_the_truth_says_so(tables):
    log = tables["email_log"].merge(tables["truth"][["assignment_id", "response"]])
    lines = tables["transactions"].merge(log[["assignment_id", "customer_id", "assigned_at"]])
    since = lines["ordered_at"] - lines["assigned_at"]
    inside = (since > pd.Timedelta(0)) & (since <= pd.Timedelta(days=CONFIG.outcome_days))
    lines = lines[inside]
    assert set(lines["assignment_id"]) == set(log.loc[log["response"], "assignment_id"])
    assert lines["returns_order_id"].isna().all()
    assert log["response"].sum() > 10
    value = lines["quantity"] * lines["unit_price"] - lines["discount"]
    total = value.groupby(lines["assignment_id"]).sum().round(6)
    assert (total == total.round()).all()  # orders are whole units of currency
    assert (total >= 5).all()
    assert lines.groupby("assignment_id")["order_id"].nunique().max() == 1


def test_events_are_in_an_order_that_can_happen(tables):
    people = tables["customers"].set_index("customer_id")
    for name, moment in (("transactions", "ordered_at"), ("sessions", "started_at")):
        joined = tables[name]["customer_id"].map(people["joined_at"])
        assert (tables[name][moment] >= joined).all()
        assert (tables[name][moment] <= pd.Timestamp(CONFIG.exported_at)).all()
    log = tables["email_log"]
    consent, left = (log["customer_id"].map(people[c]) for c in ("consented_at", "opted_out_at"))
    assert (consent <= log["assigned_at"]).all()
    assert not (left < log["assigned_at"]).any()
    assert log.loc[~log["sent"], "message"].eq("control").all()
    assert (log["clicked_at"].dropna() > log.loc[log["clicked_at"].notna(), "opened_at"]).all()
    back = tables["transactions"].dropna(subset="returns_order_id")
    orders = tables["transactions"].groupby("order_id")["ordered_at"].min()
    assert len(back) > 50
    assert (back["ordered_at"] > back["returns_order_id"].map(orders)).all()


def test_an_unsubscribed_customer_is_not_assigned_again(tables):
    log = tables["email_log"]
    left = log.dropna(subset="unsubscribed_at").set_index("customer_id")["assigned_at"]
    later = log[log["customer_id"].isin(left.index)]
    assert (later["assigned_at"] <= later["customer_id"].map(left)).all()


def test_files_and_size_change_no_event(tables, tmp_path):
    config = CONFIG.model_copy(update={"customers": 17_000, "customers_per_file": 1})
    larger = written(config, tmp_path / "small_files")
    whole = config.model_copy(update={"customers_per_file": 100_000})
    other = written(whole, tmp_path / "one_file")
    for name in NAMES:
        pd.testing.assert_frame_equal(larger[name], other[name])
        if name != "products":
            few = larger[name][position(larger[name]["customer_id"]) < CONFIG.customers]
            pd.testing.assert_frame_equal(few.reset_index(drop=True), tables[name])
    assert len(list((tmp_path / "small_files" / "customers").iterdir())) == 2
    assert len(list((tmp_path / "one_file" / "customers").iterdir())) == 1


def test_bad_rows_are_added_and_nothing_good_is_altered(tables, tmp_path):
    dirty = written(CONFIG.model_copy(update={"dirty_rate": 0.02}), tmp_path)
    bad = json.loads((tmp_path / "simulated.json").read_text())["bad_rows"]
    for name, kinds in bad.items():
        clean = tables[name]
        pd.testing.assert_frame_equal(dirty[name].head(len(clean)), clean, check_dtype=False)
        assert len(dirty[name]) == len(clean) + sum(kinds.values())
    assert all(count > 0 for count in bad["transactions"].values())


def test_windows_that_overlap_are_refused():
    with pytest.raises(ValueError, match="every outcome window is complete"):
        EventsConfig(days_between_campaigns=15, outcome_days=14)
