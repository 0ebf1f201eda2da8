"""How customers differ in their response to messages: shifts of the log odds."""

from collections.abc import Callable
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from pentathlon.simulation.population import Customers
from pentathlon.simulation.published import (
    DEPARTMENTS,
    MESSAGES,
    NUMERIC,
    FloatArray,
    arm_shares,
    fitted,
    interaction_coefficients,
    published_statistics,
)

Effects = Literal["none", "published", "affinity", "segments", "fatigue"]
"""Kinds of personal differences."""

SEGMENTS: Final = (
    "younger families",
    "older families",
    "younger women",
    "younger men",
    "older women",
    "older men",
)
"""Customer segments: a family has children of 1.0 or more; younger is below 45."""

# Rows are SEGMENTS, columns are DEPARTMENTS. Every segment has a department it loves, one
# it likes and one it would rather not hear from.
_SEGMENT_TASTES = (
    (-0.5, 0.0, 0.5, 1.0, 0.0, 0.0),
    (0.0, -0.5, 0.0, 0.5, 1.0, 0.0),
    (1.0, 0.0, 0.5, 0.0, 0.0, -0.5),
    (0.0, 1.0, -0.5, 0.0, 0.0, 0.5),
    (0.5, 0.0, 1.0, -0.5, 0.0, 0.0),
    (0.0, 0.0, 0.0, -0.5, 0.5, 1.0),
)

# With two purchases' worth of doubt, one purchase in all is not yet a share of one.
_DOUBT = 2.0
_FATIGUE_AFFINITY = 0.3
_HEAVY_BUYER = 7


def fatigued(customers: Customers) -> npt.NDArray[np.bool_]:
    """Tell which customers any e-mail puts off in the ``fatigue`` kind.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of bool of shape (n,)
        True for those aged 60 or more, and for heavy buyers aged 45 to 59.
    """
    heavy = customers.frequencies().sum(axis=1) >= _HEAVY_BUYER
    put_off: npt.NDArray[np.bool_] = (customers.age == 3) | ((customers.age == 2) & heavy)
    return put_off


def segments(customers: Customers) -> npt.NDArray[np.int8]:
    """Segment of every customer.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of int8 of shape (n,)
        Positions in `SEGMENTS`.
    """
    family = customers.numeric[:, NUMERIC.index("children")] > 0.95
    older = customers.age >= 2
    alone = 2 + 2 * older.astype(np.int8) + customers.man
    return np.where(family, older, alone).astype(np.int8)


def _affinity(customers: Customers) -> FloatArray:
    counts = customers.frequencies()
    shares = counts / (counts.sum(axis=1, keepdims=True) + _DOUBT)
    return np.column_stack([np.zeros(len(customers)), shares])


def _affinity_effects(customers: Customers) -> FloatArray:
    return float(fitted()["scales"]["affinity"]) * _affinity(customers)


def _published_effects(customers: Customers) -> FloatArray:
    features = customers.features()
    means = [published_statistics()["moments"][name]["mean"] for name in NUMERIC]
    features[:, : len(NUMERIC)] -= means
    coefficients = interaction_coefficients()
    centred = coefficients - (coefficients @ arm_shares())[:, None]
    shifts: FloatArray = float(fitted()["scales"]["published"]) * (features @ centred)
    return shifts


def _segment_effects(customers: Customers) -> FloatArray:
    tastes = np.column_stack([np.zeros(len(SEGMENTS)), np.array(_SEGMENT_TASTES)])
    scale = float(fitted()["scales"]["segments"])
    effects: FloatArray = scale * tastes[segments(customers)]
    return effects


def _fatigue_effects(customers: Customers) -> FloatArray:
    email = np.array([m in DEPARTMENTS for m in MESSAGES])
    put_off = fatigued(customers)[:, None] & email
    scale = float(fitted()["scales"]["fatigue"])
    effects: FloatArray = _FATIGUE_AFFINITY * _affinity_effects(customers) - scale * put_off
    return effects


def _no_effects(customers: Customers) -> FloatArray:
    return np.zeros((len(customers), len(MESSAGES)))


_KINDS: Final[dict[str, Callable[[Customers], FloatArray]]] = {
    "none": _no_effects,
    "published": _published_effects,
    "affinity": _affinity_effects,
    "segments": _segment_effects,
    "fatigue": _fatigue_effects,
}


def personal_effects(customers: Customers, effects: Effects, strength: float) -> FloatArray:
    """Personal shifts of the log odds of buying, by message.

    The kinds at strength 1:

    - ``none``: no differences, messages differ by constants only;
    - ``published``: the published interactions, shrunk to their signal;
    - ``affinity``: customers respond to departments that they buy from, by the
      department's share of their purchases;
    - ``segments``: six segments with tastes of their own;
    - ``fatigue``: about a quarter of the customers is better left alone; the others have
      mild affinities.

    Parameters
    ----------
    customers : Customers
        Customers.
    effects : str
        Kind of differences.
    strength : float
        Multiplies the differences.

    Returns
    -------
    ndarray of shape (n, 7)
        In the order of `MESSAGES`, up to a constant per message.
    """
    return strength * _KINDS[effects](customers)
