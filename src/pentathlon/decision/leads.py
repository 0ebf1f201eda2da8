"""How much of an e-mail's lead over the others is luck, in what customers spend.

Response rates and order sizes of e-mails are each drawn to their mean already, and each leaves the
lucky e-mail some lead. What decisions rank is their product. Its errors are larger than those of
either, and across e-mails the two often offset each other: the e-mail that makes more customers
buy makes them buy smaller things. So leads are drawn to their mean once more, as leads in what is
spent per customer, by what outcomes say of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.shrinkage import shrink_to_mean

FEWEST_ORDERS = 2
"""Of a message, to say anything about what is spent after it."""
FEWEST_MESSAGES = 3
"""E-mails, to tell their spread from luck."""


@dataclass(frozen=True)
class MessageLeads:
    """Factors on what buyers are expected to spend, one per message.

    The lead of e-mail ``k`` is the log of what is spent per customer if everybody gets it: the
    mean of predictions, times observed over predicted spending among the customers who got it
    (the ratio estimator). Its variance is the delta method's over those customers, so it holds
    the luck of who buys and of how much. Leads go to their precision-weighted mean by
    ``tau^2 / (tau^2 + variance)``, with ``tau^2`` by moments; factors make the mean of
    predictions what that leaves. ``control`` is no e-mail and keeps its own.

    Attributes
    ----------
    factors : tuple of float
        One per message; empty where nothing is changed.

    References
    ----------
    Efron, Morris (1973), "Stein's estimation rule and its competitors: an empirical Bayes
    approach"; DerSimonian, Laird (1986), "Meta-analysis in clinical trials"; Cochran (1977),
    "Sampling Techniques", chapter 6, on ratio estimators.
    """

    factors: tuple[float, ...] = ()

    @classmethod
    def fit(
        cls,
        probability: NDArray[np.float32],
        expected_order_value: NDArray[np.float32],
        message: NDArray[np.int64],
        spent: NDArray[np.float64],
        sampling_weight: NDArray[np.float64],
        control: int | None = None,
    ) -> MessageLeads:
        """Estimate factors on rows that predictions did not learn from.

        Parameters
        ----------
        probability, expected_order_value : ndarray of float32, shape (n, n_messages)
            Effects and contrasts shrunk; order values in currency.
        message : ndarray of int64, shape (n,)
        spent : ndarray of float64, shape (n,)
            In currency, 0 without a response.
        sampling_weight : ndarray of float64, shape (n,)
        control : int, optional
            Column of ``control``.
        """
        n_messages = probability.shape[1]
        expected = probability.astype(np.float64) * expected_order_value
        e_mails = [k for k in range(n_messages) if k != control]
        if len(e_mails) < FEWEST_MESSAGES:
            return cls()
        predicted = np.log(np.average(expected, axis=0, weights=sampling_weight))
        lead, variance = predicted.copy(), np.full(n_messages, np.inf)
        for k in e_mails:
            mine = message == k
            w, y, x = sampling_weight[mine], spent[mine], expected[mine, k]
            if np.count_nonzero(y) < FEWEST_ORDERS:
                continue
            total = w @ y
            ratio = total / (w @ x)
            lead[k] += np.log(ratio)
            variance[k] = np.sum((w * (y - ratio * x)) ** 2) / total**2
        if np.isfinite(variance).sum() < FEWEST_MESSAGES:
            return cls()
        lead[e_mails] = shrink_to_mean(lead[e_mails], variance[e_mails])
        return cls(tuple(np.exp(lead - predicted).tolist()))

    @classmethod
    def of(cls, factors: Sequence[float]) -> MessageLeads:
        """Rebuild from ``factors``."""
        return cls(tuple(float(factor) for factor in factors))

    def predict(self, expected_order_value: NDArray[np.float32]) -> NDArray[np.float32]:
        """Expected order values with leads shrunk, in currency, shape ``(n, n_messages)``."""
        if not self.factors:
            return expected_order_value
        return expected_order_value * np.array(self.factors, dtype=np.float32)


AS_PREDICTED = MessageLeads()
"""Leaves order values as they are."""
