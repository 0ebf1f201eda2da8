"""The compiled walk over moments and earlier events; Numba loads with this module."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

COUNT, SUM, MAX, MIN, LATEST, FIRST, FADING_COUNT, FADING_SUM = range(8)
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@njit(cache=True)
def bounds(code: Ints, n_codes: int) -> Ints:
    """Where each code's entries begin, and end with the next one's, once they are in order."""
    start = np.zeros(n_codes + 1, dtype=np.int64)
    for c in code:
        start[c + 1] += 1
    return np.cumsum(start)


@njit(cache=True)
def order_by(code: Ints, start: Ints) -> Ints:
    """Positions in the order of codes; entries of one code stay as they were."""
    place = start[:-1].copy()
    order = np.empty(len(code), dtype=np.int64)
    for i in range(len(code)):
        order[place[code[i]]] = i
        place[code[i]] += 1
    return order


@njit(cache=True)
def _later(found: float, measure: int, value: float, weight: float) -> float:
    """An aggregate after one more event; ``found`` is not a number before the first extreme."""
    if measure in (MAX, LATEST):
        return found if found >= value else value
    if measure in (MIN, FIRST):
        return found if found <= value else value
    if measure in (COUNT, SUM):
        return found + value
    fading = value * weight
    # Halves away from zero, as databases round.
    return found + float(np.copysign(np.floor(np.abs(fading) + 0.5), fading))


@njit(cache=True)
def _value(measure: int, column: int, columns: Floats, t: Ints, e: int) -> float:
    """What an event brings to an aggregate; not a number where it misses the column."""
    if measure in (LATEST, FIRST):
        return float(t[e])
    return 1.0 if column < 0 else float(columns[column, e])


@njit(cache=True, nogil=True)
def walk(
    first: int,
    last: int,
    moment: Ints,
    moments_of: Ints,
    t: Ints,
    mask: Ints,
    columns: Floats,
    events_of: Ints,
    asked: Ints,
    rates: Floats,
    scale: float,
    out: Floats,
) -> None:
    """Aggregate each customer's events before each of his or her moments.

    Parameters
    ----------
    first, last : int
        Customers from the one up to, not including, the other; threads walk ranges of their own.
    moment : ndarray of int64, shape (n_moments,)
        Microseconds, in the order of customers.
    moments_of, events_of : ndarray of int64, shape (n_customers + 1,)
        Where the moments and events of each customer begin.
    t, mask : ndarray of int64, shape (n_events,)
        Microseconds, and a bit for each selection that the event belongs to.
    columns : ndarray of float64, shape (n_columns, n_events)
        Not a number where missing.
    asked : ndarray of int64, shape (5, n_aggregates)
        What is asked of each moment, by row: the measure; the bit of the mask that an event must
        have; the column, -1 for none; the window in microseconds, -1 for all events; which decay,
        -1 for none. A plain array, for Numba keeps the types of arguments on disk, and a class of
        ours that is renamed could not be read back.
    rates : ndarray of float64, shape (n_half_lives,)
        Decay per microsecond.
    scale : float
        What weights are multiplied by before they are rounded.
    out : ndarray of float64, shape (n_aggregates, n_moments)
        Filled in; not a number for extremes and times of no event.
    """
    measures, bits, which = asked[0], asked[1], asked[2]
    windows, decays = asked[3], asked[4]
    n_out, n_rates = len(measures), len(rates)
    found, weight = np.empty(n_out), np.empty(n_rates)
    for customer in range(first, last):
        for j in range(moments_of[customer], moments_of[customer + 1]):
            now = moment[j]
            for p in range(n_out):
                adds = measures[p] in (COUNT, SUM, FADING_COUNT, FADING_SUM)
                found[p] = 0.0 if adds else np.nan
            for e in range(events_of[customer], events_of[customer + 1]):
                age = now - t[e]
                if age <= 0:
                    continue
                for h in range(n_rates):
                    weight[h] = np.exp(age * rates[h]) * scale
                for p in range(n_out):
                    if not (mask[e] >> bits[p]) & 1:
                        continue
                    if windows[p] >= 0 and age > windows[p]:
                        continue
                    measure = measures[p]
                    value = _value(measure, which[p], columns, t, e)
                    if not np.isnan(value):
                        fading = 1.0 if decays[p] < 0 else weight[decays[p]]
                        found[p] = _later(found[p], measure, value, fading)
            for p in range(n_out):
                out[p, j] = found[p]
