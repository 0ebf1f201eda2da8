"""Tests of the logistic regression with slopes of its own for every message."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from pentathlon.features.crosses import choose_split
from pentathlon.models.newton import fit_grouped_ridge

GROUPS = 3
OWN = np.array([0, 2])
FREEDOM = np.array([1.0, 0.5, 0.2, 0.0])
OWN_FREEDOM = np.array([0.3, 0.1])


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(4_000, 4)).astype(np.float32)
    group = rng.integers(0, GROUPS, len(x))
    slope = np.array([0.8, -0.4, 1.2])[group]
    index = -2 + 0.5 * group + slope * x[:, 0] + 0.3 * x[:, 1] - 0.5 * x[:, 2]
    return x, group, (rng.random(len(x)) < 1 / (1 + np.exp(-index))).astype(np.int64)


def fit(x, group, response, **changes):
    settings = {"strength": 0.7, "freedom": FREEDOM, "own": OWN, "own_freedom": OWN_FREEDOM}
    return fit_grouped_ridge(x, group, response, GROUPS, **settings | changes)


def test_equals_the_regression_on_the_table_written_out(rows):
    x, group, response = rows
    onehot = np.eye(GROUPS)[group]
    moderators = x[:, OWN] * OWN_FREEDOM
    wide = np.hstack(
        [x * FREEDOM, onehot, (onehot[:, :, None] * moderators[:, None]).reshape(len(x), -1)]
    )
    reference = LogisticRegression(C=0.7, solver="newton-cholesky", tol=1e-10, max_iter=200)
    reference.fit(wide, response)
    expected = reference.coef_[0]
    fitted = fit(x, group, response)
    # Level and intercept trade off along a flat direction of the loss: their sum is what matters.
    np.testing.assert_allclose(fitted.common, expected[:4] * FREEDOM, atol=2e-5)
    np.testing.assert_allclose(
        fitted.level + fitted.intercept, expected[4:7] + reference.intercept_[0], atol=2e-5
    )
    np.testing.assert_allclose(
        fitted.own_slopes, expected[7:].reshape(GROUPS, -1) * OWN_FREEDOM, atol=2e-5
    )


def test_order_of_rows_does_not_matter(rows):
    x, group, response = rows
    mixed = np.random.default_rng(0).permutation(len(x))
    one, other = fit(x, group, response), fit(x[mixed], group[mixed], response[mixed])
    np.testing.assert_allclose(one.own_slopes, other.own_slopes, atol=1e-6)


def test_what_has_no_freedom_is_left_out(rows):
    x, group, response = rows
    fitted = fit(x, group, response, own=np.array([], dtype=int), own_freedom=np.array([]))
    assert fitted.common[3] == 0
    assert fitted.own_slopes.shape == (GROUPS, 0)
    assert (fitted.common[:3] != 0).all()


def test_a_message_that_nobody_received_gets_no_effect(rows):
    x, group, response = rows
    seen = group != 1
    fitted = fit(x[seen], group[seen], response[seen])
    assert fitted.level[1] == 0
    assert (fitted.own_slopes[1] == 0).all()


def test_a_separable_sample_ends(rows):
    x, group, _ = rows
    fitted = fit(x, group, (x[:, 0] > 1).astype(np.int64), strength=100.0)
    assert np.isfinite(fitted.common).all()
    assert fitted.common[0] > 1


def test_values_that_are_not_finite_are_named(rows):
    x, group, response = rows
    broken = x.copy()
    broken[5, 1] = np.inf
    with pytest.raises(ValueError, match="must be finite"):
        fit(broken, group, response)


def test_chosen_split_is_that_of_the_largest_statistic(rows):
    x, group, response = rows
    residual = response - response.mean()
    information = np.full(len(x), 0.2)

    def statistic(split):
        gap, weight = np.zeros(GROUPS), np.zeros(GROUPS)
        for k in range(GROUPS):
            above, below = (group == k) & (x[:, 0] > split), (group == k) & (x[:, 0] <= split)
            gap[k] = residual[above].mean() - residual[below].mean()
            weight[k] = 0.2 / (1 / above.sum() + 1 / below.sum())
        return (weight * (gap - np.average(gap, weights=weight)) ** 2).sum()

    candidates = [-1.0, -0.3, float(x[17, 0]), 0.4, 1.1]
    chosen = choose_split(x[:, 0], candidates, group, residual, information)
    assert chosen == max(candidates, key=statistic)
