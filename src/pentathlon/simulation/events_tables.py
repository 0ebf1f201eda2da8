"""What customers did, as the tables that a retailer would export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pentathlon.simulation.events_settings import EventsConfig
from pentathlon.simulation.events_timeline import (
    BLOCK,
    DAY,
    YEAR,
    Bools,
    Ints,
    Purchases,
    SimulatedBlock,
    microseconds,
    truth_at,
)
from pentathlon.simulation.published import DEPARTMENTS, MESSAGES, FloatArray
from pentathlon.simulation.world import World

REGIONS = ("north", "east", "south", "west")
TIERS = ("basic", "silver", "gold")
_MINUTE = 60_000_000
_CHEAPEST, _DEAREST = 300, 60_000
_BIRTH_YEARS = ((1996, 2007), (1981, 1996), (1966, 1981), (1935, 1966))
_ONLINE = 0.6
_BRANDS = ("own", "known", "fine")


def product_prices(config: EventsConfig) -> Ints:
    """Prices of a department's products in cents, rising evenly on a logarithmic scale."""
    spaced = np.geomspace(_CHEAPEST, _DEAREST, config.products_per_department)
    return np.unique(np.rint(spaced).astype(np.int64))


def products_table(config: EventsConfig) -> pa.Table:
    """The product list: the same prices in every department, costs of 50 to 70 %.

    The brand is an attribute beside the columns of the contract: the dearer, the finer.
    """
    prices = product_prices(config)
    rng = np.random.default_rng([config.seed, 2])
    n = len(prices)
    numbers = [f"{j:03d}" for j in range(n)]
    share = rng.uniform(0.5, 0.7, (len(DEPARTMENTS), n))
    return pa.table(
        {
            "product_id": [f"{d}-{j}" for d in DEPARTMENTS for j in numbers],
            "department": [d for d in DEPARTMENTS for _ in numbers],
            "name": [f"{d.capitalize()} {j}" for d in DEPARTMENTS for j in numbers],
            "price": np.tile(prices, len(DEPARTMENTS)) / 100,
            "cost": np.round(share * prices / 100, 2).ravel(),
            "brand": [_BRANDS[3 * j // n] for _ in DEPARTMENTS for j in range(n)],
        }
    )


def block_tables(
    config: EventsConfig, world: World, block: SimulatedBlock, number: int
) -> dict[str, pa.Table]:
    """Write down one block of customers.

    Parameters
    ----------
    config : EventsConfig
    world : World
    block : SimulatedBlock
    number : int
        Of the block.

    Returns
    -------
    dict of str to Table
        ``customers``, ``transactions``, ``sessions``, ``email_log``; and what only a
        simulation knows: ``truth`` (a row per assignment) and ``truth_now`` (a row per
        customer, at the export).
    """
    kept = block.first + np.arange(BLOCK) < config.customers
    rng = np.random.default_rng([config.seed, number, 3])
    ids = _text("U", block.first + np.arange(BLOCK))
    return {
        "customers": _customers(block, ids, kept, rng),
        "transactions": _transactions(config, block, number, ids, kept, rng),
        "sessions": _sessions(config, block, number, ids, kept, rng),
        "email_log": _email_log(block, ids, kept),
        "truth": _truth(block, ids, kept),
        "truth_now": _truth_now(config, world, block, ids, kept),
    }


def _text(prefix: str, *numbers: Ints) -> pa.Array:
    parts = [pc.cast(pa.array(n), pa.string()) for n in numbers]
    joined = pc.binary_join_element_wise(*parts, "-") if len(parts) > 1 else parts[0]
    return pc.binary_join_element_wise(pa.scalar(prefix), joined, "")


def _times(values: Ints) -> pa.Array:
    """Times, absent where 0."""
    return pa.array(values, mask=values == 0).cast(pa.timestamp("us"))


def _labels(labels: tuple[str, ...], codes: Any) -> pa.Array:
    return pa.array(list(labels)).take(pa.array(codes.astype(np.int64)))


def _customers(
    block: SimulatedBlock, ids: pa.Array, kept: Bools, rng: np.random.Generator
) -> pa.Table:
    people = block.people
    income, education, children = people.numeric[:, 0], people.numeric[:, 1], people.numeric[:, 2]
    # Regions and tiers follow who lives there and who buys, loosely: proxies, as in real life.
    lean = (education - 28.9) / 14.8 + rng.standard_normal(BLOCK)
    region = np.digitize(lean, (-1.0, 0.0, 1.0))
    worth = (income - 48_000) / 17_500 + people.frequencies().sum(axis=1) / 5
    tier = np.digitize(worth + rng.standard_normal(BLOCK) * 0.5, (1.2, 2.4))
    low, high = np.array(_BIRTH_YEARS).T
    born = rng.integers(low[people.age], high[people.age])
    years = pa.array(born.astype(np.int32), mask=rng.random(BLOCK) < 0.1)
    names = _text("Person ", block.first + np.arange(BLOCK))
    mails = pc.binary_join_element_wise(ids, pa.scalar("shop.example"), "@")
    table = pa.table(
        {
            "customer_id": ids,
            "name": names,
            "email": mails,
            "joined_at": _times(block.joined),
            "region": _labels(REGIONS, region),
            "gender": _labels(("woman", "man"), people.man),
            "birth_year": years,
            "tier": _labels(TIERS, tier),
            "consented_at": _times(block.consented),
            "opted_out_at": _times(block.opted_out),
            "income": np.rint(income).astype(np.int32),
            "education": np.rint(education).astype(np.int32),
            "children": children,
        }
    )
    return table.filter(pa.array(kept))


def _transactions(
    config: EventsConfig,
    block: SimulatedBlock,
    number: int,
    ids: pa.Array,
    kept: Bools,
    rng: np.random.Generator,
) -> pa.Table:
    lines = block.purchases
    at_most, cents = np.lexsort((lines.department, lines.order)), lines.cents
    n = len(cents)
    off = rng.choice([0.0, 0.1, 0.2], n, p=[0.75, 0.15, 0.1])
    gross = np.ceil(cents / (1 - off)).astype(np.int64)
    pieces = rng.choice([1, 2, 3], n, p=[0.8, 0.15, 0.05])
    pieces = np.where((gross % pieces == 0) & (gross > 600), pieces, 1)
    price = gross // pieces
    discount = price * pieces - cents
    prices = product_prices(config)
    product = np.searchsorted(np.sqrt(prices[1:] * prices[:-1]), price)
    orders = _text("O", np.full(n, number), lines.order)
    columns = {
        "order_id": orders,
        "line_number": _ranks(lines.order[at_most], at_most).astype(np.int32),
        "customer_id": ids.take(pa.array(lines.who)),
        "ordered_at": _times(lines.at),
        "department": _labels(DEPARTMENTS, lines.department),
        "product_id": products_table(config)["product_id"].take(
            pa.array(lines.department * len(prices) + product)
        ),
        "quantity": pieces.astype(np.int32),
        "unit_price": price / 100,
        "discount": discount / 100,
        "returns_order_id": pa.nulls(n, pa.string()),
    }
    bought = pa.table(columns)
    back, when = _returns(config, block, lines, rng)
    returned = bought.take(pa.array(back))
    returned = _with(returned, "returns_order_id", returned["order_id"])
    returned = _with(
        returned, "order_id", _text("R", np.full(len(back), number), np.arange(len(back)))
    )
    returned = _with(returned, "line_number", pa.array(np.ones(len(back), dtype=np.int32)))
    returned = _with(returned, "quantity", pc.negate(returned["quantity"]))
    returned = _with(returned, "ordered_at", _times(when))
    everything = pa.concat_tables([bought, returned])
    return everything.filter(pa.array(np.concatenate([kept[lines.who], kept[lines.who[back]]])))


def _ranks(groups: Ints, order: Ints) -> Ints:
    """Position from 1 within each group, for rows that ``order`` sorts by group."""
    first = np.searchsorted(groups, groups)
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.arange(len(order)) - first + 1
    return ranks


def _with(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def _returns(
    config: EventsConfig, block: SimulatedBlock, lines: Purchases, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Lines whose pieces come back, and when: never inside an outcome window.

    A return inside a window would make the response of that window differ from its truth.
    """
    draws, days = rng.random(len(lines.at)), rng.uniform(1.0, 28.0, len(lines.at))
    when = lines.at + (days * DAY).astype(np.int64)
    since = when - block.mailed[lines.who]
    gap = config.days_between_campaigns * DAY
    campaign = since // gap
    inside = (campaign >= 0) & (campaign < config.campaigns)
    inside &= since - campaign * gap <= config.outcome_days * DAY
    back = (draws < config.return_share) & ~lines.response & ~inside
    back &= when < microseconds(config.exported_at)
    rows = np.flatnonzero(back)
    return rows, when[rows]


def _sessions(
    config: EventsConfig,
    block: SimulatedBlock,
    number: int,
    ids: pa.Array,
    kept: Bools,
    rng: np.random.Generator,
) -> pa.Table:
    lines = block.purchases
    _, first = np.unique(lines.order, return_index=True)
    online = first[rng.random(len(first)) < _ONLINE]
    end = microseconds(config.exported_at)
    begin = np.maximum(block.joined, block.mailed - config.history_days * DAY)
    total = block.people.frequencies().sum(axis=1)
    rate = config.sessions_per_year * (0.3 + 0.7 * total / 5.0)
    visits = rng.poisson(rate * (end - begin) / YEAR)
    browsing = np.repeat(np.arange(BLOCK), visits)
    share = rng.random(len(browsing))
    at = begin[browsing] + (share * (end - begin)[browsing]).astype(np.int64)
    before = lines.at[online] - (rng.uniform(3, 40, len(online)) * _MINUTE).astype(np.int64)
    who = np.concatenate([lines.who[online], browsing])
    at = np.concatenate([np.maximum(before, block.joined[lines.who[online]]), at])
    n, bought = len(who), len(online)
    pages = 1 + rng.poisson(np.where(np.arange(n) < bought, 9.0, 4.0))
    left = (np.arange(n) >= bought) & (rng.random(n) < 0.15)
    viewed = _viewed(block.people.frequencies()[who], lines.department[online], rng)
    table = pa.table(
        {
            "session_id": _text("S", np.full(n, number), np.arange(n)),
            "customer_id": ids.take(pa.array(who)),
            "started_at": _times(at),
            "duration_seconds": np.rint(pages * rng.gamma(2.0, 20.0, n)),
            "pages": pages.astype(np.int32),
            "departments_viewed": viewed,
            "carts_left": left.astype(np.int32),
        }
    )
    return table.filter(pa.array(kept[who]))


def _viewed(frequencies: FloatArray, bought: Ints, rng: np.random.Generator) -> pa.Array:
    """One to three departments, more often those that the customer buys from."""
    n = len(frequencies)
    ranked = np.argsort(np.log(rng.random(frequencies.shape)) / (frequencies + 0.3), axis=1)[
        :, ::-1
    ]
    chosen = ranked[:, :3].copy()
    count = rng.choice([1, 2, 3], n, p=[0.6, 0.3, 0.1])
    rows = np.arange(len(bought))
    # Who bought has seen what was bought; where it was among the others it comes first.
    place = np.argmax(
        np.column_stack([chosen[rows] == bought[:, None], np.ones(len(rows))]), axis=1
    )
    place = np.where(place == 3, 0, place)
    chosen[rows, place] = chosen[rows, 0]
    chosen[rows, 0] = bought
    taken = np.arange(3) < count[:, None]
    offsets = np.concatenate([[0], np.cumsum(count)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), _labels(DEPARTMENTS, chosen[taken]))


def _email_log(block: SimulatedBlock, ids: pa.Array, kept: Bools) -> pa.Table:
    log = block.assignments
    rows = np.arange(len(log.who))
    table = pa.table(
        {
            "assignment_id": _text("A", log.campaign, block.first + log.who),
            "customer_id": ids.take(pa.array(log.who)),
            "message": _labels(MESSAGES, log.message),
            "assigned_at": _times(log.at),
            "sent": log.message != MESSAGES.index("control"),
            "propensity": log.propensity[rows, log.message],
            "opened_at": _times(log.opened),
            "clicked_at": _times(log.clicked),
            "unsubscribed_at": _times(log.left),
        }
    )
    return table.filter(pa.array(kept[log.who]))


def _truth(block: SimulatedBlock, ids: pa.Array, kept: Bools) -> pa.Table:
    log = block.assignments
    columns: dict[str, Any] = {
        "assignment_id": _text("A", log.campaign, block.first + log.who),
        "customer_id": ids.take(pa.array(log.who)),
        "response": log.response,
    }
    columns |= _by_message("purchase_probability", log.probability)
    columns |= _by_message("expected_order_value", log.order_value)
    columns |= _by_message("propensity", log.propensity)
    return pa.table(columns).filter(pa.array(kept[log.who]))


def _truth_now(
    config: EventsConfig, world: World, block: SimulatedBlock, ids: pa.Array, kept: Bools
) -> pa.Table:
    probability, value = truth_at(block, world, microseconds(config.exported_at))
    columns: dict[str, Any] = {"customer_id": ids}
    columns |= _by_message("purchase_probability", probability)
    columns |= _by_message("expected_order_value", value)
    return pa.table(columns).filter(pa.array(kept))


def _by_message(what: str, values: FloatArray) -> dict[str, Any]:
    return {f"{what}_{m}": values[:, j].astype(np.float32) for j, m in enumerate(MESSAGES)}
