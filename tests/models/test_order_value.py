from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.errors import ArtifactError, DataError, ParameterError
from pentathlon.features import Design, DesignBuilder, build_features
from pentathlon.models.order_value import (
    LEVEL_MODELS,
    MessageMultipliers,
    Orders,
    OrderValueModel,
    cross_fit_level,
    cross_fit_order_value,
    fit_order_value,
    gamma_deviance,
)
from pentathlon.models.order_value_tuning import choose_order_value
from pentathlon.models.search_space import SearchDimension

SETTINGS = {"seed": 1, "threads": 1}
MESSAGES = MessageSet({m: {"margin": 0.4} for m in ("control", "water", "team")})


def blank_orders(message: list[int], value: list[float]) -> Orders:
    n = len(message)
    design = Design(np.zeros((n, 1), np.float32), np.zeros((n, 3, 3), np.float32))
    return Orders(design, np.array(message), np.array(value, dtype=float), np.ones(n))


@pytest.fixture(scope="module")
def lognormal() -> tuple[Orders, np.ndarray, DesignBuilder]:
    """4,000 log-normal orders; the mean of their exponentials is 1.38 times their median."""
    import pandas as pd

    rng = np.random.default_rng(0)
    n = 4_000
    table = pd.DataFrame({"customer_id": np.arange(n), "income": rng.normal(0, 1, n)})
    columns = FeatureColumns(numeric=["income"])
    features = build_features(table, columns)
    builder = DesignBuilder.fit(features, columns, MESSAGES)
    message = rng.integers(0, 3, n)
    value = np.exp(3 + 0.4 * table["income"].to_numpy() + rng.normal(0, 0.8, n))
    orders = Orders(builder.transform(features), message, value, np.ones(n))
    return orders, rng.permutation(n) % 3, builder


def test_gamma_deviance_by_hand() -> None:
    y, m = np.array([2.0, 3.0]), np.array([1.0, 3.0])
    assert gamma_deviance(y, m) == pytest.approx(2 * (2 - 1 - np.log(2)) / 2)
    assert gamma_deviance(y, m, np.array([3.0, 1.0])) == pytest.approx(1.5 * (1 - np.log(2)))
    assert gamma_deviance(m, m) == 0


def pairs(*effects: tuple[float, float]) -> Orders:
    """Two orders per message, ``r (1 + d)`` and ``r (1 - d)``: log effect log r, variance d^2/2."""
    message = [k for k in range(len(effects)) for _ in range(2)]
    value = [r * (1 + s * d) for r, d in effects for s in (1, -1)]
    return blank_orders(message, value)


def test_multipliers_of_equal_precision_by_hand() -> None:
    d = np.sqrt(0.02)
    orders = pairs((np.exp(-0.3), d), (1.0, d), (np.exp(0.3), d))
    fit = MessageMultipliers.fit(orders, np.ones(6), 3)
    np.testing.assert_allclose(fit.standard_error, 0.1)
    # Q = 100 (0.09 + 0.09) = 18; tau^2 = (18 - 2) / (300 - 30000 / 300) = 0.08.
    assert fit.tau == pytest.approx(np.sqrt(0.08))
    np.testing.assert_allclose(np.log(fit.raw), [-0.3, 0, 0.3], atol=1e-12)
    kept = 0.08 / 0.09
    np.testing.assert_allclose(np.log(fit.shrunk), [-0.3 * kept, 0, 0.3 * kept], atol=1e-12)


def test_multipliers_of_unequal_precision_by_hand() -> None:
    orders = pairs((1.0, np.sqrt(0.02)), (np.e, np.sqrt(0.08)))
    fit = MessageMultipliers.fit(orders, np.ones(4), 2)
    # Precisions 100 and 25, mean 0.2, Q = 100 * 0.04 + 25 * 0.64 = 20.
    tau2 = (20 - 1) / (125 - 10_625 / 125)
    assert fit.tau == pytest.approx(np.sqrt(tau2))
    mean = (1 / (tau2 + 0.04)) / (1 / (tau2 + 0.01) + 1 / (tau2 + 0.04))
    expected = [mean - tau2 / (tau2 + 0.01) * mean, mean + tau2 / (tau2 + 0.04) * (1 - mean)]
    np.testing.assert_allclose(np.log(fit.shrunk), expected)


def test_effects_within_chance_shrink_to_their_common_mean() -> None:
    d = np.sqrt(0.02)
    fit = MessageMultipliers.fit(pairs((1.0, d), (np.exp(0.1), d)), np.ones(4), 2)
    assert fit.tau == 0
    np.testing.assert_allclose(np.log(fit.shrunk), 0.05)


def test_a_message_that_cannot_be_told_gets_the_mean() -> None:
    d = np.sqrt(0.02)
    effects = pairs((np.exp(-0.3), d), (np.exp(0.3), d))
    one_more = blank_orders([*effects.message, 2], [*effects.value, 50.0])
    fit = MessageMultipliers.fit(one_more, np.ones(5), 4)
    np.testing.assert_allclose(np.log(fit.shrunk[2:]), 0, atol=1e-12)
    assert np.isinf(fit.standard_error[2:]).all()
    alone = MessageMultipliers.fit(pairs((2.0, d)), np.ones(2), 2)
    np.testing.assert_array_equal(alone.shrunk, 1)


def test_two_orders_of_the_same_value_are_no_certainty() -> None:
    d = np.sqrt(0.02)
    effects = pairs((np.exp(-0.3), d), (np.exp(0.3), d), (5.0, 0.0))
    fit = MessageMultipliers.fit(effects, np.ones(6), 3)
    np.testing.assert_allclose(np.log(fit.shrunk[2]), 0, atol=1e-12)
    assert np.isfinite(fit.shrunk).all()


def test_sampling_weights_count_as_rows_in_multipliers() -> None:
    orders = blank_orders([0, 0, 0, 1, 1], [1.0, 3.0, 4.0, 2.0, 4.0])
    weighted = replace(orders, sampling_weight=np.array([2.0, 1.0, 1.0, 1.0, 1.0]))
    fit = MessageMultipliers.fit(weighted, np.full(5, 2.0), 2)
    np.testing.assert_allclose(fit.raw, [(2 * 1 + 3 + 4) / (4 * 2), 6 / 4])


def test_neither_order_of_orders_nor_of_messages_matters() -> None:
    rng = np.random.default_rng(0)
    orders = blank_orders(rng.integers(0, 3, 90).tolist(), rng.gamma(2.0, 10.0, 90).tolist())
    level = rng.gamma(5.0, 4.0, 90)
    reference = MessageMultipliers.fit(orders, level, 3).shrunk
    order = rng.permutation(90)
    by_rows = MessageMultipliers.fit(orders.take(order), level[order], 3).shrunk
    np.testing.assert_allclose(by_rows, reference)
    renamed = replace(orders, message=np.array([2, 0, 1])[orders.message])
    by_messages = MessageMultipliers.fit(renamed, level, 3).shrunk
    np.testing.assert_allclose(by_messages[[2, 0, 1]], reference)


@pytest.mark.parametrize("candidate", LEVEL_MODELS.values(), ids=LEVEL_MODELS)
def test_the_mean_prediction_is_the_mean_order(candidate: Any, lognormal: Any) -> None:
    orders, fold, builder = lognormal
    held_out = cross_fit_level(candidate, orders, fold, builder, {}, **SETTINGS)
    model, _ = fit_order_value(candidate, orders, held_out, builder, {}, **SETTINGS)
    predicted = model.predict(orders.design)
    assert predicted.shape == (4_000, 3)
    assert predicted.dtype == np.float32
    # Predicting on the log scale and forgetting the factor would be 27 % too low.
    assert predicted.mean() == pytest.approx(orders.value.mean(), rel=0.02)
    rich = orders.design.base[:, 0] > 0.5
    assert predicted[rich].mean() == pytest.approx(orders.value[rich].mean(), rel=0.05)


@pytest.mark.parametrize("candidate", LEVEL_MODELS.values(), ids=LEVEL_MODELS)
def test_a_folds_own_orders_do_not_reach_its_values(candidate: Any, lognormal: Any) -> None:
    orders, fold, builder = lognormal
    changed = replace(orders, value=np.where(fold == 1, orders.value * 50, orders.value))
    buyers = np.arange(len(orders))
    before, after = (
        cross_fit_order_value(candidate, buyers, o, orders.design, fold, builder, {}, **SETTINGS)
        for o in (orders, changed)
    )
    np.testing.assert_array_equal(after[fold == 1], before[fold == 1])
    assert (after[fold != 1] > 2 * before[fold != 1]).all()
    assert not np.isnan(before).any()


def test_rows_without_an_order_are_scored_too(lognormal: Any) -> None:
    orders, fold, builder = lognormal
    buyers = np.flatnonzero(np.arange(len(orders)) % 4 == 0)
    values = cross_fit_order_value(
        LEVEL_MODELS["gamma"],
        buyers,
        orders.take(buyers),
        orders.design,
        fold,
        builder,
        {},
        **SETTINGS,
    )
    assert values.shape == (4_000, 3)
    assert (values > 0).all()


@pytest.mark.parametrize("candidate", LEVEL_MODELS.values(), ids=LEVEL_MODELS)
def test_a_saved_model_predicts_the_same(candidate: Any, lognormal: Any, tmp_path: Path) -> None:
    orders, _, builder = lognormal
    level = candidate.fit(orders, builder, {}, **SETTINGS)
    model = OrderValueModel(level, np.array([0.9, 1.0, 1.2]))
    model.save(tmp_path)
    loaded = OrderValueModel.load(tmp_path)
    np.testing.assert_array_equal(loaded.predict(orders.design), model.predict(orders.design))
    ratio = model.predict(orders.design)[:, 2] / model.predict(orders.design)[:, 0]
    np.testing.assert_allclose(ratio, 1.2 / 0.9, rtol=1e-5)
    state = (tmp_path / "order_value.json").read_text()
    (tmp_path / "order_value.json").write_text(state.replace(candidate.name, "crystal_ball"))
    with pytest.raises(ArtifactError, match="unknown level model crystal_ball"):
        OrderValueModel.load(tmp_path)


def test_an_extreme_customer_does_not_get_an_absurd_order(lognormal: Any) -> None:
    orders, _, builder = lognormal
    level = LEVEL_MODELS["gamma"].fit(orders, builder, {}, **SETTINGS)
    far = Design(np.array([[6.0], [1e6]], np.float32), np.zeros((2, 3, 3), np.float32))
    near, absurd = level.predict(far)
    assert absurd == pytest.approx(near, rel=0.2)


def test_too_few_orders_are_refused_with_advice(lognormal: Any) -> None:
    orders, fold, builder = lognormal
    few = np.arange(12)
    with pytest.raises(DataError, match="more buyers or fewer folds"):
        cross_fit_level(LEVEL_MODELS["gamma"], orders.take(few), fold[few], builder, {}, **SETTINGS)


def test_two_folds_are_too_few_to_cross_fit_within(lognormal: Any) -> None:
    orders, _, builder = lognormal
    fold, buyers = np.arange(len(orders)) % 2, np.arange(len(orders))
    with pytest.raises(DataError, match="at least three folds; there are buyers in 2"):
        cross_fit_order_value(
            LEVEL_MODELS["gamma"], buyers, orders, orders.design, fold, builder, {}, **SETTINGS
        )


CANDIDATES = {
    "gamma": {"alpha": SearchDimension(type="float", low=1e-4, high=10.0, log=True)},
    "xgboost": {"n_estimators": SearchDimension(type="int", low=1, high=3)},
}


def test_the_candidate_with_the_lowest_held_out_deviance_is_chosen(lognormal: Any) -> None:
    orders, fold, builder = lognormal
    choice = choose_order_value(orders, fold, builder, CANDIDATES, n_trials=3, **SETTINGS)
    assert choice.trials["candidate"].tolist() == ["gamma"] * 3 + ["xgboost"] * 3
    # Three small trees cannot have learnt the level of a log-linear truth.
    assert choice.candidate == "gamma"
    assert choice.level_model is LEVEL_MODELS["gamma"]
    best = choice.trials.loc[choice.trials["deviance"].idxmin()]
    assert choice.deviance == best["deviance"]
    assert choice.parameters == {"alpha": best["alpha"]}
    held_out = cross_fit_level(
        choice.level_model, orders, fold, builder, choice.parameters, **SETTINGS
    )
    assert choice.deviance == pytest.approx(gamma_deviance(orders.value, held_out))
    again = choose_order_value(orders, fold, builder, CANDIDATES, n_trials=3, **SETTINGS)
    assert (again.parameters, again.deviance) == (choice.parameters, choice.deviance)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ({"gamma": {"alhpa": CANDIDATES["gamma"]["alpha"]}}, r"\['alhpa'\]"),
        ({"gama": {}}, r"'gama'.*\['gamma', 'xgboost'\]"),
    ],
)
def test_misspelt_candidates_and_hyper_parameters_are_named(
    lognormal: Any, candidates: Any, message: str
) -> None:
    orders, fold, builder = lognormal
    with pytest.raises(ParameterError, match=message):
        choose_order_value(orders, fold, builder, candidates, n_trials=1, **SETTINGS)
