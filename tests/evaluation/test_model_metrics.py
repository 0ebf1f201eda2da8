import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import METRICS, f1_score, metric, metric_difference, metrics_table

EXACT = {"rel": 1e-12, "abs": 1e-12}
REFERENCE = {
    "roc_auc": sk.roc_auc_score,
    "average_precision": sk.average_precision_score,
    "log_loss": sk.log_loss,
    "brier": sk.brier_score_loss,
}


def draw(seed, n=300, ties=False, weights=False):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 4, n)
    if ties:
        p = np.round(p, 1)
    y = (rng.random(n) < 0.7 * p + 0.1).astype(int)
    y[:2] = (0, 1)
    return y, p, rng.gamma(2.0, 0.5, n) if weights else None


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("weights", [False, True])
def test_equals_scikit_learn(name, ties, weights):
    y, p, w = draw(1, ties=ties, weights=weights)
    value = metric(name, y, p, sampling_weight=w).value
    assert value == pytest.approx(REFERENCE[name](y, p, sample_weight=w), rel=1e-12)


def test_auc_by_hand():
    y, p = np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.2, 0.3])
    estimate = metric("roc_auc", y, p)
    # pairs: 0.1 ties 0.1, 0.1 loses to 0.2, 0.3 beats both: (0.5 + 0 + 1 + 1) / 4
    assert estimate.value == pytest.approx(2.5 / 4, **EXACT)
    # placements: buyers 0.25 and 1, the others 0.75 and 0.5; each class is half the rows
    influence = 0.625 + 2 * np.array([0.125, -0.375, -0.125, 0.375])
    expected = influence.std(ddof=1) / 2
    assert estimate.standard_error == pytest.approx(expected, **EXACT)


def test_auc_interval_is_that_of_delong():
    y, p, _ = draw(2, n=4_000)
    positive, negative = p[y == 1], p[y == 0]
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    delong = math.sqrt(
        wins.mean(axis=1).var(ddof=1) / len(positive)
        + wins.mean(axis=0).var(ddof=1) / len(negative)
    )
    assert metric("roc_auc", y, p).standard_error == pytest.approx(delong, rel=2e-3)


@pytest.mark.parametrize("name", METRICS)
def test_standard_error_is_the_spread_over_samples(name):
    estimates = []
    for seed in range(300):
        y, p, _ = draw(seed, n=600)
        estimates.append(metric(name, y, p))
    spread = np.std([e.value for e in estimates], ddof=1)
    assert np.mean([e.standard_error for e in estimates]) == pytest.approx(spread, rel=0.13)


@pytest.mark.parametrize("name", METRICS)
def test_influence_is_the_derivative_in_the_weight_of_a_row(name):
    y, p, _ = draw(3, n=40, ties=True)
    w = np.ones(40)
    influence = METRICS[name](y.astype(float), p, w)
    value = metric(name, y, p).value
    for row in range(40):
        heavier = w.copy()
        heavier[row] += 1e-6
        derivative = (metric(name, y, p, sampling_weight=heavier).value - value) / 1e-6
        assert derivative * 40 == pytest.approx(influence[row] - value, abs=2e-4)


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_of_two_is_two_rows(name):
    y, p, _ = draw(4, n=50, ties=True)
    w = np.random.default_rng(0).integers(1, 4, 50)
    rows = np.repeat(np.arange(50), w)
    weighted = metric(name, y, p, sampling_weight=w)
    repeated = metric(name, y[rows], p[rows], cluster=rows)
    assert weighted.value == pytest.approx(repeated.value, **EXACT)
    assert weighted.standard_error == pytest.approx(repeated.standard_error, **EXACT)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_order_of_rows_changes_nothing(seed, ties, weights):
    y, p, w = draw(seed, n=60, ties=ties, weights=weights)
    rows = np.random.default_rng(seed).permutation(60)
    for name in METRICS:
        before = metric(name, y, p, sampling_weight=w)
        after = metric(name, y[rows], p[rows], sampling_weight=None if w is None else w[rows])
        assert after.value == pytest.approx(before.value, rel=1e-10)
        assert after.standard_error == pytest.approx(before.standard_error, rel=1e-10)


def test_paired_difference():
    y, p, w = draw(5, weights=True)
    noisy = p ** np.random.default_rng(0).uniform(0.95, 1.05, len(p))
    for name in METRICS:
        difference = metric_difference(name, y, p, noisy, sampling_weight=w)
        first, second = (metric(name, y, q, sampling_weight=w) for q in (p, noisy))
        assert difference.value == pytest.approx(first.value - second.value, **EXACT)
        assert difference.standard_error < first.standard_error
        assert metric_difference(name, y, p, p.copy()).standard_error == 0.0


def test_f1_by_hand():
    y, p = np.array([1, 1, 0, 0, 1]), np.array([0.9, 0.2, 0.8, 0.1, 0.7])
    estimate = f1_score(y, p, 0.5)
    assert estimate.value == pytest.approx(4 / 6, **EXACT)
    influence = 2 / 3 + np.array([2 - 4 / 3, -2 / 3, -2 / 3, 0, 2 - 4 / 3]) * 5 / 6
    assert estimate.standard_error == pytest.approx(influence.std(ddof=1) / math.sqrt(5), **EXACT)
    assert f1_score(y, p, 0.9).value == 0.0
    w = np.array([1.0, 2, 3, 4, 5])
    assert f1_score(y, p, 0.5, sampling_weight=w).value == pytest.approx(
        sk.f1_score(y, p > 0.5, sample_weight=w), **EXACT
    )
    with pytest.raises(EvaluationError, match="F1"):
        f1_score(np.zeros(3), np.full(3, 0.1), 0.5)


def test_table_by_model_and_message():
    y, p, w = draw(6, weights=True)
    message = np.arange(len(y)) % 2
    y[message == 1] = 0
    table = metrics_table(
        y,
        {"a": p, "b": p.astype(np.float32)},
        message=message,
        names=["control", "shoes", "never sent"],
        thresholds={"a": 0.2},
        sampling_weight=w,
        cluster=np.arange(len(y)) // 2,
    ).set_index(["model", "message", "metric"])
    assert len(table) == (4 + 4) * 4 + 4
    part = message == 0
    expected = metric("roc_auc", y[part], p[part], sampling_weight=w[part])
    assert table.loc[("a", "control", "roc_auc"), "value"] == pytest.approx(expected.value)
    assert math.isnan(table.loc[("a", "shoes", "roc_auc"), "value"])
    assert table.loc[("a", "shoes", "log_loss"), "value"] > 0
    assert table.loc[("a", "never sent", "brier"), "n"] == 0
    assert table["standard_error"].drop(index="never sent", level="message").dropna().gt(0).any()
    with pytest.raises(EvaluationError, match="names"):
        metrics_table(y, {"a": p}, message=message)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"response": [0, 2, 1]}, "0 and 1 only"),
        ({"probability": [0.1, 1.2, 0.3]}, "probability"),
        ({"probability": [0.1, np.nan, 0.3]}, "probability: 1 of 3"),
        ({"probability": [0.1, 0.2]}, "probability: expected shape"),
        ({"sampling_weight": [1.0, -1.0, 1.0]}, "sampling_weight"),
        ({"response": [0, 0, 0]}, "ROC AUC needs"),
        ({"name": "accuracy"}, "unknown"),
    ],
)
def test_refuses_what_cannot_be_scored(change, words):
    given = {
        "name": "roc_auc",
        "response": np.array([0, 1, 0]),
        "probability": np.array([0.1, 0.2, 0.3]),
    }
    given |= {k: v if k == "name" else np.array(v) for k, v in change.items()}
    with pytest.raises(EvaluationError, match=words):
        metric(**given)


def test_average_precision_needs_a_response():
    with pytest.raises(EvaluationError, match="Average precision"):
        metric("average_precision", np.zeros(3), np.full(3, 0.1))
