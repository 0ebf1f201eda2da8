"""Probability with which the logging policy chose the message it sent."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns

MAX_LEVELS = 30
"""Levels of a categorical feature with a column of their own: a postcode has thousands."""

STRENGTHS = (0.00001, 0.0001, 0.001, 0.01, 1.0)
CHOICE_ROWS = 20_000


class ChiSquare(TypedDict):
    """A chi-square test."""

    chi2: float
    df: int
    p_value: float


def design_matrix(customers: pd.DataFrame, features: FeatureColumns) -> NDArray[np.float32]:
    """Columns on which an assignment may have depended.

    Parameters
    ----------
    customers : DataFrame, n rows
    features : FeatureColumns

    Returns
    -------
    ndarray of float32, shape (n, p)
        Numeric features, ``log1p`` of counts and of the columns under ``log``, one column
        for each of the `MAX_LEVELS` most frequent levels of a categorical feature after its
        first; standardised, columns without variation left out.
    """
    blocks = [customers[column].to_numpy(dtype=np.float64)[:, None] for column in features.numeric]
    blocks += [
        np.log1p(customers[column].to_numpy(dtype=np.float64))[:, None]
        for column in [*features.counts.values(), *features.log]
    ]
    for column in features.categorical:
        codes, _ = pd.factorize(customers[column], sort=True)
        by_size = np.argsort(-np.bincount(codes), kind="stable")
        own_column = by_size[1 : MAX_LEVELS + 1]
        blocks.append((codes[:, None] == own_column[None, :]).astype(np.float64))
    X: NDArray[np.float64] = np.hstack(blocks)
    scale = X.std(axis=0)
    varies = scale > 1e-12 * np.maximum(1.0, np.abs(X).max(axis=0, initial=0.0))
    X = (X[:, varies] - X[:, varies].mean(axis=0)) / scale[varies]
    return X.astype(np.float32)


def estimate_propensities(
    X: NDArray[np.float32],
    message_code: NDArray[np.int64],
    *,
    n_messages: int,
    fold: NDArray[np.int8],
    weight: NDArray[np.float64],
    floor: float,
) -> NDArray[np.float64]:
    """Cross-fitted probability of the logged message given the features.

    Multinomial logistic regression, weighted to the population. A training row is predicted
    by the fit without its fold, a test row by the fit on all training rows, so that no
    row's own assignment tells how likely it was (Chernozhukov and others, 2018,
    Double/debiased machine learning).

    Parameters
    ----------
    X : ndarray of float32, shape (n, p)
        Standardised features.
    message_code : ndarray of int64, shape (n,)
    n_messages : int
    fold : ndarray of int8, shape (n,)
        -1 on test rows.
    weight : ndarray of float64, shape (n,)
        Sampling weights.
    floor : float
        Lowest propensity: 1 / floor bounds the weight of a row in any later estimate.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [floor, 1].
    """
    # Half a second of import that no other propensity source needs.
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    propensity = np.empty(len(fold))
    for held_out in np.unique(fold):
        fit = (fold >= 0) & (fold != held_out)
        rows = np.flatnonzero(fold == held_out)
        probabilities = np.zeros((len(rows), n_messages))
        received = np.unique(message_code[fit])
        if X.shape[1] == 0 or len(received) == 1:
            counts = np.bincount(message_code[fit], weights=weight[fit], minlength=n_messages)
            probabilities[:] = counts / counts.sum()
        else:
            strength = _choose_strength(X[fit], message_code[fit], weight[fit])
            model = LogisticRegression(C=strength, max_iter=200, tol=1e-3)
            model.fit(X[fit], message_code[fit], sample_weight=weight[fit].astype(np.float32))
            predicted = np.asarray(model.predict_proba(X[rows]), dtype=np.float64)
            probabilities[:, received] = predicted
        propensity[rows] = probabilities[np.arange(len(rows)), message_code[rows]]
    return np.clip(propensity, floor, 1.0)


def _choose_strength(
    X: NDArray[np.float32], message_code: NDArray[np.int64], weight: NDArray[np.float64]
) -> float:
    """Inverse ridge penalty with the lowest log loss on half of the rows, fitted on the other.

    Assignment is nearly random in an experiment, so a fit without a penalty would mostly add
    noise to the propensities, and the noise would inflate inverse weights on average.
    """
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    inside, outside = np.arange(0, len(X), 2)[:CHOICE_ROWS], np.arange(1, len(X), 2)[:CHOICE_ROWS]
    received = np.unique(message_code[inside])
    outside = outside[np.isin(message_code[outside], received)]
    if len(received) < 2 or len(outside) == 0:
        return STRENGTHS[-1]
    column = np.searchsorted(received, message_code[outside])
    losses = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=strength, max_iter=100, tol=1e-3)
        model.fit(X[inside], message_code[inside], sample_weight=weight[inside].astype(np.float32))
        p = model.predict_proba(X[outside])[np.arange(len(outside)), column].astype(np.float64)
        losses.append(-np.average(np.log(np.maximum(p, 1e-12)), weights=weight[outside]))
    return STRENGTHS[int(np.argmin(losses))]


def arm_size_balance(message_code: NDArray[np.int64], n_messages: int) -> ChiSquare:
    """Pearson's test that all messages were as likely.

    Parameters
    ----------
    message_code : ndarray of int64, shape (n,)
    n_messages : int

    Returns
    -------
    ChiSquare
    """
    sizes = np.bincount(message_code, minlength=n_messages)
    expected = len(message_code) / n_messages
    return _chi_square(float(((sizes - expected) ** 2 / expected).sum()), n_messages - 1)


def covariate_balance(
    X: NDArray[np.float32], message_code: NDArray[np.int64], n_messages: int
) -> ChiSquare:
    """Test that customers' features do not differ between messages.

    The score test of the multinomial logistic regression of message on features at "no
    dependence", which equals the sum over messages of squared Mahalanobis distances between
    the message's mean features and the mean of all:
    ``sum_k n_k (m_k - m)' S^-1 (m_k - m)``.

    Parameters
    ----------
    X : ndarray of float32, shape (n, p)
    message_code : ndarray of int64, shape (n,)
    n_messages : int

    Returns
    -------
    ChiSquare
        With ``rank(S) * (n_messages - 1)`` degrees of freedom.
    """
    X64 = X.astype(np.float64)
    X64 -= X64.mean(axis=0)
    covariance = X64.T @ X64 / max(len(X64), 1)
    inverse = np.linalg.pinv(covariance, rcond=1e-6, hermitian=True)
    rank = int(np.linalg.matrix_rank(covariance, tol=1e-6, hermitian=True))
    chi2 = 0.0
    for code in range(n_messages):
        arm = X64[message_code == code]
        if len(arm):
            mean = arm.mean(axis=0)
            chi2 += len(arm) * float(mean @ inverse @ mean)
    return _chi_square(chi2, rank * (n_messages - 1))


def _chi_square(chi2: float, df: int) -> ChiSquare:
    from scipy.special import chdtrc  # noqa: PLC0415

    return {"chi2": chi2, "df": df, "p_value": float(chdtrc(df, chi2)) if df > 0 else 1.0}
