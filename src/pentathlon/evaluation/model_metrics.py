"""How good purchase probabilities are, each metric with its standard error.

Every metric is written as the mean of influence values (see `pentathlon.evaluation.estimate`),
so sampling weights, customers with several rows, and the difference between two models on the
same rows need no further theory and no bootstrap.

Arguments that all functions share: ``response`` (n,) is 0 or 1, ``probability`` (n,) lies in
[0, 1], ``sampling_weight`` (n,) says how many natural-rate rows a row stands for, ``cluster``
(n,) is the customer of each row.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.errors import EvaluationError
from pentathlon.evaluation.estimate import Estimate, dot, mean_estimate
from pentathlon.evaluation.scored import Floats, check_scored, tie_groups

_ROUNDING = float(np.finfo(np.float64).eps)

Metric: TypeAlias = Callable[[Floats, Floats, Floats], Floats]
"""Influence values (n,) of a metric from responses, probabilities and weights, each (n,)."""


def auc_influence(response: Floats, probability: Floats, weight: Floats) -> Floats:
    r"""Influence values of the area under the ROC curve; ties count one half.

    .. math:: \psi_i = \theta + \frac{y_i}{P(y=1)} (F_0(p_i) - \theta)
              + \frac{1 - y_i}{P(y=0)} (1 - F_1(p_i) - \theta)

    with ``F_c`` the mid-distribution of the scores of class ``c``: the placements of DeLong,
    DeLong and Clarke-Pearson (1988), "Comparing the areas under two or more correlated receiver
    operating characteristic curves", with weights.
    """
    group, n_groups = tie_groups(probability)
    positive = np.bincount(group, weight * response, minlength=n_groups)
    negative = np.bincount(group, weight * (1.0 - response), minlength=n_groups)
    total_positive, total_negative = positive.sum(), negative.sum()
    if total_positive <= 0 or total_negative <= 0:
        raise EvaluationError("ROC AUC needs rows with and rows without a response.")
    below = (np.cumsum(negative) - 0.5 * negative) / total_negative
    above = 1.0 - (np.cumsum(positive) - 0.5 * positive) / total_positive
    area = dot(positive, below) / total_positive
    total = total_positive + total_negative
    return np.asarray(
        area
        + np.where(
            response > 0,
            (below[group] - area) * (total / total_positive),
            (above[group] - area) * (total / total_negative),
        )
    )


def average_precision_influence(response: Floats, probability: Floats, weight: Floats) -> Floats:
    r"""Influence values of average precision, :math:`E[P(s) | y = 1]`.

    ``P(t)`` is the precision among scores of at least ``t``. With ``A(t)`` the share of such
    scores and ``pi`` the share of responses,

    .. math:: \psi_j = AP + \frac{1}{\pi} \Bigl( y_j (P(s_j) - AP)
              + E_i \bigl[ y_i 1\{s_i \le s_j\} (y_j - P(s_i)) / A(s_i) \bigr] \Bigr)

    Formula of the point estimate: Su, Yuan, Zhu (2015), "A relationship between the average
    precision and the area under the ROC curve"; equal to that of scikit-learn.
    """
    group, n_groups = tie_groups(probability)
    total = weight.sum()
    all_rows = np.bincount(group, weight, minlength=n_groups) / total
    positive = np.bincount(group, weight * response, minlength=n_groups) / total
    rate = positive.sum()
    if rate <= 0:
        raise EvaluationError("Average precision needs rows with a response.")
    share = np.cumsum(all_rows[::-1])[::-1]
    precision = np.divide(
        np.cumsum(positive[::-1])[::-1], share, out=np.zeros(n_groups), where=share > 0
    )
    area = dot(positive, precision) / rate
    density = np.divide(positive, share, out=np.zeros(n_groups), where=share > 0)
    count_part = np.cumsum(density)[group]
    precision_part = np.cumsum(density * precision)[group]
    return np.asarray(
        area
        + (response * (precision[group] - area) + response * count_part - precision_part) / rate
    )


def log_loss_influence(response: Floats, probability: Floats, weight: Floats) -> Floats:
    """Log loss of each row, natural logarithm, probabilities a rounding error off 0 and 1."""
    clipped = np.clip(probability, _ROUNDING, 1.0 - _ROUNDING)
    return np.asarray(-np.log(np.where(response > 0, clipped, 1.0 - clipped)))


def brier_influence(response: Floats, probability: Floats, weight: Floats) -> Floats:
    """Squared error of each row (Brier 1950)."""
    return np.asarray(np.square(probability - response))


METRICS: dict[str, Metric] = {
    "roc_auc": auc_influence,
    "average_precision": average_precision_influence,
    "log_loss": log_loss_influence,
    "brier": brier_influence,
}
"""Metrics by name: influence values, each (n,)."""


def metric(
    name: str,
    response: NDArray[Any],
    probability: NDArray[Any],
    *,
    sampling_weight: NDArray[Any] | None = None,
    cluster: NDArray[Any] | None = None,
) -> Estimate:
    """Estimate one of `METRICS`.

    Parameters
    ----------
    name : str
        ``roc_auc``, ``average_precision``, ``log_loss`` or ``brier``.
    response, probability : ndarray, shape (n,)
    sampling_weight, cluster : ndarray, shape (n,), optional

    Returns
    -------
    Estimate

    Raises
    ------
    EvaluationError
        On an unknown name, columns that do not fit, or a single class where two are needed.
    """
    y, p, w = check_scored(response, probability, sampling_weight)
    return _mean(_metric(name)(y, p, w), sampling_weight, cluster)


def metric_difference(
    name: str,
    response: NDArray[Any],
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    sampling_weight: NDArray[Any] | None = None,
    cluster: NDArray[Any] | None = None,
) -> Estimate:
    """Paired difference of a metric between two models on the same rows, first minus second.

    Parameters
    ----------
    name : str
        One of `METRICS`.
    response, first, second : ndarray, shape (n,)
        Responses and the probabilities of the two models.
    sampling_weight, cluster : ndarray, shape (n,), optional

    Returns
    -------
    Estimate
    """
    influence = _metric(name)
    y, p, w = check_scored(response, first, sampling_weight)
    _, q, _ = check_scored(response, second, sampling_weight)
    return _mean(influence(y, p, w) - influence(y, q, w), sampling_weight, cluster)


def f1_score(
    response: NDArray[Any],
    probability: NDArray[Any],
    threshold: float,
    *,
    sampling_weight: NDArray[Any] | None = None,
    cluster: NDArray[Any] | None = None,
) -> Estimate:
    r"""F1 of "will buy" where the probability exceeds a threshold.

    .. math:: F_1 = \frac{2 E[y d]}{E[y] + E[d]}, \qquad
              \psi_i = F_1 + \frac{2 y_i d_i - F_1 (y_i + d_i)}{E[y] + E[d]}

    Parameters
    ----------
    response, probability : ndarray, shape (n,)
    threshold : float
        Fixed beforehand, for instance by `profit_threshold`.
    sampling_weight, cluster : ndarray, shape (n,), optional

    Returns
    -------
    Estimate

    Raises
    ------
    EvaluationError
        Without any response and any row above the threshold.
    """
    y, p, w = check_scored(response, probability, sampling_weight)
    chosen = (p > threshold).astype(np.float64)
    total = dot(w, y + chosen)
    if total == 0:
        raise EvaluationError("F1 needs a response or a row above the threshold.")
    value = 2.0 * dot(w, y * chosen) / total
    scale = float(w.sum()) / total
    influence = value + (2.0 * y * chosen - value * (y + chosen)) * scale
    return _mean(influence, sampling_weight, cluster)


def metrics_table(
    response: NDArray[Any],
    predictions: Mapping[str, NDArray[Any]],
    *,
    message: NDArray[Any] | None = None,
    names: Sequence[str] | None = None,
    thresholds: Mapping[str, float] | None = None,
    sampling_weight: NDArray[Any] | None = None,
    cluster: NDArray[Any] | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """All metrics of several models, over all rows and by message.

    Parameters
    ----------
    response : ndarray, shape (n,)
    predictions : mapping of str to ndarray (n,)
        Probabilities by model.
    message : ndarray of int, shape (n,), optional
        Message of each row; adds rows by message.
    names : sequence of str, optional
        Message names by code; needed with ``message``.
    thresholds : mapping of str to float, optional
        Threshold of F1 by model; models without one get no F1.
    sampling_weight, cluster : ndarray, shape (n,), optional
    confidence : float

    Returns
    -------
    DataFrame
        Columns ``model``, ``message`` ("all" or a name), ``metric``, ``value``,
        ``standard_error``, ``lower``, ``upper``, ``n``, ``effective_sample_size``. A metric that
        the rows cannot give (no response under a message) has missing numbers.

    Raises
    ------
    EvaluationError
        When columns do not fit, or names are missing.
    """
    parts: list[tuple[str, NDArray[Any] | slice]] = [("all", slice(None))]
    if message is not None:
        if names is None:
            raise EvaluationError("names: the names of the messages are needed with message.")
        parts += [(name, np.flatnonzero(message == code)) for code, name in enumerate(names)]
    records: list[dict[str, Any]] = []
    for model, probability in predictions.items():
        y, p, w = check_scored(response, probability, sampling_weight)
        for part, rows in parts:
            weight = None if sampling_weight is None else w[rows]
            group = None if cluster is None else cluster[rows]
            label = {"model": model, "message": part}
            for name, influence in METRICS.items():
                try:
                    numbers = _mean(influence(y[rows], p[rows], w[rows]), weight, group).to_dict(
                        confidence
                    )
                except EvaluationError:
                    numbers = _no_numbers(len(y[rows]))
                records.append({**label, "metric": name, **numbers})
            if thresholds is not None and model in thresholds:
                try:
                    numbers = f1_score(
                        y[rows], p[rows], thresholds[model], sampling_weight=weight, cluster=group
                    ).to_dict(confidence)
                except EvaluationError:
                    numbers = _no_numbers(len(y[rows]))
                records.append({**label, "metric": "f1", **numbers})
    return pd.DataFrame(records)


def _metric(name: str) -> Metric:
    if name not in METRICS:
        raise EvaluationError(f"metric {name!r} is unknown; choose from {list(METRICS)}.")
    return METRICS[name]


def _mean(
    influence: Floats, sampling_weight: NDArray[Any] | None, cluster: NDArray[Any] | None
) -> Estimate:
    return mean_estimate(influence, sampling_weight=sampling_weight, cluster=cluster)


def _no_numbers(n: int) -> dict[str, float]:
    missing = dict.fromkeys(("value", "standard_error", "lower", "upper"), float("nan"))
    return {**missing, "n": n, "effective_sample_size": float("nan")}
