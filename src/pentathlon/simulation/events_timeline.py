"""The lives of customers: purchases, campaigns and responses, one block of customers at a time.

At a customer's first assignment the purchases of the 365 days before it are, department by
department, the frequencies that were drawn for the customer: those that drive the response.
From then on time runs forward. At every later assignment the frequencies are counted anew from
what has happened, and propensity and response follow from the counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pentathlon.simulation.assignment import assign, propensities
from pentathlon.simulation.events_settings import EventsConfig
from pentathlon.simulation.orders import draw_orders, order_index
from pentathlon.simulation.population import Customers, draw_customers
from pentathlon.simulation.published import DEPARTMENTS, MESSAGES, FloatArray
from pentathlon.simulation.world import World

BLOCK = 16_000
"""Customers who share a stream of random numbers."""

DAY = 86_400_000_000
YEAR = 365 * DAY
_N = len(DEPARTMENTS)

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass
class Purchases:
    """Purchases of one department each, in no order.

    Attributes
    ----------
    who : ndarray of int64, shape (n,)
        Position of the customer in the block.
    at : ndarray of int64, shape (n,)
        Microseconds since 1970, UTC.
    department : ndarray of int64, shape (n,)
    cents : ndarray of int64, shape (n,)
        Value of the line.
    order : ndarray of int64, shape (n,)
        Lines of one order share it. Distinct within the block.
    response : ndarray of bool, shape (n,)
        Whether the order is the response to an assignment.
    """

    who: Ints
    at: Ints
    department: Ints
    cents: Ints
    order: Ints
    response: Bools

    @classmethod
    def join(cls, parts: list[Purchases]) -> Purchases:
        """Put parts together, keeping their orders apart."""
        start, orders = 0, []
        for part in parts:
            orders.append(part.order + start)
            start += int(part.order.max(initial=-1)) + 1
        return cls(
            who=np.concatenate([p.who for p in parts]),
            at=np.concatenate([p.at for p in parts]),
            department=np.concatenate([p.department for p in parts]),
            cents=np.concatenate([p.cents for p in parts]),
            order=np.concatenate(orders),
            response=np.concatenate([p.response for p in parts]),
        )

    def frequencies(self, moment: Ints, rows: int) -> FloatArray:
        """Purchases by customer and department in the 365 days before a moment of each.

        Parameters
        ----------
        moment : ndarray of int64, shape (rows,)
        rows : int

        Returns
        -------
        ndarray of shape (rows, 6)
        """
        end = moment[self.who]
        within = (self.at < end) & (self.at >= end - YEAR)
        cells = self.who[within] * _N + self.department[within]
        return np.bincount(cells, minlength=rows * _N).reshape(rows, _N).astype(np.float64)


@dataclass
class Assignments:
    """E-mails assigned in all campaigns, with the truth behind them.

    Attributes
    ----------
    who, at, campaign : ndarray of int64, shape (n,)
        Customer, microseconds since 1970, number of the campaign from 0.
    message : ndarray of int8, shape (n,)
        Position in `MESSAGES`.
    propensity, probability, order_value : ndarray of shape (n, 7)
        By message: propensity, purchase probability, mean order of a buyer in currency.
    response : ndarray of bool, shape (n,)
    opened, clicked, left : ndarray of int64, shape (n,)
        Microseconds since 1970, 0 where it did not happen.
    """

    who: Ints
    at: Ints
    campaign: Ints
    message: npt.NDArray[np.int8]
    propensity: FloatArray
    probability: FloatArray
    order_value: FloatArray
    response: Bools
    opened: Ints
    clicked: Ints
    left: Ints


@dataclass
class SimulatedBlock:
    """Customers of one block and what happened to them.

    Attributes
    ----------
    first : int
        Number of the block's first customer.
    people : Customers
        As they were drawn: frequencies are those of the year before the first campaign.
    joined, consented, opted_out : ndarray of int64, shape (n,)
        Microseconds since 1970; 0 where it did not happen.
    mailed : ndarray of int64, shape (n,)
        Moment of the customer's assignment in the first campaign.
    purchases : Purchases
    assignments : Assignments
    """

    first: int
    people: Customers
    mailed: Ints
    joined: Ints
    consented: Ints
    opted_out: Ints
    purchases: Purchases
    assignments: Assignments


def microseconds(moment: object) -> int:
    """A naive UTC datetime as microseconds since 1970."""
    return int(np.datetime64(moment, "us").astype(np.int64))  # type: ignore[call-overload]


def draw_block(config: EventsConfig, world: World, number: int) -> SimulatedBlock:
    """Simulate one block of customers, always the same for the same seed and number.

    Parameters
    ----------
    config : EventsConfig
    world : World
        The truth.
    number : int
        Of the block, from 0.

    Returns
    -------
    SimulatedBlock
        `BLOCK` customers.
    """
    rng = np.random.default_rng([config.seed, number, 1])
    people = draw_customers(BLOCK, np.random.default_rng([config.seed, number, 0]))
    start = microseconds(config.first_campaign)
    mailed_at = start + rng.integers(0, DAY, BLOCK)  # each customer's hour is the same every time
    # The shop is twenty years old.
    tenure = np.minimum(365.0 + rng.exponential(900.0, BLOCK), 20 * 365.0)
    new = rng.random(BLOCK) < config.new_share
    tenure[new] = rng.uniform(30.0, 365.0, int(new.sum()))
    joined = mailed_at - (tenure * DAY).astype(np.int64)
    consented = joined + (rng.exponential(5.0, BLOCK) * DAY).astype(np.int64)
    consented = np.minimum(consented, start - DAY)
    consented = np.maximum(consented, joined)
    consented[rng.random(BLOCK) < config.no_consent_share] = 0
    opted_out = np.zeros(BLOCK, dtype=np.int64)
    gone = (rng.random(BLOCK) < config.opted_out_share) & (consented > 0)
    share = rng.random(int(gone.sum()))
    opted_out[gone] = consented[gone] + (share * (start - consented[gone])).astype(np.int64)
    parts = [_past(config, people, joined, mailed_at, rng)]
    found: list[Assignments] = []
    for campaign in range(config.campaigns):
        moment = mailed_at + campaign * config.days_between_campaigns * DAY
        done, orders = _campaign(config, world, people, parts, moment, consented, opted_out, rng)
        done.campaign[:] = campaign
        found.append(done)
        parts.append(orders)
        last = campaign == config.campaigns - 1
        end = moment + config.days_between_campaigns * DAY
        if last:
            end = np.full(BLOCK, microseconds(config.exported_at))
        parts.append(_between(people, moment + config.outcome_days * DAY, end, rng))
    names = list(Assignments.__dataclass_fields__)
    joined_up = Assignments(**{n: np.concatenate([getattr(a, n) for a in found]) for n in names})
    purchases = Purchases.join(parts)
    return SimulatedBlock(
        number * BLOCK, people, mailed_at, joined, consented, opted_out, purchases, joined_up
    )


def truth_at(block: SimulatedBlock, world: World, moment: int) -> tuple[FloatArray, FloatArray]:
    """What every customer of a block would do if mailed at a moment.

    Returns
    -------
    probability, order_value : ndarray of shape (n, 7)
        Purchase probability, and mean order of a buyer in currency, by message.
    """
    rows = len(block.people)
    numeric = block.people.numeric.copy()
    numeric[:, -_N:] = block.purchases.frequencies(np.full(rows, moment), rows)
    now = Customers(numeric, block.people.age, block.people.man)
    return world.purchase_probabilities(now), world.expected_order_values(now)


def _past(
    config: EventsConfig,
    people: Customers,
    joined: Ints,
    moment: Ints,
    rng: np.random.Generator,
) -> Purchases:
    """Purchases before the first campaign: the drawn ones in its last year, others before."""
    counts = np.rint(people.frequencies()).astype(np.int64)
    start = np.maximum(joined, moment - YEAR)
    last_year = _lines(counts, start, moment, people, rng)
    begin = np.maximum(joined, moment - config.history_days * DAY)
    length = np.maximum(moment - YEAR - begin, 0)
    older = rng.poisson(people.frequencies() * (length / YEAR)[:, None])
    return Purchases.join([last_year, _lines(older, begin, begin + length, people, rng)])


def _between(people: Customers, start: Ints, end: Ints, rng: np.random.Generator) -> Purchases:
    """Purchases outside outcome windows, at the customer's usual rate."""
    counts = rng.poisson(people.frequencies() * ((end - start) / YEAR)[:, None])
    return _lines(counts, start, end, people, rng)


def _lines(
    counts: Ints, start: Ints, end: Ints, people: Customers, rng: np.random.Generator
) -> Purchases:
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    who, department = cells // _N, cells % _N
    shuffled = np.lexsort((rng.random(len(who)), who))
    who, department = who[shuffled], department[shuffled]
    # Every second line of a customer may share the order of the one before, never with the
    # department of it: then lines and orders of a department are as many.
    first = np.searchsorted(who, who)
    second = (np.arange(len(who)) - first) % 2 == 1
    same = np.zeros(len(who), dtype=np.bool_)
    same[1:] = second[1:] & (department[1:] != department[:-1]) & (rng.random(len(who))[1:] < 0.3)
    order = np.cumsum(~same) - 1
    share = rng.random(len(who))
    at = start[who] + (share * np.maximum(end - start - 1, 0)[who]).astype(np.int64)
    at[same] = at[np.flatnonzero(same) - 1]
    value = draw_orders(order_index(people)[who], rng).astype(np.int64) * 100
    # Prices end in 99 cents more often than in none.
    cents = value - np.where(rng.random(len(who)) < 0.5, 1, 0)
    return Purchases(who, at, department, cents, order, np.zeros(len(who), dtype=np.bool_))


def _campaign(
    config: EventsConfig,
    world: World,
    people: Customers,
    past: list[Purchases],
    moment: Ints,
    consented: Ints,
    opted_out: Ints,
    rng: np.random.Generator,
) -> tuple[Assignments, Purchases]:
    """Assign, respond, and write who has left into ``opted_out``."""
    rows = len(people)
    numeric = people.numeric.copy()
    numeric[:, -_N:] = Purchases.join(past).frequencies(moment, rows)
    now = Customers(numeric, people.age, people.man)
    propensity = propensities(now)
    message = assign(propensity, rng)
    probability = world.purchase_probabilities(now)
    chosen = probability[np.arange(rows), message]
    response = rng.random(rows) < chosen
    index = world.order_indices(now)[np.arange(rows), message]
    values = draw_orders(index, rng).astype(np.int64) * 100
    lag = (rng.random(rows) * (config.outcome_days * DAY - 1)).astype(np.int64) + 1
    reached = (consented > 0) & (consented <= moment) & (opted_out == 0)
    opened, clicked, left = _reactions(message, moment, reached, rng)
    opted_out[left > 0] = left[left > 0]
    orders = _responses(now, message, reached & response, moment + lag, values, rng)
    kept = np.flatnonzero(reached)
    return (
        Assignments(
            who=kept,
            at=moment[kept],
            campaign=np.zeros(len(kept), dtype=np.int64),
            message=message[kept],
            propensity=propensity[kept],
            probability=probability[kept],
            order_value=world.expected_order_values(now)[kept],
            response=response[kept],
            opened=opened[kept],
            clicked=clicked[kept],
            left=left[kept],
        ),
        orders,
    )


def _reactions(
    message: npt.NDArray[np.int8], moment: Ints, reached: Bools, rng: np.random.Generator
) -> tuple[Ints, Ints, Ints]:
    rows = len(message)
    draws = rng.random((rows, 3))
    hours = rng.exponential(6.0, (rows, 2)) * DAY / 24
    mailed = reached & (message != MESSAGES.index("control"))
    opened = np.where(mailed & (draws[:, 0] < 0.3), moment + hours[:, 0].astype(np.int64) + 60, 0)
    later = opened + (hours[:, 1] / 12).astype(np.int64) + 1
    clicked = np.where((opened > 0) & (draws[:, 1] < 0.12), later, 0)
    left = np.where((opened > 0) & (draws[:, 2] < 0.004), later + 1, 0)
    # Nobody reads an e-mail after its campaign has ended.
    latest = moment + 2 * DAY - 1
    return tuple(np.where(x > latest, 0, x) for x in (opened, clicked, left))  # type: ignore[return-value]


def _responses(
    now: Customers,
    message: npt.NDArray[np.int8],
    buyer: Bools,
    at: Ints,
    values: Ints,
    rng: np.random.Generator,
) -> Purchases:
    """One order for each buyer, of one or two departments; the lines add up to its value."""
    n = len(now)
    taste = now.frequencies() + 0.5
    mailed = np.flatnonzero(message > 0)
    taste[mailed, message[mailed] - 1] += 2.0
    ranked = np.argsort(np.log(rng.random(taste.shape)) / taste, axis=1)[:, ::-1]
    two = buyer & (rng.random(n) < 0.3) & (values >= 1_000)
    part = np.where(two, np.rint(values * rng.uniform(0.2, 0.8, n)).astype(np.int64), values)
    first, second = np.flatnonzero(buyer), np.flatnonzero(two)
    order = np.cumsum(buyer) - 1
    who = np.concatenate([first, second])
    return Purchases(
        who=who,
        at=at[who],
        department=np.concatenate([ranked[first, 0], ranked[second, 1]]),
        cents=np.concatenate([part[first], (values - part)[second]]),
        order=order[who],
        response=np.ones(len(who), dtype=np.bool_),
    )
