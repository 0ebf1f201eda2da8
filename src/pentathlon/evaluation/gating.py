"""Alarms and the gate: which policy the evidence lets ship.

A learned policy ships only when its paired gain over the best constant policy exceeds its
uncertainty (high-confidence policy improvement; Thomas, Theocharous, Ghavamzadeh 2015). Three
estimators that disagree raise an alarm first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate, check_level, normal_quantile
from pentathlon.evaluation.estimators import (
    DEFAULT_ESTIMATORS,
    Estimator,
    checked_policy,
    effective_size,
    importance_ratio,
    weighted_mean,
)
from pentathlon.evaluation.outcomes import LoggedOutcomes, Policy
from pentathlon.evaluation.policy_value import best_constant as find_best_constant
from pentathlon.evaluation.policy_value import paired_gain


@dataclass(frozen=True)
class Disagreement:
    """Difference between two estimators of the same value.

    Attributes
    ----------
    first, second : str
        Names of the estimators.
    difference : Estimate
        First minus second, paired on the same rows, in currency per e-mail.
    alarm : bool
        Whether it exceeds the threshold.
    """

    first: str
    second: str
    difference: Estimate
    alarm: bool

    def __str__(self) -> str:
        return (
            f"{self.first} - {self.second} = {self.difference.value:.4g}, "
            f"{self.difference.z:.1f} standard errors of the difference"
        )


@dataclass(frozen=True)
class Agreement:
    """Whether the estimators tell the same story.

    Attributes
    ----------
    estimates : dict of str to Estimate
        By estimator, in currency per e-mail.
    comparisons : tuple of Disagreement
        Every pair of estimators.
    threshold : float
        Standard errors of the difference beyond which a pair is an alarm.
    """

    estimates: dict[str, Estimate]
    comparisons: tuple[Disagreement, ...]
    threshold: float

    @property
    def alarms(self) -> tuple[Disagreement, ...]:
        """Pairs that disagree beyond the threshold."""
        return tuple(c for c in self.comparisons if c.alarm)

    @property
    def agrees(self) -> bool:
        """Whether no pair is an alarm."""
        return not self.alarms


def agreement(
    policy: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any] | None = None,
    *,
    baseline: Policy | None = None,
    estimators: Sequence[Estimator] = DEFAULT_ESTIMATORS,
    threshold: float = 2.0,
    materiality: float = 0.01,
) -> Agreement:
    """Compare IPS, SNIPS and AIPW on the same rows.

    The estimates share their rows, so the standard error of a difference comes from the
    differences of the influence values, not from the two standard errors. At the default
    threshold about one pair in twenty is an alarm by chance alone; a larger or repeated one
    points at propensities that are not those of the log, or at predictions that saw the outcome.

    Parameters
    ----------
    policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
    expected_profit : ndarray of float, shape (n, n_messages), optional
        AIPW needs it.
    baseline : policy, optional
        Compare the estimates of the gain over it instead of those of the value.
    estimators : sequence of Estimator
    threshold : float
        In standard errors of the difference.
    materiality : float
        Differences below this share of the larger estimate are no alarm, however precisely they
        are known: estimated propensities move IPS against SNIPS by such amounts.

    Returns
    -------
    Agreement

    Raises
    ------
    EvaluationError
        As the estimators do.
    """
    chosen = checked_policy(policy, outcomes, expected_profit)
    reference = None if baseline is None else checked_policy(baseline, outcomes, expected_profit)
    estimates, influences = {}, {}
    for estimator in estimators:
        influences[estimator.name] = estimator.terms(chosen, reference, outcomes, expected_profit)[
            1
        ]
        estimates[estimator.name] = (
            estimator.estimate(policy, outcomes, expected_profit)
            if baseline is None
            else estimator.contrast(policy, baseline, outcomes, expected_profit)
        )
    size = effective_size(importance_ratio(chosen, reference, outcomes), outcomes)
    comparisons = []
    for first, second in combinations(estimates, 2):
        difference = weighted_mean(influences[first] - influences[second], outcomes, size)
        level = max(abs(estimates[first].value), abs(estimates[second].value))
        alarm = abs(difference.value) > max(
            threshold * difference.standard_error, materiality * level
        )
        comparisons.append(Disagreement(first, second, difference, alarm))
    return Agreement(estimates, tuple(comparisons), threshold)


@dataclass(frozen=True)
class GateResult:
    """Verdict of the gate.

    Attributes
    ----------
    ships : bool
        Whether the policy ships; otherwise the best constant does.
    gain : Estimate
        Paired gain of the policy over the best constant, in currency per e-mail.
    best_constant : int
        Column of the best constant message.
    confidence : float
        One-sided confidence that was asked for.
    lower_bound : float
        One-sided lower bound of the gain, in currency per e-mail; above 0 ships.
    emails_to_settle : int or None
        Randomised e-mails that would make a gain of this size significant with the power asked
        for; ``None`` when there is no positive gain to settle.
    reason : str
        The verdict in words.
    """

    ships: bool
    gain: Estimate
    best_constant: int
    confidence: float
    lower_bound: float
    emails_to_settle: int | None
    reason: str


def gate(
    policy: Policy,
    outcomes: LoggedOutcomes,
    expected_profit: NDArray[Any],
    *,
    confidence: float = 0.95,
    best_constant: int | None = None,
    baseline: Policy | None = None,
    estimator: Estimator | None = None,
    power: float = 0.8,
    hypothesised_gain: float | None = None,
    minimum_effective_size: float = 100.0,
) -> GateResult:
    """Test, one-sided, whether a policy beats the best constant policy.

    The best constant is chosen on the same rows unless given. That choice flatters the constant,
    never the policy, so the test stays valid for one policy that was fixed beforehand; a
    ``baseline`` that sends each row the constant chosen without it takes the flattery out. For the
    best of several policies, choose on other rows first, or raise ``confidence`` accordingly.

    Parameters
    ----------
    policy : int, ndarray of int (n,) or ndarray of float (n, n_messages)
    outcomes : LoggedOutcomes
        Rows that played no part in making the policy.
    expected_profit : ndarray of float, shape (n, n_messages)
        Out-of-fold predictions, in currency.
    confidence : float
        One-sided, in (0, 1).
    best_constant : int, optional
        Column of the constant to beat; by default the best by AIPW on these rows.
    baseline : policy, optional
        What the gain is measured against instead, such as the best constant of the other folds.
    estimator : Estimator, optional
        `AIPW` by default.
    power : float
        Power of `emails_to_settle`, in (0, 1).
    hypothesised_gain : float, optional
        Gain in currency per e-mail to plan for; the observed one by default.
    minimum_effective_size : float
        Fewest effective rows that must tell the policy from the constant: the normal bound means
        nothing on a handful.

    Returns
    -------
    GateResult

    Raises
    ------
    EvaluationError
        As the estimators do, or when a level is not between 0 and 1.
    """
    check_level(confidence)
    constant = (
        find_best_constant(outcomes, expected_profit) if best_constant is None else best_constant
    )
    rival = constant if baseline is None else baseline
    gain = paired_gain(policy, rival, outcomes, expected_profit, estimator)
    lower = gain.lower_bound(confidence)
    enough = gain.effective_sample_size >= minimum_effective_size
    needed = emails_to_settle(
        gain, confidence=confidence, power=power, hypothesised_gain=hypothesised_gain
    )
    if gain.value == 0 and gain.standard_error == 0:
        reason = "The policy is worth exactly the best constant on every row."
    elif not enough:
        reason = (
            f"Only {gain.effective_sample_size:.0f} effective rows tell the policy from the best "
            f"constant; the gate asks for {minimum_effective_size:.0f}."
        )
    else:
        reason = (
            f"The lower {confidence:.1%} bound of the gain is {lower:.4g} per e-mail, "
            f"{'above' if lower > 0 else 'not above'} 0."
        )
    return GateResult(
        ships=bool(enough and lower > 0),
        gain=gain,
        best_constant=int(constant),
        confidence=confidence,
        lower_bound=lower,
        emails_to_settle=needed,
        reason=reason,
    )


def emails_to_settle(
    gain: Estimate,
    *,
    confidence: float = 0.95,
    power: float = 0.8,
    hypothesised_gain: float | None = None,
) -> int | None:
    r"""Randomised e-mails that would make a paired gain significant.

    .. math:: n = \left\lceil (z_{confidence} + z_{power})^2 \, \frac{\sigma^2}{g^2} \right\rceil

    with :math:`\sigma^2 = n_{now} SE^2` the variance of the paired influence per e-mail (repeats
    of a customer and sampling weights included) and ``g`` the gain.

    Parameters
    ----------
    gain : Estimate
        Paired gain on the rows at hand, in currency per e-mail.
    confidence : float
        One-sided.
    power : float
    hypothesised_gain : float, optional
        The observed gain by default. An observed gain that was selected for being large makes
        the answer too small.

    Returns
    -------
    int or None
        ``None`` when the gain is not positive: more e-mails would not make it so.

    References
    ----------
    Cohen (1988), "Statistical power analysis for the behavioral sciences".
    """
    size = gain.value if hypothesised_gain is None else hypothesised_gain
    if not math.isfinite(size):
        raise EvaluationError(f"hypothesised_gain: expected a finite number, got {size}.")
    reach = normal_quantile(check_level(confidence)) + normal_quantile(check_level(power, "power"))
    if size <= 0:
        return None
    return math.ceil(max(reach, 0.0) ** 2 * gain.n * gain.standard_error**2 / size**2)
