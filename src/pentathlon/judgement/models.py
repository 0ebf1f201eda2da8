"""Models judged on the judged rows: metrics, gains, calibration, effects of features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import CONTROL
from pentathlon.evaluation import (
    expected_observed,
    gains_table,
    metrics_table,
    profit_threshold,
    wilson_interval,
)
from pentathlon.judgement.judged import FUSION, Judged

EFFECT_BINS = 8


@dataclass(frozen=True)
class ModelAssessment:
    """Tables about models.

    Attributes
    ----------
    metrics : DataFrame
        By model, message and metric, with intervals.
    gains : DataFrame
        By model and bin of the purchase probability: rate, lift, cumulative gains.
    calibration : DataFrame
        Expected and observed responses of the fusion.
    """

    metrics: pd.DataFrame
    gains: pd.DataFrame
    calibration: pd.DataFrame


def assess_models(judged: Judged, confidence: float) -> ModelAssessment:
    """Judge every model on the judged rows.

    Parameters
    ----------
    judged : Judged
    confidence : float

    Returns
    -------
    ModelAssessment
    """
    logged = {name: judged.logged_probability(name) for name in judged.probabilities}
    weight = judged.sampling_weight
    names = judged.messages.names
    metrics = metrics_table(
        judged.response,
        logged,
        message=judged.message,
        names=names,
        thresholds={name: _threshold(judged, p) for name, p in logged.items()},
        sampling_weight=weight,
        confidence=confidence,
    )
    gains = pd.concat(
        [
            gains_table(judged.response, p, sampling_weight=weight, confidence=confidence).assign(
                model=name
            )
            for name, p in logged.items()
        ],
        ignore_index=True,
    )
    natural = judged.keys["natural_rate"].to_numpy(dtype=bool)
    rows = natural if natural.any() else np.ones(len(judged), dtype=bool)
    calibration = expected_observed(
        judged.response[rows],
        logged[FUSION][rows],
        sampling_weight=None if natural.any() else weight,
        message=judged.message[rows],
        names=names,
        confidence=confidence,
    )
    return ModelAssessment(metrics, gains, calibration)


def feature_effects(
    judged: Judged, customers: pd.DataFrame, columns: FeatureColumns, confidence: float
) -> pd.DataFrame:
    """How purchase probability moves with each feature: predicted beside observed.

    Parameters
    ----------
    judged : Judged
    customers : DataFrame
    columns : FeatureColumns
    confidence : float

    Returns
    -------
    DataFrame
        Columns feature, position (order of the levels), level, rows, observed (response rate
        with ``lower`` and ``upper``), predicted (mean purchase probability of the fusion).
    """
    table = judged.keys[["customer_id"]].merge(customers, on="customer_id", how="left")
    predicted = judged.logged_probability(FUSION).astype(np.float64)
    weight, response = judged.sampling_weight, judged.response
    records = []
    for feature in columns.columns:
        codes, levels = _levels(table[feature], feature in columns.categorical)
        for position, level in enumerate(levels):
            rows = codes == position
            if not rows.any():
                continue
            w = weight[rows]
            rate = float(np.average(response[rows], weights=w))
            effective = float(w.sum() ** 2 / (w**2).sum())
            lower, upper = wilson_interval(np.array([rate]), np.array([effective]), confidence)
            records.append(
                {
                    "feature": feature,
                    "position": position,
                    "level": level,
                    "rows": int(rows.sum()),
                    "observed": rate,
                    "lower": float(lower[0]),
                    "upper": float(upper[0]),
                    "predicted": float(np.average(predicted[rows], weights=w)),
                }
            )
    return pd.DataFrame(records)


def _levels(values: pd.Series, categorical: bool) -> tuple[np.ndarray, list[str]]:
    """Codes and labels: every label of a category, quantile bins of a number."""
    if categorical:
        codes, names = pd.factorize(values.astype(str), sort=True)
        return codes, [str(v) for v in names]
    number = values.to_numpy(dtype=np.float64)
    distinct = np.unique(number)
    if len(distinct) <= EFFECT_BINS:
        return np.searchsorted(distinct, number), [f"{value:g}" for value in distinct]
    # The lowest value is often a heap (no purchase): it must not swallow its neighbours.
    heap = np.mean(number == distinct[0]) > 1 / EFFECT_BINS
    rest = number[number > distinct[0]] if heap else number
    inner = np.unique(np.quantile(rest, np.linspace(0, 1, EFFECT_BINS + (not heap))))
    edges = inner[1:] if len(inner) > 1 else inner
    edges = np.r_[distinct[0], edges] if heap else edges
    codes = np.searchsorted(edges, number, side="left")
    labels: list[str] = []
    for position in range(len(edges)):
        inside = number[codes == position]
        if not len(inside):
            labels.append("")
            continue
        low, high = inside.min(), inside.max()
        labels.append(f"{low:g}" if low == high else f"{low:,g} to {high:,g}")
    return codes, labels


def _threshold(judged: Judged, probability: np.ndarray) -> float:
    """Purchase probability above which the e-mail pays for itself.

    An e-mail that costs nothing always does; the threshold is then the one of the highest F1
    that the probabilities themselves expect.
    """
    emails = [k for k, m in enumerate(judged.messages) if m != CONTROL]
    return profit_threshold(
        probability,
        cost=float(judged.messages.costs[emails].mean()),
        margin=float(judged.messages.margins[emails].mean()),
        mean_order_value=float(np.average(judged.order_values[:, emails].mean(axis=1))),
        sampling_weight=judged.sampling_weight,
    )
