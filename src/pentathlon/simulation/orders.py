"""What a buyer spends: five plus a log-normal, rounded to whole units of currency.

The published quantiles of the order value less its minimum of 5 are those of a log-normal
within a few percent from the first to the ninety-ninth.
"""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pentathlon.simulation.population import Customers
from pentathlon.simulation.published import FloatArray, log_order_coefficients
from pentathlon.special import ndtr, ndtri

MINIMUM = 5.0
"""Smallest order, in currency."""

SIGMA = 0.93
"""Standard deviation of the log of an order less the minimum, given the customer."""

_LOWER, _UPPER = -3.2, 2.95
# Published coefficients explain the log of the whole order; taking 5 off the order
# stretches its log by the ratio of the two standard deviations, about 1 to 0.805.
_STRETCH = 1.24


@lru_cache(maxsize=1)
def _mean_factor() -> float:
    """Mean of ``exp(SIGMA * e)`` for a standard normal ``e`` cut to ``[_LOWER, _UPPER]``.

    The cut keeps the largest of fourteen thousand orders near the published 860.
    """
    return float(
        np.exp(SIGMA**2 / 2)
        * (ndtr(_UPPER - SIGMA) - ndtr(_LOWER - SIGMA))
        / (ndtr(_UPPER) - ndtr(_LOWER))
    )


def order_index(customers: Customers) -> FloatArray:
    """Log of the median order less the minimum, up to the message's constant.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n,)
        Natural logarithm of currency.
    """
    index: FloatArray = customers.features() @ (_STRETCH * log_order_coefficients())
    return index


def mean_excess(index: FloatArray) -> FloatArray:
    """Mean of the order less the minimum.

    Rounding leaves the mean as it is to within one part in a million, because the density
    of the order vanishes smoothly at the minimum and is flat over a unit.

    Parameters
    ----------
    index : ndarray
        Log of the median order less the minimum.

    Returns
    -------
    ndarray
        In currency, of the shape of `index`.
    """
    mean: FloatArray = _mean_factor() * np.exp(index)
    return mean


def draw_orders(index: FloatArray, generator: np.random.Generator) -> npt.NDArray[np.int32]:
    """Draw the orders of buyers.

    Parameters
    ----------
    index : ndarray of shape (n,)
        Log of the median order less the minimum.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of int32 of shape (n,)
        Order values in currency, 5 or more.
    """
    uniform = generator.uniform(ndtr(_LOWER), ndtr(_UPPER), len(index))
    values: FloatArray = MINIMUM + np.exp(index + SIGMA * ndtri(uniform))
    return np.rint(values).astype(np.int32)
