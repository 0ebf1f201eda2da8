"""Ridge logistic regression with slopes of its own for every message, by Newton's method.

Written out as one table, the slopes of seven messages make a design seven times as wide of which
six sevenths are zeros. Here no such table is made: customers of a message only add to the block of
the curvature that belongs to it, so an iteration costs what one regression on the customers'
columns costs, and gives the same estimate as the wide table.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.special import expit

MAX_ITERATIONS = 100
TOLERANCE = 1e-5
"""The fit ends where a step would raise the log likelihood by less; samples tell apart a half."""


@dataclass(frozen=True)
class GroupedRidge:
    """Coefficients of a logistic regression, shared by all groups and own of each.

    The log odds of row ``i`` of group ``g`` are
    ``intercept + level[g] + x_i' common + x_i[own]' own_slopes[g]``.

    Attributes
    ----------
    intercept : float
    common : ndarray, shape (n_columns,)
    level : ndarray, shape (n_groups,)
    own_slopes : ndarray, shape (n_groups, n_own)
    """

    intercept: float
    common: NDArray[np.float64]
    level: NDArray[np.float64]
    own_slopes: NDArray[np.float64]


def fit_grouped_ridge(
    x: NDArray[np.float32],
    group: NDArray[np.int64],
    response: NDArray[np.integer],
    n_groups: int,
    *,
    strength: float,
    freedom: NDArray[np.floating],
    own: NDArray[np.int64],
    own_freedom: NDArray[np.floating],
) -> GroupedRidge:
    """Minimise ``strength * sum of log losses + half the penalised squares``.

    Newton's method with halved steps (Boyd and Vandenberghe 2004, "Convex optimization", section
    9.5). A coefficient is penalised by its square over the square of its freedom, which is what
    a ridge does to a column that was multiplied by that number; levels of groups have freedom 1
    and the intercept is free.

    Parameters
    ----------
    x : ndarray of float32, shape (n, n_columns)
        Columns of comparable spread.
    group : ndarray of int64, shape (n,)
    response : ndarray of int, shape (n,)
        0 or 1, both present.
    n_groups : int
    strength : float
        Inverse of the penalty.
    freedom : ndarray, shape (n_columns,)
        0 leaves a column out.
    own : ndarray of int64, shape (n_own,)
        Columns with slopes of their own in each group.
    own_freedom : ndarray, shape (n_own,)
        Above 0.

    Returns
    -------
    GroupedRidge

    Raises
    ------
    ValueError
        When a column has a missing or infinite value.
    """
    if not np.isfinite(x).all():
        raise ValueError("every column of a logistic regression must be finite.")
    order = np.argsort(group, kind="stable")
    problem = _Problem(
        x[order],
        np.searchsorted(group[order], np.arange(n_groups + 1)),
        response[order].astype(np.float64),
        strength,
        np.asarray(freedom, dtype=np.float64),
        own,
        np.asarray(own_freedom, dtype=np.float64),
    )
    at = problem.start()
    index = problem.index(at)
    loss = problem.loss(at, index)
    for _ in range(MAX_ITERATIONS):
        gradient, step = problem.newton_step(at, index)
        slope = float(gradient @ step)
        if -slope <= 2 * TOLERANCE * strength:
            break
        move = problem.index(step)
        size = 1.0
        while True:
            new = problem.loss(at + size * step, index + size * move)
            if new <= loss + 0.1 * size * slope or size < 1e-3:
                break
            size /= 2
        if new >= loss:  # as low as single precision can tell
            break
        at, index, loss = at + size * step, index + size * move, new
    return problem.coefficients(at)


@dataclass(frozen=True)
class _Problem:
    """Rows sorted by group; coefficients lie in one vector.

    Its parts: the intercept, common slopes of the columns that are not left out, and for each
    group its level and own slopes, all scaled so that the ridge is the same for each.
    """

    x: NDArray[np.float32]
    bounds: NDArray[np.int64]
    response: NDArray[np.float64]
    strength: float
    freedom: NDArray[np.float64]
    own: NDArray[np.int64]
    own_freedom: NDArray[np.float64]

    @property
    def kept(self) -> NDArray[np.int64]:
        return np.flatnonzero(self.freedom)

    @property
    def n_groups(self) -> int:
        return len(self.bounds) - 1

    @property
    def _first(self) -> int:
        return 1 + len(self.kept)

    @property
    def _size(self) -> int:
        return self._first + self.n_groups * (1 + len(self.own))

    def _group(self, g: int) -> slice:
        width = 1 + len(self.own)
        return slice(self._first + g * width, self._first + (g + 1) * width)

    def coefficients(self, at: NDArray[np.float64]) -> GroupedRidge:
        common = np.zeros(self.x.shape[1])
        common[self.kept] = at[1 : self._first] * self.freedom[self.kept]
        by_group = at[self._first :].reshape(self.n_groups, -1)
        return GroupedRidge(
            float(at[0]), common, by_group[:, 0].copy(), by_group[:, 1:] * self.own_freedom
        )

    def start(self) -> NDArray[np.float64]:
        at = np.zeros(self._size)
        share = self.response.mean()
        at[0] = np.log(share / (1 - share))
        return at

    def index(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log odds of every row."""
        c = self.coefficients(at)
        out = np.empty(len(self.x))
        for g in range(self.n_groups):
            rows = slice(self.bounds[g], self.bounds[g + 1])
            slopes = c.common.copy()
            slopes[self.own] += c.own_slopes[g]
            out[rows] = self.x[rows] @ slopes.astype(np.float32) + (c.intercept + c.level[g])
        return out

    def loss(self, at: NDArray[np.float64], index: NDArray[np.float64]) -> float:
        log_losses = np.logaddexp(0.0, index).sum() - self.response @ index
        return float(self.strength * log_losses + 0.5 * (at[1:] @ at[1:]))

    def newton_step(
        self, at: NDArray[np.float64], index: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gradient of the loss, and the step to the minimum of its quadratic approximation.

        Own coefficients of two groups never meet in a row, so each group's block is eliminated by
        itself (Boyd and Vandenberghe 2004, appendix C.4) and what is left is as large as the
        common part.
        """
        from scipy.linalg import cho_factor, cho_solve, solve_triangular

        probability = expit(index)
        residual = (probability - self.response).astype(np.float32)
        root = np.sqrt(probability * (1 - probability)).astype(np.float32)
        shared, mine = np.r_[0, 1 + self.kept], np.r_[0, 1 + self.own]
        shared_scale = np.r_[1.0, self.freedom[self.kept]]
        own_scale = np.r_[1.0, self.own_freedom]
        gradient = np.r_[0.0, at[1:]]
        curvature = np.diag(np.r_[0.0, np.ones(len(shared) - 1)])
        blocks = []
        for g in range(self.n_groups):
            rows = slice(self.bounds[g], self.bounds[g + 1])
            pull = np.r_[residual[rows].sum(dtype=np.float64), residual[rows] @ self.x[rows]]
            weighted = np.empty((rows.stop - rows.start, 1 + self.x.shape[1]), dtype=np.float32)
            weighted[:, 0] = root[rows]
            np.multiply(self.x[rows], root[rows, None], out=weighted[:, 1:])
            gram = (weighted.T @ weighted).astype(np.float64)
            gradient[: self._first] += self.strength * shared_scale * pull[shared]
            gradient[self._group(g)] += self.strength * own_scale * pull[mine]
            scaled = self.strength * own_scale[:, None] * gram[mine]
            curvature += (
                self.strength * shared_scale[:, None] * gram[shared][:, shared] * shared_scale
            )
            block = scaled[:, mine] * own_scale + np.eye(len(mine))
            factor = np.linalg.cholesky(block)
            blocks.append(
                (factor, solve_triangular(factor, scaled[:, shared] * shared_scale, lower=True))
            )
        rest = gradient[: self._first].copy()
        reduced = []
        for g, (factor, coupling) in enumerate(blocks):
            own = solve_triangular(factor, gradient[self._group(g)], lower=True)
            curvature -= coupling.T @ coupling
            rest -= coupling.T @ own
            reduced.append(own)
        common = cho_solve(cho_factor(curvature, lower=True), rest)
        step = np.empty(self._size)
        step[: self._first] = -common
        for g, (factor, coupling) in enumerate(blocks):
            own = reduced[g] - coupling @ common
            step[self._group(g)] = -solve_triangular(factor, own, lower=True, trans="T")
        return gradient, step
