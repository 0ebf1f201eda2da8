"""Limits of a campaign as its settings state them, and what they leave to each customer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import CONTROL, MessageSet
from pentathlon.decision.allocation import Allocation, Limit, LimitSystem, allocate
from pentathlon.decision.rules.screen import Screen
from pentathlon.decision.rules.settings import LimitSettings, PressureRule
from pentathlon.errors import InfeasibleError

COMPLAINTS = "complaint rate"
WHOLE_EMAIL = 0.999
"""A share of the e-mails is a whole number of them: it may miss the exact one by less than one."""


@dataclass(frozen=True)
class LimitOutcome:
    """What became of one limit.

    Attributes
    ----------
    name, of : str
        ``of``: customers, share_of_emails, cost or complaints.
    at_least, at_most : float
        As asked, in customers or currency; a share of the e-mails as a share.
    used : float
    price : float
        What one more unit of the maximum would be worth (above 0), or one unit less of the
        minimum (below 0), in currency; for a share of the e-mails the unit is one e-mail.
    widened : float
        By how much it gave way.
    cost : float
        What would be earned more without it, in currency of expected profit.
    gap : float
        Of all decisions within all limits, so the same for each: by how much less they are worth
        than what no plan within the limits can exceed, relative to that.
    """

    name: str
    of: str
    at_least: float
    at_most: float
    used: float
    price: float
    widened: float
    cost: float
    gap: float


def resolve_limits(
    limits: Sequence[LimitSettings],
    pressure: PressureRule | None,
    screen: Screen,
    messages: MessageSet,
    share: float = 1.0,
) -> tuple[list[Limit], NDArray[np.int64]]:
    """Limits in customers and currency, over the segments that their conditions make.

    Parameters
    ----------
    limits : sequence of LimitSettings
    pressure : PressureRule, optional
        Its complaint rate is a limit, too.
    screen : Screen, n customers
    messages : MessageSet
    share : float
        Share of all customers that these are.

    Returns
    -------
    limits : list of Limit
    segment : ndarray of int64, shape (n,)
    """
    code = scope_code(screen)
    mandated = screen.mandatory >= 0
    if any(limit.of == "share_of_emails" for limit in limits):
        code = 2 * code + mandated
    rate = None if pressure is None else pressure.max_complaint_rate
    complaint, level = np.unique(screen.complaint, return_inverse=True)
    if rate is not None:
        code = code * len(complaint) + level
    _, first, segment, customers = np.unique(
        code, return_index=True, return_inverse=True, return_counts=True
    )
    scopes = {name: scope[first] for name, scope in screen.scopes.items()}
    found = limits_over_segments(
        limits, rate, scopes, screen.complaint[first], customers, messages, share, mandated[first]
    )
    return found, segment


def scope_code(screen: Screen) -> NDArray[np.int64]:
    """Which limits with conditions concern each customer, a bit for each, shape ``(n,)``."""
    code = np.zeros(len(screen), dtype=np.int64)
    for scope in screen.scopes.values():
        code = 2 * code + scope
    return code


def limits_over_segments(
    limits: Sequence[LimitSettings],
    rate: float | None,
    scopes: Mapping[str, NDArray[np.bool_]],
    complaint: NDArray[np.float32],
    customers: NDArray[np.integer],
    messages: MessageSet,
    share: float = 1.0,
    mandated: NDArray[np.bool_] | None = None,
) -> list[Limit]:
    """Limits in customers and currency, over segments of customers.

    Parameters
    ----------
    limits : sequence of LimitSettings
    rate : float or None
        Largest complaint rate.
    scopes : mapping of str to ndarray of bool, shape (n_segments,)
        Segments that each limit with conditions concerns.
    complaint : ndarray of float32, shape (n_segments,)
        Probability of a complaint, where there is a largest rate.
    customers : ndarray of int, shape (n_segments,)
    messages : MessageSet
    share : float
        Share of all customers that these are.
    mandated : ndarray of bool, shape (n_segments,), optional
        Segments of customers who must get a message; shares of the e-mails leave them out.
    """
    found = []
    for limit in limits:
        inside = scopes.get(limit.name)
        concerned = None
        size = int(customers.sum())
        if inside is not None:
            concerned = tuple(np.flatnonzero(inside).tolist())
            size = int(customers[inside].sum())
            if not concerned:  # all customers have some; a few who are judged may have none
                continue
        if limit.of == "share_of_emails":
            chosen = np.arange(len(customers)) if mandated is None else np.flatnonzero(~mandated)
            if concerned is not None:
                chosen = np.intersect1d(chosen, concerned)
            found += _shares_of_emails(limit, messages, tuple(chosen.tolist()))
            continue
        unit = messages.costs if limit.of == "cost" else np.ones(len(messages))
        counted = [m != CONTROL for m in messages]
        if limit.messages is not None:
            counted = [m in limit.messages for m in messages]
        factor = float(size) if limit.of == "share" else share
        found.append(
            Limit(
                limit.name,
                tuple((unit * counted).tolist()),
                -np.inf if limit.at_least is None else limit.at_least * factor,
                np.inf if limit.at_most is None else limit.at_most * factor,
                concerned,
            )
        )
    if rate is not None:
        # Complaints - rate x e-mails <= 0 is a limit whose use depends on the customer.
        excess = (complaint.astype(np.float64) - rate).tolist()
        e_mail = tuple(0.0 if m == CONTROL else 1.0 for m in messages)
        found.append(Limit(COMPLAINTS, e_mail, -np.inf, 0.0, None, tuple(excess)))
    return found


def _shares_of_emails(
    limit: LimitSettings, messages: MessageSet, concerned: tuple[int, ...]
) -> list[Limit]:
    """E-mails counted - share x all e-mails, held around 0: no total has to be known before.

    Mandatory e-mails are nobody's choice, so they are left out of the shares.
    """
    if not concerned:
        return []
    bounds = (limit.at_least, limit.at_most)
    both = None not in bounds and limit.at_least == limit.at_most
    found: list[Limit] = []
    for share, end in zip(bounds, ("at least", "at most"), strict=True):
        if share is None or (both and found):
            continue
        use = tuple(
            0.0 if m == CONTROL else float(m in (limit.messages or ())) - share for m in messages
        )
        least = -WHOLE_EMAIL if both or end == "at least" else -np.inf
        most = WHOLE_EMAIL if both or end == "at most" else np.inf
        alone = both or None in bounds
        name = limit.name if alone else f"{limit.name}, {end}"
        if any(use):
            found.append(Limit(name, use, least, most, concerned))
    return found


@dataclass(frozen=True)
class WithinLimits:
    """Choices within limits, with the prices that made them.

    Attributes
    ----------
    choice : ndarray of int64, shape (n,)
        Also of those whose message is given: what they would get at the prices.
    table : ndarray of float64, shape (n_segments, n_messages)
        Price of each message for a customer of each segment.
    allocation : Allocation
        Of the others.
    costs : tuple of float
        What each limit costs.
    gap : float
        See :class:`LimitOutcome`.
    """

    choice: NDArray[np.int64]
    table: NDArray[np.float64]
    allocation: Allocation
    costs: tuple[float, ...]
    gap: float


def within_limits(
    ranked: NDArray[np.float32],
    system: LimitSystem,
    segment: NDArray[np.int64],
    relax: Sequence[str],
    sent: NDArray[np.int64],
    given: NDArray[np.bool_],
) -> WithinLimits:
    """Allocate those whose message is not given, within what the others leave."""
    n_segments, n_messages = system.use.shape[1:]
    counts = counts_of(segment[given], sent[given], n_segments, n_messages)
    taken = system.used(counts)
    rest = system.remaining(taken)
    _check_room(system, taken, relax)
    left = [
        replace(limit, minimum=float(low), maximum=float(high))
        for limit, low, high in zip(rest.limits, rest.minimum, rest.maximum, strict=True)
    ]
    free = np.flatnonzero(~given)

    def solve(limits: Sequence[Limit]) -> Allocation:
        names = {limit.name for limit in limits}
        return allocate(
            ranked[free],
            limits,
            segment=segment[free],
            n_segments=n_segments,
            relax=[name for name in relax if name in names],
        )

    found = solve(left)
    table = system.price_table(found.prices)
    choice = np.asarray((ranked - table[segment]).argmax(axis=1), dtype=np.int64)
    choice[free] = found.choice
    costs = [
        solve([other for other in left if other is not limit]).profit - found.profit
        if price != 0
        else 0.0
        for limit, price in zip(left, found.prices, strict=True)
    ]
    settled = float(ranked[given, sent[given]].sum(dtype=np.float64))
    missing = max(0.0, found.bound - found.profit)
    gap = missing / max(abs(found.bound + settled), 1e-12)
    return WithinLimits(choice, table, found, tuple(costs), gap)


def _check_room(system: LimitSystem, taken: NDArray[np.float64], relax: Sequence[str]) -> None:
    """Refuse limits that are broken before anything is chosen."""
    only_adds = np.asarray((system.use >= 0).all(axis=(1, 2)))
    over = {
        limit.name: float(used - high)
        for limit, used, high, adds in zip(
            system.limits, taken, system.maximum, only_adds, strict=True
        )
        if adds and used > high and limit.name not in relax
    }
    if over:
        raise InfeasibleError(
            list(over),
            over,
            "what is mandatory, held out or drawn by chance alone uses more than they allow",
        )


def limit_outcomes(
    asked: Sequence[LimitSettings],
    system: LimitSystem,
    found: WithinLimits,
    counts: NDArray[np.float64],
    messages: MessageSet,
) -> tuple[LimitOutcome, ...]:
    """What became of every limit.

    Parameters
    ----------
    asked : sequence of LimitSettings
    system : LimitSystem
        The limits as they were asked.
    found : WithinLimits
    counts : ndarray of float64, shape (n_segments, n_messages)
        Customers who are sent each message.
    messages : MessageSet
    """
    used = system.used(counts)
    # Customers are whole: a limit that gives way may do so by a part of one more than it must.
    beyond = np.maximum(used - system.maximum, system.minimum - used)
    slack = found.allocation.slack
    widened = np.where(slack > 0, np.maximum(slack, beyond), 0.0)
    by_name = {limit.name: limit for limit in asked}
    outcomes = []
    for r, limit in enumerate(system.limits):
        setting = by_name.get(limit.name) or by_name.get(limit.name.rpartition(", ")[0])
        outcome = LimitOutcome(
            name=limit.name,
            of=COMPLAINTS if setting is None else setting.of,
            at_least=limit.minimum,
            at_most=limit.maximum,
            used=float(used[r]),
            price=float(found.allocation.prices[r]),
            widened=float(widened[r]),
            cost=max(found.costs[r], 0.0),
            gap=found.gap,
        )
        if setting is not None and setting.of == "share":
            outcome = replace(outcome, of="customers")
        if setting is not None and setting.of == "share_of_emails":
            outcome = _as_share(outcome, setting, limit, counts, messages)
        outcomes.append(outcome)
    return tuple(outcomes)


def _as_share(
    outcome: LimitOutcome,
    setting: LimitSettings,
    limit: Limit,
    counts: NDArray[np.float64],
    messages: MessageSet,
) -> LimitOutcome:
    """State a share of the e-mails as one; it was held as a difference of two counts."""
    concerned = counts if limit.segments is None else counts[list(limit.segments)]
    sent = concerned.sum(axis=0)
    e_mails = float(sum(sent[k] for k, m in enumerate(messages) if m != CONTROL))
    counted = float(sum(sent[messages.names.index(m)] for m in setting.messages or ()))
    return replace(
        outcome,
        at_least=-np.inf if limit.minimum == -np.inf else float(setting.at_least or 0.0),
        at_most=np.inf if limit.maximum == np.inf else float(setting.at_most or 0.0),
        used=counted / e_mails if e_mails else 0.0,
    )


def counts_of(
    segment: NDArray[np.int64], choice: NDArray[np.int64], n_segments: int, n_messages: int
) -> NDArray[np.float64]:
    """Customers by segment and message, shape ``(n_segments, n_messages)``."""
    counts = np.bincount(segment * n_messages + choice, minlength=n_segments * n_messages)
    return counts.reshape(n_segments, n_messages).astype(np.float64)


def order_of_giving_way(limits: Sequence[LimitSettings]) -> list[str]:
    """Names of the limits that may be widened, the first one first."""
    may = [limit for limit in limits if limit.may_give_way is not None]
    return [limit.name for limit in sorted(may, key=lambda limit: limit.may_give_way or 0)]
