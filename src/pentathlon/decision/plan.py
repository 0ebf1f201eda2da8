"""From what messages are worth to what is sent: rules, limits, and what is left to chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.allocation import LimitSystem
from pentathlon.decision.exploration import BY_CHANCE, BY_HOLDOUT, BY_POLICY, Draw, explore
from pentathlon.decision.limiting import (
    LimitOutcome,
    counts_of,
    limit_outcomes,
    order_of_giving_way,
    resolve_limits,
    within_limits,
)
from pentathlon.decision.presets import NOT_A_TOP_DEPARTMENT, Preset, top_departments
from pentathlon.decision.rules.screen import Screen
from pentathlon.decision.rules.settings import LimitSettings
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import DataError, ParameterError

MINIMUM_GAIN = "minimum gain"
BY_RULE, BY_LIMIT, BY_MANDATE = "rule", "limit", "mandatory"
"""Who decided, beside the policy and chance: a rule or a limit that took the policy's choice."""
BY_LEVER, BY_CONTACT_COST = "lever", "contact cost"
"""Who decided where the policy's choice may be sent: what made another one worth more."""


@dataclass(frozen=True)
class Plan:
    """Decisions of a campaign with all that formed them.

    Attributes
    ----------
    draw : Draw
        What is sent, who decided it, and the probability of every message.
    preferred : ndarray of int64, shape (n,)
        What the policy would send if it could.
    planned : ndarray of int64, shape (n,)
        What is sent but for chance.
    worth : ndarray of float32, shape (n, n_messages)
        What each message is taken to be worth, contact costs taken off, in currency.
    rules : tuple of str
    removed_by : ndarray of int8, shape (n, n_messages)
        0 where a message may be sent, else the number of the rule, counted from 1.
    limits : tuple of LimitOutcome
    lever_cost : ndarray of float32, shape (n,)
        What is given up for a message that a lever favours, in currency; 0 where none moved the
        customer.
    """

    draw: Draw
    preferred: NDArray[np.int64]
    planned: NDArray[np.int64]
    worth: NDArray[np.float32]
    rules: tuple[str, ...]
    removed_by: NDArray[np.int8]
    limits: tuple[LimitOutcome, ...] = ()
    lever_cost: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Wishes:
    """What each customer should get within rules, before limits bind all of them together.

    Attributes
    ----------
    wanted : ndarray of int64, shape (n,)
        What the policy would send if it could.
    best : ndarray of int64, shape (n,)
        The most valuable message that no rule removed, levers at work, or the mandatory one.
    unlevered : ndarray of int64, shape (n,)
        The same without levers.
    worth, ranked : ndarray of float32, shape (n, n_messages)
        Contact costs taken off; and with levers, minus infinity where a rule removed a message.
    rules : tuple of str
    removed_by : ndarray of int8, shape (n, n_messages)
    limits : tuple of LimitSettings
        Of the settings, and those that a preset amounts to.
    screen : Screen
    settings : SendingSettings
    messages : MessageSet
    campaign : str
    """

    wanted: NDArray[np.int64]
    best: NDArray[np.int64]
    unlevered: NDArray[np.int64]
    worth: NDArray[np.float32]
    ranked: NDArray[np.float32]
    rules: tuple[str, ...]
    removed_by: NDArray[np.int8]
    limits: tuple[LimitSettings, ...]
    screen: Screen
    settings: SendingSettings
    messages: MessageSet
    campaign: str

    @property
    def mandatory(self) -> NDArray[np.bool_]:
        """Customers who must get a message, shape ``(n,)``."""
        return self.screen.mandatory >= 0

    def drawn(self, choice: NDArray[np.int64], ranking: NDArray[np.floating]) -> Draw:
        """What is sent after chance had its part."""
        drawn = explore(
            self.screen.customer_id,
            choice,
            ranking,
            self.settings.exploration,
            campaign=self.campaign,
            control=self.messages.control,
            eligible=self.removed_by == 0,
        )
        return _mandated(drawn, self.screen.mandatory)

    def given(self, draw: Draw) -> NDArray[np.bool_]:
        """Customers whose message limits find given, shape ``(n,)``."""
        return self.mandatory | np.isin(draw.decided_by, (BY_CHANCE, BY_HOLDOUT))

    def planned(
        self,
        choice: NDArray[np.int64],
        ranking: NDArray[np.floating],
        outcomes: tuple[LimitOutcome, ...] = (),
    ) -> Plan:
        """The plan that sends ``choice``, but for what is mandatory and left to chance."""
        choice = np.where(self.mandatory, self.best, choice).astype(np.int64)
        draw = self.drawn(choice, ranking)
        decided_by = draw.decided_by.copy()
        moved = (decided_by == BY_POLICY) & (choice != self.wanted)
        decided_by[moved] = np.where(
            choice[moved] == self.best[moved], self._moved_by()[moved], BY_LIMIT
        )
        return Plan(
            replace(draw, decided_by=decided_by),
            self.wanted,
            choice,
            self.worth,
            self.rules,
            self.removed_by,
            outcomes,
            self._lever_cost(),
        )

    def _moved_by(self) -> NDArray[np.object_]:
        """What keeps each customer from the policy's choice, limits apart, shape ``(n,)``."""
        rows = np.arange(len(self.wanted))
        by = np.where(self.unlevered == self.best, BY_CONTACT_COST, BY_LEVER).astype(object)
        by[self.removed_by[rows, self.wanted] != 0] = BY_RULE
        return by

    def _lever_cost(self) -> NDArray[np.float32]:
        rows = np.arange(len(self.best))
        return self.worth[rows, self.unlevered] - self.worth[rows, self.best]


def make_wishes(
    worth: NDArray[np.float32],
    preferred: NDArray[np.integer],
    screen: Screen,
    settings: SendingSettings,
    messages: MessageSet,
    campaign: str = "",
    supported: Sequence[float] = (),
) -> Wishes:
    """Find what each customer should get within rules; see :func:`make_plan`."""
    n_messages = worth.shape[1]
    wanted: NDArray[np.int64] = preferred.astype(np.int64)
    rules, removed_by = screen.rules, screen.removed_by
    e_mails = [k for k in range(n_messages) if k != messages.control]
    if screen.contact_cost.any():
        worth = worth.copy()
        worth[:, e_mails] -= screen.contact_cost[:, None]
    mandatory = screen.mandatory >= 0
    limits = settings.limits
    if settings.top_departments is not None:
        preset = top_departments(settings.top_departments, worth, supported, messages)
        rules, removed_by = _ask_preset(preset, rules, removed_by, screen.mandatory)
        limits = (*limits, *preset.limits)
    if settings.rules.minimum_gain is not None:
        rules, removed_by = _ask_minimum_gain(
            worth, settings.rules.minimum_gain, rules, removed_by, messages, ~mandatory
        )
    eligible = removed_by == 0
    _check_someone_left(eligible, rules, removed_by)
    allowed = np.where(eligible, worth, np.float32(-np.inf))
    best = unlevered = _most_valuable(allowed, wanted)
    ranked = allowed
    if settings.levers:
        competing = _levered(worth, settings.levers, messages)
        ranked = np.where(eligible, competing, np.float32(-np.inf))
        best = _most_valuable(ranked, wanted)
    for choice in (best, unlevered):
        choice[mandatory] = screen.mandatory[mandatory]
    return Wishes(
        *(wanted, best, unlevered, worth, ranked, rules, removed_by),
        *(limits, screen, settings, messages, campaign),
    )


def _most_valuable(ranked: NDArray[np.float32], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The best message of each customer; of several, what the policy wants."""
    rows = np.arange(len(ranked))
    best = ranked.argmax(axis=1)
    tied = (ranked[rows, wanted] == ranked[rows, best]) & np.isfinite(ranked[rows, wanted])
    return np.where(tied, wanted, best).astype(np.int64)


def make_plan(
    worth: NDArray[np.float32],
    preferred: NDArray[np.integer],
    screen: Screen,
    settings: SendingSettings,
    messages: MessageSet,
    *,
    campaign: str = "",
    share: float = 1.0,
    supported: Sequence[float] = (),
) -> Plan:
    """Decide what is sent to everyone within rules and limits.

    A customer's choice is the most valuable message that no rule removed, limits allowing. What is
    mandatory, held out or drawn by chance is set first and counts in what limits use; limits then
    hold for all decisions together, exploration included.

    Parameters
    ----------
    worth : ndarray of float32, shape (n, n_messages)
        By what the policy ranks messages, in currency.
    preferred : ndarray of int, shape (n,)
        What the policy sends where it may.
    screen : Screen, n customers
    settings : SendingSettings
    messages : MessageSet
    campaign : str
        Part of the draw.
    share : float
        Limits in customers or currency are for all customers; these are this share of them.
    supported : sequence of float, length n_messages, optional
        What outcomes support of sending each message to everyone, in any unit; a preset may ask.

    Returns
    -------
    Plan

    Raises
    ------
    InfeasibleError
        When limits cannot hold together, or not beside what is mandatory, held out or explored.
    DataError
        When rules leave a customer no message at all.
    """
    wishes = make_wishes(worth, preferred, screen, settings, messages, campaign, supported)
    ranked = wishes.ranked
    limits, segment = resolve_limits(
        wishes.limits, settings.rules.pressure, screen, messages, share
    )
    if not limits:
        return wishes.planned(wishes.best, ranked)
    draw, given = wishes.drawn(wishes.best, ranked), wishes.mandatory
    relax = order_of_giving_way(wishes.limits)
    system = LimitSystem.of(limits, int(segment.max(initial=0)) + 1, len(messages))
    ranking: NDArray[np.floating] = ranked
    if settings.exploration.share > 0 and settings.exploration.among == "top_two":
        # Limits move the second best, too: draw between the two that are best at their prices.
        first = within_limits(ranked, system, segment, relax, wishes.best, given)
        ranking = ranked - first.table[segment]
        draw = wishes.drawn(wishes.best, ranking)
    found = within_limits(ranked, system, segment, relax, draw.choice, wishes.given(draw))
    plan = wishes.planned(found.choice, ranking)
    counts = counts_of(segment, plan.draw.choice, *system.use.shape[1:])
    outcomes = limit_outcomes(wishes.limits, system, found, counts, messages)
    return replace(plan, limits=outcomes)


def _ask_preset(
    preset: Preset,
    rules: tuple[str, ...],
    removed_by: NDArray[np.int8],
    mandatory: NDArray[np.int8],
) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """Remove e-mails of departments that a preset leaves out, but what is mandatory."""
    gone = (removed_by == 0) & ~preset.kept
    must = np.flatnonzero(mandatory >= 0)
    gone[must, mandatory[must]] = False
    if not gone.any():
        return rules, removed_by
    marked = np.where(gone, np.int8(len(rules) + 1), removed_by)
    return (*rules, NOT_A_TOP_DEPARTMENT), marked.astype(np.int8)


def _ask_minimum_gain(
    worth: NDArray[np.float32],
    minimum: float,
    rules: tuple[str, ...],
    removed_by: NDArray[np.int8],
    messages: MessageSet,
    asked: NDArray[np.bool_],
) -> tuple[tuple[str, ...], NDArray[np.int8]]:
    """Remove e-mails that bring too little over ``control``."""
    control = messages.control
    if control is None:
        raise ParameterError(
            "decision.rules.minimum_gain compares with control, which messages lacks."
        )
    too_little = worth - worth[:, [control]] < minimum
    too_little[:, control] = False
    too_little &= (removed_by == 0) & asked[:, None]
    if not too_little.any():
        return rules, removed_by
    return (*rules, MINIMUM_GAIN), np.where(too_little, np.int8(len(rules) + 1), removed_by).astype(
        np.int8
    )


def _check_someone_left(
    eligible: NDArray[np.bool_], rules: tuple[str, ...], removed_by: NDArray[np.int8]
) -> None:
    nothing = ~eligible.any(axis=1)
    if nothing.any():
        blamed = sorted({rules[c - 1] for c in np.unique(removed_by[nothing])})
        raise DataError(
            f"{int(nothing.sum())} customers have no message left after the rules {blamed}: add "
            "control to the messages, or spare these customers."
        )


def _levered(
    worth: NDArray[np.float32], levers: Mapping[str, float], messages: MessageSet
) -> NDArray[np.float32]:
    """What messages compete with: a factor above 1 favours a message whatever its sign."""
    departments = {d for d in messages.departments if d is not None}
    stray = sorted(set(levers) - set(messages) - departments)
    if stray:
        raise ParameterError(
            f"decision.levers: {stray} are neither messages nor departments; there are "
            f"{list(messages)}, of the departments {sorted(departments)}."
        )
    factor = np.array(
        [
            levers.get(message, levers.get(department or "", 1.0))
            for message, department in zip(messages, messages.departments, strict=True)
        ],
        dtype=np.float32,
    )
    return np.asarray(worth + (factor - 1) * np.abs(worth), dtype=np.float32)


def _mandated(draw: Draw, mandatory: NDArray[np.int8]) -> Draw:
    """Take back what chance did to mandatory messages."""
    must = np.flatnonzero(mandatory >= 0)
    if not len(must):
        return draw
    choice, propensity, decided_by = draw.choice.copy(), draw.propensity.copy(), draw.decided_by
    choice[must] = mandatory[must]
    propensity[must] = 0.0
    propensity[must, choice[must]] = 1.0
    decided_by = decided_by.copy()
    decided_by[must] = BY_MANDATE
    return Draw(choice, propensity, decided_by)
