"""Policies: rules from customer to message.

A deterministic policy is an array of message columns, shape ``(n,)``; a randomised one is a
matrix of probabilities, shape ``(n, n_messages)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import CONTROL, MessageSet

PERSONALISED = "personalised"
RANDOM = "random"
TWO_DEPARTMENTS = "two_departments"
BY_SEGMENT = "by_segment"
"""Personalised in some segments, the best constant in the others."""
POLICY_TREE = "policy_tree"
"""A message for each of a few groups that a person can read."""

Policy = NDArray[np.int64] | NDArray[np.float32] | NDArray[np.float64]


def constant(n: int, message: int) -> NDArray[np.int64]:
    """Everyone gets the same message."""
    return np.full((n,), message, dtype=np.int64)


def uniform_random(n: int, n_messages: int) -> NDArray[np.float64]:
    """Every message with the same probability: the experiment, and the status quo."""
    return np.full((n, n_messages), 1.0 / n_messages)


def personalised(expected_profit: NDArray[np.float32]) -> NDArray[np.int64]:
    """The message with the highest expected profit, shape ``(n,)``."""
    return np.asarray(np.argmax(expected_profit, axis=1), dtype=np.int64)


def two_departments(
    expected_profit: NDArray[np.float32], messages: MessageSet
) -> NDArray[np.float32]:
    """The case's draft policy: a customer's two best departments share the e-mails equally.

    Parameters
    ----------
    expected_profit : ndarray, shape (n, n_messages)
    messages : MessageSet

    Returns
    -------
    ndarray of float32, shape (n, n_messages)
        Probability of each message; ``control`` is never sent.
    """
    mailed = [k for k, name in enumerate(messages) if name != CONTROL]
    out = np.zeros(expected_profit.shape, dtype=np.float32)
    rows = np.arange(len(out))
    if len(mailed) == 1:
        out[:, mailed[0]] = 1.0
        return out
    order = np.argsort(-expected_profit[:, mailed], axis=1, kind="stable")
    columns = np.array(mailed)
    for rank in (0, 1):
        out[rows, columns[order[:, rank]]] = 0.5
    return out


def level_of(expected_profit: NDArray[np.float32], messages: MessageSet) -> NDArray[np.float32]:
    """What a customer brings before costs, on average over messages, shape ``(n,)``."""
    gross = expected_profit + messages.costs.astype(np.float32)
    return np.asarray(gross.mean(axis=1), dtype=np.float32)


def candidate_policies(
    messages: MessageSet,
    expected_profit: NDArray[np.float32],
    single_models: dict[str, NDArray[np.float32]],
) -> dict[str, Policy]:
    """Every policy that a report compares.

    Parameters
    ----------
    messages : MessageSet
    expected_profit : ndarray of float32, shape (n, n_messages)
        Of the fusion, contrasts shrunk.
    single_models : dict of str to ndarray, shape (n, n_messages)
        Expected profit by each single model.

    Returns
    -------
    dict of str to policy
        Constants are named ``send <message>`` (``no e-mail`` for control), argmax policies of
        single models by the model's name.
    """
    n, k = expected_profit.shape
    policies: dict[str, Policy] = {
        constant_name(message): constant(n, column) for column, message in enumerate(messages)
    }
    policies[RANDOM] = uniform_random(n, k)
    policies[TWO_DEPARTMENTS] = two_departments(expected_profit, messages)
    for model, profit in single_models.items():
        policies[model] = personalised(profit)
    policies[PERSONALISED] = personalised(expected_profit)
    return policies


def constant_name(message: str) -> str:
    """Name of the policy that sends everyone ``message``."""
    return "no e-mail" if message == CONTROL else f"send {message}"
