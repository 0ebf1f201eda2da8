"""What personal messages gain over the best single one, by differences that outcomes confirmed.

The gain of a policy can be read off outcomes alone: value of the policy minus value of the
constant. Each of the two rests on the customers who happened to be sent just that, with seven
messages a seventh of them, so the difference of two such values is known to some five per cent of
profit with a few thousand orders, whatever the policy. But held-out outcomes have calibrated the
personal differences already (:mod:`pentathlon.decision.shrinkage`), and all customers took part in
that. The gain that the calibrated differences imply is known two to three times better.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.shrinkage import (
    MIN_SPREAD,
    PARTS,
    ContrastShrinkage,
    between_variance,
    contrast_parts,
)
from pentathlon.evaluation import Estimate
from pentathlon.special import logit

FEWEST_ORDERS = 2
"""Of a message, to say anything about the spread of what is spent."""


def confirmed_gain(
    probability: NDArray[np.float32],
    profit: NDArray[np.float32],
    shrinkage: ContrastShrinkage,
    covariance: NDArray[np.float64],
    policy: NDArray[np.int64],
    constant: int,
    order_value: NDArray[np.float64],
    expected_order_value: NDArray[np.float32],
    message: NDArray[np.int64],
    sampling_weight: NDArray[np.float64],
    messages: MessageSet,
    among: NDArray[np.bool_] | None = None,
) -> Estimate:
    r"""Gain of a policy over a constant by the calibrated predictions, with its error.

    .. math:: G = E\left[ v_{\pi(x)}(x) - v_c(x) \right], \qquad
              Var(G) = g^T \Sigma g + \sum_k h_k^2 s_k^2

    with ``v`` the expected profit, ``g`` the gradient of ``G`` by the effects of messages and the
    slopes of contrasts, ``Sigma`` their covariance (delta method), ``h`` the gradient by the log
    of what is spent after each message and ``s`` its standard error; effects and order sizes of
    e-mails are drawn to their common mean by empirical Bayes.

    Parameters
    ----------
    probability : ndarray of float32, shape (n, n_messages)
        Fused and cross-fitted, before shrinking.
    profit : ndarray of float32, shape (n, n_messages)
        Expected profit after shrinking, in currency.
    shrinkage : ContrastShrinkage
    covariance : ndarray, shape (n_messages + 3, n_messages + 3)
        As :meth:`ContrastShrinkage.fit_with_covariance` gives it.
    policy : ndarray of int64, shape (n,)
        The personal choice.
    constant : int
        Column of the message that everyone would get instead.
    order_value : ndarray of float64, shape (n,)
        Realised, 0 without a response.
    expected_order_value : ndarray of float32, shape (n, n_messages)
    message, sampling_weight : ndarray, shape (n,)
    messages : MessageSet
    among : ndarray of bool, shape (n,), optional
        Customers whose gain is asked for; all of them by default. What is known of effects, slopes
        and order sizes rests on everyone in either case.

    Returns
    -------
    Estimate
        In currency per customer (of those asked for). Its effective sample size counts the rows on
        which the policy and the constant differ.

    References
    ----------
    Efron, Morris (1973), "Stein's estimation rule and its competitors: an empirical Bayes
    approach"; Oehlert (1992), "A note on the delta method".
    """
    n, k = profit.shape
    asked = sampling_weight if among is None else sampling_weight * among
    weight = asked / asked.sum()
    z = logit(probability)
    parts = contrast_parts(z, np.array(shrinkage.message_effect), shrinkage.control)
    shrunk = shrinkage.predict(probability)
    gross = profit + messages.costs.astype(np.float32)
    rows = np.arange(n)
    gain = float(weight @ (profit[rows, policy] - profit[:, constant]))
    gradient, spent = np.zeros(k + len(PARTS)), np.zeros(k)
    for choice, sign in ((policy, 1.0), (np.full(n, constant, dtype=np.int64), -1.0)):
        worth = sign * weight * gross[rows, choice]
        slope = worth * (1 - shrunk[rows, choice])
        gradient[:k] += np.bincount(choice, slope, minlength=k)
        for j, part in enumerate(parts):
            gradient[k + j] += slope @ part[rows, choice]
        spent += np.bincount(choice, worth, minlength=k)
    variance = float(gradient @ covariance @ gradient)
    variance += float(
        spent**2
        @ _order_size_variance(order_value, expected_order_value, message, sampling_weight, k)
    )
    differs = float(asked @ (policy != constant)) / float(sampling_weight.mean())
    size = n if among is None else int(among.sum())
    return Estimate(gain, float(np.sqrt(max(variance, 0.0))), size, differs)


def _order_size_variance(
    order_value: NDArray[np.float64],
    expected: NDArray[np.float32],
    message: NDArray[np.int64],
    sampling_weight: NDArray[np.float64],
    n_messages: int,
) -> NDArray[np.float64]:
    """Variance of the log of what buyers spend after each message, beside what is expected."""
    buys = order_value > 0
    ratio = order_value[buys] / expected[buys, message[buys]]
    arm, w = message[buys], sampling_weight[buys]
    level, variance = np.zeros(n_messages), np.full(n_messages, np.inf)
    for k in range(n_messages):
        mine = arm == k
        if mine.sum() >= FEWEST_ORDERS:
            level[k] = np.average(ratio[mine], weights=w[mine])
            residual = w[mine] * (ratio[mine] - level[k])
            variance[k] = (residual @ residual) / (w[mine].sum() * level[k]) ** 2
    spread = max(between_variance(np.log(np.maximum(level, 1e-12)), variance), MIN_SPREAD)
    # What nobody bought after is known by the prior alone.
    kept: NDArray[np.float64] = 1.0 / (1.0 / spread + 1.0 / np.maximum(variance, 1e-12))
    return kept


def contradicted(gain: Estimate, confidence: float) -> bool:
    """Whether outcomes alone say, beyond chance, that a policy loses."""
    loss = replace(gain, value=-gain.value)
    return loss.lower_bound(confidence) > 0
