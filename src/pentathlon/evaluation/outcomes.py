"""Logged outcomes of randomised e-mails, and the policies that are valued on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError

Policy: TypeAlias = int | NDArray[Any]
"""A policy: an int (everyone gets this message), int codes ``(n,)`` (one message per row), or
probabilities ``(n, n_messages)``. Codes cost no memory and are the fastest to value."""

BLOCK_ROWS = 1 << 17
"""Rows handled at a time, so that temporary arrays stay in the processor's cache."""

_SUM_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class LoggedOutcomes:
    """What was sent, with which probability, and what it earned.

    Attributes
    ----------
    message : ndarray of int, shape (n,)
        Code (column) of the message that was sent.
    propensity : ndarray of float, shape (n,)
        Probability with which the logging policy chose that message, in (0, 1].
    profit : ndarray of float, shape (n,)
        Realised profit in currency: margin x order value - cost of the message.
    sampling_weight : ndarray of float, shape (n,), optional
        How many natural-rate rows the row stands for, with mean 1; ``None`` is 1 for all.
    cluster : ndarray of int, shape (n,), optional
        Code of the customer, where customers have several rows; ``None`` is one row each.
    smoothed_profit : ndarray of float, shape (n,), optional
        Margin x response x predicted order value of the sent message - cost, in currency: the
        realised profit without the luck of the order size.
    known_cost : ndarray of float, shape (n, n_messages), optional
        What each message would cost the row beyond what ``profit`` holds, in currency. Known
        without any outcome, so every policy's value is that much lower, exactly.

    Raises
    ------
    EvaluationError
        On missing or infinite numbers, propensities outside (0, 1], negative weights or message
        codes, and arrays of different lengths.
    """

    message: NDArray[Any]
    propensity: NDArray[Any]
    profit: NDArray[Any]
    sampling_weight: NDArray[Any] | None = None
    cluster: NDArray[Any] | None = None
    smoothed_profit: NDArray[Any] | None = None
    known_cost: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            given = getattr(self, field.name)
            if given is None:
                continue
            column = np.asarray(given)
            if field.name == "known_cost":
                _check_costs(column, len(self.message))
                continue
            if column.ndim != 1 or len(column) != len(self.message):
                raise EvaluationError(
                    f"{field.name}: expected shape ({len(self.message)},) as message has, got "
                    f"{column.shape}."
                )
            if field.name in {"message", "cluster"}:
                check_codes(column, field.name)
            else:
                check_finite(column, field.name)
            if column.dtype == np.uint64:  # numpy counts signed codes only
                column = column.astype(np.int64)
            object.__setattr__(self, field.name, column)
        if len(self.message) == 0:
            raise EvaluationError("message: no rows to evaluate on.")
        outside = (self.propensity <= 0) | (self.propensity > 1)
        if outside.any():
            row = int(np.argmax(outside))
            raise EvaluationError(
                f"propensity: {int(outside.sum())} of {self.n} rows lie outside (0, 1]; the first "
                f"is row {row} with {self.propensity[row]}. A message that could not have been "
                "sent cannot be valued: drop those rows or correct the logged propensity."
            )
        if self.message.min() < 0:
            raise EvaluationError("message: codes are columns of the message set, from 0 upwards.")
        weight = self.sampling_weight
        if weight is not None and (weight.min() < 0 or not weight.sum() > 0):
            raise EvaluationError("sampling_weight: weights must be non-negative, and not all 0.")

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.message)

    def take(self, rows: NDArray[Any] | slice) -> LoggedOutcomes:
        """Select the outcomes of some rows.

        Parameters
        ----------
        rows : ndarray of int or bool, or slice

        Returns
        -------
        LoggedOutcomes
        """
        columns: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{k: v[rows] for k, v in columns.items() if v is not None})


def _check_costs(cost: NDArray[Any], n: int) -> None:
    if cost.ndim != 2 or len(cost) != n or cost.dtype.kind not in "fiu":
        raise EvaluationError(
            f"known_cost: expected numbers of shape ({n}, n_messages), got {cost.dtype} of shape "
            f"{cost.shape}."
        )
    if not np.isfinite(cost).all():
        raise EvaluationError("known_cost: some are missing or infinite.")


def customer_clusters(customer_id: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64] | None:
    """Code of each row's customer, shape ``(n,)``; ``None`` where nobody has several rows.

    Parameters
    ----------
    customer_id : sequence or ndarray, length n
    """
    codes, customers = pd.factorize(np.asarray(customer_id, dtype=object))
    return None if len(customers) == len(codes) else codes.astype(np.int64)


def blocks(n: int) -> Iterator[slice]:
    """Slices of at most ``BLOCK_ROWS`` rows that cover ``n`` rows in order."""
    for start in range(0, n, BLOCK_ROWS):
        yield slice(start, min(start + BLOCK_ROWS, n))


def check_finite(column: NDArray[Any], name: str) -> None:
    """Refuse a column that is not numeric or has missing or infinite numbers.

    Raises
    ------
    EvaluationError
    """
    if column.dtype.kind not in "fiub":
        raise EvaluationError(f"{name}: expected numbers, got {column.dtype}.")
    finite = np.isfinite(column)
    if not finite.all():
        raise EvaluationError(
            f"{name}: {int((~finite).sum())} of {len(column)} rows are missing or infinite; the "
            f"first is row {int(np.argmin(finite))}."
        )


def check_codes(column: NDArray[Any], name: str) -> None:
    """Refuse a column that is not made of integers.

    Raises
    ------
    EvaluationError
    """
    if column.dtype.kind not in "iu":
        raise EvaluationError(f"{name}: expected integer codes, got {column.dtype}.")


def one_hot(codes: NDArray[Any], n_messages: int) -> NDArray[np.float32]:
    """Matrix of probabilities of a deterministic policy.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        Message of each row.
    n_messages : int

    Returns
    -------
    ndarray of float32, shape (n, n_messages)

    Raises
    ------
    EvaluationError
        When a code is not a column.
    """
    codes = np.asarray(codes)
    check_policy(codes, len(codes), n_messages)
    matrix = np.zeros((len(codes), n_messages), dtype=np.float32)
    matrix[np.arange(len(codes)), codes] = 1.0
    return matrix


def check_policy(policy: Policy, n: int, n_messages: int | None) -> NDArray[Any]:
    """Return a policy as an array, once it is known to be one.

    Parameters
    ----------
    policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    n : int
        Rows it must decide for.
    n_messages : int or None
        Number of messages, when known.

    Returns
    -------
    ndarray
        Shape (), (n,) or (n, n_messages).

    Raises
    ------
    EvaluationError
        On other shapes, codes that are not columns, or rows that are not probabilities.
    """
    array = np.asarray(policy)
    if array.ndim < 2:
        check_codes(array, "policy")
        if array.ndim == 1 and len(array) != n:
            raise EvaluationError(f"policy: expected {n} rows, got {len(array)}.")
        low, high = int(array.min(initial=0)), int(array.max(initial=0))
        if low < 0 or (n_messages is not None and high >= n_messages):
            raise EvaluationError(
                f"policy: codes {low} to {high} do not fit the {n_messages} messages."
            )
        return array
    if array.ndim > 2 or len(array) != n or n_messages not in (None, array.shape[1]):
        raise EvaluationError(
            f"policy: expected shape ({n}, {n_messages or 'n_messages'}), got {array.shape}."
        )
    for rows in blocks(n):
        block = array[rows]
        valid = (np.abs(block.sum(axis=1, dtype=np.float64) - 1.0) <= _SUM_TOLERANCE) & (
            block >= 0
        ).all(axis=1)
        if not valid.all():
            row = int(np.argmin(valid))
            raise EvaluationError(
                f"policy: row {rows.start + row} is not a set of probabilities: {block[row]}."
            )
    return array


def check_expected_profit(expected_profit: NDArray[Any], outcomes: LoggedOutcomes) -> None:
    """Refuse predictions that do not fit the logged outcomes.

    Raises
    ------
    EvaluationError
    """
    shape = np.shape(expected_profit)
    if len(shape) != 2 or shape[0] != outcomes.n:
        raise EvaluationError(
            f"expected_profit: expected shape ({outcomes.n}, n_messages), got {shape}."
        )
    highest = int(outcomes.message.max())
    if highest >= shape[1]:
        raise EvaluationError(
            f"message: code {highest} was sent, but expected_profit has {shape[1]} columns."
        )


def probability_of(policy: NDArray[Any], message: NDArray[Any], rows: slice) -> NDArray[np.float64]:
    """Return the probability that the policy gives to each row's message, shape (rows,)."""
    if policy.ndim == 2:
        block = policy[rows]
        probability = block[np.arange(len(block)), message]
    else:
        probability = message == (policy if policy.ndim == 0 else policy[rows])
    return np.asarray(probability, dtype=np.float64)


def mean_under(policy: NDArray[Any], values: NDArray[Any], rows: slice) -> NDArray[np.float64]:
    """Average ``values`` over the policy's messages, row by row, shape (rows,)."""
    block = values[rows]
    if policy.ndim == 0:
        mean = block[:, int(policy)]
    elif policy.ndim == 1:
        mean = block[np.arange(len(block)), policy[rows]]
    else:
        mean = np.einsum("ij,ij->i", policy[rows].astype(np.float64), block.astype(np.float64))
    return np.asarray(mean, dtype=np.float64)
