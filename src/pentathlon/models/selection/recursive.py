"""The weakest features go step by step, and the smallest set that predicts as well stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pentathlon.models.selection.evidence import Evidence, LossDifference, Losses
from pentathlon.models.selection.verdicts import ALWAYS, FeatureVerdict, in_errors

HOPELESS = 3.0
"""Standard errors, beyond those asked for, after which dropping more is given up."""


class Step(NamedTuple):
    """A set of features, what a model told them loses, and what each is worth to it."""

    told: tuple[str, ...]
    losses: Losses
    importances: Mapping[str, LossDifference]


def by_recursive_elimination(evidence: Evidence) -> list[FeatureVerdict]:
    """Recursive elimination (Guyon and others 2002) on held-out rows.

    Each step fits, shuffles every feature that is left, and drops the weakest. Of all sets on the
    way, the smallest is kept whose log loss exceeds the lowest by no more than the standard errors
    asked for, paired on the same rows.
    """
    settings = evidence.settings
    path = _path(evidence)
    best = min(path, key=lambda s: np.average(s.losses, weights=evidence.weights))
    most = settings.at_most or len(evidence.features)
    allowed = [s for s in path if len(s.told) <= most]
    k = settings.standard_errors
    near = [s for s in allowed if not evidence.excess(s.losses, best.losses).beyond(k)]
    chosen = near[-1] if near else allowed[0]
    return _verdicts(evidence, path, chosen, limited=not near)


def _path(evidence: Evidence) -> list[Step]:
    """Sets of features on the way down, until no more may go or more would be hopeless."""
    settings, told = evidence.settings, evidence.features
    fewest = max(settings.at_least, len(settings.always_keep))
    most = settings.at_most or len(told)
    path: list[Step] = []
    while True:
        losses = evidence.losses(told, shuffle=True)
        step = Step(tuple(told), losses, evidence.shuffles(told))
        path.append(step)
        best = min(path, key=lambda s: np.average(s.losses, weights=evidence.weights))
        worse = evidence.excess(losses, best.losses)
        if len(told) <= most and worse.beyond(settings.standard_errors + HOPELESS):
            return path
        room = len(told) - fewest
        if room <= 0:
            return path
        count = min(settings.step, room)
        if len(told) > most:  # at_most itself is one of the sets
            count = min(count, len(told) - most)
        told = _without_weakest(step, settings.always_keep, count)


def _without_weakest(step: Step, always: Sequence[str], count: int) -> tuple[str, ...]:
    free = [f for f in step.told if f not in always]
    gone = sorted(free, key=lambda f: step.importances[f].mean)[:count]
    return tuple(f for f in step.told if f not in gone)


def _verdicts(
    evidence: Evidence, path: Sequence[Step], chosen: Step, *, limited: bool
) -> list[FeatureVerdict]:
    """Say of each feature when it went, or what it is worth among those that stay."""
    settings = evidence.settings
    k, left = settings.standard_errors, len(chosen.told)
    at = next(i for i, step in enumerate(path) if step is chosen)
    stay = f"of {left} features that predict within {in_errors(k)} of the best"
    if limited:
        stay = f"of the at_most {settings.at_most} strongest"
    found = []
    for feature in evidence.features:
        if feature in chosen.told:
            worth = chosen.importances[feature]
            reason = ALWAYS if feature in settings.always_keep else stay
            found.append(FeatureVerdict(feature, *worth, True, at + 1, reason))
            continue
        last = max(i for i in range(at) if feature in path[i].told)
        reason = f"weakest of {len(path[last].told)} left; {left} features predict as well"
        if limited:
            reason = f"weakest of {len(path[last].told)} left; at_most {settings.at_most} stay"
        found.append(
            FeatureVerdict(feature, *path[last].importances[feature], False, last + 1, reason)
        )
    return sorted(found, key=lambda v: (not v.kept, -v.step, -v.importance))
