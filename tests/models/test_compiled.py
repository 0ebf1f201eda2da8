"""Compiled predictions are the library's own, bit for bit where trees are concerned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from sklearn.ensemble import RandomForestClassifier

from pentathlon.features import Design
from pentathlon.models.compiled import compiled
from pentathlon.models.compiled.ensemble import MIXED, Layout
from pentathlon.models.compiled.readers import (
    booster_ensemble,
    float32_below,
    forest_ensemble,
)
from pentathlon.models.compiled.walk import add_by_message
from pentathlon.models.order_value import BoostedLevel, GammaLevel, Orders
from pentathlon.models.registry import model_class

LAYOUT = Layout(n_base=4, n_messages=3, n_match=2)
SMALL: dict[str, dict[str, Any]] = {
    "random_forest": {"n_estimators": 20, "max_depth": 7, "min_samples_leaf": 5},
    "xgboost": {"n_estimators": 25, "max_depth": 4, "contrast_estimators": 4},
    "logistic_regression": {},
    "neural_network": {"units": 12, "layers": 3, "epochs": 1},
}
TOLERANCE = {"random_forest": 0.0, "xgboost": 0.0}


@pytest.fixture(scope="module", params=sorted(SMALL))
def model(request: pytest.FixtureRequest, simulated: Any) -> Any:
    rows = simulated.rows.take(np.arange(2_000))
    return model_class(request.param).fit(
        rows, simulated.builder, SMALL[request.param], logit_offset=-0.7, seed=1, threads=1
    )


def test_a_compiled_model_predicts_as_its_library(model: Any, simulated: Any) -> None:
    design = simulated.rows.design.take(np.arange(2_000, 2_700))
    expected = model.predict(design)
    found = compiled(model).predict(design)
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= TOLERANCE.get(model.name, 3e-7)
    assert expected.std(axis=1).max() > 1e-5  # messages differ, so the test can fail


def test_a_customer_alone_gets_the_same_bits(model: Any, simulated: Any) -> None:
    design = simulated.rows.design.take(np.arange(3_000, 3_037))
    fast = compiled(model)
    together = fast.predict(design)
    alone = [fast.predict(design.take(slice(i, i + 1)))[0] for i in range(len(design))]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_threads_change_nothing(model: Any, simulated: Any) -> None:
    base = simulated.rows.design
    many = Design(np.tile(base.base, (2, 1)), np.tile(base.match, (2, 1, 1)))
    np.testing.assert_array_equal(
        compiled(model, threads=1).predict(many), compiled(model, threads=3).predict(many)
    )


def test_a_compiled_model_is_saved_as_its_model(model: Any, simulated: Any, tmp_path: Any) -> None:
    compiled(model).save(tmp_path)
    design = simulated.rows.design.take(np.arange(50))
    np.testing.assert_array_equal(
        model_class(model.name).load(tmp_path).predict(design), model.predict(design)
    )


def random_rows(n: int, seed: int, *, gaps: bool) -> tuple[Design, np.ndarray]:
    """Small whole numbers, so that many values are exactly at a split."""
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 6, (n, LAYOUT.n_base)).astype(np.float32)
    match = rng.integers(0, 4, (n, LAYOUT.n_messages, LAYOUT.n_match)).astype(np.float32)
    match[:, 0] = 0
    if gaps:
        base[rng.random(base.shape) < 0.2] = np.nan
        match[rng.random(match.shape) < 0.2] = np.nan
    return Design(base, match), rng.integers(0, LAYOUT.n_messages, n)


def random_response(design: Design, message: np.ndarray, seed: int) -> np.ndarray:
    x = np.nan_to_num(design.logged(message), nan=2.5)
    signal = x[:, 0] * (message == 1) - x[:, 2] + x[:, -1] * x[:, 1] / 3
    return (signal + np.random.default_rng(seed).normal(size=len(x)) > 0).astype(np.int8)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gaps", [False, True])
def test_xgboost_with_ties_and_missing_values(seed: int, gaps: bool) -> None:
    design, message = random_rows(600, seed, gaps=gaps)
    y = random_response(design, message, seed)
    settings = {"max_depth": 5, "objective": "binary:logistic", "nthread": 1, "seed": seed}
    settings |= {"base_score": 0.3, "min_child_weight": 0.1, "colsample_bynode": 0.6}
    booster = xgb.train(settings, xgb.DMatrix(design.logged(message), y), num_boost_round=12)
    ensemble, score = booster_ensemble(booster, LAYOUT)
    assert (ensemble.roots[:, 2] == MIXED).any()
    fresh, _ = random_rows(300, seed + 100, gaps=gaps)
    margin = np.full((300, 3), score[0], dtype=np.float32)
    add_by_message(ensemble, fresh.base, fresh.match, margin)
    for k in range(3):
        expected = booster.inplace_predict(fresh.under(k), predict_type="margin")
        np.testing.assert_array_equal(margin[:, k], expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("gaps", [False, True])
def test_a_forest_with_ties_and_missing_values(seed: int, gaps: bool) -> None:
    design, message = random_rows(600, seed, gaps=gaps)
    y = random_response(design, message, seed)
    forest = RandomForestClassifier(8, max_depth=6, random_state=seed, max_features=0.5)
    forest.fit(design.logged(message), y)
    fresh, _ = random_rows(300, seed + 100, gaps=gaps)
    total = np.zeros((300, 3))
    add_by_message(forest_ensemble(forest, LAYOUT), fresh.base, fresh.match, total)
    for k in range(3):
        np.testing.assert_array_equal(total[:, k] / 8, forest.predict_proba(fresh.under(k))[:, 1])


def test_trees_of_a_single_leaf(simulated: Any) -> None:
    design, message = random_rows(60, 0, gaps=False)
    booster = xgb.train(
        {"max_depth": 3, "gamma": 1e9, "base_score": 0.5, "objective": "binary:logistic"},
        xgb.DMatrix(design.logged(message), random_response(design, message, 0)),
        num_boost_round=3,
    )
    ensemble, score = booster_ensemble(booster, LAYOUT)
    margin = np.full((60, 3), score[0], dtype=np.float32)
    add_by_message(ensemble, design.base, design.match, margin)
    expected = booster.inplace_predict(design.under(0), predict_type="margin")
    np.testing.assert_array_equal(margin[:, 0], expected)


@pytest.mark.parametrize("level", [GammaLevel, BoostedLevel])
def test_compiled_order_values(level: Any, simulated: Any) -> None:
    buyers = np.flatnonzero(simulated.rows.response)
    orders = Orders(
        simulated.rows.design.take(buyers),
        simulated.rows.message[buyers],
        simulated.order_value[buyers],
        np.ones(len(buyers)),
    )
    model = level.fit(orders, simulated.builder, {}, seed=1, threads=1)
    design = simulated.rows.design.take(np.arange(400))
    fast = compiled(model)
    np.testing.assert_allclose(fast.predict(design), model.predict(design), rtol=2e-7)
    alone = np.concatenate([fast.predict(design.take(slice(i, i + 1))) for i in range(30)])
    np.testing.assert_array_equal(fast.predict(design)[:30], alone)


def test_thresholds_are_rounded_down() -> None:
    just_below_one = np.nextafter(np.float32(1), np.float32(0))
    found = float32_below(np.array([1.0, 1.0 - 1e-12, 1.0 + 1e-12, 0.1]))
    assert found.dtype == np.float32
    assert found.tolist()[:3] == [1.0, float(just_below_one), 1.0]
    assert float(found[3]) <= 0.1 < float(np.nextafter(found[3], np.float32(1)))


def test_a_model_without_a_compiled_form_stays_itself() -> None:
    stranger = object()
    assert compiled(stranger) is stranger
