"""Choosing the policy that ships, on rows that its predictions never saw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.blending import ContrastBlend, Scores
from pentathlon.decision.challengers import (
    SegmentVerdict,
    TreeChallenge,
    challenge_with_tree,
    judge_segments,
)
from pentathlon.decision.leads import MessageLeads
from pentathlon.decision.personal import Personal
from pentathlon.decision.policies import (
    BY_SEGMENT,
    PERSONALISED,
    POLICY_TREE,
    constant_name,
    level_of,
    personalised,
)
from pentathlon.decision.profit import realised_profit
from pentathlon.decision.routing import Router
from pentathlon.decision.settings import DecisionSettings, PolicyTreeSettings
from pentathlon.decision.shrinkage import ContrastShrinkage, shrink_to_mean
from pentathlon.decision.verdicts import (
    tree_reason,
    tree_wins,
    verdict_by_segment,
    verdict_on_personal,
)
from pentathlon.evaluation.estimate import Estimate
from pentathlon.evaluation.estimators import AIPW, Estimator
from pentathlon.evaluation.gating import GateResult, gate
from pentathlon.evaluation.outcomes import LoggedOutcomes
from pentathlon.evaluation.policy_value import best_constant

TRACE = 1e-3


@dataclass(frozen=True)
class PolicyChoice:
    """What the evidence supports.

    Attributes
    ----------
    blend : ContrastBlend
        Weights of the models' contrasts, fitted on all rows, for the engine.
    shrinkage : ContrastShrinkage
        Fitted on all rows, each blended by weights from other folds; for the engine.
    leads : MessageLeads
        Of e-mails in what is spent, by all rows; for the engine.
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
        ``personalised``, ``by_segment``, ``policy_tree`` or the name of the best constant.
    constant_worth : tuple of float, length n_messages
        What evidence supports about each message for a customer of level 1 (see
        :func:`pentathlon.decision.policies.level_of`) while it supports nothing personal: the
        value of sending it to everyone over the mean level, leads of e-mails pulled to their
        mean by empirical Bayes.
    promised_profit : float
        What the training rows promise of the policy, corrected for the winner's curse, in
        currency per customer: the value of the best constant with its lead shrunk, and for the
        policy that ships its cross-fitted gain over it, shrunk by its reliability.
    router : Router or None
        Groups of customers and what each gets, where the policy goes by groups.
    tree : TreeChallenge or None
        The challenger, whether or not it ships.
    segments : list of SegmentVerdict
        Whether personal messages gain in each segment, where segments were asked for.
    """

    blend: ContrastBlend
    shrinkage: ContrastShrinkage
    leads: MessageLeads
    expected_profit: NDArray[np.float32]
    gain: Estimate
    gate: GateResult
    contrasts_real: bool
    reason: str
    policy: str
    constant_worth: tuple[float, ...]
    promised_profit: float
    router: Router | None = None
    tree: TreeChallenge | None = None
    segments: tuple[SegmentVerdict, ...] = ()


def choose_policy(
    purchase_probability: NDArray[np.float32],
    expected_order_value: NDArray[np.float32],
    outcomes: LoggedOutcomes,
    response: NDArray[np.integer],
    fold: NDArray[np.integer],
    messages: MessageSet,
    settings: DecisionSettings,
    by_model: Scores | None = None,
    features: pd.DataFrame | None = None,
) -> PolicyChoice:
    """Blend and shrink contrasts, form the personalised policy, and let the gate decide.

    The personalised policy ships when held-out responses follow personal contrasts at all, the
    lower bound of the gain that the calibrated contrasts imply is above 0, and outcomes alone do
    not say beyond chance that it loses. With segments this is asked segment by segment. A policy
    tree ships where its cross-fitted gain over what would ship without it is above 0 beyond chance.

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
    features : DataFrame, n rows, optional
        What the policy tree and the segments may ask about; without them there are none.

    Returns
    -------
    PolicyChoice
    """
    personal = Personal.fit(
        purchase_probability,
        expected_order_value,
        outcomes,
        response,
        fold,
        messages,
        settings,
        by_model,
    )
    profit = personal.profit
    estimator = AIPW(smoothed=settings.estimator == "smoothed")
    evidence = _Evidence(
        profit, outcomes, fold, _rival(outcomes, profit, fold, estimator), messages, estimator
    )
    verdict = gate(
        personalised(profit),
        outcomes,
        profit,
        confidence=settings.confidence,
        best_constant=best_constant(outcomes, profit, estimator),
        baseline=evidence.rival,
        estimator=estimator,
    )
    best = constant_name(messages.names[verdict.best_constant])
    gain = personal.confirmed_gain(verdict.best_constant)
    real = personal.measured.lower_bound(settings.contrast_confidence) > 0
    ships, reason = verdict_on_personal(gain, verdict.gain, real, settings)
    standing = _Standing(PERSONALISED, gain, reason) if ships else _Standing(best, None, reason)
    values = constant_values(outcomes, profit, estimator, messages)
    level = np.average(level_of(profit, messages), weights=outcomes.sampling_weight)
    worth = tuple((values / level).tolist())
    tree: TreeChallenge | None = None
    segments: list[SegmentVerdict] = []
    if features is not None and settings.segments:
        router, segments = judge_segments(
            features,
            settings.segments,
            partial(personal.confirmed_gain, verdict.best_constant),
            profit,
            outcomes,
            evidence.rival,
            verdict.best_constant,
            worth,
            real,
            messages,
            estimator,
            settings.confidence,
        )
        standing = _Standing(*verdict_by_segment(segments, best), router)
    if features is not None and settings.policy_tree:
        tree = evidence.challenge(standing, features, settings.policy_tree)
        if tree_wins(tree, settings.confidence):
            reason = tree_reason(tree, settings.confidence)
            standing = _Standing(POLICY_TREE, tree.gain, reason, tree.router)
    return PolicyChoice(
        blend=personal.blend,
        shrinkage=personal.shrinkage,
        leads=personal.leads,
        expected_profit=profit,
        gain=gain,
        gate=verdict,
        contrasts_real=real,
        reason=standing.reason,
        policy=standing.policy,
        constant_worth=worth,
        promised_profit=float(values[verdict.best_constant]) + standing.promised_gain,
        router=standing.router if standing.policy in (BY_SEGMENT, POLICY_TREE) else None,
        tree=tree,
        segments=tuple(segments),
    )


@dataclass(frozen=True)
class _Standing:
    """What would ship if nothing else challenged it, its gain over the best constant, and why."""

    policy: str
    gain: Estimate | None
    reason: str
    router: Router | None = None

    @property
    def promised_gain(self) -> float:
        """The gain, shrunk by its reliability, in currency per customer; 0 for a constant."""
        if self.gain is None:
            return 0.0
        return self.gain.value * max(0.0, 1 - 1 / self.gain.z**2)


@dataclass(frozen=True)
class _Evidence:
    """What every question about policies is answered from.

    ``profit`` is cross-fitted, shape (n, n_messages); ``rival`` the best constant for each row,
    chosen without the row's fold, shape (n,).
    """

    profit: NDArray[np.float32]
    outcomes: LoggedOutcomes
    fold: NDArray[np.integer]
    rival: NDArray[np.int64]
    messages: MessageSet
    estimator: Estimator

    def challenge(
        self, standing: _Standing, features: pd.DataFrame, settings: PolicyTreeSettings
    ) -> TreeChallenge:
        """Hold a policy tree against what would ship without it."""
        incumbent = self.rival
        if standing.policy == PERSONALISED:
            incumbent = personalised(self.profit)
        elif standing.router is not None and standing.policy == BY_SEGMENT:
            router = standing.router
            incumbent = router.choose(router.route(features), self.profit, self.messages)
        return challenge_with_tree(
            features,
            self.profit,
            self.outcomes,
            self.fold,
            self.rival,
            incumbent,
            self.messages,
            self.estimator,
            settings,
        )


def constant_values(
    outcomes: LoggedOutcomes,
    profit: NDArray[np.float32],
    estimator: Estimator,
    messages: MessageSet,
) -> NDArray[np.float64]:
    """Value of sending each message to everyone, in currency per customer, shape (n_messages,).

    Leads of e-mails are pulled to their mean by empirical Bayes: the highest of several noisy
    values is too high.
    """
    estimates = [estimator.estimate(k, outcomes, profit) for k in range(len(messages))]
    value = np.array([e.value for e in estimates])
    e_mails = np.array([k for k in range(len(messages)) if k != messages.control])
    variance = np.mean([estimates[k].standard_error ** 2 for k in e_mails])
    # One variance for all, so that shrinking never changes which message is best. A trace of the
    # leads stays where nothing tells them from luck: a tie must go to one of them.
    shrunk = shrink_to_mean(value[e_mails], np.full(len(e_mails), variance))
    picked = int(np.argmax(value))
    value[e_mails] = shrunk + TRACE * (value[e_mails] - shrunk)
    if messages.control is not None and picked != messages.control:
        # What ships is not to be overruled by a control that only shrinking put ahead of it.
        value[messages.control] = min(value[messages.control], value[picked])
    return value


def _rival(
    outcomes: LoggedOutcomes,
    profit: NDArray[np.float32],
    fold: NDArray[np.integer],
    estimator: Estimator,
) -> NDArray[np.int64]:
    """Best constant for each row, chosen without the row's fold, shape ``(n,)``."""
    rival = np.empty(outcomes.n, dtype=np.int64)
    for held_out in np.unique(fold):
        inside, outside = fold != held_out, fold == held_out
        rival[outside] = best_constant(outcomes.take(inside), profit[inside], estimator)
    return rival


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
