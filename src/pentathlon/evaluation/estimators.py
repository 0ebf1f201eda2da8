"""Off-policy estimators: what a policy would have earned, from randomised e-mails.

Notation: row ``i`` was sent message ``A_i`` with known probability ``e_i`` and earned ``Y_i``;
``pi(a|x_i)`` is the probability that the valued policy sends ``a``; ``rho_i = pi(A_i|x_i) / e_i``
is the importance ratio; ``mu_a(x_i)`` is a prediction of profit under ``a`` made by models that
did not see the row's outcome. The ``(n, n_messages)`` array of ``mu`` is called
``expected_profit``. All values are in currency per e-mail.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate, kish_size, mean_estimate
from pentathlon.evaluation.outcomes import (
    LoggedOutcomes,
    Policy,
    blocks,
    check_expected_profit,
    check_policy,
    mean_under,
    probability_of,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimator(ABC):
    """Base of the estimators of a policy's value."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in tables."""

    @abstractmethod
    def _terms(
        self,
        policy: NDArray[Any],
        baseline: NDArray[Any] | None,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None,
    ) -> tuple[Floats, Floats]:
        """Return what :meth:`terms` does, known costs not taken off."""

    def terms(
        self,
        policy: NDArray[Any],
        baseline: NDArray[Any] | None,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None,
    ) -> tuple[Floats, Floats]:
        """Return importance ratios and influence values of policy minus baseline, each (n,)."""
        ratio, influence = self._terms(policy, baseline, outcomes, expected_profit)
        if outcomes.known_cost is None:
            return ratio, influence
        return ratio, influence - known_costs(policy, baseline, outcomes)

    def influence(
        self,
        policy: Policy,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None = None,
    ) -> Floats:
        """Values whose (weighted) mean is the estimate.

        Parameters
        ----------
        policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
            Message of everyone, message of each row, or probabilities of the messages.
        outcomes : LoggedOutcomes
            n rows.
        expected_profit : ndarray of float, shape (n, n_messages), optional
            Out-of-fold predictions in currency; AIPW needs them.

        Returns
        -------
        ndarray of float64, shape (n,)
            In currency.

        Raises
        ------
        EvaluationError
            When shapes disagree or the policy is not one.
        """
        checked = checked_policy(policy, outcomes, expected_profit)
        return self.terms(checked, None, outcomes, expected_profit)[1]

    def estimate(
        self,
        policy: Policy,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None = None,
    ) -> Estimate:
        """Value of the policy in currency per e-mail.

        Parameters
        ----------
        policy, outcomes, expected_profit
            As in `influence`.

        Returns
        -------
        Estimate
            Its effective sample size is that of the importance ratios times sampling weights.

        Raises
        ------
        EvaluationError
            Also when no logged row was sent what the policy would send: nothing then supports
            the value.
        """
        checked = checked_policy(policy, outcomes, expected_profit)
        ratio, influence = self.terms(checked, None, outcomes, expected_profit)
        size = effective_size(ratio, outcomes)
        if size == 0:
            raise EvaluationError(
                f"None of the {outcomes.n} rows was sent a message that the policy would send; "
                "its value is not supported by these outcomes."
            )
        return weighted_mean(influence, outcomes, size)

    def contrast(
        self,
        policy: Policy,
        baseline: Policy,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None = None,
    ) -> Estimate:
        """Value of the policy minus that of the baseline on the same rows; see `paired_gain`."""
        first = checked_policy(policy, outcomes, expected_profit)
        second = checked_policy(baseline, outcomes, expected_profit)
        ratio, influence = self.terms(first, second, outcomes, expected_profit)
        return weighted_mean(influence, outcomes, effective_size(np.abs(ratio), outcomes))


@dataclass(frozen=True)
class IPS(Estimator):
    r"""Inverse propensity scoring.

    .. math:: V = \frac{1}{n} \sum_i \rho_i Y_i, \qquad \psi_i = \rho_i Y_i

    Unbiased, needs no model. Shapes: ``rho``, ``Y`` and ``psi`` are (n,).

    References
    ----------
    Horvitz, Thompson (1952), "A generalization of sampling without replacement from a finite
    universe".
    """

    @property
    def name(self) -> str:
        """Name in tables."""
        return "IPS"

    def _terms(
        self,
        policy: NDArray[Any],
        baseline: NDArray[Any] | None,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None,
    ) -> tuple[Floats, Floats]:
        """Return ``rho`` and ``rho Y``."""
        ratio = importance_ratio(policy, baseline, outcomes)
        return ratio, ratio * outcomes.profit


@dataclass(frozen=True)
class SNIPS(Estimator):
    r"""Self-normalised inverse propensity scoring.

    .. math:: V = \frac{\sum_i \rho_i Y_i}{\sum_i \rho_i}, \qquad
              \psi_i = V + \frac{\rho_i (Y_i - V)}{\bar\rho}

    Slightly biased, but unchanged when a constant is added to all profits. ``psi`` is the
    linearisation of the ratio; a gain is the difference of two ratios, each linearised, so only
    a policy compared with an identical one has an exactly zero standard error row by row.

    References
    ----------
    Swaminathan, Joachims (2015), "The self-normalized estimator for counterfactual learning".
    """

    @property
    def name(self) -> str:
        """Name in tables."""
        return "SNIPS"

    def _terms(
        self,
        policy: NDArray[Any],
        baseline: NDArray[Any] | None,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None,
    ) -> tuple[Floats, Floats]:
        """Return ``rho`` and the linearised ratio."""
        ratio = importance_ratio(policy, None, outcomes)
        influence = _linearised_ratio(ratio, outcomes)
        if baseline is None:
            return ratio, influence
        other = importance_ratio(baseline, None, outcomes)
        return ratio - other, influence - _linearised_ratio(other, outcomes)


@dataclass(frozen=True)
class AIPW(Estimator):
    r"""Augmented inverse propensity weighting (doubly robust), with known propensities.

    .. math:: \psi_i = \sum_a \pi(a|x_i) \mu_a(x_i) + \rho_i (Y_i - \mu_{A_i}(x_i)), \qquad
              V = \frac{1}{n} \sum_i \psi_i

    Unbiased whatever ``mu`` is, as long as ``mu`` did not see the row's outcome. Shapes: ``pi``
    and ``mu`` are (n, n_messages), the rest (n,).

    Parameters
    ----------
    smoothed : bool
        Order-size smoothing: ``Y`` in the correction is replaced by ``S``, the `smoothed_profit`
        of the outcomes (margin x response x predicted order value - cost). What orders were
        larger or smaller than predicted is credited by message instead of row by row,

        .. math:: \psi_i \mathrel{+}= R_{A_i} (Y_i - S_i) + t_{A_i} (\rho_i - R_{A_i}) g_i

        with ``g`` the smoothed margin before cost, ``R_k = sum rho g / sum g`` the mean
        importance ratio of message k's orders and ``t_k = sum (Y - S) / sum g`` by how much they
        exceed the prediction. A constant policy is then worth what it is without smoothing, up
        to the weights; a policy that picks some of a message's customers is valued more tightly.
        Valid when the order-value model is right about customers up to one factor per message.
        Report both and test the difference with `smoothing_bias`.

    References
    ----------
    Robins, Rotnitzky, Zhao (1994), "Estimation of regression coefficients when some regressors
    are not always observed"; Dudik, Langford, Li (2011), "Doubly robust policy evaluation and
    learning"; Zhou, Athey, Wager (2023), "Offline multi-action policy learning".
    """

    smoothed: bool = False

    @property
    def name(self) -> str:
        """Name in tables."""
        return "AIPW, smoothed" if self.smoothed else "AIPW"

    def _terms(
        self,
        policy: NDArray[Any],
        baseline: NDArray[Any] | None,
        outcomes: LoggedOutcomes,
        expected_profit: NDArray[Any] | None,
    ) -> tuple[Floats, Floats]:
        """Return ``rho`` and the doubly robust scores."""
        if expected_profit is None:
            raise EvaluationError("expected_profit: AIPW needs out-of-fold predictions of profit.")
        outcome = required_smoothed_profit(outcomes) if self.smoothed else outcomes.profit
        ratio = importance_ratio(policy, baseline, outcomes)
        influence = np.empty(outcomes.n)
        for rows in blocks(outcomes.n):
            predicted = mean_under(outcomes.message, expected_profit, rows)
            influence[rows] = _mean_difference(policy, baseline, expected_profit, rows) + ratio[
                rows
            ] * (outcome[rows] - predicted)
        if self.smoothed:
            influence += _order_sizes_by_message(ratio, outcomes)
        return ratio, influence


DEFAULT_ESTIMATORS: tuple[Estimator, ...] = (IPS(), SNIPS(), AIPW())
"""The three estimators that are reported side by side."""


def known_costs(
    policy: NDArray[Any], baseline: NDArray[Any] | None, outcomes: LoggedOutcomes
) -> Floats:
    """Known cost of every row under a policy, minus that under a baseline, shape (n,)."""
    cost = np.zeros(outcomes.n)
    if outcomes.known_cost is not None:
        for rows in blocks(outcomes.n):
            cost[rows] = _mean_difference(policy, baseline, outcomes.known_cost, rows)
    return cost


def checked_policy(
    policy: Policy, outcomes: LoggedOutcomes, expected_profit: NDArray[Any] | None
) -> NDArray[Any]:
    """Return the policy as an array that fits the outcomes and the predictions.

    Raises
    ------
    EvaluationError
        When it does not.
    """
    n_messages = None
    if expected_profit is not None:
        check_expected_profit(expected_profit, outcomes)
        n_messages = expected_profit.shape[1]
    array = check_policy(policy, outcomes.n, n_messages)
    if array.ndim == 2 and int(outcomes.message.max()) >= array.shape[1]:
        raise EvaluationError(
            f"message: code {int(outcomes.message.max())} was sent, but the policy has "
            f"{array.shape[1]} columns."
        )
    return array


def importance_ratio(
    policy: NDArray[Any], baseline: NDArray[Any] | None, outcomes: LoggedOutcomes
) -> Floats:
    """Return importance ratios ``(pi(A_i) - pi0(A_i)) / e_i``, shape (n,); may be negative."""
    ratio = np.empty(outcomes.n)
    for rows in blocks(outcomes.n):
        message = outcomes.message[rows]
        probability = probability_of(policy, message, rows)
        if baseline is not None:
            probability -= probability_of(baseline, message, rows)
        ratio[rows] = probability / outcomes.propensity[rows]
    return ratio


def _mean_difference(
    policy: NDArray[Any], baseline: NDArray[Any] | None, values: NDArray[Any], rows: slice
) -> Floats:
    if baseline is not None and policy.ndim == 2 and baseline.ndim == 2:
        # the probabilities are subtracted first: rows on which they agree give an exact zero
        apart = policy[rows].astype(np.float64) - baseline[rows]
        difference: Floats = np.einsum("ij,ij->i", apart, values[rows].astype(np.float64))
        return difference
    mean = mean_under(policy, values, rows)
    return mean if baseline is None else mean - mean_under(baseline, values, rows)


def _order_sizes_by_message(ratio: Floats, outcomes: LoggedOutcomes) -> Floats:
    """Credit realised minus smoothed profit with the mean importance ratio of its message."""
    smoothed = required_smoothed_profit(outcomes).astype(np.float64)
    weight = np.ones(outcomes.n) if outcomes.sampling_weight is None else outcomes.sampling_weight
    excess = outcomes.profit - smoothed
    # A row without a response holds minus the message's cost, the least there is.
    least = np.full(int(outcomes.message.max()) + 1, np.inf)
    np.minimum.at(least, outcomes.message, smoothed)
    margin = smoothed - least[outcomes.message]
    size = len(least)

    def by_message(values: Floats) -> Floats:
        sums: Floats = np.bincount(outcomes.message, weight * values, minlength=size).astype(float)
        return sums

    total = by_message(margin)
    known = total > 0
    divisor = np.where(known, total, 1.0)
    mean_ratio = np.where(known, by_message(ratio * margin) / divisor, 0.0)[outcomes.message]
    factor = np.where(known, by_message(excess) / divisor, 0.0)[outcomes.message]
    credit: Floats = mean_ratio * excess + factor * (ratio - mean_ratio) * margin
    return credit


def _linearised_ratio(ratio: Floats, outcomes: LoggedOutcomes) -> Floats:
    weight = outcomes.sampling_weight
    mean_ratio = float(np.average(ratio, weights=weight))
    if mean_ratio == 0:
        raise EvaluationError(
            f"None of the {outcomes.n} rows was sent a message that the policy would send; "
            "SNIPS has nothing to divide by."
        )
    value = float(np.average(ratio * outcomes.profit, weights=weight)) / mean_ratio
    return value + ratio * (outcomes.profit - value) / mean_ratio


def required_smoothed_profit(outcomes: LoggedOutcomes) -> NDArray[Any]:
    """Return the smoothed profit of the outcomes, shape (n,), or refuse without one."""
    if outcomes.smoothed_profit is None:
        raise EvaluationError(
            "smoothed_profit: order-size smoothing needs margin x response x predicted order "
            "value - cost of the logged message; give it to LoggedOutcomes."
        )
    return outcomes.smoothed_profit


def effective_size(ratio: Floats, outcomes: LoggedOutcomes) -> float:
    """Kish size of importance ratios times sampling weights."""
    weight = outcomes.sampling_weight
    return kish_size(ratio if weight is None else ratio * weight)


def weighted_mean(influence: Floats, outcomes: LoggedOutcomes, size: float) -> Estimate:
    """Mean of influence values under the weights and clusters of the outcomes."""
    return mean_estimate(
        influence,
        sampling_weight=outcomes.sampling_weight,
        cluster=outcomes.cluster,
        effective_sample_size=size,
    )
