import numpy as np
import pandas as pd
import pytest

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.propensity import (
    MAX_LEVELS,
    arm_size_balance,
    covariate_balance,
    design_matrix,
    estimate_propensities,
)


def simulated(n=60_000, slope=0.6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2)).astype(np.float32)
    scores = np.column_stack([np.zeros(n), 0.3 + slope * X[:, 0], -0.2 - slope * X[:, 1]])
    truth = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    code = (rng.random(n)[:, None] > truth.cumsum(axis=1)).sum(axis=1)
    fold = (np.arange(n) % 4 - 1).astype(np.int8)
    return X, code, fold, truth[np.arange(n), code]


def estimate(X, code, fold, weight=None, floor=0.005, n_messages=3):
    weight = np.ones(len(code)) if weight is None else weight
    return estimate_propensities(
        X, code, n_messages=n_messages, fold=fold, weight=weight, floor=floor
    )


def test_recovers_the_logging_policy():
    X, code, fold, truth = simulated()
    assert np.abs(estimate(X, code, fold) - truth).max() < 0.035


def test_inverse_propensities_add_up_to_the_population():
    X, code, fold, _ = simulated()
    inverse = 1 / estimate(X, code, fold)
    for k in range(3):
        assert inverse[code == k].sum() == pytest.approx(len(code), rel=0.02)


def test_own_assignment_plays_no_part():
    X, code, fold, _ = simulated(n=3_000)
    half = (fold == 0) & (np.arange(3_000) % 8 == 1)
    changed = np.where(half, (code + 1) % 3, code)
    first, again = estimate(X, code, fold), estimate(X, changed, fold)
    rest = (fold == 0) & ~half
    assert rest.any()
    assert (first[rest] == again[rest]).all()
    assert (first[fold == 1] != again[fold == 1]).any()


def test_test_rows_never_enter_a_fit():
    X, code, fold, _ = simulated(n=3_000)
    changed = np.where(fold == -1, 0, code)
    train = fold >= 0
    assert (estimate(X, changed, fold)[train] == estimate(X, code, fold)[train]).all()


def test_weights_count_as_repeated_rows():
    X, code, fold, _ = simulated(n=4_000)
    weight = np.where(code == 2, 3.0, 1.0)
    repeat = np.repeat(np.arange(4_000), weight.astype(int))
    weighted = estimate(X, code, fold, weight)
    repeated = estimate(X[repeat], code[repeat], fold[repeat])
    assert weighted[repeat] == pytest.approx(repeated, abs=5e-2)


def test_floor_and_messages_unseen_outside_the_fold():
    X, code, fold, _ = simulated(n=3_000)
    code = np.where(fold == 0, 2, code % 2)
    propensity = estimate(X, code, fold)
    assert (propensity[fold == 0] == 0.005).all()
    assert propensity.max() <= 1


def test_without_features_the_arm_shares_are_used():
    code = np.array([0, 1, 1, 1] * 10)
    fold = np.repeat([0, 1], 20).astype(np.int8)
    propensity = estimate(np.empty((40, 0), np.float32), code, fold, n_messages=2)
    assert propensity == pytest.approx(np.where(code == 0, 0.25, 0.75))


def test_design_matrix_standardises_and_drops_constants():
    rng = np.random.default_rng(1)
    customers = pd.DataFrame(
        {
            "income": rng.normal(50, 10, 500),
            "constant": 3.0,
            "zip": [f"z{i % 200}" for i in range(500)],
            "sex": np.where(rng.random(500) < 0.4, "F", "M"),
            "freq": rng.poisson(2.0, 500).astype(float),
        }
    )
    features = FeatureColumns(
        numeric=["income", "constant"], categorical=["zip", "sex"], counts={"a": "freq"}
    )
    X = design_matrix(customers, features)
    assert X.shape == (500, 1 + 1 + MAX_LEVELS + 1)
    assert X.dtype == np.float32
    assert X.mean(axis=0) == pytest.approx(np.zeros(X.shape[1]), abs=1e-5)
    assert X.std(axis=0) == pytest.approx(np.ones(X.shape[1]), abs=1e-4)


def test_arm_sizes_of_the_published_case():
    sizes = [87_266, 83_007, 83_945, 85_150, 86_773, 86_744, 87_115]
    test = arm_size_balance(np.repeat(np.arange(7), sizes), 7)
    assert test["chi2"] == pytest.approx(202.2, abs=0.1)
    assert test["df"] == 6
    assert test["p_value"] < 1e-20


def test_covariate_balance_is_the_anova_of_one_feature():
    from scipy.stats import chi2

    rng = np.random.default_rng(2)
    code = rng.integers(0, 3, 300)
    x = rng.normal(size=300) + 0.3 * code
    between = sum(
        (code == k).sum() * (x[code == k].mean() - x.mean()) ** 2 for k in range(3)
    ) / np.var(x)
    test = covariate_balance(x[:, None].astype(np.float32), code, 3)
    assert test["chi2"] == pytest.approx(between, rel=1e-4)
    assert test["df"] == 2
    assert test["p_value"] == pytest.approx(chi2.sf(between, 2), rel=1e-3)


def test_covariate_balance_has_its_distribution_under_randomisation():
    rng = np.random.default_rng(3)
    X = rng.normal(size=(400, 3)).astype(np.float32)
    values = [covariate_balance(X, rng.integers(0, 3, 400), 3)["chi2"] for _ in range(300)]
    # chi-square with 6 degrees of freedom: mean 6, standard error of 300 draws 0.2
    assert np.mean(values) == pytest.approx(6, abs=0.8)


def test_repeated_columns_do_not_count_twice():
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 1)).astype(np.float32)
    code = rng.integers(0, 2, 200)
    one, two = covariate_balance(x, code, 2), covariate_balance(np.hstack([x, x]), code, 2)
    assert two["df"] == one["df"] == 1
    assert two["chi2"] == pytest.approx(one["chi2"], rel=1e-4)
