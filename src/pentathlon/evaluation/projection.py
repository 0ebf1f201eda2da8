"""From a value per e-mail to a campaign: the one place where money is scaled.

A campaign total is customers x value per customer. Both sides of a comparison and their
difference go through the same multiplication here and nowhere else, so no gain can come from
comparing totals of different sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate, check_level


@dataclass(frozen=True)
class Projection:
    """A campaign in money.

    Attributes
    ----------
    customers : int
        Customers of the campaign, each with one decision.
    confidence : float
        Of the intervals.
    policy : Estimate
        Total of the policy, in currency.
    policy_interval : (float, float)
    baseline : float
        Total of the baseline, in currency: policy minus gain.
    gain : Estimate
        Total gain over the baseline, in currency.
    gain_interval : (float, float)
    gain_percent : float or None
        Gain in per cent of the baseline; ``None`` when the baseline earns nothing.
    gain_percent_interval : (float, float) or None
    """

    customers: int
    confidence: float
    policy: Estimate
    policy_interval: tuple[float, float]
    baseline: float
    gain: Estimate
    gain_interval: tuple[float, float]
    gain_percent: float | None
    gain_percent_interval: tuple[float, float] | None


def project(
    value: Estimate,
    gain: Estimate,
    customers: int,
    *,
    percent: Estimate | None = None,
    confidence: float = 0.95,
) -> Projection:
    """Project a value and a gain per e-mail to a campaign.

    Parameters
    ----------
    value : Estimate
        Value of the policy, in currency per e-mail.
    gain : Estimate
        Its paired gain over the baseline, in currency per e-mail, on the same rows.
    customers : int
        Customers of the campaign.
    percent : Estimate, optional
        Gain in per cent from `percent_gain`. Without it the per cent interval is that of the
        gain with the baseline's value taken as known, which is a little too narrow.
    confidence : float
        Of the two-sided intervals.

    Returns
    -------
    Projection

    Raises
    ------
    EvaluationError
        When there are no customers, or the estimates are not of the same rows.
    """
    check_level(confidence)
    if customers < 1:
        raise EvaluationError(f"campaign.customers: expected at least 1, got {customers}.")
    if value.n != gain.n:
        raise EvaluationError(
            f"The value rests on {value.n} rows and the gain on {gain.n}: estimate both on the "
            "same rows."
        )
    total, total_gain = value.scaled(customers), gain.scaled(customers)
    baseline = total.value - total_gain.value
    interval = total_gain.interval(confidence)
    share: float | None = None
    share_interval: tuple[float, float] | None = None
    if baseline > 0:
        share = 100.0 * total_gain.value / baseline
        share_interval = (
            (100.0 * interval[0] / baseline, 100.0 * interval[1] / baseline)
            if percent is None
            else percent.interval(confidence)
        )
    return Projection(
        customers=customers,
        confidence=confidence,
        policy=total,
        policy_interval=total.interval(confidence),
        baseline=baseline,
        gain=total_gain,
        gain_interval=interval,
        gain_percent=share,
        gain_percent_interval=share_interval,
    )
