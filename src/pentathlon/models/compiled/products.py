"""Compiled matrix products whose rows do not know of each other.

BLAS adds up a row in an order that depends on how many rows there are, so a customer's score
would change in the last digit with the company that it is scored in. These products give a row
the same bits alone and among millions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, fastmath={"contract"})
def row_products(x: Any, weights: Any, out: Any) -> None:
    """Write ``out + x @ weights`` to ``out``.

    Parameters
    ----------
    x : ndarray, shape (n, p)
    weights : ndarray, shape (p, q)
    out : ndarray, shape (n, q)
    """
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            value = x[i, j]
            for k in range(weights.shape[1]):
                out[i, k] += value * weights[j, k]


@njit(inline="always")
def _rectified(values: Any, units: int) -> None:
    for j in range(units):
        values[j] = max(values[j], np.float32(0))


@njit(inline="always")
def _add_product(x: Any, weights: Any, count: int, units: int, out: Any) -> None:
    """Add ``x @ weights`` to ``out``, input after input."""
    for h in range(count):
        value = x[h]
        for j in range(units):
            out[j] += value * weights[h, j]


@njit(nogil=True, cache=True, fastmath={"contract"})
def network_logits(
    base: Any,
    match: Any,
    first: Any,
    first_bias: Any,
    inner: Any,
    inner_biases: Any,
    widths: Any,
    last: Any,
    last_bias: Any,
    out: Any,
) -> None:
    """Logit of a rectified multilayer perceptron under every message.

    The customer's part of the first layer is added up once, each message's on top of it.

    Parameters
    ----------
    base : ndarray of float32, shape (n, n_base)
    match : ndarray of float32, shape (n, n_messages, n_match)
    first : ndarray of float32, shape (n_base + n_messages + n_match, width)
    first_bias : ndarray of float32, shape (width,)
    inner : ndarray of float32, shape (n_inner, width, width)
        Kernels of the layers between the first and the last, padded with zeros.
    inner_biases : ndarray of float32, shape (n_inner, width)
    widths : ndarray of int64, shape (n_inner + 1,)
        Units of the first and the inner layers.
    last : ndarray of float32, shape (width,)
    last_bias : float32
    out : ndarray of float32, shape (n, n_messages)
    """
    n_base, n_messages, n_match = base.shape[1], match.shape[1], match.shape[2]
    width = first.shape[1]
    of_match = first[n_base + n_messages :]
    customer = np.empty(width, np.float32)
    hidden = np.empty((n_messages, width), np.float32)
    following = np.empty((n_messages, width), np.float32)
    for i in range(base.shape[0]):
        customer[:] = first_bias
        _add_product(base[i], first, n_base, width, customer)
        for k in range(n_messages):
            for j in range(width):
                hidden[k, j] = customer[j] + first[n_base + k, j]
            _add_product(match[i, k], of_match, n_match, width, hidden[k])
            _rectified(hidden[k], width)
        for layer in range(inner.shape[0]):
            units = widths[layer + 1]
            for k in range(n_messages):
                following[k] = inner_biases[layer]
                _add_product(hidden[k], inner[layer], widths[layer], units, following[k])
                _rectified(following[k], units)
            hidden, following = following, hidden
        for k in range(n_messages):
            total = last_bias
            for j in range(widths[inner.shape[0]]):
                total += hidden[k, j] * last[j]
            out[i, k] = total
