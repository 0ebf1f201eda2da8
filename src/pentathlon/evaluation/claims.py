"""Claimed against supported profit, and how much of a value hangs on a few orders."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate, check_level, mean_estimate
from pentathlon.evaluation.estimators import (
    AIPW,
    Estimator,
    checked_policy,
    effective_size,
    importance_ratio,
    known_costs,
)
from pentathlon.evaluation.outcomes import (
    LoggedOutcomes,
    Policy,
    blocks,
    check_expected_profit,
    check_finite,
    mean_under,
)


@dataclass(frozen=True)
class Honesty:
    """What a policy claims and what the outcomes support.

    Attributes
    ----------
    claimed : Estimate
        Mean of the predictions under the policy, in currency per e-mail. Its standard error
        says only how the customers differ, nothing about the model.
    supported : Estimate
        Value on the held-out outcomes, in currency per e-mail.
    inflation : Estimate
        Claimed minus supported, paired on the same rows.
    inflation_percent : float or None
        Inflation in per cent of the supported value; ``None`` when that is not positive.
    top_orders_share : float or None
        Share of the margin that the policy is credited with (importance-weighted) that comes
        from the largest credited orders; ``None`` when it is credited with no order.
    top_orders : int
        How many orders that is.
    capped : Estimate
        Supported value with order values capped, a secondary number that a few huge orders
        cannot move.
    cap : float
        Order value at which they were capped, in currency.
    """

    claimed: Estimate
    supported: Estimate
    inflation: Estimate
    inflation_percent: float | None
    top_orders_share: float | None
    top_orders: int
    capped: Estimate
    cap: float


def honesty(
    policy: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any],
    *,
    order_value: NDArray[Any],
    margin: NDArray[Any] | float,
    own_prediction: NDArray[Any] | None = None,
    estimator: Estimator | None = None,
    top_orders: int = 10,
    cap_quantile: float = 0.99,
) -> Honesty:
    """Set the claimed profit of a policy beside the supported one.

    The maximum of noisy predictions is too high on average (the optimizer's curse; Smith and
    Winkler 2006), so claimed profit is optimistic even for a calibrated model.

    Parameters
    ----------
    policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
        n rows.
    expected_profit : ndarray of float, shape (n, n_messages)
        Out-of-fold predictions for the estimator, in currency.
    order_value : ndarray of float, shape (n,)
        Realised order value in currency, 0 without a response.
    margin : float or ndarray of float, shape (n_messages,)
        Share of the order value that remains, for all messages or by message.
    own_prediction : ndarray of float, shape (n, n_messages), optional
        The predictions that the policy was made from; ``expected_profit`` by default.
    estimator : Estimator, optional
        `AIPW` by default.
    top_orders : int
        Number of orders of `top_orders_share`.
    cap_quantile : float
        Quantile of the positive order values at which they are capped, declared beforehand.

    Returns
    -------
    Honesty

    Raises
    ------
    EvaluationError
        When shapes disagree or an order value is negative.
    """
    used = estimator or AIPW()
    chosen = checked_policy(policy, outcomes, expected_profit)
    own = expected_profit if own_prediction is None else own_prediction
    check_expected_profit(own, outcomes)
    order_value = np.asarray(order_value)
    if order_value.shape != (outcomes.n,):
        raise EvaluationError(
            f"order_value: expected shape ({outcomes.n},), got {order_value.shape}."
        )
    n_messages = np.shape(expected_profit)[1]
    if np.shape(margin) not in ((), (n_messages,)):
        raise EvaluationError(
            f"margin: expected one number or {n_messages}, got shape {np.shape(margin)}."
        )
    claim = np.empty(outcomes.n)
    for rows in blocks(outcomes.n):
        claim[rows] = mean_under(chosen, own, rows)
    claim -= known_costs(chosen, None, outcomes)
    supported = used.estimate(policy, outcomes, expected_profit)
    inflation = _mean(claim - used.influence(policy, outcomes, expected_profit), outcomes)

    cap = cap_order_value(order_value, cap_quantile, outcomes.sampling_weight)
    by_row = np.broadcast_to(margin, (n_messages,))[outcomes.message]
    capped_profit = outcomes.profit - by_row * (order_value - np.minimum(order_value, cap))

    credit = importance_ratio(chosen, None, outcomes) * by_row * order_value
    if outcomes.sampling_weight is not None:
        credit *= outcomes.sampling_weight
    total = float(credit.sum())
    largest = np.sort(credit)[::-1][:top_orders]
    return Honesty(
        claimed=_mean(claim, outcomes),
        supported=supported,
        inflation=inflation,
        inflation_percent=(
            100.0 * inflation.value / supported.value if supported.value > 0 else None
        ),
        top_orders_share=float(largest.sum()) / total if total > 0 else None,
        top_orders=top_orders,
        capped=used.estimate(policy, replace(outcomes, profit=capped_profit), expected_profit),
        cap=cap,
    )


def honesty_slope(
    policy: Policy,
    baseline: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any],
    *,
    own_prediction: NDArray[Any] | None = None,
    estimator: Estimator | None = None,
) -> Estimate | None:
    r"""Supported gain per unit of claimed gain, customer by customer.

    .. math:: \psi_i(\pi) - \psi_i(\pi_0) = a + \beta \, (\mu_{\pi}(x_i) - \mu_{\pi_0}(x_i))

    by weighted least squares: the best linear predictor of the gain from what the models
    promise. 1 where promises are kept on average, 0 where they say nothing about who gains,
    below 1 where they are too large.

    Parameters
    ----------
    policy, baseline : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
        n rows that played no part in making the policy.
    expected_profit : ndarray of float, shape (n, n_messages)
        Out-of-fold predictions for the estimator, in currency.
    own_prediction : ndarray of float, shape (n, n_messages), optional
        The predictions that the policy promises by; ``expected_profit`` by default.
    estimator : Estimator, optional
        `AIPW` by default.

    Returns
    -------
    Estimate or None
        The slope, with a sandwich standard error (by customer where they have several rows);
        ``None`` when the same gain is claimed for everyone.

    Raises
    ------
    EvaluationError
        When shapes disagree.

    References
    ----------
    Chernozhukov, Demirer, Duflo, Fernandez-Val (2018), "Generic machine learning inference on
    heterogeneous treatment effects in randomized experiments".
    """
    used = estimator or AIPW()
    first = checked_policy(policy, outcomes, expected_profit)
    second = checked_policy(baseline, outcomes, expected_profit)
    own = expected_profit if own_prediction is None else own_prediction
    check_expected_profit(own, outcomes)
    claim = np.empty(outcomes.n)
    for rows in blocks(outcomes.n):
        claim[rows] = mean_under(first, own, rows) - mean_under(second, own, rows)
    claim -= known_costs(first, second, outcomes)
    ratio, gain = used.terms(first, second, outcomes, expected_profit)
    weight = np.ones(outcomes.n)
    if outcomes.sampling_weight is not None:
        weight = outcomes.sampling_weight.astype(np.float64)
    centred = claim - np.average(claim, weights=weight)
    spread = float(np.average(centred**2, weights=weight))
    if spread <= 1e-12 * max(1.0, float(np.average(claim**2, weights=weight))):
        return None
    slope = float(np.average(centred * gain, weights=weight)) / spread
    residual = gain - np.average(gain, weights=weight) - slope * centred
    return mean_estimate(
        slope + centred * residual / spread,
        sampling_weight=outcomes.sampling_weight,
        cluster=outcomes.cluster,
        effective_sample_size=effective_size(np.abs(ratio), outcomes),
    )


def cap_order_value(
    order_value: NDArray[Any],
    quantile: float,
    sampling_weight: NDArray[Any] | None = None,
) -> float:
    """Quantile of the positive order values.

    Parameters
    ----------
    order_value : ndarray of float, shape (n,)
        In currency, 0 without a response.
    quantile : float
        In (0, 1).
    sampling_weight : ndarray of float, shape (n,), optional

    Returns
    -------
    float
        In currency: the smallest order value that at least this share of the orders does not
        exceed; 0 without any order.

    Raises
    ------
    EvaluationError
        On missing or negative order values.
    """
    check_level(quantile, "cap_quantile")
    check_finite(np.asarray(order_value), "order_value")
    if (order_value < 0).any():
        raise EvaluationError("order_value: order values cannot be negative.")
    bought = order_value > 0
    if not bought.any():
        return 0.0
    weights = None if sampling_weight is None else sampling_weight[bought]
    return float(np.quantile(order_value[bought], quantile, method="inverted_cdf", weights=weights))


def _mean(influence: NDArray[Any], outcomes: LoggedOutcomes) -> Estimate:
    return mean_estimate(
        influence, sampling_weight=outcomes.sampling_weight, cluster=outcomes.cluster
    )
