"""What a logistic regression with an L1 penalty keeps at the penalty that held-out rows choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pentathlon.features.build import TOTAL_COUNT, log_name, share_name
from pentathlon.features.design import DesignBuilder
from pentathlon.models.metrics import log_losses
from pentathlon.models.protocol import TrainingRows
from pentathlon.models.sampling import case_control_sample
from pentathlon.models.selection.evidence import Evidence, Excluded, HeldOut, Losses
from pentathlon.models.selection.verdicts import FeatureVerdict, within_bounds
from pentathlon.special import expit

WEAKEST = 300.0
"""The weakest penalty is this part of the one that leaves no feature."""
FREE = 10.0
"""Message indicators are scaled by it, so that the penalty hardly reaches them."""
CHUNK_ROWS = 50_000


@dataclass(frozen=True)
class PenaltyDesign:
    """Columns of the penalised regression, each of one customer feature or of none.

    Standardised base columns, the same under each message (each feature once), and message
    indicators. The total of counts and the shares are left out: they belong to no one feature.

    Attributes
    ----------
    builder : DesignBuilder
    """

    builder: DesignBuilder

    @property
    def _shared(self) -> set[str]:
        shares = {share_name(department) for department in self.builder.counts}
        return shares | {TOTAL_COUNT, log_name(TOTAL_COUNT)}

    @property
    def base(self) -> list[int]:
        """Base columns that belong to one feature."""
        return [j for j, name in enumerate(self.builder.base_names) if name not in self._shared]

    @property
    def moderators(self) -> list[int]:
        """Base columns that may change what a message does."""
        return [j for j in self.builder.moderators if j in set(self.base)]

    @property
    def owners(self) -> NDArray[np.object_]:
        """Feature of each column; none of message indicators."""
        sources, k = self.builder.sources, len(self.builder.messages)
        of_moderators = [sources[j] for j in self.moderators]
        none: list[str | None] = [None] * k
        return np.array([*(sources[j] for j in self.base), *(of_moderators * k), *none], object)

    def of(self, rows: TrainingRows) -> NDArray[np.float64]:
        """Columns of some rows, shape ``(n, n_columns)``."""
        n, k = len(rows), len(self.builder.messages)
        z = self.builder.standardise(rows.design).base
        onehot = np.zeros((n, k), dtype=np.float32)
        onehot[np.arange(n), rows.message] = 1.0
        under = (onehot[:, :, None] * z[:, None, self.moderators]).reshape(n, -1)
        parts = [z[:, self.base], under, np.float32(FREE) * onehot]
        return np.concatenate(parts, axis=1).astype(np.float64)


class Path(NamedTuple):
    """Regressions from the strongest penalty to the weakest, with shape ``(n_penalties, ...)``."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]

    def losses(self, design: PenaltyDesign, rows: TrainingRows) -> Losses:
        """Log loss of every row at every penalty, shape ``(n_penalties, n)``."""
        found = np.empty((len(self.intercepts), len(rows)))
        for start in range(0, len(rows), CHUNK_ROWS):
            part = rows.take(np.arange(start, min(start + CHUNK_ROWS, len(rows))))
            index = self.coefficients @ design.of(part).T + self.intercepts[:, None]
            found[:, start : start + len(part)] = log_losses(part.response, expit(index))
        return found


def by_l1_path(evidence: Evidence) -> list[FeatureVerdict]:
    """Keep what an L1 penalty keeps (Tibshirani 1996), at the one-standard-error penalty.

    The penalty chooses columns and does not shrink them: they are fitted again without it (the
    relaxed lasso, Meinshausen 2007), or weak penalties, which let noise in, would win by shrinking
    less. The strongest penalty is taken whose log loss on held-out rows exceeds the lowest by no
    more than the standard errors asked for, paired on the same rows (Breiman and others 1984;
    Hastie, Tibshirani and Friedman 2009, 7.10). A feature goes when all its coefficients are zero:
    its logarithm's, every level's, and those under each message. Importance is the sum of their
    sizes in standard deviations.
    """
    held_out, k = evidence.held_out, evidence.settings.standard_errors
    design = PenaltyDesign(held_out.fitter.builder)
    strengths = _strengths(held_out, design)
    losses = np.concatenate(
        [_losses(held_out, design, strengths, evidence.excluded(f), f) for f in evidence.folds],
        axis=1,
    )
    mean = losses @ evidence.weights
    best = losses[int(np.argmin(mean))]
    at = next(i for i, loss in enumerate(losses) if not evidence.excess(loss, best).beyond(k))
    seen = frozenset() if evidence.without is None else frozenset({evidence.without})
    path = _fitted(held_out, design, strengths, seen)
    return _verdicts(evidence, design, path.coefficients, at)


def _strengths(held_out: HeldOut, design: PenaltyDesign) -> NDArray[np.float64]:
    """Inverse strengths as multiples of the one that leaves no feature, strongest first."""
    return np.geomspace(1.5, WEAKEST, held_out.settings.penalties)


def _losses(
    held_out: HeldOut,
    design: PenaltyDesign,
    strengths: NDArray[np.float64],
    excluded: Excluded,
    on: int,
) -> Losses:
    def measure() -> dict[int, Losses]:
        path = _fitted(held_out, design, strengths, excluded)
        return {fold: path.losses(design, held_out.outside(fold)) for fold in excluded}

    found: dict[int, Losses] = held_out.once(("l1_path", excluded), measure)
    return found[on]


def _fitted(
    held_out: HeldOut,
    design: PenaltyDesign,
    strengths: NDArray[np.float64],
    excluded: Excluded,
) -> Path:
    """Choose columns at every penalty on a case-control sample, fit them, correct the prior."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import l1_min_c

    rows, fitter = held_out.inside(excluded), held_out.fitter
    sample = case_control_sample(
        rows.response, rows.sampling_weight, fitter.non_buyers_per_buyer, fitter.seed
    )
    rows = rows.take(sample.rows)
    x = np.asfortranarray(design.of(rows))
    owned = np.array([owner is not None for owner in design.owners])
    smallest = l1_min_c(x[:, owned], rows.response, loss="log")
    coefficients, intercepts = [], []
    lasso = LogisticRegression(
        l1_ratio=1.0,
        solver="liblinear",
        tol=1e-3,
        intercept_scaling=FREE,
        random_state=fitter.seed,
    )
    relaxed = LogisticRegression(C=1.0, solver="newton-cholesky", max_iter=50, tol=1e-4)
    with threadpool_limits(fitter.threads):
        for strength in strengths:
            lasso.set_params(C=smallest * strength).fit(x, rows.response)
            active = np.flatnonzero((lasso.coef_[0] != 0) | ~owned)
            relaxed.fit(x[:, active], rows.response)
            coefficient = np.zeros(x.shape[1])
            coefficient[active] = relaxed.coef_[0]
            coefficients.append(coefficient)
            intercepts.append(float(relaxed.intercept_[0]) + sample.logit_offset)
    return Path(np.array(coefficients), np.array(intercepts))


def _verdicts(
    evidence: Evidence, design: PenaltyDesign, coefficients: NDArray[np.float64], at: int
) -> list[FeatureVerdict]:
    owners = design.owners
    found = []
    for feature in evidence.features:
        size = np.abs(coefficients[:, owners == feature]).sum(axis=1)
        entered = np.flatnonzero(size > 0)
        first = int(entered[0]) + 1 if len(entered) else len(size) + 1
        kept = bool(size[at] > 0)
        reason = f"{'not all' if kept else 'all'} coefficients are zero at penalty {at + 1}"
        found.append(FeatureVerdict(feature, float(size[at]), np.nan, kept, first, reason))
    ranked = sorted(found, key=lambda v: (not v.kept, -v.importance, v.step))
    return list(within_bounds(ranked, evidence.settings).values())
