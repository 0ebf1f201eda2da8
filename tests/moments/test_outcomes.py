"""Responses and order values of assignments, by hand and against a slow reference."""

import pandas as pd
import pytest

from pentathlon.errors import DataError
from pentathlon.moments.outcomes import LEAST, check_costs, with_outcomes
from pentathlon.moments.settings import OutcomeSettings

ASSIGNED = pd.Timestamp("2025-06-01")


def line(order, days, quantity=1, price=10.0, returns=None, department="water", customer="A"):
    return {
        "order_id": order,
        "line_number": 1,
        "customer_id": customer,
        "ordered_at": ASSIGNED + pd.Timedelta(days=days),
        "department": department,
        "product_id": "P1",
        "quantity": quantity,
        "unit_price": price,
        "discount": 0.0,
        "returns_order_id": returns,
    }


@pytest.fixture
def outcomes(stored):
    def of(lines, rows, products=None, **settings):
        frames = {"transactions": pd.DataFrame(lines).astype({"returns_order_id": "str"})}
        if products is not None:
            frames["products"] = products
        tables = stored(frames)
        moments = stored({"assigned": rows})["assigned"]
        found = with_outcomes(tables, moments, OutcomeSettings(**settings))
        return found.order_by("row_id").to_pandas()

    return of


@pytest.fixture
def outcome(outcomes):
    def of(*lines, **settings):
        rows = pd.DataFrame({"row_id": [0], "customer_id": ["A"], "moment": [ASSIGNED]})
        row = outcomes(lines, rows, **({"window_days": 14, "return_days": 14} | settings)).iloc[0]
        return row["response"], row["order_value"]

    return of


def test_the_window_begins_with_the_assignment_and_ends_before_its_last_instant(outcome):
    assert outcome(line("1", 0)) == (1, 10)
    assert outcome(line("1", -1e-6)) == (0, 0)
    assert outcome(line("1", 14)) == (0, 0)
    assert outcome(line("1", 13.999)) == (1, 10)


def test_orders_of_every_department_add_up(outcome):
    assert outcome(line("1", 1), line("1", 1, 2, department="team"), line("2", 5)) == (1, 40)


def test_what_comes_back_is_taken_off_its_order(outcome):
    bought = line("1", 1, quantity=3)
    assert outcome(bought, line("9", 20, quantity=-1, returns="1")) == (1, 20)
    assert outcome(bought, line("9", 20, quantity=-3, returns="1")) == (0, 0)
    assert outcome(bought, line("9", 20, quantity=-3, returns="1"), net_returns=False) == (1, 30)


def test_returns_after_their_time_and_of_other_orders_take_nothing_off(outcome):
    bought = line("1", 1)
    assert outcome(bought, line("9", 28, quantity=-1, returns="1")) == (1, 10)
    assert outcome(bought, line("9", 2, quantity=-1, returns="0")) == (1, 10)
    assert outcome(bought, line("9", 2, quantity=-1, returns="1", customer="B")) == (1, 10)


def test_more_that_comes_back_than_was_bought_makes_no_negative_order(outcome):
    assert outcome(line("1", 1), line("2", 2), line("9", 3, -5, returns="1")) == (1, 10)


def slow_outcome(row, lines, settings):
    """Order value of one assignment, order by order."""
    end = row["moment"] + pd.Timedelta(days=settings.window_days)
    until = end + pd.Timedelta(days=settings.return_days)
    own = lines.loc[lines["customer_id"] == row["customer_id"]].to_dict("records")
    paid: dict[str, float] = {}
    for x in own:
        if x["quantity"] > 0 and row["moment"] <= x["ordered_at"] < end:
            value = x["quantity"] * x["unit_price"] - x["discount"]
            paid[x["order_id"]] = paid.get(x["order_id"], 0.0) + value
    for order in paid:
        for x in own:
            if x["returns_order_id"] == order and x["quantity"] < 0 and x["ordered_at"] < until:
                paid[order] -= -x["quantity"] * x["unit_price"] - x["discount"]
    return sum(max(value, 0.0) for value in paid.values())


def test_outcomes_equal_the_slow_reference(small, outcomes):
    tables = small.small_tables(8)
    log = tables["email_log"]
    rows = log[["customer_id"]].assign(row_id=range(len(log)), moment=log["assigned_at"])
    settings = OutcomeSettings(window_days=21, return_days=10)
    found = outcomes(tables["transactions"], rows, **settings.model_dump())
    expected = [
        slow_outcome(row, tables["transactions"], settings) for row in rows.to_dict("records")
    ]
    assert found["order_value"].tolist() == pytest.approx(expected, abs=1e-3)
    assert (found["response"] == (found["order_value"] > 0)).all()
    assert 0.1 < found["response"].mean() < 0.9


@pytest.fixture
def earned(outcomes):
    """Response and margin of one assignment; a piece of P1 costs 6, of P2 9.50."""
    products = pd.DataFrame({"product_id": ["P1", "P2"], "cost": [6.0, 9.5]})

    def of(*lines, **settings):
        rows = pd.DataFrame({"row_id": [0], "customer_id": ["A"], "moment": [ASSIGNED]})
        row = outcomes(list(lines), rows, products, value="margin", **settings).iloc[0]
        return row["response"], pytest.approx(row["order_value"])

    return of


def test_a_margin_is_what_is_left_after_the_cost_of_what_was_kept(earned):
    assert earned(line("1", 1)) == (1, 4)
    assert earned(line("1", 1, 2) | {"discount": 3.0}, line("2", 3) | {"product_id": "P2"}) == (
        1,
        5.5,
    )
    bought = line("1", 1, quantity=3)
    assert earned(bought, line("9", 20, quantity=-1, returns="1")) == (1, 8)
    assert earned(bought, line("9", 20, quantity=-1, returns="1"), net_returns=False) == (1, 12)
    # Everything came back: no response, and nothing earned or lost.
    assert earned(bought, line("9", 20, quantity=-3, returns="1")) == (0, 0)
    assert earned(bought, line("9", 20, -3, returns="1"), line("2", 2)) == (1, 4)


def test_a_response_at_a_loss_is_a_response_worth_next_to_nothing(earned):
    assert earned(line("1", 1) | {"discount": 7.0}) == (1, LEAST)


def test_margins_need_the_cost_of_everything_that_was_bought(stored):
    lines = pd.DataFrame([line("1", 1), line("2", 2) | {"product_id": "P2"}])
    lines = lines.astype({"returns_order_id": "str"})
    tables = stored({"transactions": lines})
    with pytest.raises(DataError, match="needs the table products"):
        check_costs(tables)
    costs = pd.DataFrame({"product_id": ["P1", "P2"], "cost": [6.0, None]})
    with pytest.raises(DataError, match="1 of 2 lines are of products whose cost"):
        check_costs(stored({"transactions": lines, "products": costs}))
    check_costs(stored({"transactions": lines, "products": costs.fillna(1.0)}))
