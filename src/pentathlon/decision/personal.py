"""Personal differences between messages: blended, measured on held-out outcomes, shrunk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.blending import FUSED, BlendFitter, ContrastBlend, Scores
from pentathlon.decision.gain import confirmed_gain
from pentathlon.decision.leads import AS_PREDICTED, MessageLeads
from pentathlon.decision.policies import personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.decision.settings import DecisionSettings
from pentathlon.decision.shrinkage import ContrastShrinkage
from pentathlon.evaluation.estimate import Estimate
from pentathlon.evaluation.outcomes import LoggedOutcomes

FEWEST_FOLDS = 3


@dataclass(frozen=True)
class Personal:
    """What models say of a customer's messages, and how much of it outcomes bear out.

    Attributes
    ----------
    blend : ContrastBlend
        Weights of the models' contrasts, fitted on all rows, for the engine.
    blended : ndarray of float32, shape (n, n_messages)
        Probabilities whose contrasts are blended by weights from other folds.
    measured : ContrastShrinkage
        By all rows, whether or not it is applied.
    covariance : ndarray of float64
        Of the measured slopes and leads.
    shrinkage : ContrastShrinkage
        That is applied: the measured one, or none where the settings say so.
    leads : MessageLeads
        Of e-mails in what is spent, by all rows, for the engine.
    profit : ndarray of float32, shape (n, n_messages)
        Expected; contrasts and leads shrunk by what was estimated without the row's fold.
    whole : ndarray of float32, shape (n, n_messages)
        The same, shrunk by what was estimated on all rows: as the engine will have it.
    expected_order_value : ndarray of float32, shape (n, n_messages)
    spent, weight : ndarray of float64, shape (n,)
    message : ndarray of int64, shape (n,)
    messages : MessageSet
    """

    blend: ContrastBlend
    blended: NDArray[np.float32]
    measured: ContrastShrinkage
    covariance: NDArray[np.float64]
    shrinkage: ContrastShrinkage
    leads: MessageLeads
    profit: NDArray[np.float32]
    whole: NDArray[np.float32]
    expected_order_value: NDArray[np.float32]
    spent: NDArray[np.float64]
    weight: NDArray[np.float64]
    message: NDArray[np.int64]
    messages: MessageSet

    @classmethod
    def fit(
        cls,
        purchase_probability: NDArray[np.float32],
        expected_order_value: NDArray[np.float32],
        outcomes: LoggedOutcomes,
        response: NDArray[np.integer],
        fold: NDArray[np.integer],
        messages: MessageSet,
        settings: DecisionSettings,
        by_model: Scores | None = None,
    ) -> Self:
        """Blend and shrink; see :func:`pentathlon.decision.choice.choose_policy`."""
        message = outcomes.message
        n = outcomes.n
        weight = np.ones(n) if outcomes.sampling_weight is None else outcomes.sampling_weight
        blend, blended, without = _blended(
            purchase_probability, by_model, message, response, weight, fold, settings
        )
        measured, covariance = ContrastShrinkage.fit_with_covariance(
            blended, message, response, weight, messages.control, outcomes.cluster
        )
        spent = np.where(response == 1, _order_value(outcomes, messages), 0.0)
        shrinkage, shrunk = ContrastShrinkage.none(len(messages)), blended
        leads, order_value = AS_PREDICTED, expected_order_value
        if settings.shrink_contrasts:
            shrinkage = measured
            shrunk, order_value = _cross_fitted_shrinking(
                blended,
                without,
                expected_order_value,
                message,
                response,
                spent,
                weight,
                fold,
                messages.control,
            )
            leads = MessageLeads.fit(
                shrinkage.predict(blended),
                expected_order_value,
                message,
                spent,
                weight,
                messages.control,
            )
        value = leads.predict(expected_order_value)
        return cls(
            blend=blend,
            blended=blended,
            measured=measured,
            covariance=covariance,
            shrinkage=shrinkage,
            leads=leads,
            profit=expected_profit(shrunk, order_value, messages),
            whole=expected_profit(shrinkage.predict(blended), value, messages),
            expected_order_value=expected_order_value,
            spent=spent,
            weight=weight,
            message=message,
            messages=messages,
        )

    def confirmed_gain(
        self, best_constant: int, among: NDArray[np.bool_] | None = None
    ) -> Estimate:
        """Gain of personal messages over a constant, by the differences that outcomes confirmed.

        Parameters
        ----------
        best_constant : int
            Column of its message.
        among : ndarray of bool, shape (n,), optional
            Customers of whom it is asked; all by default.

        Returns
        -------
        Estimate
            See :func:`pentathlon.decision.gain.confirmed_gain`.
        """
        return confirmed_gain(
            self.blended,
            self.whole,
            self.measured,
            self.covariance,
            personalised(self.whole),
            best_constant,
            self.spent,
            self.expected_order_value,
            self.message,
            self.weight,
            self.messages,
            among,
        )


def _cross_fitted_shrinking(
    blended: NDArray[np.float32],
    without: Callable[[int], NDArray[np.float32]],
    expected_order_value: NDArray[np.float32],
    message: NDArray[np.int64],
    response: NDArray[np.integer],
    spent: NDArray[np.float64],
    weight: NDArray[np.float64],
    fold: NDArray[np.integer],
    control: int | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Every row's probabilities and order values, shrunk by what other folds' outcomes bear out.

    Returns
    -------
    probability, order_value : ndarray of float32, shape (n, n_messages)
    """
    shrunk, order_value = np.empty_like(blended), np.empty_like(expected_order_value)
    for held_out in np.unique(fold):
        inside, outside = fold != held_out, fold == held_out
        known = without(held_out)[inside]
        sent, w = message[inside], weight[inside]
        part = ContrastShrinkage.fit(known, sent, response[inside], w, control)
        leads = MessageLeads.fit(
            part.predict(known), expected_order_value[inside], sent, spent[inside], w, control
        )
        shrunk[outside] = part.predict(blended[outside])
        order_value[outside] = leads.predict(expected_order_value[outside])
    return shrunk, order_value


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


def _order_value(outcomes: LoggedOutcomes, messages: MessageSet) -> NDArray[np.float64]:
    """What was spent, from realised profit."""
    sent = outcomes.message
    spent = (outcomes.profit + messages.costs[sent]) / messages.margins[sent]
    return np.asarray(spent, dtype=np.float64)
