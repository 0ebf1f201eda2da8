"""Asking the rules, before anything is predicted: who must not, and who must, get what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import CONTROL, MessageSet
from pentathlon.decision.rules.conditions import all_hold, dates_of
from pentathlon.decision.rules.screen import Screen
from pentathlon.decision.rules.settings import (
    ConsentRule,
    CoolDown,
    LimitSettings,
    PressureRule,
    RuleSettings,
)
from pentathlon.errors import DataError, ParameterError

CONSENT = "no consent"
SUPPRESSED = "suppression list"


@dataclass(frozen=True)
class Sources:
    """What is known about customers beside their features; any of it may be absent.

    Attributes
    ----------
    attributes : DataFrame, optional
        ``customer_id`` (unique) and any columns that rules ask for.
    suppressed : DataFrame, optional
        ``customer_id`` of those who must get no e-mail.
    contacts : DataFrame, optional
        E-mails sent: ``customer_id``, ``message``, ``sent_at``.
    purchases : DataFrame, optional
        ``customer_id``, ``department``, ``purchased_at``.
    """

    attributes: pd.DataFrame | None = None
    suppressed: pd.DataFrame | None = None
    contacts: pd.DataFrame | None = None
    purchases: pd.DataFrame | None = None


NO_SOURCES = Sources()


def screen_customers(
    customers: pd.DataFrame,
    messages: MessageSet,
    rules: RuleSettings,
    limits: Sequence[LimitSettings] = (),
    sources: Sources = NO_SOURCES,
    on: date | None = None,
    *,
    in_part: bool = False,
) -> Screen:
    """Ask every rule about every customer.

    Parameters
    ----------
    customers : DataFrame, n rows
        ``customer_id`` (unique) and columns that conditions may test.
    messages : MessageSet
    rules : RuleSettings
    limits : sequence of LimitSettings
        Whose conditions say whom they concern.
    sources : Sources
    on : date, optional
        The campaign's; rules with windows and dates need it.
    in_part : bool
        Whether these are some of the customers only, of whom a limit need not concern any.

    Returns
    -------
    Screen

    Raises
    ------
    ParameterError
        When rules name messages, departments or columns that are not there, or need a date or a
        table that is missing.
    DataError
        When a table that rules read is not what it should be.
    """
    _check_names(rules, limits, messages)
    ids = customers["customer_id"].astype("str").to_numpy(dtype=object)
    table = _with_attributes(customers, sources.attributes)
    people = pd.Index(ids)
    removed = np.zeros((len(ids), len(messages)), dtype=np.int8)
    names: list[str] = []
    for name, rows, columns in _removals(rules, table, people, messages, sources, on):
        fresh = np.zeros_like(removed, dtype=np.bool_)
        fresh[:, columns] = rows[:, None]
        fresh &= removed == 0
        if fresh.any():
            names.append(name)
            if len(names) > np.iinfo(np.int8).max:
                raise ParameterError("decision.rules: more than 127 rules removed something.")
            removed[fresh] = len(names)
    scopes = {limit.name: all_hold(limit.where, table) for limit in limits if limit.where}
    for name, scope in scopes.items():
        if not scope.any() and not in_part:
            raise ParameterError(
                f"decision.limits: '{name}' concerns nobody: no customer passes its conditions."
            )
    cost, complaint = _pressure(rules.pressure, table, people, sources, on)
    screen = Screen(
        ids,
        tuple(names),
        removed,
        np.full(len(ids), -1, dtype=np.int8),
        cost,
        complaint,
        scopes,
    )
    _mandate(screen, rules, table, messages)
    return screen


def further_contact_costs(
    customers: pd.DataFrame,
    rules: RuleSettings,
    e_mails: int,
    sources: Sources = NO_SOURCES,
    on: date | None = None,
) -> NDArray[np.float32]:
    """Expected cost of each of several further e-mails beside the messages' own.

    Parameters
    ----------
    customers : DataFrame, n rows
    rules : RuleSettings
        Its ``pressure`` says what another contact costs after how many.
    e_mails : int
        How many further ones, all taken to lie within the rule's window.
    sources : Sources
    on : date, optional

    Returns
    -------
    ndarray of float32, shape (n, e_mails)
        In currency; 0 without the rule.
    """
    table = _with_attributes(customers, sources.attributes)
    people = pd.Index(customers["customer_id"].astype("str"))
    costs = [
        _pressure(rules.pressure, table, people, sources, on, more=j)[0] for j in range(e_mails)
    ]
    return np.stack(costs, axis=1)


Removal = tuple[str, NDArray[np.bool_], list[int]]


def _removals(
    rules: RuleSettings,
    table: pd.DataFrame,
    people: pd.Index,
    messages: MessageSet,
    sources: Sources,
    on: date | None,
) -> Iterator[Removal]:
    """Name of a rule, customers whom it concerns, and columns that it removes."""
    e_mails = [k for k, name in enumerate(messages) if name != CONTROL]
    if rules.consent is not None:
        yield CONSENT, ~_consented(rules.consent, table, _day(on, CONSENT)), e_mails
    if sources.suppressed is not None:
        listed = _ids(sources.suppressed, "suppression_list")
        yield SUPPRESSED, np.asarray(people.isin(listed), dtype=np.bool_), e_mails
    for rule in rules.eligibility:
        columns = e_mails if rule.messages is None else _columns(rule.messages, messages)
        concerned = all_hold(rule.when, table)
        if rule.unless:
            concerned &= ~all_hold(rule.unless, table)
        yield rule.name, concerned, columns
    for period in rules.periods:
        today = _day(on, period.name)
        early = period.first_day is not None and today < np.datetime64(period.first_day)
        late = period.last_day is not None and today > np.datetime64(period.last_day)
        outside = np.full(len(table), early or late)
        yield period.name, outside, _columns(period.messages, messages)
    for cap in rules.frequency_caps:
        columns = e_mails if cap.messages is None else _columns(cap.messages, messages)
        counted = None if cap.messages is None else cap.messages
        had = _contacts(people, sources, cap.days, _day(on, cap.name), cap.name, counted)
        yield cap.name, had + 1 > cap.at_most, columns
    for rest in rules.cool_downs:
        yield from _resting(rest, people, messages, sources, _day(on, rest.name))


def _consented(rule: ConsentRule, table: pd.DataFrame, on: np.datetime64) -> NDArray[np.bool_]:
    agreed = np.ones(len(table), dtype=np.bool_)
    again = np.zeros(len(table), dtype=np.bool_)
    end_of_day = on + np.timedelta64(1, "D")
    out = None
    if rule.opted_out is not None:
        out = dates_of(_column(table, rule.opted_out), rule.opted_out)
    if rule.opted_in is not None:
        joined = dates_of(_column(table, rule.opted_in), rule.opted_in)
        agreed = (joined < end_of_day).to_numpy()
        if out is not None:
            again = agreed & (joined > out).to_numpy()
    if out is not None:
        agreed = agreed & (again | ~(out < end_of_day).to_numpy())
    return agreed


def _resting(
    rule: CoolDown,
    people: pd.Index,
    messages: MessageSet,
    sources: Sources,
    on: np.datetime64,
) -> Iterator[Removal]:
    if sources.purchases is None:
        raise ParameterError(
            f"decision.rules.cool_downs: '{rule.name}' needs the table purchase_history "
            "(customer_id, department, purchased_at)."
        )
    recent = _within(sources.purchases, "purchase_history", "purchased_at", rule.days, on)
    for column, department in enumerate(messages.departments):
        if department is None or (rule.departments and department not in rule.departments):
            continue
        buyers = recent.loc[recent["department"].astype("str") == department, "customer_id"]
        yield rule.name, np.asarray(people.isin(set(buyers)), dtype=np.bool_), [column]


def _pressure(
    rule: PressureRule | None,
    table: pd.DataFrame,
    people: pd.Index,
    sources: Sources,
    on: date | None,
    more: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    nothing = np.zeros(len(people), dtype=np.float32)
    if rule is None:
        return nothing, nothing
    had = np.zeros(len(people), dtype=np.int64)
    if len(rule.unsubscribe) > 1 or len(rule.complaint) > 1:
        had = _contacts(people, sources, rule.days, _day(on, "pressure"), "pressure", None) + more
    if isinstance(rule.customer_value, str):
        value = pd.to_numeric(_column(table, rule.customer_value), errors="coerce")
        if value.isna().any():
            raise DataError(
                f"column '{rule.customer_value}' of decision.rules.pressure has "
                f"{int(value.isna().sum())} values that are no numbers."
            )
        worth = value.to_numpy(dtype=np.float64)
    else:
        worth = np.full(len(people), rule.customer_value)
    chance = np.array(rule.unsubscribe)[np.minimum(had, len(rule.unsubscribe) - 1)]
    complaint = np.array(rule.complaint)[np.minimum(had, len(rule.complaint) - 1)]
    cost = chance * worth + complaint * rule.complaint_cost
    return cost.astype(np.float32), complaint.astype(np.float32)


def _mandate(
    screen: Screen, rules: RuleSettings, table: pd.DataFrame, messages: MessageSet
) -> None:
    """Fill in mandatory messages, and let their customers' other rules go."""
    lawful = {CONSENT, SUPPRESSED, *(r.name for r in (*rules.eligibility, *rules.periods))}
    binding = np.array([False, *(name in lawful for name in screen.rules)])
    for rule in rules.mandatory:
        column = _columns([rule.message], messages)[0]
        fits = all_hold(rule.when, table) & (screen.mandatory < 0)
        if rule.unless:
            fits &= ~all_hold(rule.unless, table)
        fits &= ~binding[screen.removed_by[:, column]]
        screen.mandatory[fits] = column
        screen.removed_by[fits, column] = 0


def _contacts(
    people: pd.Index,
    sources: Sources,
    days: int,
    on: np.datetime64,
    rule: str,
    counted: Sequence[str] | None,
) -> NDArray[np.int64]:
    """E-mails that each customer had in the window, shape ``(n,)``."""
    if sources.contacts is None:
        raise ParameterError(
            f"decision.rules: '{rule}' needs the table contact_history (customer_id, message, "
            "sent_at)."
        )
    recent = _within(sources.contacts, "contact_history", "sent_at", days, on)
    sent = recent["message"].astype("str")
    recent = recent[sent != CONTROL if counted is None else sent.isin(counted)]
    rows = people.get_indexer(pd.Index(recent["customer_id"]))
    return np.bincount(rows[rows >= 0], minlength=len(people))


def _within(
    history: pd.DataFrame, name: str, time: str, days: int, on: np.datetime64
) -> pd.DataFrame:
    """Rows of a history in the ``days`` days that end with the campaign's date."""
    wanted = {"customer_id", time}
    if not wanted <= set(history.columns):
        raise DataError(
            f"{name}: columns {list(history.columns)}, expected {sorted(wanted)} among them."
        )
    when = dates_of(history[time], time)
    end = on + np.timedelta64(1, "D")
    recent = history[((when >= end - np.timedelta64(days, "D")) & (when < end)).to_numpy()]
    return recent.assign(customer_id=recent["customer_id"].astype("str"))


def _with_attributes(customers: pd.DataFrame, attributes: pd.DataFrame | None) -> pd.DataFrame:
    if attributes is None:
        return customers
    ids = _ids(attributes, "customer_attributes")
    if ids.duplicated().any():
        raise DataError(
            f"customer_attributes: customer {ids[ids.duplicated()].iloc[0]!r} has several rows."
        )
    both = sorted((set(attributes.columns) & set(customers.columns)) - {"customer_id"})
    if both:
        raise DataError(f"customer_attributes: {both} are columns of the customers already.")
    table = attributes.assign(customer_id=ids).set_index("customer_id")
    more = table.reindex(customers["customer_id"].astype("str"))
    return pd.concat([customers.reset_index(drop=True), more.reset_index(drop=True)], axis=1)


def _ids(table: pd.DataFrame, name: str) -> pd.Series:
    if "customer_id" not in table.columns:
        raise DataError(f"{name}: no column customer_id among {list(table.columns)}.")
    return table["customer_id"].astype("str")


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table.columns:
        raise ParameterError(
            f"decision.rules: no column '{name}' among {list(table.columns)}; put it into the "
            "table customer_attributes."
        )
    return table[name]


def _day(on: date | None, rule: str) -> np.datetime64:
    if on is None:
        raise ParameterError(f"decision.rules: '{rule}' needs campaign.date.")
    return np.datetime64(on, "ns")


def _columns(names: Sequence[str], messages: MessageSet) -> list[int]:
    return [messages.names.index(name) for name in names]


def _check_names(
    rules: RuleSettings, limits: Sequence[LimitSettings], messages: MessageSet
) -> None:
    for rule in (*rules.eligibility, *rules.periods, *rules.frequency_caps, *limits):
        for name in rule.messages or ():
            if name not in messages.names:
                raise ParameterError(
                    f"decision: '{rule.name}' names the message '{name}'; there are "
                    f"{list(messages)}."
                )
            if name == CONTROL and not isinstance(rule, LimitSettings):
                raise ParameterError(
                    f"decision.rules: '{rule.name}' would remove '{CONTROL}', which is no e-mail "
                    "and always allowed."
                )
    for mandate in rules.mandatory:
        if mandate.message not in messages.names:
            raise ParameterError(
                f"decision.rules.mandatory: '{mandate.name}' names the message "
                f"'{mandate.message}'; there are {list(messages)}."
            )
    departments = {d for d in messages.departments if d is not None}
    for rest in rules.cool_downs:
        stray = sorted(set(rest.departments or ()) - departments)
        if stray:
            raise ParameterError(
                f"decision.rules.cool_downs: '{rest.name}' names departments {stray}; there are "
                f"{sorted(departments)}."
            )
    if (rules.minimum_gain is not None) and messages.control is None:
        raise ParameterError(
            "decision.rules.minimum_gain compares with control, which messages lacks."
        )
    names = [limit.name for limit in limits]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ParameterError(f"decision.limits: several limits are called {repeated}.")
