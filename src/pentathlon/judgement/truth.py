"""Estimates against the truth that only a simulation knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.decision.policies import constant
from pentathlon.decision.profit import expected_profit
from pentathlon.errors import EvaluationError
from pentathlon.evaluation import AIPW, Estimate, covered, metric, paired_gain, true_value
from pentathlon.judgement.comparison import SHIPPED, judged_policies
from pentathlon.judgement.judged import FUSION, Judged


def compare_with_truth(
    judged: Judged, truth: pd.DataFrame | None, confidence: float
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Set values, gains and models against the truth.

    Parameters
    ----------
    judged : Judged
    truth : DataFrame or None
        ``custid`` and, per message, ``purchase_probability_<message>`` and
        ``expected_order_value_<message>``; ``None`` for a real retailer.
    confidence : float
        Of the intervals whose coverage is checked.

    Returns
    -------
    summary : dict
        ``known`` false without a truth; else what ships in truth, regret, captured share of the
        attainable gain, whether the intervals covered, AUC of the true probabilities.
    policies : DataFrame
        One row per policy: supported and true value, whether the interval covered.

    Raises
    ------
    EvaluationError
        When the truth is not of these customers.
    """
    columns = ["policy", "supported", "lower", "upper", "truth", "covered", "true_gain_percent"]
    if truth is None:
        return {"known": False}, pd.DataFrame(columns=columns)
    probability, order_value = _aligned(judged, truth)
    true_profit = expected_profit(probability, order_value, judged.messages)
    if judged.contact_costs is not None:  # declared, so part of the truth too
        true_profit = true_profit - judged.contact_costs
    outcomes = judged.outcomes()
    weight = judged.sampling_weight
    policies, _ = judged_policies(judged)
    shipped = true_value(policies[SHIPPED], true_profit, weight)
    records = []
    for name, policy in policies.items():
        estimate = AIPW().estimate(policy, outcomes, judged.profit)
        true = true_value(policy, true_profit, weight)
        lower, upper = estimate.interval(confidence)
        records.append(
            {
                "policy": name,
                "supported": estimate.value,
                "lower": lower,
                "upper": upper,
                "truth": true.value,
                "covered": covered(estimate, true.value, confidence),
                "true_gain_percent": 100 * (true.value / true.best_constant_value - 1),
            }
        )
    baseline = constant(len(judged), shipped.best_constant)
    gain = paired_gain(policies[SHIPPED], baseline, outcomes, judged.profit)
    rows = np.arange(len(judged))
    true_logged = probability[rows, judged.message]
    summary = {
        "known": True,
        "true_value": shipped.value,
        "true_best_constant": judged.messages.names[shipped.best_constant],
        "true_best_constant_value": shipped.best_constant_value,
        "best_possible": shipped.best_possible,
        "regret": shipped.regret,
        "true_gain": shipped.gain,
        "true_gain_percent": 100 * shipped.gain / shipped.best_constant_value,
        "attainable_gain": shipped.attainable_gain,
        "captured_share": shipped.share_of_attainable,
        "value_covered": bool(records[0]["covered"]),
        "gain_covered": _covers(gain, shipped.gain, confidence),
        "auc_of_truth": metric(
            "roc_auc", judged.response, true_logged, sampling_weight=weight
        ).value,
        "auc_of_fusion": metric(
            "roc_auc", judged.response, judged.logged_probability(FUSION), sampling_weight=weight
        ).value,
    }
    summary |= _calibration(judged, probability)
    return summary, pd.DataFrame(records)


def _calibration(judged: Judged, true_probability: NDArray[np.float64]) -> dict[str, float]:
    """Predicted over true responses: overall, by message, and where predictions are highest.

    Against the truth instead of outcomes, which on a few hundred orders a message scatter by more
    than a good calibration errs.
    """
    predicted = judged.probabilities[FUSION].astype(np.float64)
    w = judged.sampling_weight
    ratio = (w @ predicted) / (w @ true_probability)
    logged = judged.logged_probability(FUSION)
    top = logged >= np.quantile(logged, 0.99)
    rows = np.arange(len(judged))
    true_logged = true_probability[rows, judged.message]
    return {
        "predicted_over_true": float((w @ predicted).sum() / (w @ true_probability).sum()),
        "predicted_over_true_lowest_message": float(ratio.min()),
        "predicted_over_true_highest_message": float(ratio.max()),
        "predicted_over_true_top_percent": float(
            (w[top] @ logged[top]) / (w[top] @ true_logged[top])
        ),
    }


def true_profit_of(judged: Judged, truth: pd.DataFrame) -> NDArray[np.float32]:
    """True expected profit of the judged rows in currency, shape ``(n, n_messages)``."""
    probability, order_value = _aligned(judged, truth)
    return expected_profit(probability, order_value, judged.messages)


def _covers(estimate: Estimate, truth: float, confidence: float) -> bool:
    """Whether the interval covers; an exact zero covers what is zero up to rounding."""
    if estimate.standard_error == 0:
        return abs(estimate.value - truth) < 1e-6
    return covered(estimate, truth, confidence)


def _aligned(judged: Judged, truth: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    position = pd.Index(truth["custid"].astype(str)).get_indexer(
        pd.Index(judged.keys["customer_id"].astype(str))
    )
    lost = int((position < 0).sum())
    if lost:
        raise EvaluationError(
            f"The truth does not know {lost} of {len(judged)} judged customers: it belongs to "
            "another simulation. Run `simulate` again, or remove its folder for real data."
        )
    arrays = []
    for what in ("purchase_probability", "expected_order_value"):
        names = [f"{what}_{m}" for m in judged.messages]
        missing = [n for n in names if n not in truth.columns]
        if missing:
            raise EvaluationError(f"The truth lacks {missing}: it has other messages.")
        arrays.append(truth[names].to_numpy(dtype=np.float64)[position])
    return arrays[0], arrays[1]
