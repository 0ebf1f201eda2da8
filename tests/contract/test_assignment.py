import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pentathlon.contract.assignment import (
    assign_rows,
    draw_folds,
    draw_test,
    keyed_order,
    outcome_weights,
)


@st.composite
def strata(draw):
    n = draw(st.integers(1, 200))
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    ids = pd.Series([f"U{i}" for i in rng.choice(10_000, n, replace=False)], dtype="str")
    return ids, rng.integers(0, draw(st.integers(1, 8)), n), rng.permutation(n), seed


@given(strata(), st.integers(2, 7))
@settings(max_examples=60, deadline=None)
def test_folds_are_even_and_ignore_the_order_of_rows(drawn, n_folds):
    ids, stratum, shuffle, seed = drawn
    fold = draw_folds(ids, stratum, n_folds, seed)
    again = draw_folds(ids.iloc[shuffle], stratum[shuffle], n_folds, seed)
    assert (again == fold[shuffle]).all()
    for rows in (np.ones(len(ids), bool), *(stratum == s for s in np.unique(stratum))):
        sizes = np.bincount(fold[rows], minlength=n_folds)
        assert sizes.max() - sizes.min() <= 1


@given(strata(), st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 0.9]))
@settings(max_examples=60, deadline=None)
def test_test_rows_meet_their_share_in_every_stratum(drawn, share):
    ids, stratum, shuffle, seed = drawn
    test = draw_test(ids, stratum, share, seed)
    assert (draw_test(ids.iloc[shuffle], stratum[shuffle], share, seed) == test[shuffle]).all()
    assert test.sum() == np.floor(len(ids) * share + 1e-9)
    for s in np.unique(stratum):
        rows = stratum == s
        assert abs(test[rows].sum() - share * rows.sum()) < 1 + 1e-9


def test_seed_and_purpose_change_the_order():
    ids = pd.Series([f"U{i}" for i in range(100)], dtype="str")
    one = np.zeros(100, dtype=np.int64)
    order = keyed_order(ids, one, 1, "folds")
    assert (order == keyed_order(ids, one, 1, "folds")).all()
    assert (order != keyed_order(ids, one, 2, "folds")).any()
    assert (order != keyed_order(ids, one, 1, "split")).any()
    assert sorted(order) == list(range(100))


def test_draws_are_the_same_on_every_machine():
    ids = pd.Series([f"U{i}" for i in range(8)], dtype="str")
    fold = draw_folds(ids, np.zeros(8, dtype=np.int64), 3, seed=7)
    assert fold.tolist() == [0, 2, 1, 0, 1, 0, 2, 1]


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_repeated_customers_whatever_the_order_of_their_rows(seed):
    rng = np.random.default_rng(seed)
    n = 80
    rows = pd.DataFrame(
        {
            "customer_id": pd.Series([f"U{i}" for i in rng.integers(0, 30, n)], dtype="str"),
            "response": rng.integers(0, 2, n).astype(np.int8),
            "split": "",
        }
    )
    message = rng.integers(0, 3, n)
    test, fold = assign_rows(rows, message, n_messages=3, test_share=0.3, n_folds=3, seed=seed)
    order = rng.permutation(n)
    test2, fold2 = assign_rows(
        rows.iloc[order], message[order], n_messages=3, test_share=0.3, n_folds=3, seed=seed
    )
    assert (test2 == test[order]).all()
    assert (fold2 == fold[order]).all()
    assert ((fold == -1) == test).all()
    assert rows.assign(fold=fold).groupby("customer_id")["fold"].nunique().eq(1).all()


def test_the_file_decides_where_it_speaks():
    rows = pd.DataFrame(
        {
            "customer_id": [f"U{i}" for i in range(6)],
            "response": np.int8(0),
            "split": ["train", "test", "train", "test", "train", "train"],
        }
    )
    test, fold = assign_rows(
        rows, np.zeros(6, dtype=np.int64), n_messages=1, test_share=0.9, n_folds=2, seed=1
    )
    assert test.tolist() == [False, True, False, True, False, False]
    assert sorted(fold[~test]) == [0, 0, 1, 1]


def test_weights_restore_the_rate_exactly():
    response = np.array([1, 1, 1, 0, 1, 0, 0, 0], dtype=np.int8)
    test = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=bool)
    weight = outcome_weights(response, test, 0.01)
    assert weight[0] == pytest.approx(0.01 / 0.75)
    assert weight[3] == pytest.approx(0.99 / 0.25)
    for split in (test, ~test):
        assert weight[split].mean() == pytest.approx(1)
        assert np.average(response[split], weights=weight[split]) == pytest.approx(0.01)


def test_balanced_case_weighs_1_to_99():
    response = np.array([0, 1] * 50, dtype=np.int8)
    weight = outcome_weights(response, np.zeros(100, dtype=bool), 0.01)
    assert weight[0] / weight[1] == pytest.approx(99)


def test_natural_rate_weighs_one():
    assert (outcome_weights(np.array([0, 1], np.int8), np.zeros(2, bool), None) == 1).all()
