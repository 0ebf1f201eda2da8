"""Choosing the policy that ships, on rows that its predictions never saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.blending import FUSED, BlendFitter, ContrastBlend, Scores
from pentathlon.decision.gain import confirmed_gain, contradicted
from pentathlon.decision.policies import (
    PERSONALISED,
    constant_name,
    level_of,
    personalised,
)
from pentathlon.decision.profit import expected_profit, realised_profit
from pentathlon.decision.settings import DecisionSettings
from pentathlon.decision.shrinkage import ContrastShrinkage, shrink_to_mean
from pentathlon.evaluation.estimate import Estimate
from pentathlon.evaluation.estimators import AIPW, Estimator
from pentathlon.evaluation.gating import GateResult, gate
from pentathlon.evaluation.outcomes import LoggedOutcomes

TRACE = 1e-3
FEWEST_FOLDS = 3
MINIMUM_ROWS = 100


@dataclass(frozen=True)
class PolicyChoice:
    """What the evidence supports.

    Attributes
    ----------
    blend : ContrastBlend
        Weights of the models' contrasts, fitted on all rows, for the engine.
    shrinkage : ContrastShrinkage
        Fitted on all rows, each blended by weights from other folds; for the engine.
    expected_profit : ndarray of float32, shape (n, n_messages)
        Cross-fitted, contrasts blended and shrunk by what was estimated without the row's fold.
    gain : Estimate
        Of the personalised policy over the best constant, by the differences that held-out
        outcomes confirmed; see :func:`pentathlon.decision.gain.confirmed_gain`.
    gate : GateResult
        The same read off outcomes alone: paired gain over the best constant, chosen without each
        row's fold. It has a veto.
    contrasts_real : bool
        Whether held-out responses follow the personal contrasts at all.
    reason : str
        The verdict in words.
    policy : str
        ``personalised`` or the name of the best constant.
    constant_worth : tuple of float, length n_messages
        What evidence supports about each message for a customer of level 1 (see
        :func:`pentathlon.decision.policies.level_of`) while it supports nothing personal: the
        value of sending it to everyone over the mean level, leads of e-mails pulled to their
        mean by empirical Bayes.
    promised_profit : float
        What the training rows promise of the policy, corrected for the winner's curse, in
        currency per customer: the value of the best constant with its lead shrunk, and for the
        personalised policy its cross-fitted gain over it, shrunk by its reliability.
    """

    blend: ContrastBlend
    shrinkage: ContrastShrinkage
    expected_profit: NDArray[np.float32]
    gain: Estimate
    gate: GateResult
    contrasts_real: bool
    reason: str
    policy: str
    constant_worth: tuple[float, ...]
    promised_profit: float


def choose_policy(
    purchase_probability: NDArray[np.float32],
    expected_order_value: NDArray[np.float32],
    outcomes: LoggedOutcomes,
    response: NDArray[np.integer],
    fold: NDArray[np.integer],
    messages: MessageSet,
    settings: DecisionSettings,
    by_model: Scores | None = None,
) -> PolicyChoice:
    """Blend and shrink contrasts, form the personalised policy, and let the gate decide.

    The personalised policy ships when held-out responses follow personal contrasts at all, the
    lower bound of the gain that the calibrated contrasts imply is above 0, and outcomes alone do
    not say beyond chance that it loses.

    Parameters
    ----------
    purchase_probability, expected_order_value : ndarray of float32, shape (n, n_messages)
        Fused and cross-fitted.
    outcomes : LoggedOutcomes
        With ``smoothed_profit`` when the settings ask for the smoothed estimator.
    response, fold : ndarray of int, shape (n,)
    messages : MessageSet
    settings : DecisionSettings
    by_model : mapping of model to ndarray of float32, shape (n, n_messages), optional
        Single models' probabilities, cross-fitted by the same folds, to blend contrasts from.
        Without them the fused contrasts are taken.

    Returns
    -------
    PolicyChoice
    """
    message = outcomes.message
    weight = np.ones(outcomes.n) if outcomes.sampling_weight is None else outcomes.sampling_weight
    blend, blended, without = _blended(
        purchase_probability, by_model, message, response, weight, fold, settings
    )
    measured, covariance = ContrastShrinkage.fit_with_covariance(
        blended, message, response, weight, messages.control, outcomes.cluster
    )
    shrunk = blended
    shrinkage = measured if settings.shrink_contrasts else ContrastShrinkage.none(len(messages))
    if settings.shrink_contrasts:
        shrunk = np.empty_like(blended)
        for held_out in np.unique(fold):
            inside, outside = fold != held_out, fold == held_out
            part = ContrastShrinkage.fit(
                without(held_out)[inside],
                message[inside],
                response[inside],
                weight[inside],
                messages.control,
            )
            shrunk[outside] = part.predict(blended[outside])
    profit = expected_profit(shrunk, expected_order_value, messages)
    estimator = AIPW(smoothed=settings.estimator == "smoothed")
    rival = np.empty(outcomes.n, dtype=np.int64)
    for held_out in np.unique(fold):
        inside, outside = fold != held_out, fold == held_out
        rival[outside] = best_constant(outcomes.take(inside), profit[inside], estimator)
    verdict = gate(
        personalised(profit),
        outcomes,
        profit,
        confidence=settings.confidence,
        best_constant=best_constant(outcomes, profit, estimator),
        baseline=rival,
        estimator=estimator,
    )
    whole = expected_profit(shrinkage.predict(blended), expected_order_value, messages)
    gain = confirmed_gain(
        blended,
        whole,
        measured,
        covariance,
        personalised(whole),
        verdict.best_constant,
        np.where(response == 1, _order_value(outcomes, messages), 0.0),
        expected_order_value,
        message,
        weight,
        messages,
    )
    real = measured.lower_bound(settings.contrast_confidence) > 0
    ships, reason = _verdict(gain, verdict.gain, real, settings)
    policy = PERSONALISED if ships else constant_name(messages.names[verdict.best_constant])
    values = _constant_values(outcomes, profit, estimator, messages)
    level = np.average(level_of(profit, messages), weights=outcomes.sampling_weight)
    promised = float(values[verdict.best_constant])
    if policy == PERSONALISED:
        promised += gain.value * max(0.0, 1 - 1 / gain.z**2)
    return PolicyChoice(
        blend=blend,
        shrinkage=shrinkage,
        expected_profit=profit,
        gain=gain,
        gate=verdict,
        contrasts_real=real,
        reason=reason,
        policy=policy,
        constant_worth=tuple((values / level).tolist()),
        promised_profit=promised,
    )


def _blended(
    fused: NDArray[np.float32],
    by_model: Scores | None,
    message: NDArray[np.int64],
    response: NDArray[np.integer],
    weight: NDArray[np.float64],
    fold: NDArray[np.integer],
    settings: DecisionSettings,
) -> tuple[ContrastBlend, NDArray[np.float32], Callable[[int], NDArray[np.float32]]]:
    """Blend for the engine, rows blended without their fold, and those without another one too."""
    # Two folds leave none to fit on when both are held out.
    few = len(np.unique(fold)) < FEWEST_FOLDS
    if not by_model or few or not settings.shrink_contrasts or not settings.blend_contrasts:
        return FUSED, fused, lambda _: fused
    fitter = BlendFitter(fused, by_model, message, response, weight)
    crossed = fitter.cross_fit(fold)
    return fitter.fit(np.ones(len(fold), dtype=bool)), crossed.held_out(), crossed.without


def _verdict(
    gain: Estimate, by_outcomes: Estimate, real: bool, settings: DecisionSettings
) -> tuple[bool, str]:
    """Whether the personalised policy ships, and why."""
    lower = gain.lower_bound(settings.confidence)
    if gain.value == 0 and gain.standard_error == 0:
        return False, "The policy is the best constant on every row."
    reason = (
        f"The lower {settings.confidence:.1%} bound of the gain is {lower:.4g} per e-mail, "
        f"{'above' if lower > 0 else 'not above'} 0."
    )
    if lower <= 0:
        return False, reason
    if gain.effective_sample_size < MINIMUM_ROWS:
        return False, (
            f"Only {gain.effective_sample_size:.0f} customers would get another message than the "
            f"best constant; the gate asks for {MINIMUM_ROWS}."
        )
    if not real:
        return False, (
            f"{reason} But held-out responses do not follow the personal differences beyond chance."
        )
    if contradicted(by_outcomes, settings.confidence):
        return False, (
            f"{reason} But outcomes alone say beyond chance that it loses: "
            f"{by_outcomes.value:.4g} with a standard error of {by_outcomes.standard_error:.2g}."
        )
    return True, reason


def _order_value(outcomes: LoggedOutcomes, messages: MessageSet) -> NDArray[np.float64]:
    """What was spent, from realised profit."""
    sent = outcomes.message
    spent = (outcomes.profit + messages.costs[sent]) / messages.margins[sent]
    return np.asarray(spent, dtype=np.float64)


def _constant_values(
    outcomes: LoggedOutcomes,
    profit: NDArray[np.float32],
    estimator: Estimator,
    messages: MessageSet,
) -> NDArray[np.float64]:
    """Value of sending each message to everyone, leads of e-mails shrunk, in currency."""
    estimates = [estimator.estimate(k, outcomes, profit) for k in range(len(messages))]
    value = np.array([e.value for e in estimates])
    e_mails = np.array([k for k in range(len(messages)) if k != messages.control])
    variance = np.mean([estimates[k].standard_error ** 2 for k in e_mails])
    # One variance for all, so that shrinking never changes which message is best. A trace of the
    # leads stays where nothing tells them from luck: a tie must go to one of them.
    shrunk = shrink_to_mean(value[e_mails], np.full(len(e_mails), variance))
    value[e_mails] = shrunk + TRACE * (value[e_mails] - shrunk)
    return value


def best_constant(
    outcomes: LoggedOutcomes, profit: NDArray[np.float32], estimator: Estimator
) -> int:
    """Column of the message that is worth most when everyone gets it."""
    values = [estimator.estimate(k, outcomes, profit).value for k in range(profit.shape[1])]
    return int(np.argmax(values))


def logged_outcomes(
    message: NDArray[np.int64],
    propensity: NDArray[np.float64],
    response: NDArray[np.integer],
    order_value: NDArray[np.float64],
    sampling_weight: NDArray[np.float64],
    expected_order_value: NDArray[np.float32],
    messages: MessageSet,
    cluster: NDArray[np.int64] | None = None,
) -> LoggedOutcomes:
    """Outcomes in money, with the smoothed profit beside the realised one.

    Parameters
    ----------
    message, propensity, response, order_value, sampling_weight : ndarray, shape (n,)
    expected_order_value : ndarray of float32, shape (n, n_messages)
        From a model that did not see the row.
    messages : MessageSet
    cluster : ndarray of int64, shape (n,), optional
        Code of the customer, where customers have several rows.
    """
    rows = np.arange(len(message))
    smoothed = np.where(response == 1, expected_order_value[rows, message], 0.0)
    return LoggedOutcomes(
        message=message,
        propensity=propensity,
        profit=realised_profit(order_value, message, messages),
        sampling_weight=sampling_weight,
        smoothed_profit=realised_profit(smoothed, message, messages),
        cluster=cluster,
    )
