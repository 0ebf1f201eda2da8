"""Features whose importance on held-out rows is not beyond its standard error go."""

from __future__ import annotations

from collections.abc import Mapping

from pentathlon.models.selection.evidence import Evidence, LossDifference
from pentathlon.models.selection.verdicts import (
    FeatureVerdict,
    in_errors,
    kept_features,
    within_bounds,
)


def by_permutation(evidence: Evidence) -> list[FeatureVerdict]:
    """Importance as the loss when a feature is shuffled (Breiman 2001).

    One fit per fold that is measured on, whatever the number of features.
    """
    return judge(evidence, evidence.shuffles(evidence.features))


def by_drop_column(evidence: Evidence) -> list[FeatureVerdict]:
    """Importance as the loss when the model is fitted again without a feature.

    One fit per feature and fold: what a feature adds to the others, which shuffling overstates
    where features go together (Lei and others 2018, "leave one covariate out").
    """
    everything = evidence.losses(evidence.features)
    importances = {}
    for feature in evidence.features:
        others = [f for f in evidence.features if f != feature]
        if others:
            importances[feature] = evidence.excess(evidence.losses(others), everything)
        else:
            importances[feature] = LossDifference(float("inf"), 0.0)
    return judge(evidence, importances)


def judge(evidence: Evidence, importances: Mapping[str, LossDifference]) -> list[FeatureVerdict]:
    """Drop what shows no importance, then make sure of the dropped ones together.

    Two features that say the same each look dispensable beside the other. So the strongest of the
    dropped are put back for as long as the model without them predicts worse than the one that is
    told everything, by more than the standard errors asked for.
    """
    settings = evidence.settings
    k = settings.standard_errors
    ranked = sorted(
        (
            FeatureVerdict(
                feature,
                found.mean,
                found.standard_error,
                kept=found.beyond(k),
                step=0,
                reason=f"{'' if found.beyond(k) else 'not '}beyond {in_errors(k)}",
            )
            for feature, found in importances.items()
        ),
        key=lambda v: -v.importance,
    )
    verdicts = within_bounds(ranked, settings)
    everything = evidence.losses(evidence.features)
    most = settings.at_most or len(verdicts)
    dropped = [v.feature for v in verdicts.values() if not v.kept]
    while dropped and len(verdicts) - len(dropped) < most:
        kept = kept_features(verdicts.values())
        if not evidence.excess(evidence.losses(kept), everything).beyond(k):
            break
        back = dropped.pop(0)
        verdicts[back] = verdicts[back].keep("put back: all the weak ones together were missed")
    return list(verdicts.values())
