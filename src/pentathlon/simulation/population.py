"""Customers: a Gaussian copula with the published margins, tilted to the published buyers.

The copula alone reproduces margins and correlations but not who buys: too few customers
combine a high income, education and purchase frequency. Exponential tilting is the
smallest change, in relative entropy, that adds them (Csiszár, 1975, "I-divergence geometry
of probability distributions and minimization problems", Annals of Probability 3).
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from pentathlon.simulation.published import (
    AGES,
    NUMERIC,
    FloatArray,
    arm_shares,
    fitted,
    logit_coefficients,
    published_statistics,
)
from pentathlon.special import expit, ndtri

# Latent correlations of age and of being a man with the numeric features. Not published;
# chosen for the published inflation factors: age and female go with the sports one does
# (strength is for young men, racquet for older customers), hardly with children.
_AGE_LATENT = (0.20, 0.05, 0.0, -0.18, -0.22, 0.0, -0.02, 0.0, 0.18)
_MAN_LATENT = (-0.05, -0.05, 0.0, -0.10, 0.25, 0.0, 0.05, 0.0, -0.08)

MAXIMUM_WEIGHT = 4.0
"""Cap of the tilting weights; it bounds the proposals per customer. Few customers meet it."""

_SQUARE_CAP = 25.0
_CHUNK = 65_536
_BLOCK = 4_096


@dataclass(frozen=True)
class Customers:
    """Features of customers.

    Attributes
    ----------
    numeric : ndarray of shape (n, 9)
        In the order of `NUMERIC`; income in currency, education in percent, frequencies in
        purchases a year.
    age : ndarray of shape (n,)
        Position in `AGES`.
    man : ndarray of shape (n,)
        True where the file says female = no.
    """

    numeric: FloatArray
    age: npt.NDArray[np.int8]
    man: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.age)

    def features(self) -> FloatArray:
        """Design matrix without intercept.

        Returns
        -------
        ndarray of shape (n, 13)
            `NUMERIC`, indicators of the three older age groups, indicator of a man.
        """
        ages = self.age[:, None] == np.arange(1, len(AGES))
        return np.column_stack([self.numeric, ages, self.man])

    def frequencies(self) -> FloatArray:
        """Purchases by department.

        Returns
        -------
        ndarray of shape (n, 6)
            Purchases last year, in the order of `DEPARTMENTS`.
        """
        return self.numeric[:, 3:]

    def take(self, rows: npt.NDArray[np.bool_] | slice) -> "Customers":
        """Keep some customers.

        Parameters
        ----------
        rows : slice, or ndarray of bool of shape (n,)
            Customers to keep.

        Returns
        -------
        Customers
            The chosen customers, in their order.
        """
        return Customers(self.numeric[rows], self.age[rows], self.man[rows])


def concatenate(parts: list[Customers], rows: int) -> Customers:
    """Join parts and keep the first `rows` customers.

    Parameters
    ----------
    parts : list of Customers
        Parts in their order.
    rows : int
        Customers to keep.

    Returns
    -------
    Customers
        The joined customers.
    """
    return Customers(
        np.concatenate([p.numeric for p in parts])[:rows],
        np.concatenate([p.age for p in parts])[:rows],
        np.concatenate([p.man for p in parts])[:rows],
    )


@dataclass(frozen=True)
class _Copula:
    factor: FloatArray
    values: tuple[FloatArray, ...]
    cuts: tuple[FloatArray, ...]
    age_cuts: FloatArray
    man_cut: float


@lru_cache(maxsize=1)
def _copula() -> _Copula:
    facts = published_statistics()
    latent = np.eye(len(NUMERIC) + 2)
    latent[:-2, :-2] = facts["latent_correlations"]
    latent[-2, :-2] = latent[:-2, -2] = _AGE_LATENT
    latent[-1, :-2] = latent[:-2, -1] = _MAN_LATENT
    values, cuts = [], []
    for name in NUMERIC:
        pmf = np.array(facts["pmf"][name]["pmf"])
        values.append(np.array(facts["pmf"][name]["values"], dtype=np.float64))
        cuts.append(ndtri(np.cumsum(pmf / pmf.sum())[:-1]))
    ages = np.array([facts["age_digitised"]["all"][a] for a in AGES])
    return _Copula(
        factor=np.asarray(np.linalg.cholesky(latent), dtype=np.float64),
        values=tuple(values),
        cuts=tuple(cuts),
        age_cuts=ndtri(np.cumsum(ages / ages.sum())[:-1]),
        man_cut=float(ndtri(facts["female_digitised"]["all"])),
    )


def draw_copula(rows: int, generator: np.random.Generator) -> Customers:
    """Draw customers from the copula, before tilting.

    Parameters
    ----------
    rows : int
        Customers to draw.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Customers
        Customers with the published margins and correlations.
    """
    copula = _copula()
    latent = generator.standard_normal((rows, len(copula.factor))) @ copula.factor.T
    numeric = np.empty((rows, len(NUMERIC)))
    for j, (values, cuts) in enumerate(zip(copula.values, copula.cuts, strict=True)):
        numeric[:, j] = values[np.searchsorted(cuts, latent[:, j])]
    age = np.searchsorted(copula.age_cuts, latent[:, -2]).astype(np.int8)
    return Customers(numeric, age, latent[:, -1] > copula.man_cut)


def linear_index(customers: Customers) -> FloatArray:
    """Index of the published main-effects logit under the average message.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n,)
        Log odds of buying, averaged (in odds) over the messages of the published file.
    """
    intercept, messages, features = logit_coefficients()
    average = float(np.log(arm_shares() @ np.exp(messages)))
    index: FloatArray = customers.features() @ features + (intercept + average)
    return index


def standardised(customers: Customers) -> FloatArray:
    """Numeric features in published means and standard deviations.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n, 9)
        In the order of `NUMERIC`.
    """
    moments = [published_statistics()["moments"][name] for name in NUMERIC]
    means = np.array([m["mean"] for m in moments])
    sds = np.array([m["sd"] for m in moments])
    z: FloatArray = (customers.numeric - means) / sds
    return z


def tilting_statistics(customers: Customers) -> FloatArray:
    """Statistics whose means the tilting brings to their published values.

    Parameters
    ----------
    customers : Customers
        Customers.

    Returns
    -------
    ndarray of shape (n, 72)
        Means, squares and products of the standardised features, age and gender
        indicators, then all of the former means weighted by the published logit's
        probability (the logit's score equations), and its expected log-likelihood.
    """
    z = standardised(customers)
    rows, columns = np.tril_indices(z.shape[1], -1)
    categories = customers.features()[:, z.shape[1] :]
    index = linear_index(customers)
    probability = expit(index)[:, None]
    loglik = probability[:, 0] * index - np.logaddexp(0.0, index)
    return np.column_stack(
        [
            z,
            np.minimum(z**2, _SQUARE_CAP),
            z[:, rows] * z[:, columns],
            categories,
            probability,
            probability * z,
            probability * categories,
            loglik,
        ]
    )


def draw_customers(rows: int, generator: np.random.Generator) -> Customers:
    """Draw customers from the tilted copula by rejection.

    Parameters
    ----------
    rows : int
        Customers to draw.
    generator : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    Customers
        `rows` customers; a longer draw from the same seed starts with the shorter one.
    """
    tilt = np.array(fitted()["tilt"])
    offset = float(fitted()["tilt_offset"])
    parts: list[Customers] = []
    drawn = 0
    while drawn < rows:
        proposed = draw_copula(_CHUNK, generator)
        log_weight = np.empty(_CHUNK)
        # Seventy-two columns of a whole chunk would not fit the processor's cache.
        for start in range(0, _CHUNK, _BLOCK):
            rows_of_block = slice(start, start + _BLOCK)
            block = tilting_statistics(proposed.take(rows_of_block))
            log_weight[rows_of_block] = block @ tilt + offset
        threshold = np.log(generator.random(_CHUNK) * MAXIMUM_WEIGHT)
        part = proposed.take(log_weight >= threshold)
        parts.append(part)
        drawn += len(part)
    return concatenate(parts, rows)
