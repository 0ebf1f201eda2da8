"""Limits on customers who are never in memory together: prices first, then decisions.

As long as all customers fit, they are solved as :func:`pentathlon.decision.plan.make_plan` solves
them, from the same numbers in the same order, so that everybody gets what the engine would have
sent. Prices then say almost all of it, and the exceptions are whom they leave nearly tied.

With more customers, prices come from a random sample of bounded size by the exact solver. At these
prices everybody is sent what is worth most after them, but for the customers nearest to a tie: they
are solved exactly within what all others leave of the limits. So limits hold for all customers to
the last e-mail, and the dual at the prices bounds what any other plan could earn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.allocation import LimitSystem, allocate
from pentathlon.decision.limiting import (
    LimitOutcome,
    WithinLimits,
    limit_outcomes,
    limits_over_segments,
    order_of_giving_way,
    within_limits,
)
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import ParameterError
from pentathlon.scoring.blocks import Block, Sweeps, counts_like


@dataclass(frozen=True)
class Prices:
    """What messages cost beside themselves, so that limits hold.

    Attributes
    ----------
    keys : ndarray of int64, shape (n_segments,)
        Ascending; see :func:`pentathlon.scoring.spill.segment_keys`.
    table : ndarray of float64, shape (n_segments, n_messages)
        In currency.
    exceptions : dict of str to (rows, messages)
        Of each partition, customers near a tie who get another message than prices say.
    outcomes : tuple of LimitOutcome
    bound, profit : float
        No plan within the limits is worth more than the bound; this one is worth the profit.
    """

    keys: NDArray[np.int64]
    table: NDArray[np.float64]
    exceptions: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]
    outcomes: tuple[LimitOutcome, ...]
    bound: float
    profit: float

    def choose(
        self,
        partition: str,
        rows: NDArray[np.int64],
        key: NDArray[np.int64],
        ranked: NDArray[np.float32],
    ) -> NDArray[np.int64]:
        """Message of each customer within the limits, shape ``(n,)``."""
        segment = np.searchsorted(self.keys, key)
        choice = np.asarray((ranked - self.table[segment]).argmax(axis=1), dtype=np.int64)
        if partition in self.exceptions:
            whose, messages = self.exceptions[partition]
            at = np.searchsorted(whose, rows)
            hit = np.flatnonzero(
                (at < len(whose)) & (whose[np.minimum(at, len(whose) - 1)] == rows)
            )
            choice[hit] = messages[at[hit]]
        return choice

    def to_dict(self) -> dict[str, Any]:
        """JSON-able account of the limits, without single customers."""
        return {
            "limits": [asdict(outcome) for outcome in self.outcomes],
            "bound": self.bound,
            "worth": self.profit,
            "gap": max(0.0, self.bound - self.profit) / max(abs(self.bound), 1e-12),
            "exceptions": sum(len(rows) for rows, _ in self.exceptions.values()),
        }

    def to_state(self) -> dict[str, Any]:
        """Everything, JSON-able: the inverse of :meth:`from_state`."""
        return {
            "keys": self.keys.tolist(),
            "table": self.table.tolist(),
            "exceptions": {
                name: [rows.tolist(), messages.tolist()]
                for name, (rows, messages) in self.exceptions.items()
            },
            "outcomes": [asdict(outcome) for outcome in self.outcomes],
            "bound": self.bound,
            "profit": self.profit,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Prices:
        """Rebuild from :meth:`to_state`."""
        return cls(
            np.array(state["keys"], dtype=np.int64),
            np.array(state["table"], dtype=np.float64),
            {
                name: (np.array(rows, dtype=np.int64), np.array(messages, dtype=np.int64))
                for name, (rows, messages) in state["exceptions"].items()
            },
            tuple(LimitOutcome(**outcome) for outcome in state["outcomes"]),
            float(state["bound"]),
            float(state["profit"]),
        )


def find_prices(
    spill: Sweeps,
    settings: SendingSettings,
    messages: MessageSet,
    most: int,
    seed: int = 0,
) -> Prices:
    """Solve the limits of all spilled customers.

    Parameters
    ----------
    spill : Sweeps
        All customers, in files or on a cluster; the prices are the same.
    settings : SendingSettings
    messages : MessageSet
    most : int
        Customers in memory at a time; with no more than that, everybody gets what
        :meth:`pentathlon.decision.DecisionEngine.decide` gives all of them at once.
    seed : int
        Of the sample.

    Raises
    ------
    InfeasibleError
        When the limits cannot hold together.
    ParameterError
        When a limit concerns nobody.
    """
    keys, customers = spill.segments()
    n = int(customers.sum())
    if n == 0:
        nothing = np.zeros((0, len(messages)))
        return Prices(keys, nothing, {}, (), 0.0, 0.0)
    system = _system(settings, keys, customers, messages)
    sample = spill.sample(min(1.0, most / n), seed)
    share = len(sample.rows) / n
    relax = order_of_giving_way(settings.limits)
    segment, given = np.searchsorted(keys, sample.key), sample.given >= 0
    found = within_limits(
        sample.ranked,
        _scaled(system, share),
        segment,
        relax,
        np.maximum(sample.given, 0).astype(np.int64),
        given,
    )
    if n <= most:
        return _all_solved(spill.names, system, keys, sample, found, settings, messages)
    return _settle(spill, system, keys, found, settings, messages, most, share)


def _system(
    settings: SendingSettings,
    keys: NDArray[np.int64],
    customers: NDArray[np.int64],
    messages: MessageSet,
) -> LimitSystem:
    """Limits over the segments that the keys stand for."""
    named = [limit.name for limit in settings.limits if limit.where]
    code = keys >> 32
    scopes = {
        name: ((code >> (len(named) - 1 - i)) & 1).astype(np.bool_) for i, name in enumerate(named)
    }
    for name, inside in scopes.items():
        if not inside.any():
            raise ParameterError(
                f"decision.limits: '{name}' concerns nobody: no customer passes its conditions."
            )
    complaint = (keys & 0xFFFFFFFF).astype(np.uint32).view(np.float32)
    pressure = settings.rules.pressure
    rate = None if pressure is None else pressure.max_complaint_rate
    limits = limits_over_segments(settings.limits, rate, scopes, complaint, customers, messages)
    return LimitSystem.of(limits, len(keys), len(messages))


def _scaled(system: LimitSystem, share: float) -> LimitSystem:
    """The limits of a sample."""
    limits = [
        replace(limit, minimum=limit.minimum * share, maximum=limit.maximum * share)
        for limit in system.limits
    ]
    return LimitSystem.of(limits, *system.use.shape[1:])


def _all_solved(
    names: Sequence[str],
    system: LimitSystem,
    keys: NDArray[np.int64],
    everybody: Block,
    found: WithinLimits,
    settings: SendingSettings,
    messages: MessageSet,
) -> Prices:
    """The plan of customers who were all solved together."""
    segment = np.searchsorted(keys, everybody.key)
    usual = (everybody.ranked - found.table[segment]).argmax(axis=1)
    given = everybody.given >= 0
    counts = counts_like(found.table, segment, np.where(given, everybody.given, found.choice))
    sent = everybody.given[given].astype(np.int64)
    settled = float(everybody.ranked[given][np.arange(len(sent)), sent].sum(dtype=np.float64))
    return Prices(
        keys,
        found.table,
        _exceptions(names, everybody, found.choice, usual),
        limit_outcomes(settings.limits, system, found, counts, messages),
        found.allocation.bound + settled,
        found.allocation.profit + settled,
    )


def _settle(
    spill: Sweeps,
    system: LimitSystem,
    keys: NDArray[np.int64],
    found: WithinLimits,
    settings: SendingSettings,
    messages: MessageSet,
    most: int,
    share: float,
) -> Prices:
    """Fix everybody at the prices but those nearest to a tie, and solve for these exactly."""
    near, counts, value = _nearest(spill, keys, found.table, most)
    widened = np.asarray(found.allocation.slack) / share
    wide = system.relaxed(widened)
    left = wide.remaining(system.used(counts))
    limits = [
        replace(limit, minimum=float(low), maximum=float(high))
        for limit, low, high in zip(left.limits, left.minimum, left.maximum, strict=True)
    ]
    segment = np.searchsorted(keys, near.key)
    part = allocate(
        near.ranked,
        limits,
        segment=segment,
        n_segments=len(keys),
        relax=order_of_giving_way(settings.limits),
    )
    choice = part.choice.astype(np.int64)
    usual = (near.ranked - found.table[segment]).argmax(axis=1)
    exceptions = _exceptions(spill.names, near, choice, usual)
    counts = counts + counts_like(counts, segment, choice)
    costs = tuple(cost / share for cost in found.costs)
    slack = widened + part.slack
    bound, profit = _bound(spill, keys, found, wide), value + part.profit
    account = replace(
        found,
        costs=costs,
        allocation=replace(found.allocation, slack=slack),
        gap=max(0.0, bound - profit) / max(abs(bound), 1e-12),
    )
    outcomes = limit_outcomes(settings.limits, system, account, counts, messages)
    return Prices(keys, found.table, exceptions, outcomes, bound, profit)


def _nearest(
    spill: Sweeps, keys: NDArray[np.int64], table: NDArray[np.float64], most: int
) -> tuple[Block, NDArray[np.float64], float]:
    """Customers nearest to a tie at the prices, and what all others use and are worth."""
    near, counts, value = spill.nearest(keys, table, most)
    segment = np.searchsorted(keys, near.key)
    mine = (near.ranked - table[segment]).argmax(axis=1)
    value -= float(near.ranked[np.arange(len(mine)), mine].sum(dtype=np.float64))
    return near, counts - counts_like(table, segment, mine), value


def _bound(
    spill: Sweeps, keys: NDArray[np.int64], found: WithinLimits, system: LimitSystem
) -> float:
    """The dual of all customers at the prices, in currency."""
    total, taken = spill.dual(keys, found.table)
    return total + system.remaining(system.used(taken)).bound(found.allocation.prices)


def _exceptions(
    parts: Sequence[str],
    near: Block,
    choice: NDArray[np.int64],
    usual: NDArray[np.int64],
) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    moved = np.flatnonzero(choice != usual)
    found = {}
    for part in np.unique(near.part[moved]):
        mine = moved[near.part[moved] == part]
        mine = mine[np.argsort(near.rows[mine])]
        found[parts[part]] = (near.rows[mine], choice[mine])
    return found
