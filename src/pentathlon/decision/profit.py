"""Expected and realised profit: the one place where money is made of probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet


def expected_profit(
    purchase_probability: NDArray[np.floating],
    expected_order_value: NDArray[np.floating],
    messages: MessageSet,
) -> NDArray[np.float32]:
    """Purchase probability x expected order value x margin - cost of the message.

    Parameters
    ----------
    purchase_probability, expected_order_value : ndarray, shape (n, n_messages)
    messages : MessageSet

    Returns
    -------
    ndarray of float32, shape (n, n_messages)
        In currency per customer. ``control`` has its own: orders come without an e-mail too.
    """
    value = purchase_probability * expected_order_value
    profit = value * messages.margins.astype(np.float32) - messages.costs.astype(np.float32)
    return np.asarray(profit, dtype=np.float32)


def realised_profit(
    order_value: NDArray[np.floating], message: NDArray[np.int64], messages: MessageSet
) -> NDArray[np.float64]:
    """Margin x order value - cost, for logged messages.

    Parameters
    ----------
    order_value : ndarray, shape (n,)
        0 without a response.
    message : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        In currency per customer.
    """
    value = np.asarray(order_value, dtype=np.float64)
    return value * messages.margins[message] - messages.costs[message]
