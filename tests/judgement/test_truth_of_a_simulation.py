from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.errors import EvaluationError
from pentathlon.judgement import Judged, compare_with_truth

MESSAGES = MessageSet({"control": {"margin": 0.5}, "water": {"margin": 0.5, "send_cost": 1.0}})
P = np.array([[0.2, 0.4], [0.4, 0.4], [0.2, 0.6], [0.4, 0.3]])
TRUTH = pd.DataFrame(
    {
        "custid": ["a", "b", "c", "d"],
        "purchase_probability_control": P[:, 0],
        "purchase_probability_water": P[:, 1],
        "expected_order_value_control": 20.0,
        "expected_order_value_water": [20.0, 20.0, 10.0, 20.0],
    }
)
# True profit: control 2, 4, 2, 4; water 3, 3, 2, 2. Best possible (3 + 4 + 2 + 4) / 4 = 3.25.


@pytest.fixture
def four() -> Judged:
    """Water for a and d: a is right, d is wrong."""
    keys = pd.DataFrame(
        {
            "customer_id": ["d", "a", "c", "b"],
            "fold": -1,
            "message": ["water", "control", "water", "control"],
            "propensity": 0.5,
            "response": [1, 1, 0, 0],
            "order_value": [20.0, 30.0, 0.0, 0.0],
            "sampling_weight": 1.0,
            "natural_rate": True,
            "decision": ["water", "water", "control", "control"],
            "policy": "personalised",
        }
    )
    p = P[[3, 0, 2, 1]].astype(np.float32)
    profit = np.array([[0, 1], [0, 1], [1, 0], [1, 0]], dtype=np.float32)
    return Judged(
        keys, {"xgboost": p, "fusion": p}, np.full((4, 2), 20, np.float32), profit, MESSAGES
    )


def test_a_real_retailer_has_no_truth(four: Judged) -> None:
    summary, policies = compare_with_truth(four, None, 0.95)
    assert summary == {"known": False}
    assert len(policies) == 0
    assert "covered" in policies.columns


def test_truth_by_hand(four: Judged) -> None:
    summary, policies = compare_with_truth(four, TRUTH, 0.95)
    # Shipped: d 2, a 3, c 2, b 4.
    assert summary["known"]
    assert summary["true_value"] == pytest.approx(11 / 4)
    assert summary["true_best_constant"] == "control"
    assert summary["true_best_constant_value"] == pytest.approx(3)
    assert summary["best_possible"] == pytest.approx(13 / 4)
    assert summary["regret"] == pytest.approx(0.5)
    assert summary["true_gain"] == pytest.approx(-0.25)
    assert summary["true_gain_percent"] == pytest.approx(-100 / 12)
    assert summary["attainable_gain"] == pytest.approx(0.25)
    assert summary["captured_share"] == pytest.approx(-1)
    truth = policies.set_index("policy")["truth"]
    assert truth["no e-mail"] == pytest.approx(3)
    assert truth["send water"] == pytest.approx(10 / 4)
    assert truth["random"] == pytest.approx(11 / 4)
    assert truth["personalised"] == pytest.approx(11 / 4)
    table = policies.set_index("policy")
    assert table.loc["no e-mail", "true_gain_percent"] == pytest.approx(0)
    inside = (table["lower"] <= table["truth"]) & (table["truth"] <= table["upper"])
    assert (table["covered"] == inside).all()
    # Probabilities under the logged message: d 0.3, a 0.2 bought; c 0.6, b 0.4 did not.
    assert summary["auc_of_truth"] == 0
    assert summary["auc_of_fusion"] == 0


def test_weights_count_in_the_truth(four: Judged) -> None:
    keys = four.keys.assign(sampling_weight=[1.0, 2.0, 0.5, 0.5])
    summary, _ = compare_with_truth(replace(four, keys=keys), TRUTH, 0.95)
    assert summary["true_value"] == pytest.approx((1 * 2 + 2 * 3 + 0.5 * 2 + 0.5 * 4) / 4)


def test_rows_of_the_truth_may_come_in_any_order_and_number(four: Judged) -> None:
    reference = compare_with_truth(four, TRUTH, 0.95)[0]
    more = pd.concat([TRUTH.assign(custid=["w", "x", "y", "z"]), TRUTH.iloc[::-1]])
    assert compare_with_truth(four, more, 0.95)[0] == reference


def test_the_truth_of_another_simulation_is_refused(four: Judged) -> None:
    with pytest.raises(EvaluationError, match="does not know 1 of 4"):
        compare_with_truth(four, TRUTH.assign(custid=["a", "b", "c", "x"]), 0.95)
    with pytest.raises(EvaluationError, match=r"lacks \['expected_order_value_water'\]"):
        compare_with_truth(four, TRUTH.drop(columns="expected_order_value_water"), 0.95)


def test_declared_contact_costs_are_part_of_the_truth(four: Judged) -> None:
    cost = np.array([0.1, 0.3, 9.0, 9.0], dtype=np.float32)
    pressed = replace(four, keys=four.keys.assign(contact_cost=cost))
    before, after = (compare_with_truth(rows, TRUTH, 0.95)[0] for rows in (four, pressed))
    # d and a get an e-mail; c and b get none, whatever one would cost.
    assert after["true_value"] == pytest.approx(before["true_value"] - (0.1 + 0.3) / 4)
    # At best a still gets water, for 0.3 less.
    assert after["best_possible"] == pytest.approx(before["best_possible"] - 0.3 / 4)
