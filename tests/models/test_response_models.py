"""What every response model must do; the network has a module of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pentathlon.errors import ArtifactError
from pentathlon.features import Design, DesignBuilder
from pentathlon.models import TrainingRows, Validation, model_class
from pentathlon.models.logistic import LogisticRegressionModel
from pentathlon.models.metrics import log_loss
from pentathlon.models.sampling import case_control_sample
from pentathlon.models.training import Fitter
from pentathlon.special import expit

PARAMETERS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"C": 0.1, "interaction_scale": 0.1},
    "random_forest": {"n_estimators": 30, "max_depth": 6, "min_samples_leaf": 20},
    "xgboost": {"n_estimators": 30, "learning_rate": 0.1, "max_depth": 3},
}
TOLERANCE = {"logistic_regression": 0.1, "random_forest": 0.2, "xgboost": 0.1}


def fitter(name: str, simulated: Any, ratio: float | None = 6.0) -> Fitter:
    return Fitter(model_class(name), simulated.builder, ratio, seed=5, threads=1)


@pytest.fixture(scope="module", params=list(PARAMETERS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def model(name: str, simulated: Any) -> Any:
    return fitter(name, simulated).fit(simulated.rows, PARAMETERS[name])


def test_probabilities_are_at_the_populations_rate(model: Any, name: str, simulated: Any) -> None:
    predicted = model.predict_logged(simulated.rows).mean()
    observed = simulated.rows.response.mean()
    assert predicted == pytest.approx(observed, rel=TOLERANCE[name])


def test_probabilities_of_every_message(model: Any, simulated: Any) -> None:
    p = model.predict(simulated.rows.design)
    assert p.shape == (8_000, 7)
    assert p.dtype == np.float32
    assert ((p > 0) & (p < 1)).all()
    logged = p[np.arange(8_000), simulated.rows.message]
    np.testing.assert_allclose(model.predict_logged(simulated.rows), logged, rtol=1e-5)
    y, w = simulated.rows.response, simulated.rows.sampling_weight
    assert log_loss(y, logged, w) < log_loss(y, np.full(8_000, y.mean()), w)


def test_a_saved_model_predicts_the_same(
    model: Any, name: str, simulated: Any, tmp_path: Path
) -> None:
    model.save(tmp_path)
    files = {path.suffix for path in tmp_path.iterdir()}
    assert files <= {".json", ".ubj", ".skops"}
    loaded = model_class(name).load(tmp_path)
    part = simulated.rows.design.take(slice(0, 500))
    np.testing.assert_array_equal(loaded.predict(part), model.predict(part))
    assert loaded.fitted_parameters == model.fitted_parameters


def test_the_same_seed_gives_the_same_model(model: Any, name: str, simulated: Any) -> None:
    again = fitter(name, simulated).fit(simulated.rows, PARAMETERS[name])
    part = simulated.rows.design.take(slice(0, 500))
    np.testing.assert_array_equal(again.predict(part), model.predict(part))


def test_a_customers_prediction_does_not_depend_on_the_others(model: Any, simulated: Any) -> None:
    order = np.random.default_rng(0).permutation(500)
    part = simulated.rows.design.take(slice(0, 500))
    np.testing.assert_allclose(model.predict(part.take(order)), model.predict(part)[order], 1e-5)


def test_no_customers_have_no_predictions(model: Any, simulated: Any) -> None:
    assert model.predict(simulated.rows.design.take(slice(0, 0))).shape == (0, 7)


@pytest.mark.parametrize("wrong", [{"depht": 3}, {"n_estimators": 0, "C": -1.0}])
def test_wrong_hyper_parameters_are_refused(
    name: str, simulated: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        fitter(name, simulated).fit(simulated.rows, wrong)


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_a_file_that_over_represents_buyers_leads_to_the_same_rate(
    name: str, simulated: Any, share: float
) -> None:
    """Keep a share of the non-buyers, with weights that say so, and predict for everyone."""
    y = simulated.rows.response
    rng = np.random.default_rng(3)
    kept = np.flatnonzero((y == 1) | (rng.random(len(y)) < share))
    rows = simulated.rows.take(kept)
    others = (y == 0).sum() / (y[kept] == 0).sum()
    weight = np.where(rows.response == 1, 1.0, others)
    rows = TrainingRows(rows.design, rows.message, rows.response, weight / weight.mean())
    model = fitter(name, simulated, ratio=4.0).fit(rows, PARAMETERS[name])
    predicted = model.predict_logged(simulated.rows).mean()
    assert predicted == pytest.approx(y.mean(), rel=0.3)


def permuted(simulated: Any, order: list[int]) -> tuple[DesignBuilder, TrainingRows]:
    """The same file with its messages in another order."""
    state = simulated.builder.to_dict()
    for key in ("messages", "departments"):
        state[key] = [state[key][k] for k in order]
    rows = simulated.rows
    design = Design(rows.design.base, rows.design.match[:, order])
    message = np.argsort(order)[rows.message]
    return DesignBuilder.from_dict(state), TrainingRows(
        design, message, rows.response, rows.sampling_weight
    )


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("logistic_regression", {"C": 0.1}),
        ("xgboost", {"n_estimators": 20, "subsample": 1.0, "colsample_bytree": 1.0}),
    ],
)
def test_order_of_rows_and_messages_teaches_nothing(
    name: str, parameters: dict[str, Any], simulated: Any
) -> None:
    part = simulated.rows.design.take(slice(0, 500))
    reference = fitter(name, simulated, None).fit(simulated.rows, parameters).predict(part)
    shuffled = simulated.rows.take(np.random.default_rng(0).permutation(8_000))
    by_rows = fitter(name, simulated, None).fit(shuffled, parameters).predict(part)
    np.testing.assert_allclose(by_rows, reference, rtol=2e-2 if name == "xgboost" else 1e-4)
    order = [3, 1, 6, 0, 5, 2, 4]
    builder, rows = permuted(simulated, order)
    other = Fitter(model_class(name), builder, None, seed=5, threads=1).fit(rows, parameters)
    by_messages = other.predict(rows.design.take(slice(0, 500)))
    np.testing.assert_allclose(by_messages, reference[:, order], rtol=1e-3)


def scaled(scale: float) -> dict[str, float]:
    """Every freedom of messages to act on customers differently, at the same strength."""
    fields = model_class("logistic_regression").hyperparameters.model_fields
    return {"C": 0.1} | {name: scale for name in fields if name.endswith("_scale")}


def test_scales_of_zero_leave_the_plain_ridge(simulated: Any) -> None:
    """Customer and message features only: what scikit-learn fits, prior corrected."""
    from sklearn.linear_model import LogisticRegression

    rows = simulated.rows
    model = fitter("logistic_regression", simulated).fit(rows, scaled(0.0))
    sample = case_control_sample(rows.response, rows.sampling_weight, 6.0, seed=5)
    n_base = rows.design.base.shape[1]
    x = simulated.builder.standardise(rows.design).logged(rows.message)[:, : n_base + 7]
    ridge = LogisticRegression(C=0.1, tol=1e-8, max_iter=1_000)
    ridge.fit(x[sample.rows], rows.response[sample.rows])
    z = ridge.decision_function(x) + sample.logit_offset
    np.testing.assert_allclose(model.predict_logged(rows), expit(z), rtol=0.1, atol=2e-4)


def test_scales_are_the_freedom_of_personal_contrasts(simulated: Any) -> None:
    def spread(scale: float) -> float:
        model = fitter("logistic_regression", simulated).fit(simulated.rows, scaled(scale))
        assert isinstance(model, LogisticRegressionModel)
        z = model.index(simulated.rows.design)
        contrast = z - z.mean(axis=1, keepdims=True)
        return float(np.std(contrast - contrast.mean(axis=0)))

    none, little, much = (spread(scale) for scale in (0.0, 0.03, 1.0))
    assert none < 1e-4
    assert 10 * none < little < 0.1 * much


def test_a_forest_file_with_foreign_types_is_refused(simulated: Any, tmp_path: Path) -> None:
    import skops.io
    from sklearn.preprocessing import FunctionTransformer

    forest = fitter("random_forest", simulated).fit(
        simulated.rows, {"n_estimators": 2, "max_depth": 2}
    )
    forest.save(tmp_path)
    skops.io.dump(FunctionTransformer(np.sum), tmp_path / "forest.skops")
    with pytest.raises(ArtifactError, match="holds types that a forest does not"):
        model_class("random_forest").load(tmp_path)


def early_stopped(
    simulated: Any, n_estimators: int, **parameters: Any
) -> tuple[Any, list[tuple[int, float]], Any]:
    told: list[tuple[int, float]] = []
    held_out = simulated.fold == 0
    validation = Validation(
        simulated.rows.take(held_out), lambda step, loss: told.append((step, loss))
    )
    model = fitter("xgboost", simulated).fit(
        simulated.rows.take(~held_out),
        {"n_estimators": n_estimators, "learning_rate": 0.3, "contrast_estimators": 0} | parameters,
        validation,
    )
    return model, told, validation.rows


def test_boosting_stops_where_the_held_out_loss_is_lowest(simulated: Any) -> None:
    model, told, held_out = early_stopped(simulated, 200)
    steps = [step for step, _ in told]
    assert steps == list(range(10, steps[-1] + 1, 10))
    kept = model.fitted_parameters["n_estimators"]
    assert steps[-1] == kept + 30
    assert model.booster.num_boosted_rounds() == kept
    loss = log_loss(held_out.response, model.predict_logged(held_out), held_out.sampling_weight)
    assert loss == pytest.approx(min(loss for _, loss in told), rel=1e-5)


def test_trees_of_contrasts_are_kept_only_as_they_help(simulated: Any) -> None:
    def loss(model: Any, rows: TrainingRows) -> float:
        return log_loss(rows.response, model.predict_logged(rows), rows.sampling_weight)

    for penalty in (0.0, 100.0):
        parameters = {"contrast_estimators": 20, "contrast_lambda": penalty}
        model, _, held_out = early_stopped(simulated, 20, **parameters)
        without, _, _ = early_stopped(simulated, 20)
        kept = model.fitted_parameters["contrast_estimators"]
        assert 0 <= kept <= 20
        if kept == 0:
            assert model.contrasts is None
            assert loss(model, held_out) == loss(without, held_out)
        else:
            assert model.contrasts.num_boosted_rounds() == kept
            assert loss(model, held_out) < loss(without, held_out)
        refitted = fitter("xgboost", simulated).fit(
            simulated.rows.take(simulated.fold != 0), model.fitted_parameters
        )
        np.testing.assert_allclose(
            refitted.predict_logged(held_out), model.predict_logged(held_out), rtol=1e-4
        )


@pytest.mark.parametrize("n_estimators", [6, 14])
def test_the_last_tree_is_looked_at_too(simulated: Any, n_estimators: int) -> None:
    model, told, _ = early_stopped(simulated, n_estimators)
    assert told[-1][0] == n_estimators
    best = min(loss for _, loss in told)
    kept = next(step for step, loss in told if loss == best)
    assert model.booster.num_boosted_rounds() == kept == model.fitted_parameters["n_estimators"]
