"""Draw a file of the case from a retailer whose truth is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from pentathlon.simulation.assignment import assign, propensities
from pentathlon.simulation.effects import Effects
from pentathlon.simulation.orders import draw_orders
from pentathlon.simulation.population import Customers, draw_customers
from pentathlon.simulation.published import AGES, MESSAGES, NUMERIC, FloatArray
from pentathlon.simulation.world import World, build_world

_MEAN_ID_GAP = 5.77
"""Published ids run to U3462922 over 600,000 rows."""

_CHUNK = 100_000


class SimulationConfig(BaseModel):
    """What to simulate.

    Attributes
    ----------
    rows : int
        Customers in the file, at least 1,000.
    seed : int
        Seed of every draw, 0 or more.
    effects : str
        Kind of personal differences, see `personal_effects`.
    strength : float
        Multiplies the personal differences; 0 removes them.
    test_share : float
        Share of the rows marked as test rows (``training`` 0), strictly between 0 and 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: int = Field(ge=1_000)
    seed: int = Field(ge=0)
    effects: Effects = "affinity"
    strength: float = Field(default=1.0, ge=0.0, allow_inf_nan=False)
    test_share: float = Field(default=0.3, gt=0.0, lt=1.0)


@dataclass(frozen=True)
class SimulatedRetailer:
    """A file of the case, and the truth behind it.

    Attributes
    ----------
    file : DataFrame
        The columns of edition A of the case, one row per customer.
    truth : DataFrame
        ``custid``; then, for every message in the order of `MESSAGES`,
        ``purchase_probability_<message>``, ``expected_order_value_<message>`` (mean order
        of a buyer, currency) and ``propensity_<message>``, as float32.
    """

    file: pd.DataFrame
    truth: pd.DataFrame


def simulate_retailer(config: SimulationConfig) -> SimulatedRetailer:
    """Simulate a retailer calibrated to the published Pentathlon case, edition A.

    Customers, assignment, responses, order values, ids and the split into training and test
    rows come from independent streams of the seed: two configurations that differ in
    ``effects`` or ``strength`` share their customers and messages.

    Parameters
    ----------
    config : SimulationConfig
        What to simulate.

    Returns
    -------
    SimulatedRetailer
        The file and its truth, in the same row order.
    """
    streams = [np.random.default_rng(s) for s in np.random.SeedSequence(config.seed).spawn(6)]
    people, assignment, responses, orders, identity, split = streams
    world = build_world(config.effects, config.strength)
    customers = draw_customers(config.rows, people)
    probability, order_value, propensity = _truth(world, customers)
    message = assign(propensity, assignment)
    row = np.arange(config.rows)
    buyer = responses.random(config.rows) < probability[row, message]
    total = np.zeros(config.rows, dtype=np.int32)
    total[buyer] = draw_orders(
        world.order_indices(customers.take(buyer))[np.arange(buyer.sum()), message[buyer]], orders
    )
    gaps = identity.geometric(1 / _MEAN_ID_GAP, config.rows)
    custid = pd.Series([f"U{i}" for i in np.cumsum(gaps)], dtype="str", name="custid")
    training = _stratified_training(buyer, config.test_share, split)
    truth: dict[str, Any] = {"custid": custid}
    for name, values in (
        ("purchase_probability", probability),
        ("expected_order_value", order_value),
        ("propensity", propensity),
    ):
        truth |= {f"{name}_{m}": values[:, j] for j, m in enumerate(MESSAGES)}
    file = _file(customers, custid, message=message, buyer=buyer, total=total, training=training)
    return SimulatedRetailer(file=file, truth=pd.DataFrame(truth))


def _truth(
    world: World, customers: Customers
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    shape = (len(customers), len(MESSAGES))
    probability, order_value, propensity = (np.empty(shape, dtype=np.float32) for _ in range(3))
    for start in range(0, len(customers), _CHUNK):
        rows = slice(start, start + _CHUNK)
        chunk = customers.take(rows)
        probability[rows] = world.purchase_probabilities(chunk)
        order_value[rows] = world.expected_order_values(chunk)
        propensity[rows] = propensities(chunk)
    return probability, order_value, propensity


def _stratified_training(
    buyer: npt.NDArray[np.bool_], test_share: float, generator: np.random.Generator
) -> FloatArray:
    training = np.ones(len(buyer))
    for outcome in (True, False):
        rows = generator.permutation(np.flatnonzero(buyer == outcome))
        training[rows[: round(test_share * len(rows))]] = 0.0
    return training


def _file(
    customers: Customers,
    custid: pd.Series,
    *,
    message: npt.NDArray[np.int8],
    buyer: npt.NDArray[np.bool_],
    total: npt.NDArray[np.int32],
    training: FloatArray,
) -> pd.DataFrame:
    alphabetical = sorted(MESSAGES)
    codes = np.array([alphabetical.index(m) for m in MESSAGES])[message]
    columns: dict[str, Any] = {
        "custid": custid,
        "buyer": _categorical((~buyer).astype(np.int8), ["yes", "no"]),
        "total_os": total,
        "message": _categorical(codes, alphabetical),
        "age": _categorical(customers.age, AGES),
        "female": _categorical(customers.man.astype(np.int8), ["yes", "no"]),
    }
    for j, name in enumerate(NUMERIC):
        values = customers.numeric[:, j]
        columns[name] = values if name == "children" else np.rint(values).astype(np.int32)
    return pd.DataFrame(columns | {"training": training})


def _categorical(codes: npt.NDArray[np.integer], labels: Sequence[str]) -> "pd.Categorical[str]":
    return pd.Categorical.from_codes(codes, categories=pd.Index(list(labels)))
