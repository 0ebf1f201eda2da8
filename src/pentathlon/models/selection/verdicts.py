"""Which features stay, which go, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pentathlon.models.selection.settings import FeatureSelectionSettings

NO_SELECTION = "no selection was asked for"
ALWAYS = "always_keep"


def in_errors(count: float) -> str:
    """A number of standard errors in words."""
    return f"{count:g} standard error{'' if count == 1 else 's'}"


@dataclass(frozen=True)
class FeatureVerdict:
    """What was decided about one feature.

    Attributes
    ----------
    feature : str
    importance : float
        In nats of log loss, or as its method says; NaN where nothing was measured.
    standard_error : float
        NaN where the importance has none.
    kept : bool
    step : int
        Step or penalty of the method at which it was decided; 0 where it has no steps.
    reason : str
    """

    feature: str
    importance: float
    standard_error: float
    kept: bool
    step: int
    reason: str

    def keep(self, reason: str) -> FeatureVerdict:
        """The same feature, kept."""
        return replace(self, kept=True, reason=reason)

    def drop(self, reason: str) -> FeatureVerdict:
        """The same feature, dropped."""
        return replace(self, kept=False, reason=reason)


def kept_features(verdicts: Iterable[FeatureVerdict]) -> list[str]:
    """Features that stay."""
    return [v.feature for v in verdicts if v.kept]


def within_bounds(
    ranked: Sequence[FeatureVerdict], settings: FeatureSelectionSettings
) -> dict[str, FeatureVerdict]:
    """Keep what must stay, and no fewer and no more features than the settings say.

    Parameters
    ----------
    ranked : sequence of FeatureVerdict
        Strongest first.
    settings : FeatureSelectionSettings

    Returns
    -------
    dict of str to FeatureVerdict
        By feature, in the order of the ranking.
    """
    found = {v.feature: v for v in ranked}
    for feature in settings.always_keep:
        if not found[feature].kept:
            found[feature] = found[feature].keep(ALWAYS)
    for verdict in ranked:
        if len(kept_features(found.values())) >= settings.at_least:
            break
        if not found[verdict.feature].kept:
            found[verdict.feature] = verdict.keep(f"one of the at_least {settings.at_least}")
    if settings.at_most is not None:
        for verdict in reversed(ranked):
            if len(kept_features(found.values())) <= settings.at_most:
                break
            if verdict.feature not in settings.always_keep:
                found[verdict.feature] = verdict.drop(
                    f"weaker than the at_most {settings.at_most} kept"
                )
    return found
