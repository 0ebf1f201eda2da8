"""Which of the candidates ships, and why, in words."""

from __future__ import annotations

from pentathlon.decision.challengers import FEWEST_ROWS, SegmentVerdict, TreeChallenge
from pentathlon.decision.gain import contradicted
from pentathlon.decision.policies import BY_SEGMENT, PERSONALISED
from pentathlon.decision.settings import DecisionSettings
from pentathlon.evaluation.estimate import Estimate


def verdict_on_personal(
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
    if gain.effective_sample_size < FEWEST_ROWS:
        return False, (
            f"Only {gain.effective_sample_size:.0f} customers would get another message than the "
            f"best constant; the gate asks for {FEWEST_ROWS}."
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


def verdict_by_segment(
    segments: list[SegmentVerdict], constant: str
) -> tuple[str, Estimate | None, str]:
    """Policy, its gain over the constant and the reason, once every segment was asked."""
    held = [s for s in segments if s.personalised]
    if not held:
        return constant, None, "The gain of personal messages holds in no segment."
    value = sum(s.share * s.gain.value for s in held)
    # Segments share their slopes, so their errors go the same way.
    error = sum(s.share * s.gain.standard_error for s in held)
    n = sum(s.gain.n for s in held)
    size = sum(s.gain.effective_sample_size for s in held)
    gain = Estimate(value, error, n, size)
    if len(held) == len(segments):
        return PERSONALISED, gain, "The gain holds in every segment."
    told = ", ".join(s.segment for s in held)
    return BY_SEGMENT, gain, f"The gain holds where {told}; elsewhere the best constant ships."


def tree_wins(tree: TreeChallenge, confidence: float) -> bool:
    """Whether the tree beats the best constant, and what would ship without it, beyond chance.

    Two policies are tried, so each has half of the chance to ship by luck (Bonferroni).
    """
    each = challenge_confidence(confidence)
    return all(
        gain.effective_sample_size >= FEWEST_ROWS and gain.lower_bound(each) > 0
        for gain in (tree.gain, tree.over_incumbent)
    )


def challenge_confidence(confidence: float) -> float:
    """One-sided confidence that a challenger is held to."""
    return 1 - (1 - confidence) / 2


def tree_reason(tree: TreeChallenge, confidence: float) -> str:
    """Why the tree ships."""
    each = challenge_confidence(confidence)
    return (
        f"The lower {each:.1%} bound of the policy tree's cross-fitted gain is "
        f"{tree.gain.lower_bound(each):.4g} per e-mail over the best constant and "
        f"{tree.over_incumbent.lower_bound(each):.4g} over what would ship without it; both are "
        "above 0."
    )
