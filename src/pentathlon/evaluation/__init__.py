"""Evaluation: model metrics, the value of policies on held-out outcomes, and projections."""

from pentathlon.evaluation.calibration import (
    check_expected_observed,
    expected_observed,
    poisson_interval,
)
from pentathlon.evaluation.claims import Honesty, cap_order_value, honesty, honesty_slope
from pentathlon.evaluation.estimate import Estimate, mean_estimate
from pentathlon.evaluation.estimators import AIPW, DEFAULT_ESTIMATORS, IPS, SNIPS, Estimator
from pentathlon.evaluation.gains import gains_table, score_bins, wilson_interval
from pentathlon.evaluation.gating import (
    Agreement,
    Disagreement,
    GateResult,
    agreement,
    emails_to_settle,
    gate,
)
from pentathlon.evaluation.model_metrics import (
    METRICS,
    f1_score,
    metric,
    metric_difference,
    metrics_table,
)
from pentathlon.evaluation.multiplicity import holm, two_sided_p
from pentathlon.evaluation.outcomes import LoggedOutcomes, Policy, customer_clusters, one_hot
from pentathlon.evaluation.policy_value import (
    SmoothingBias,
    best_constant,
    constant_values,
    paired_gain,
    percent_gain,
    smoothing_bias,
)
from pentathlon.evaluation.projection import Projection, project
from pentathlon.evaluation.provenance import TEST_FOLD, check_fold_provenance
from pentathlon.evaluation.threshold import profit_threshold
from pentathlon.evaluation.truth import TrueValue, covered, true_value

__all__ = [
    "AIPW",
    "DEFAULT_ESTIMATORS",
    "IPS",
    "METRICS",
    "SNIPS",
    "TEST_FOLD",
    "Agreement",
    "Disagreement",
    "Estimate",
    "Estimator",
    "GateResult",
    "Honesty",
    "LoggedOutcomes",
    "Policy",
    "Projection",
    "SmoothingBias",
    "TrueValue",
    "agreement",
    "best_constant",
    "cap_order_value",
    "check_expected_observed",
    "check_fold_provenance",
    "constant_values",
    "covered",
    "customer_clusters",
    "emails_to_settle",
    "expected_observed",
    "f1_score",
    "gains_table",
    "gate",
    "holm",
    "honesty",
    "honesty_slope",
    "mean_estimate",
    "metric",
    "metric_difference",
    "metrics_table",
    "one_hot",
    "paired_gain",
    "percent_gain",
    "poisson_interval",
    "profit_threshold",
    "project",
    "score_bins",
    "smoothing_bias",
    "true_value",
    "two_sided_p",
    "wilson_interval",
]
