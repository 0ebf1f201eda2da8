"""What a policy is truly worth, where the truth is known (simulated retailers only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate, dot
from pentathlon.evaluation.outcomes import Policy, blocks, check_finite, check_policy, mean_under


@dataclass(frozen=True)
class TrueValue:
    """A policy against the truth; money in currency per e-mail.

    Attributes
    ----------
    value : float
        True value of the policy.
    best_constant : int
        Column of the truly best constant message.
    best_constant_value : float
    best_possible : float
        Value of the policy that knows the truth.
    regret : float
        Best possible minus value.
    gain : float
        Value minus that of the best constant.
    attainable_gain : float
        Best possible minus the best constant.
    share_of_attainable : float or None
        Gain as a share of the attainable gain: 1 for the oracle, 0 for the best constant,
        negative below it; ``None`` when the best constant is best for everyone.
    """

    value: float
    best_constant: int
    best_constant_value: float
    best_possible: float
    regret: float
    gain: float
    attainable_gain: float
    share_of_attainable: float | None


def true_value(
    policy: Policy,
    true_profit: NDArray[Any],
    sampling_weight: NDArray[Any] | None = None,
) -> TrueValue:
    """Value of a policy, its regret and the share of the attainable gain, from the truth.

    Parameters
    ----------
    policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    true_profit : ndarray of float, shape (n, n_messages)
        True expected profit of each message for each row, in currency.
    sampling_weight : ndarray of float, shape (n,), optional

    Returns
    -------
    TrueValue

    Raises
    ------
    EvaluationError
        When shapes disagree or the truth has missing numbers.
    """
    if np.ndim(true_profit) != 2 or len(true_profit) == 0:
        raise EvaluationError(
            f"true_profit: expected shape (n, n_messages), got {np.shape(true_profit)}."
        )
    n, n_messages = true_profit.shape
    chosen = check_policy(policy, n, n_messages)
    weight = np.ones(n) if sampling_weight is None else np.asarray(sampling_weight, dtype=float)
    if weight.shape != (n,):
        raise EvaluationError(f"sampling_weight: expected shape ({n},), got {weight.shape}.")
    value = best = 0.0
    constants = np.zeros(n_messages)
    for rows in blocks(n):
        truth = true_profit[rows].astype(np.float64)
        check_finite(truth.ravel(), "true_profit")
        value += dot(weight[rows], mean_under(chosen, true_profit, rows))
        best += dot(weight[rows], truth.max(axis=1))
        constants += np.einsum("i,ij->j", weight[rows], truth)
    total = float(weight.sum())
    value, best, constants = value / total, best / total, constants / total
    constant = int(np.argmax(constants))
    gain = value - float(constants[constant])
    attainable = best - float(constants[constant])
    # below rounding, there is no gain to attain
    real = attainable > 1e-12 * max(1.0, abs(best))
    return TrueValue(
        value=value,
        best_constant=constant,
        best_constant_value=float(constants[constant]),
        best_possible=best,
        regret=best - value,
        gain=gain,
        attainable_gain=attainable,
        share_of_attainable=gain / attainable if real else None,
    )


def covered(estimate: Estimate, truth: float, confidence: float = 0.95) -> bool:
    """Whether the two-sided interval of an estimate contains the truth.

    Parameters
    ----------
    estimate : Estimate
    truth : float
        In the unit of the estimate.
    confidence : float

    Returns
    -------
    bool
    """
    lower, upper = estimate.interval(confidence)
    return lower <= truth <= upper
