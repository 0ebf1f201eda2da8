from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pentathlon.contract import MessageSet
from pentathlon.decision import expected_profit, realised_profit

DEFINITIONS = {
    "control": {"margin": 0.4},
    "water": {"margin": 0.5, "send_cost": 0.05, "unsubscribe_cost": 0.15, "department": "water"},
    "team": {"margin": 0.25, "send_cost": 0.1, "department": "team"},
}
MESSAGES = MessageSet(DEFINITIONS)


def test_expected_profit_by_hand() -> None:
    p = np.array([[0.1, 0.2, 0.4], [0.0, 1.0, 0.01]], dtype=np.float32)
    v = np.array([[50, 40, 20], [30, 30, 30]], dtype=np.float32)
    profit = expected_profit(p, v, MESSAGES)
    # Control earns its orders: it is no zero.
    np.testing.assert_allclose(profit, [[2.0, 3.8, 1.9], [0.0, 14.8, -0.025]], rtol=1e-6)
    assert profit.dtype == np.float32


def test_realised_profit_by_hand() -> None:
    profit = realised_profit(np.array([100.0, 100.0, 100.0, 0.0]), np.array([0, 1, 2, 1]), MESSAGES)
    np.testing.assert_allclose(profit, [40.0, 49.8, 24.9, -0.2])
    assert profit.dtype == np.float64


@given(order=st.permutations(range(3)), rows=st.permutations(range(5)))
def test_neither_order_of_customers_nor_of_messages_matters(
    order: list[int], rows: list[int]
) -> None:
    rng = np.random.default_rng(0)
    p, v = rng.random((5, 3)), rng.gamma(2, 20, (5, 3))
    names = [MESSAGES.names[k] for k in order]
    shuffled = MessageSet({m: DEFINITIONS[m] for m in names})
    np.testing.assert_array_equal(
        expected_profit(p[rows][:, order], v[rows][:, order], shuffled),
        expected_profit(p, v, MESSAGES)[rows][:, order],
    )
    message = np.array([0, 1, 2, 1, 0])
    np.testing.assert_array_equal(
        realised_profit(v[:, 0], np.argsort(order)[message], shuffled),
        realised_profit(v[:, 0], message, MESSAGES),
    )
