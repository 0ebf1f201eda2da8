import math

import numpy as np
import pytest
from scipy import stats

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import Estimate, mean_estimate
from pentathlon.evaluation.estimate import cluster_sums, kish_size

EXACT = {"rel": 1e-12, "abs": 1e-12}


def test_mean_and_standard_error_by_hand():
    estimate = mean_estimate(np.array([1.0, 2.0, 6.0]))
    # residuals -2, -1, 3: sum of squares 14; 14 / 9 * 3 / 2
    assert estimate.value == pytest.approx(3.0, **EXACT)
    assert estimate.standard_error == pytest.approx(math.sqrt(14 / 9 * 3 / 2), **EXACT)
    assert (estimate.n, estimate.effective_sample_size) == (3, 3.0)


def test_equals_the_textbook_standard_error():
    values = np.random.default_rng(1).normal(size=50)
    expected = values.std(ddof=1) / math.sqrt(50)
    assert mean_estimate(values).standard_error == pytest.approx(expected, **EXACT)


def test_weights_by_hand():
    estimate = mean_estimate(np.array([0.0, 3.0]), sampling_weight=np.array([2.0, 1.0]))
    # mean 1; weighted residuals -2, 2; 8 / 9 * 2; sizes (2 + 1)^2 / (4 + 1)
    assert estimate.value == pytest.approx(1.0, **EXACT)
    assert estimate.standard_error == pytest.approx(math.sqrt(8 / 9 * 2), **EXACT)
    assert estimate.effective_sample_size == pytest.approx(9 / 5, **EXACT)


def test_only_ratios_of_weights_matter():
    values, weight = np.array([1.0, 5.0, 2.0]), np.array([1.0, 2.0, 4.0])
    first = mean_estimate(values, sampling_weight=weight)
    second = mean_estimate(values, sampling_weight=10 * weight)
    assert first.value == pytest.approx(second.value, **EXACT)
    assert first.standard_error == pytest.approx(second.standard_error, **EXACT)


@pytest.mark.parametrize("codes", [[0, 0, 1, 2], [7, 7, 10**12, -3]])
def test_rows_of_a_customer_are_summed_first(codes):
    estimate = mean_estimate(np.array([1.0, 2.0, 3.0, 6.0]), cluster=np.array(codes))
    # mean 3; residuals -2, -1 | 0 | 3, summed -3, 0, 3: 18 / 16 * 3 / 2
    assert estimate.value == pytest.approx(3.0, **EXACT)
    assert estimate.standard_error == pytest.approx(math.sqrt(18 / 16 * 1.5), **EXACT)


def test_cluster_sums_skip_unused_codes():
    assert cluster_sums(np.array([1.0, 2.0, 4.0]), np.array([4, 0, 4])).tolist() == [2.0, 5.0]


def test_interval_bound_and_z():
    estimate = Estimate(1.0, 0.5, 100, 80.0)
    lower, upper = estimate.interval(0.9)
    assert lower == pytest.approx(1 - 0.5 * stats.norm.ppf(0.95), **EXACT)
    assert upper == pytest.approx(1 + 0.5 * stats.norm.ppf(0.95), **EXACT)
    assert estimate.lower_bound(0.95) == pytest.approx(lower, **EXACT)
    assert estimate.z == 2.0
    assert Estimate(0.0, 0.0, 2, 0.0).z == 0.0
    assert Estimate(-1.0, 0.0, 2, 0.0).z == -math.inf
    assert estimate.scaled(-10.0) == Estimate(-10.0, 5.0, 100, 80.0)
    assert estimate.to_dict(0.9)["upper"] == upper


def test_kish_size_of_no_weight():
    assert kish_size(np.zeros(3)) == 0.0


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_confidence_must_be_a_probability(confidence):
    with pytest.raises(EvaluationError, match="confidence"):
        Estimate(1.0, 1.0, 2, 2.0).interval(confidence)


def test_refuses_what_has_no_standard_error():
    with pytest.raises(EvaluationError, match="at least two rows"):
        mean_estimate(np.array([1.0]))
    with pytest.raises(EvaluationError, match="two customers"):
        mean_estimate(np.array([1.0, 2.0]), cluster=np.array([3, 3]))
    with pytest.raises(EvaluationError, match=r"1 of 3 rows .* row 1"):
        mean_estimate(np.array([1.0, np.nan, 2.0]))
