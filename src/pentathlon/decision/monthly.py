"""A plan per customer over the weeks of a month, under a weekly cap.

Outcomes say what one e-mail brings. What a second and a third bring after it is in no data that
has one e-mail per customer, so the plan takes it from a declared decay: an assumption, and no
supported number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.engine import DecisionEngine
from pentathlon.decision.exploration import BY_HOLDOUT
from pentathlon.decision.monthly_settings import MonthlyPlanSettings
from pentathlon.decision.rules.screen import Screen
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import ParameterError

ROWS = 100_000
"""Customers planned at a time, so that memory stays flat."""


@dataclass(frozen=True)
class MonthlyPlan:
    """E-mails of a month.

    Attributes
    ----------
    message : ndarray of int64, shape (n, per_month)
        Columns in the order of sending; -1 where there are fewer e-mails.
    value : ndarray of float64, shape (n, per_month)
        What each is expected to bring over ``control`` after those before it, costs taken off, in
        currency; 0 where there is none.
    """

    message: NDArray[np.int64]
    value: NDArray[np.float64]


def plan_month(
    worth: NDArray[np.float32],
    allowed: NDArray[np.bool_],
    contact_costs: NDArray[np.floating],
    mandatory: NDArray[np.integer],
    settings: MonthlyPlanSettings,
    messages: MessageSet,
    minimum_gain: float | None = None,
) -> MonthlyPlan:
    r"""Choose and order each customer's e-mails so that their expected total is highest.

    The j-th e-mail (from 0), of message m, is taken to bring

    .. math:: d^j \, (g_m + c_m) - c_m - k_j

    with ``g`` its worth over ``control``, ``c`` its cost, ``d`` the decay and ``k`` the cost of
    another contact. A given set of messages brings most when the largest ``g + c`` is sent first
    (rearrangement inequality), so a recursion over messages in that order finds the best set.

    Parameters
    ----------
    worth : ndarray of float32, shape (n, n_messages)
        Contact costs not taken off, in currency.
    allowed : ndarray of bool, shape (n, n_messages)
    contact_costs : ndarray of float, shape (n, per_month)
        Of the first, second, ... further e-mail.
    mandatory : ndarray of int, shape (n,)
        Column of a message that is sent first whatever it earns; -1 for most.
    settings : MonthlyPlanSettings
    messages : MessageSet
    minimum_gain : float, optional
        Each e-mail that is not mandatory must bring it in its place in that order.

    Returns
    -------
    MonthlyPlan

    Raises
    ------
    ParameterError
        When there is no ``control`` to send to whom no e-mail is worth sending.
    """
    if messages.control is None:
        raise ParameterError(
            "decision.monthly_plan weighs every e-mail against control, which messages lacks."
        )
    n, most = len(worth), settings.per_month
    plan = MonthlyPlan(np.full((n, most), -1), np.zeros((n, most)))
    columns = np.array([k for k in range(len(messages)) if k != messages.control])
    for start in range(0, n, ROWS):
        for must in (False, True):
            rows = start + np.flatnonzero((mandatory[start : start + ROWS] >= 0) == must)
            if not len(rows):
                continue
            cost = messages.costs[columns]
            gross = worth[rows][:, columns].astype(np.float64) + cost
            gross -= worth[rows, messages.control].astype(np.float64)[:, None]
            times = allowed[rows][:, columns] * settings.times_each
            first = None
            if must:
                first = np.searchsorted(columns, mandatory[rows])
                times[np.arange(len(rows)), first] = settings.times_each
            chosen, value = _best(
                gross, cost, times, contact_costs[rows], first, settings, minimum_gain
            )
            plan.message[rows] = np.where(chosen >= 0, columns[chosen], -1)
            plan.value[rows] = value
    return plan


def _best(
    gross: NDArray[np.float64],
    cost: NDArray[np.float64],
    times: NDArray[np.integer],
    contact: NDArray[np.floating],
    first: NDArray[np.integer] | None,
    settings: MonthlyPlanSettings,
    minimum_gain: float | None,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Best sequence of every customer: messages and what each brings, ``(n, per_month)``."""
    n, k = gross.shape
    most = settings.per_month
    rows = np.arange(n)
    order = np.argsort(-gross, axis=1, kind="stable")
    kinds = k if settings.different_messages is None else min(settings.different_messages, k)
    track = 1 if settings.different_messages is None else kinds + 1
    total = np.full((n, most + 1, track), -np.inf)
    start, used = (0, 0) if first is None else (1, 1)
    total[:, start, min(used, track - 1)] = 0.0
    taken = np.zeros((k, n, most + 1, track), dtype=np.int8)
    for step in range(k):
        message = order[:, step]
        again = np.zeros(n, dtype=np.bool_) if first is None else message == first
        before, total = total, total.copy()
        for count in range(1, min(settings.times_each, most) + 1):
            room = times[rows, message] - again >= count
            each = _in_a_row(gross[rows, message], cost[message], contact, count, settings, most)
            gain = each.sum(axis=2)
            if minimum_gain is not None:
                least = each.min(axis=2)
                gain = np.where(least >= minimum_gain, gain, -np.inf)
            reached = before[:, : most + 1 - count] + gain[:, :, None]
            reached[~room] = -np.inf
            for old in range(track):
                # A message that was mandatory already counts among the different ones.
                for new, who in ((old, again), (old + 1, ~again)) if track > 1 else ((0, None),):
                    if new >= track:
                        continue
                    value = reached[:, :, old]
                    if who is not None:
                        value = np.where(who[:, None], value, -np.inf)
                    better = value > total[:, count:, new]
                    total[:, count:, new] = np.where(better, value, total[:, count:, new])
                    taken[step, :, count:, new] = np.where(
                        better, count, taken[step, :, count:, new]
                    )
    return _read_back(total, taken, order, gross, cost, contact, first, settings)


def _value_of(
    gross: NDArray[np.float64],
    cost: NDArray[np.float64],
    contact: NDArray[np.floating],
    position: int,
    settings: MonthlyPlanSettings,
) -> NDArray[np.float64]:
    """What a message brings as the e-mail number ``position`` (from 0), shape ``(n,)``."""
    value: NDArray[np.float64] = settings.decay**position * gross - cost - contact[:, position]
    return value


def _in_a_row(
    gross: NDArray[np.float64],
    cost: NDArray[np.float64],
    contact: NDArray[np.floating],
    count: int,
    settings: MonthlyPlanSettings,
    most: int,
) -> NDArray[np.float64]:
    """What ``count`` e-mails bring each, from every position, ``(n, positions, count)``."""
    one = np.stack([_value_of(gross, cost, contact, j, settings) for j in range(most)], axis=1)
    return np.lib.stride_tricks.sliding_window_view(one, count, axis=1)


def _read_back(
    total: NDArray[np.float64],
    taken: NDArray[np.int8],
    order: NDArray[np.int64],
    gross: NDArray[np.float64],
    cost: NDArray[np.float64],
    contact: NDArray[np.floating],
    first: NDArray[np.integer] | None,
    settings: MonthlyPlanSettings,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Follow the recursion back from each customer's best end."""
    n, track = len(total), total.shape[2]
    rows = np.arange(n)
    end = total.reshape(n, -1).argmax(axis=1)
    length, kinds = end // track, end % track
    chosen = np.full((n, settings.per_month), -1)
    for step in range(len(taken))[::-1]:
        count = taken[step, rows, length, kinds]
        message = order[:, step]
        for back in range(int(count.max(initial=0))):
            who = np.flatnonzero(count > back)
            chosen[who, length[who] - 1 - back] = message[who]
        again = np.zeros(n, dtype=np.bool_) if first is None else message == first
        length = length - count
        if track > 1:
            kinds = kinds - ((count > 0) & ~again)
    if first is not None:
        chosen[:, 0] = first
    value = np.zeros(chosen.shape)
    for j in range(chosen.shape[1]):
        who = np.flatnonzero(chosen[:, j] >= 0)
        message = chosen[who, j]
        value[who, j] = _value_of(gross[who, message], cost[message], contact[who], j, settings)
    return chosen, value


def month_of(
    engine: DecisionEngine,
    customers: pd.DataFrame,
    screen: Screen,
    contact_costs: NDArray[np.floating],
    settings: SendingSettings,
    month: MonthlyPlanSettings,
) -> pd.DataFrame:
    """Plan the month of customers by an engine, under what rules say of them today.

    Limits, presets, levers and exploration are about one campaign and play no part; the holdout
    gets no e-mail.

    Parameters
    ----------
    engine : DecisionEngine
    customers : DataFrame, n rows
        ``customer_id`` and the raw feature columns.
    screen : Screen
    contact_costs : ndarray of float, shape (n, per_month)
        See :func:`pentathlon.decision.rules.further_contact_costs`.
    settings : SendingSettings
    month : MonthlyPlanSettings

    Returns
    -------
    DataFrame
        See :func:`monthly_table`.
    """
    ids = customers["customer_id"].astype(str).to_numpy(dtype=object)
    screen = screen.of(ids)
    free = replace(screen, contact_cost=np.zeros_like(screen.contact_cost))
    chance = settings.exploration.model_copy(update={"share": 0.0})
    _, plan = engine.plan(customers, SendingSettings(exploration=chance), free)
    found = plan_month(
        plan.worth,
        plan.removed_by == 0,
        contact_costs,
        screen.mandatory,
        month,
        engine.messages,
        settings.rules.minimum_gain,
    )
    found.message[plan.draw.decided_by == BY_HOLDOUT] = -1
    return monthly_table(ids, found, month, engine.messages)


def monthly_table(
    customer_id: NDArray[np.object_],
    plan: MonthlyPlan,
    settings: MonthlyPlanSettings,
    messages: MessageSet,
) -> pd.DataFrame:
    """One row per e-mail, by customer and week.

    Returns
    -------
    DataFrame
        customer_id, week (from 1), number (of the customer's e-mails in the month, from 1),
        message, expected_profit (over ``control``, after the e-mails before, costs taken off, in
        currency). A customer's e-mails are spread evenly over the weeks; customers who get none
        are not in it.
    """
    sent = plan.message >= 0
    count = sent.sum(axis=1)
    row, number = np.nonzero(sent)
    week = number * settings.weeks // np.maximum(count[row], 1)
    names = np.array(messages.names, dtype=object)
    return pd.DataFrame(
        {
            "customer_id": customer_id[row],
            "week": (week + 1).astype(np.int8),
            "number": (number + 1).astype(np.int8),
            "message": names[plan.message[row, number]],
            "expected_profit": plan.value[row, number].astype(np.float32),
        }
    ).astype({"customer_id": "str", "message": "str"})


def no_month() -> pd.DataFrame:
    """The table of no plan at all."""
    kinds = {"customer_id": "str", "week": "int8", "number": "int8", "message": "str"}
    kinds["expected_profit"] = "float32"
    return pd.DataFrame(columns=list(kinds)).astype(kinds)


def monthly_summary(table: pd.DataFrame) -> pd.DataFrame:
    """E-mails and what they are expected to bring, by week and message.

    Returns
    -------
    DataFrame
        week, message, emails, customers, expected_profit (total over ``control``, in currency).
    """
    grouped = table.astype({"expected_profit": np.float64}).groupby(
        ["week", "message"], as_index=False
    )
    return grouped.agg(
        emails=("customer_id", "size"),
        customers=("customer_id", "nunique"),
        expected_profit=("expected_profit", "sum"),
    )
