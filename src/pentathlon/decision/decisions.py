"""What is predicted, decided and why, as tables for people."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.limiting import LimitOutcome
from pentathlon.decision.plan import Plan

LEVERS = "levers"
"""Name of what levers did, among what rules did."""


@dataclass(frozen=True)
class Prediction:
    """What the engine expects of ``n`` customers under every message.

    Attributes
    ----------
    purchase_probability : ndarray of float32, shape (n, n_messages)
        Fused and calibrated, contrasts shrunk.
    expected_order_value : ndarray of float32, shape (n, n_messages)
        In currency, of a buyer.
    expected_profit : ndarray of float32, shape (n, n_messages)
        In currency per customer.
    by_model : dict of str to ndarray of float32, shape (n, n_messages)
        Purchase probability by each single model.
    group : ndarray of int64, shape (n,), or None
        Group of each customer, where the engine's policy goes by groups.
    """

    purchase_probability: NDArray[np.float32]
    expected_order_value: NDArray[np.float32]
    expected_profit: NDArray[np.float32]
    by_model: dict[str, NDArray[np.float32]]
    group: NDArray[np.int64] | None = None


def decisions_table(
    customer_id: NDArray[np.object_],
    prediction: Prediction,
    plan: Plan,
    messages: MessageSet,
    policy: str,
) -> pd.DataFrame:
    """One decision per customer, with what it was weighed against.

    Parameters
    ----------
    customer_id : ndarray of object, shape (n,)
    prediction : Prediction
    plan : Plan
    messages : MessageSet
    policy : str
        Name of the policy.

    Returns
    -------
    DataFrame, n rows, same order
        customer_id, message, purchase_probability, expected_order_value, expected_profit,
        expected_profit_of_control (missing where there is no control), runner_up (the message of
        highest expected profit among the others that rules allow, missing where they allow no
        other), runner_up_expected_profit, lead (expected profit over the runner-up's; below 0
        where something other than profit decided), policy, decided_by (``policy``, ``rule``,
        ``limit``, ``lever``, ``contact cost``, ``mandatory``, ``exploration`` or ``holdout``),
        preferred (what the policy would send without rules, limits and chance), removed (each
        message that a rule removed, and the rule), propensity (probability with which the message
        was drawn).
    """
    choice = plan.draw.choice
    rows = np.arange(len(choice))
    profit = prediction.expected_profit
    others = np.where(plan.removed_by == 0, profit, np.float32(-np.inf))
    others[rows, choice] = -np.inf
    runner_up = others.argmax(axis=1)
    other = np.isfinite(others[rows, runner_up])
    names = np.array(messages.names, dtype=object)
    control = messages.control
    text = ("customer_id", "message", "runner_up", "policy", "decided_by", "preferred", "removed")
    return pd.DataFrame(
        {
            "customer_id": customer_id,
            "message": names[choice],
            "purchase_probability": prediction.purchase_probability[rows, choice],
            "expected_order_value": prediction.expected_order_value[rows, choice],
            "expected_profit": profit[rows, choice],
            "expected_profit_of_control": (
                np.full(len(rows), np.nan, dtype=np.float32)
                if control is None
                else profit[:, control]
            ),
            "runner_up": np.where(other, names[runner_up], None),
            "runner_up_expected_profit": np.where(
                other, profit[rows, runner_up], np.float32(np.nan)
            ),
            "lead": np.where(
                other, profit[rows, choice] - profit[rows, runner_up], np.float32(np.nan)
            ),
            "policy": np.full(len(rows), policy, dtype=object),
            "decided_by": plan.draw.decided_by,
            "preferred": names[plan.preferred],
            "removed": removed_in_words(plan, messages),
            "propensity": plan.draw.of_choice,
        }
    ).astype(dict.fromkeys(text, "str"))


def removed_in_words(plan: Plan, messages: MessageSet) -> NDArray[np.object_]:
    """Which rule removed which message, per customer, shape ``(n,)``; empty where none did."""
    base = len(plan.rules) + 1
    patterns, which = (
        np.unique(plan.removed_by, axis=0, return_inverse=True)
        if base > 1
        else (
            np.zeros((1, len(messages)), dtype=np.int8),
            np.zeros(len(plan.removed_by), dtype=np.int64),
        )
    )
    words = []
    for pattern in patterns:
        by_rule: dict[str, list[str]] = {}
        for message, code in zip(messages, pattern.tolist(), strict=True):
            if code:
                by_rule.setdefault(plan.rules[code - 1], []).append(message)
        words.append("; ".join(f"{', '.join(gone)}: {rule}" for rule, gone in by_rule.items()))
    return np.array(words, dtype=object)[which.ravel()]


def rule_effects(plan: Plan, messages: MessageSet) -> pd.DataFrame:
    """What each rule did, and levers.

    Returns
    -------
    DataFrame, one row per rule that removed something, and one for levers that moved somebody
        rule (``levers`` for those), customers (who lost a message by it), messages_removed
        (customers times messages), first_choices_lost (customers whose most valuable message it
        removed, contact costs taken off, or from whose a lever moved them), worth_lost (what those
        lose between that message and the best that is left, in currency; by levers, what the
        favoured message is worth less).
    """
    rows = np.arange(len(plan.preferred))
    most = plan.worth.max(axis=1)
    first_choice = np.where(
        plan.worth[rows, plan.preferred] == most, plan.preferred, plan.worth.argmax(axis=1)
    )
    by = plan.removed_by[rows, first_choice]
    left = np.where(plan.removed_by == 0, plan.worth, np.float32(-np.inf)).max(axis=1)
    lost = (most - left).astype(np.float64)
    records = []
    for code, rule in enumerate(plan.rules, start=1):
        removed = plan.removed_by == code
        first = by == code
        records.append(
            {
                "rule": rule,
                "customers": int(removed.any(axis=1).sum()),
                "messages_removed": int(removed.sum()),
                "first_choices_lost": int(first.sum()),
                "worth_lost": float(lost[first].sum()),
            }
        )
    given_up = np.zeros(0) if plan.lever_cost is None else plan.lever_cost.astype(np.float64)
    if moved := int((given_up > 0).sum()):
        records.append(
            {
                "rule": LEVERS,
                "customers": moved,
                "messages_removed": 0,
                "first_choices_lost": moved,
                "worth_lost": float(given_up.sum()),
            }
        )
    columns = ["rule", "customers", "messages_removed", "first_choices_lost", "worth_lost"]
    return pd.DataFrame(records, columns=columns).astype({"rule": "str"})


def limits_table(limits: tuple[LimitOutcome, ...]) -> pd.DataFrame:
    """What became of each limit, one row per limit; see :class:`LimitOutcome`."""
    columns = list(LimitOutcome.__dataclass_fields__)
    return pd.DataFrame([asdict(limit) for limit in limits], columns=columns).astype(
        {"name": "str", "of": "str"}
    )
