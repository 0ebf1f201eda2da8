"""What challenges the plain personalised policy: a tree of questions, and its own segments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.gain import contradicted
from pentathlon.decision.policies import PERSONALISED, level_of, personalised
from pentathlon.decision.policy_tree import PolicyTreeLearner
from pentathlon.decision.routing import Leaf, Router, segments_of
from pentathlon.decision.settings import PolicyTreeSettings
from pentathlon.evaluation import holm, paired_gain
from pentathlon.evaluation.estimate import Estimate
from pentathlon.evaluation.estimators import Estimator
from pentathlon.evaluation.outcomes import LoggedOutcomes
from pentathlon.special import ndtr

FEWEST_ROWS = 100
"""Customers who must get another message before a segment can be said to gain."""


@dataclass(frozen=True)
class TreeChallenge:
    """A policy tree and what held-out outcomes say about it.

    Attributes
    ----------
    router : Router
        Learnt on all rows, for the engine.
    gain : Estimate
        Cross-fitted: every row gets the message of a tree learnt without its fold, and is paired
        with the best constant chosen without it. So the search among trees is paid for.
    over_incumbent : Estimate
        The same against what would ship without the tree.
    """

    router: Router
    gain: Estimate
    over_incumbent: Estimate


def challenge_with_tree(
    features: pd.DataFrame,
    profit: NDArray[np.float32],
    outcomes: LoggedOutcomes,
    fold: NDArray[np.integer],
    rival: NDArray[np.int64],
    incumbent: NDArray[np.int64],
    messages: MessageSet,
    estimator: Estimator,
    settings: PolicyTreeSettings,
) -> TreeChallenge:
    """Learn the best small tree and judge it by what it did for customers it never saw.

    Parameters
    ----------
    features : DataFrame, n rows
    profit : ndarray of float32, shape (n, n_messages)
        Cross-fitted.
    outcomes : LoggedOutcomes
    fold : ndarray of int, shape (n,)
    rival : ndarray of int64, shape (n,)
        Best constant of the other folds.
    incumbent : ndarray of int64, shape (n,)
        What would ship without the tree, cross-fitted.
    messages : MessageSet
    estimator : Estimator
        Gives the doubly robust scores.
    settings : PolicyTreeSettings
    """
    n, n_messages = profit.shape
    weight = np.ones(n) if outcomes.sampling_weight is None else outcomes.sampling_weight
    level = level_of(profit, messages)
    policy = np.empty(n, dtype=np.int64)
    for held_out in np.unique(fold):
        inside, outside = fold != held_out, fold == held_out
        # Scores of the inside alone: smoothing by message looks at all outcomes it is given.
        scores = np.zeros((n, n_messages))
        scores[inside] = _scores(outcomes.take(inside), profit[inside], estimator)
        learner = PolicyTreeLearner(
            features, scores, weight, settings.depth, settings.smallest_group
        )
        router = learner.fit(inside, level, messages)
        group = router.route(features[outside])
        policy[outside] = router.choose(group, profit[outside], messages)
    learner = PolicyTreeLearner(
        features,
        _scores(outcomes, profit, estimator),
        weight,
        settings.depth,
        settings.smallest_group,
    )
    whole = learner.fit(np.ones(n, dtype=bool), level, messages)
    gain, over = (
        paired_gain(policy, baseline, outcomes, profit, estimator)
        for baseline in (rival, incumbent)
    )
    return TreeChallenge(whole, gain, over)


def _scores(
    outcomes: LoggedOutcomes, profit: NDArray[np.float32], estimator: Estimator
) -> NDArray[np.float64]:
    """Doubly robust score of every message for every customer, in currency."""
    everyone = [np.full(outcomes.n, k, dtype=np.int64) for k in range(profit.shape[1])]
    return np.column_stack(
        [estimator.terms(policy, None, outcomes, profit)[1] for policy in everyone]
    )


@dataclass(frozen=True)
class SegmentVerdict:
    """Whether the personalised policy's gain holds in a segment.

    Attributes
    ----------
    segment : str
        In words.
    share : float
        Of the customers.
    gain : Estimate
        Over the best constant by confirmed differences, in currency per customer of the segment.
    by_outcomes : Estimate
        The same read off outcomes alone.
    p_value : float
        One-sided, adjusted for the number of segments (Holm 1979).
    personalised : bool
        Whether the segment is sent personal messages.
    """

    segment: str
    share: float
    gain: Estimate
    by_outcomes: Estimate
    p_value: float
    personalised: bool


def judge_segments(
    features: pd.DataFrame,
    column: str,
    confirmed: Callable[[NDArray[np.bool_]], Estimate],
    profit: NDArray[np.float32],
    outcomes: LoggedOutcomes,
    rival: NDArray[np.int64],
    constant: int,
    constant_worth: tuple[float, ...],
    real: bool,
    messages: MessageSet,
    estimator: Estimator,
    confidence: float,
) -> tuple[Router, list[SegmentVerdict]]:
    """Test the personalised policy segment by segment.

    Parameters
    ----------
    features : DataFrame, n rows
    column : str
        Tells the segments; see :func:`pentathlon.decision.routing.segments_of`.
    confirmed : callable
        Gain by confirmed differences among some of the customers.
    profit : ndarray of float32, shape (n, n_messages)
        Cross-fitted.
    outcomes : LoggedOutcomes
    rival : ndarray of int64, shape (n,)
    constant : int
        Column of the message for segments whose gain does not hold.
    constant_worth : tuple of float, length n_messages
    real : bool
        Whether there are personal differences at all.
    messages : MessageSet
    estimator : Estimator
    confidence : float
        One-sided, for all segments together.

    Returns
    -------
    router : Router
        Personalised where the gain holds, the constant elsewhere.
    verdicts : list of SegmentVerdict
    """
    splits = segments_of(features, column)
    names = [Leaf(PERSONALISED, constant_worth) for _ in range(len(splits) + 1)]
    router = Router(splits, tuple(names))
    group, policy = router.route(features), personalised(profit)
    words = [rule.rsplit(":", 1)[0] for rule in router.rules()]
    gains, direct = [], []
    for g in range(len(words)):
        mine = group == g
        gains.append(confirmed(mine))
        direct.append(
            paired_gain(policy[mine], rival[mine], outcomes.take(mine), profit[mine], estimator)
        )
    p_values = holm([float(ndtr(-g.z)) if g.standard_error > 0 else 1.0 for g in gains])
    verdicts = [
        SegmentVerdict(
            words[g],
            float(np.mean(group == g)),
            gains[g],
            direct[g],
            float(p_values[g]),
            bool(
                real
                and p_values[g] <= 1 - confidence
                and gains[g].effective_sample_size >= FEWEST_ROWS
                and not contradicted(direct[g], confidence)
            ),
        )
        for g in range(len(words))
    ]
    leaves = [
        Leaf(PERSONALISED if v.personalised else messages.names[constant], constant_worth)
        for v in verdicts
    ]
    return Router(splits, tuple(leaves)), verdicts
