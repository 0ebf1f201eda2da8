"""Values and paired gains of policies, in currency per e-mail.

A policy is judged by its paired gain over a baseline on outcomes that played no part in making
it. The estimators themselves, with their formulas, are in `pentathlon.evaluation.estimators`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate
from pentathlon.evaluation.estimators import (
    AIPW,
    DEFAULT_ESTIMATORS,
    Estimator,
    checked_policy,
    effective_size,
    importance_ratio,
    weighted_mean,
)
from pentathlon.evaluation.outcomes import (
    LoggedOutcomes,
    Policy,
    blocks,
    check_expected_profit,
    probability_of,
)
from pentathlon.special import ndtr

FEWEST_ORDERS = 20
"""Among the rows that tell two policies apart; with fewer, their spread says nothing."""


def paired_gain(
    policy: Policy,
    baseline: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any] | None = None,
    estimator: Estimator | None = None,
) -> Estimate:
    """Gain of a policy over a baseline: a paired difference on the same rows.

    The influence values of both are subtracted row by row. With IPS and AIPW a row on which the
    policies agree contributes an exact zero, so only the rows on which they differ add noise.

    Parameters
    ----------
    policy, baseline : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
        n rows.
    expected_profit : ndarray of float, shape (n, n_messages), optional
        Out-of-fold predictions in currency; AIPW needs them.
    estimator : Estimator, optional
        `AIPW` by default.

    Returns
    -------
    Estimate
        In currency per e-mail. Its effective sample size counts the logged rows that tell the
        two policies apart; 0 when none does. Where fewer than `FEWEST_ORDERS` orders tell them
        apart and there are predictions, the standard error is at least the one that these
        expect; see `expected_error`.

    Raises
    ------
    EvaluationError
        When shapes disagree or one of the policies is not one.
    """
    gain = (estimator or AIPW()).contrast(policy, baseline, outcomes, expected_profit)
    if expected_profit is None:
        return gain
    error = expected_error(policy, baseline, outcomes, expected_profit)
    return gain if error is None else replace(gain, standard_error=max(gain.standard_error, error))


def expected_error(
    policy: Policy,
    baseline: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any],
) -> float | None:
    r"""Standard error of a gain as predictions expect it, where too few orders tell.

    A dozen rows of whom none ordered vary hardly at all, and an error made of their spread says
    that the gain is known to the cent. They might have ordered. With few orders among the rows
    that tell two policies apart, the error is therefore not taken from these, but from what was
    expected of them:

    .. math:: \widehat{se}^2 = \frac{r}{(\sum_i w_i)^2} \sum_i w_i^2 \sum_a
              \frac{(\pi(a|x_i) - \pi_0(a|x_i))^2}{f_a} \mu_a(x_i), \qquad
              r = \frac{\sum_j w_j Y_j^2}{\sum_j w_j Y_j}

    with ``f_a`` the share of rows that were sent ``a``, and ``r`` over all orders ``j``: a profit
    that is nothing or an order's has about the variance of its mean times the size of orders.

    Parameters
    ----------
    policy, baseline : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
    expected_profit : ndarray of float, shape (n, n_messages)

    Returns
    -------
    float or None
        In currency per e-mail; ``None`` where at least `FEWEST_ORDERS` orders tell, or where
        there is no order at all.
    """
    first = checked_policy(policy, outcomes, expected_profit)
    second = checked_policy(baseline, outcomes, expected_profit)
    ratio = importance_ratio(first, second, outcomes)
    ordered = outcomes.profit > 0
    if int(np.count_nonzero(ordered & (ratio != 0))) >= FEWEST_ORDERS or not ordered.any():
        return None
    weight = np.ones(outcomes.n) if outcomes.sampling_weight is None else outcomes.sampling_weight
    earned = outcomes.profit[ordered].astype(np.float64)
    size = (weight[ordered] @ earned**2) / (weight[ordered] @ earned)
    n_messages = expected_profit.shape[1]
    sent = np.bincount(outcomes.message, weights=weight, minlength=n_messages)
    share = np.maximum(sent / weight.sum(), 1 / outcomes.n)
    variance = 0.0
    for rows in blocks(outcomes.n):
        for a in range(n_messages):
            message = np.full(len(outcomes.message[rows]), a)
            apart = probability_of(first, message, rows) - probability_of(second, message, rows)
            expected = expected_profit[rows, a].clip(min=0).astype(np.float64)
            variance += float(((weight[rows] * apart) ** 2 @ expected) / share[a])
    return float(np.sqrt(variance * size) / weight.sum())


def percent_gain(
    policy: Policy,
    baseline: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any] | None = None,
    estimator: Estimator | None = None,
) -> Estimate:
    """Gain in per cent of the baseline's value, with both estimated on the same rows.

    The influence values of the ratio ``r = gain / V0`` are ``r + (psi_gain - r psi_0) / V0``
    shifted to mean ``r`` (delta method), so the noise in the baseline's value counts too.

    Parameters
    ----------
    policy, baseline, outcomes, expected_profit, estimator
        As in `paired_gain`.

    Returns
    -------
    Estimate
        In per cent.

    Raises
    ------
    EvaluationError
        When the baseline's value is not positive: a per cent of it has no meaning.
    """
    used = estimator or AIPW()
    gain = used.contrast(policy, baseline, outcomes, expected_profit)
    level = used.estimate(baseline, outcomes, expected_profit)
    if level.value <= 0:
        raise EvaluationError(
            f"The baseline's value is {level.value:.4g}; a gain in per cent needs a positive one."
        )
    first = checked_policy(policy, outcomes, expected_profit)
    second = checked_policy(baseline, outcomes, expected_profit)
    difference = used.terms(first, second, outcomes, expected_profit)[1]
    reference = used.terms(second, None, outcomes, expected_profit)[1]
    ratio = gain.value / level.value
    influence = ratio + (difference - ratio * reference) / level.value
    return weighted_mean(influence, outcomes, gain.effective_sample_size).scaled(100.0)


@dataclass(frozen=True)
class SmoothingBias:
    """Whether order-size smoothing changes the answer.

    Attributes
    ----------
    plain, smoothed : Estimate
        Value of the policy by `AIPW` without and with smoothing, in currency per e-mail.
    difference : Estimate
        Smoothed minus plain, paired on the same rows.
    p_value : float
        Two-sided z-test of no difference. A small one says that the order-value model is biased
        under some message: use the plain estimate.
    """

    plain: Estimate
    smoothed: Estimate
    difference: Estimate
    p_value: float


def smoothing_bias(
    policy: Policy, outcomes: LoggedOutcomes, expected_profit: NDArray[Any]
) -> SmoothingBias:
    """Test the difference between the smoothed and the plain AIPW value.

    Parameters
    ----------
    policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
        With ``smoothed_profit``.
    expected_profit : ndarray of float, shape (n, n_messages)

    Returns
    -------
    SmoothingBias

    Raises
    ------
    EvaluationError
        Without ``smoothed_profit``.
    """
    checked = checked_policy(policy, outcomes, expected_profit)
    ratio, plain = AIPW().terms(checked, None, outcomes, expected_profit)
    _, smoothed = AIPW(smoothed=True).terms(checked, None, outcomes, expected_profit)
    difference = weighted_mean(smoothed - plain, outcomes, effective_size(ratio, outcomes))
    return SmoothingBias(
        plain=AIPW().estimate(policy, outcomes, expected_profit),
        smoothed=AIPW(smoothed=True).estimate(policy, outcomes, expected_profit),
        difference=difference,
        p_value=float(2.0 * ndtr(-abs(difference.z))),
    )


def constant_values(
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any],
    names: Sequence[str],
    *,
    estimators: Sequence[Estimator] = DEFAULT_ESTIMATORS,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Value of sending everyone the same message, for each message and estimator.

    Parameters
    ----------
    outcomes : LoggedOutcomes
    expected_profit : ndarray of float, shape (n, n_messages)
    names : sequence of str, length n_messages
    estimators : sequence of Estimator
    confidence : float
        Of the two-sided intervals.

    Returns
    -------
    DataFrame
        One row per message and estimator: ``message``, ``estimator``, ``value``,
        ``standard_error``, ``lower``, ``upper``, ``n``, ``effective_sample_size`` and ``sent``
        (rows that were sent the message). Money in currency per e-mail.

    Raises
    ------
    EvaluationError
        When a message was never sent, or the names do not fit the columns.
    """
    n_messages = np.shape(expected_profit)[1]
    if len(names) != n_messages:
        raise EvaluationError(f"names: expected {n_messages} messages, got {list(names)}.")
    sent = np.bincount(outcomes.message, minlength=n_messages)
    if (sent == 0).any():
        never = [name for name, count in zip(names, sent, strict=True) if count == 0]
        raise EvaluationError(
            f"{never} were never sent in these {outcomes.n} rows and cannot be valued."
        )
    return pd.DataFrame(
        [
            {
                "message": name,
                "estimator": estimator.name,
                **estimator.estimate(code, outcomes, expected_profit).to_dict(confidence),
                "sent": int(sent[code]),
            }
            for code, name in enumerate(names)
            for estimator in estimators
        ]
    )


def best_constant(
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any],
    estimator: Estimator | None = None,
) -> int:
    """Find the message with the highest value when everyone gets it.

    Parameters
    ----------
    outcomes : LoggedOutcomes
    expected_profit : ndarray of float, shape (n, n_messages)
    estimator : Estimator, optional
        Default: AIPW.

    Returns
    -------
    int
        Column of the message, among those that were sent at all; the first of equals.
    """
    check_expected_profit(expected_profit, outcomes)
    estimator = AIPW() if estimator is None else estimator
    values = np.full(expected_profit.shape[1], -np.inf)
    for k in np.unique(outcomes.message):
        values[k] = estimator.estimate(int(k), outcomes, expected_profit).value
    return int(np.argmax(values))
