from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pentathlon.contract import MessageSet
from pentathlon.decision import candidate_policies
from pentathlon.decision.policies import (
    constant,
    constant_name,
    personalised,
    two_departments,
    uniform_random,
)


def message_set(*names: str) -> MessageSet:
    return MessageSet({m: {"margin": 0.4} for m in names})


FOUR = message_set("water", "control", "team", "golf")
PROFIT = np.array([[1, 9, 2, 3], [5, 0, 4, 4], [2, 2, 2, 2]], dtype=np.float32)


def test_the_personalised_policy_takes_the_highest_profit_and_the_first_of_equals() -> None:
    assert personalised(PROFIT).tolist() == [1, 0, 0]
    assert personalised(PROFIT).dtype == np.int64


def test_constant_and_random_policies() -> None:
    assert constant(3, 2).tolist() == [2, 2, 2]
    np.testing.assert_array_equal(uniform_random(2, 4), np.full((2, 4), 0.25))
    assert constant_name("control") == "no e-mail"
    assert constant_name("golf") == "send golf"


def test_two_best_departments_share_the_e_mails_and_control_gets_none() -> None:
    np.testing.assert_array_equal(
        two_departments(PROFIT, FOUR),
        [[0, 0, 0.5, 0.5], [0.5, 0, 0.5, 0], [0.5, 0, 0.5, 0]],
    )


def test_a_single_department_gets_every_e_mail() -> None:
    np.testing.assert_array_equal(
        two_departments(PROFIT[:, :2], message_set("control", "water")), [[0, 1]] * 3
    )


def test_candidates_are_named_as_people_speak_of_them() -> None:
    other = PROFIT[:, ::-1].copy()
    policies = candidate_policies(FOUR, PROFIT, {"forest": other})
    assert list(policies) == [
        *["send water", "no e-mail", "send team", "send golf"],
        *["random", "two_departments", "forest", "personalised"],
    ]
    assert policies["no e-mail"].tolist() == [1, 1, 1]
    assert policies["send golf"].tolist() == [3, 3, 3]
    assert policies["forest"].tolist() == other.argmax(axis=1).tolist()
    assert policies["personalised"].tolist() == [1, 0, 0]
    np.testing.assert_array_equal(policies["random"], 0.25)
    np.testing.assert_array_equal(policies["two_departments"], two_departments(PROFIT, FOUR))


@given(
    profit=arrays(np.float32, (6, 4), elements=st.floats(-5, 50, width=32), unique=True),
    order=st.permutations(range(4)),
    rows=st.permutations(range(6)),
)
def test_neither_order_of_customers_nor_of_messages_matters(
    profit: np.ndarray, order: list[int], rows: list[int]
) -> None:
    shuffled = message_set(*(FOUR.names[k] for k in order))
    turned = np.ascontiguousarray(profit[rows][:, order])
    before = candidate_policies(FOUR, profit, {"model": -profit})
    after = candidate_policies(shuffled, turned, {"model": -turned})
    assert set(after) == set(before)
    for name, policy in before.items():
        if policy.ndim == 1:
            got = np.array(order)[after[name]]
            np.testing.assert_array_equal(got, policy[rows], err_msg=name)
        else:
            np.testing.assert_array_equal(after[name], policy[rows][:, order], err_msg=name)
            np.testing.assert_allclose(after[name].sum(axis=1), 1)
