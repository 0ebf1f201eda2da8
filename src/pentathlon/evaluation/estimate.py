"""A number with its uncertainty, from the influence values of an estimator.

Every estimator of this package is (asymptotically) a mean of one value per row, its influence
value. The standard error of that mean, the sums within a customer who got several e-mails, and
the difference between two estimates on the same rows therefore need one formula, kept here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.special import ndtri


@dataclass(frozen=True)
class Estimate:
    """A point estimate with its standard error.

    Attributes
    ----------
    value : float
        The estimate, in the unit of the influence values (currency per e-mail for profit).
    standard_error : float
        Its standard error, in the same unit.
    n : int
        Rows that the estimate is made of.
    effective_sample_size : float
        Equally weighted rows that would carry as much information (Kish 1965); equal to ``n``
        without weights.
    """

    value: float
    standard_error: float
    n: int
    effective_sample_size: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Two-sided normal interval.

        Parameters
        ----------
        confidence : float
            Coverage wanted, in (0, 1).

        Returns
        -------
        (float, float)
            Lower and upper end, in the unit of ``value``.
        """
        reach = normal_quantile(0.5 + check_level(confidence) / 2) * self.standard_error
        return self.value - reach, self.value + reach

    def lower_bound(self, confidence: float = 0.95) -> float:
        """One-sided lower confidence bound, in the unit of ``value``."""
        return self.value - normal_quantile(check_level(confidence)) * self.standard_error

    @property
    def z(self) -> float:
        """The value in standard errors; 0 for an exact zero, infinite without any noise."""
        if self.standard_error > 0:
            return self.value / self.standard_error
        return math.copysign(math.inf, self.value) if self.value else 0.0

    def scaled(self, factor: float) -> Estimate:
        """Multiply value and standard error by ``factor``: the same estimate in another unit."""
        return Estimate(
            self.value * factor,
            self.standard_error * abs(factor),
            self.n,
            self.effective_sample_size,
        )

    def to_dict(self, confidence: float = 0.95) -> dict[str, float]:
        """Return the estimate as one row of a table, with its two-sided interval."""
        lower, upper = self.interval(confidence)
        return {
            "value": self.value,
            "standard_error": self.standard_error,
            "lower": lower,
            "upper": upper,
            "n": self.n,
            "effective_sample_size": self.effective_sample_size,
        }


def check_level(level: float, name: str = "confidence") -> float:
    """Return ``level`` when it lies strictly between 0 and 1.

    Raises
    ------
    EvaluationError
        Otherwise.
    """
    if not 0 < level < 1:
        raise EvaluationError(f"{name}: expected a number between 0 and 1, got {level!r}.")
    return float(level)


def normal_quantile(probability: float) -> float:
    """Quantile of the standard normal distribution."""
    return float(ndtri(probability))


def dot(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Sum of products, on one thread: the same bits whatever the number of cores."""
    return float(np.einsum("i,i->", first, second))


def kish_size(weight: NDArray[Any]) -> float:
    """Effective sample size of weighted rows: ``sum(w)^2 / sum(w^2)`` (Kish 1965).

    Parameters
    ----------
    weight : ndarray of float, shape (n,)

    Returns
    -------
    float
        0 when all weights are 0.
    """
    squares = dot(weight, weight)
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def cluster_sums(values: NDArray[Any], cluster: NDArray[Any]) -> NDArray[np.float64]:
    """Sum of ``values`` within each cluster.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    cluster : ndarray, shape (n,)
        Code of the cluster (customer) of each row.

    Returns
    -------
    ndarray of float64, shape (n_clusters,)
    """
    compact = cluster.dtype.kind in "iu" and cluster.min() >= 0 and cluster.max() < 2 * len(cluster)
    codes = cluster if compact else pd.factorize(cluster)[0]
    present = np.bincount(codes) > 0
    sums = np.bincount(codes, weights=values).astype(np.float64, copy=False)
    return sums[present]


def mean_estimate(
    influence: NDArray[Any],
    *,
    sampling_weight: NDArray[Any] | None = None,
    cluster: NDArray[Any] | None = None,
    effective_sample_size: float | None = None,
) -> Estimate:
    r"""Weighted mean of influence values with a cluster-robust standard error.

    .. math:: V = \frac{\sum_i w_i \psi_i}{\sum_i w_i}, \qquad
              SE^2 = \frac{G}{G - 1} \,
              \frac{\sum_g \bigl(\sum_{i \in g} w_i (\psi_i - V)\bigr)^2}{(\sum_i w_i)^2}

    With one row per cluster and equal weights this is ``std(psi, ddof=1) / sqrt(n)``.

    Parameters
    ----------
    influence : ndarray of float, shape (n,)
        Influence values.
    sampling_weight : ndarray of float, shape (n,), optional
        Weight of each row; equal weights by default. Only ratios of weights matter.
    cluster : ndarray of int, shape (n,), optional
        Customer of each row; rows are independent by default.
    effective_sample_size : float, optional
        Reported with the estimate; the Kish size of the sampling weights by default.

    Returns
    -------
    Estimate

    Raises
    ------
    EvaluationError
        With fewer than two rows or clusters, or when the mean is not finite.

    References
    ----------
    Liang, Zeger (1986), "Longitudinal data analysis using generalized linear models".
    """
    n = len(influence)
    if n < 2:
        raise EvaluationError(f"A standard error needs at least two rows, got {n}.")
    if sampling_weight is None:
        total = float(n)
        value = float(influence.sum(dtype=np.float64)) / total
        residual = influence - value
    else:
        total = float(sampling_weight.sum(dtype=np.float64))
        value = dot(sampling_weight, influence) / total
        residual = sampling_weight * (influence - value)
    if not math.isfinite(value):
        bad = int((~np.isfinite(influence)).sum())
        raise EvaluationError(
            f"The estimate is not finite: {bad} of {n} rows have a missing or infinite prediction "
            f"or outcome (the first is row {int(np.argmin(np.isfinite(influence)))})."
        )
    if cluster is not None:
        residual = cluster_sums(residual, cluster)
    groups = len(residual)
    if groups < 2:
        raise EvaluationError("A standard error needs at least two customers, got one.")
    variance = dot(residual, residual) / total**2 * groups / (groups - 1)
    if effective_sample_size is None:
        effective_sample_size = float(n) if sampling_weight is None else kish_size(sampling_weight)
    return Estimate(value, math.sqrt(variance), n, effective_sample_size)
