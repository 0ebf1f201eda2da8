"""The neural network; one module, because importing Keras takes seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pentathlon.models import Validation, model_class
from pentathlon.models.metrics import log_loss
from pentathlon.models.network import NeuralNetworkModel, forward
from pentathlon.models.training import Fitter

PARAMETERS = {"units": 8, "layers": 2, "epochs": 10, "batch_size": 64, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def fitter(simulated: Any) -> Fitter:
    return Fitter(model_class("neural_network"), simulated.builder, 6.0, seed=5, threads=1)


@pytest.fixture(scope="module")
def model(fitter: Fitter, simulated: Any) -> Any:
    return fitter.fit(simulated.rows, PARAMETERS)


def test_a_forward_pass_by_hand() -> None:
    hidden = (np.array([[1.0, -1.0], [2.0, 0.5]], np.float32), np.array([0.5, 0.0], np.float32))
    output = (np.array([[2.0], [10.0]], np.float32), np.array([-1.0], np.float32))
    x = np.array([[1.0, 1.0], [-1.0, 0.0]], np.float32)
    # Hidden (3.5, -0.5) -> (3.5, 0) -> 6; (-0.5, 1) -> (0, 1) -> 9.
    np.testing.assert_allclose(forward((hidden, output), x), [6.0, 9.0])


def test_numpy_gives_keras_own_numbers(model: Any, simulated: Any) -> None:
    assert isinstance(model, NeuralNetworkModel)
    rows = simulated.rows.take(np.arange(400))
    x = simulated.builder.standardise(rows.design).logged(rows.message)
    keras_logit = np.asarray(model.network.predict(x, verbose=0), dtype=np.float64)[:, 0]
    np.testing.assert_allclose(forward(model.weights, x), keras_logit, rtol=1e-4, atol=1e-5)
    p = 1 / (1 + np.exp(-keras_logit - model.logit_offset))
    np.testing.assert_allclose(model.predict_logged(rows), p, rtol=1e-4)


def test_probabilities_are_at_the_populations_rate(model: Any, simulated: Any) -> None:
    p = model.predict(simulated.rows.design)
    assert p.shape == (8_000, 7)
    assert p.dtype == np.float32
    assert ((p > 0) & (p < 1)).all()
    logged = p[np.arange(8_000), simulated.rows.message]
    np.testing.assert_allclose(model.predict_logged(simulated.rows), logged, rtol=1e-4)
    assert logged.mean() == pytest.approx(simulated.rows.response.mean(), rel=0.25)


def test_a_saved_network_predicts_the_same(model: Any, simulated: Any, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"network.keras", "model.json"}
    loaded = NeuralNetworkModel.load(tmp_path)
    part = simulated.rows.design.take(slice(0, 400))
    np.testing.assert_array_equal(loaded.predict(part), model.predict(part))
    assert loaded.fitted_parameters == model.fitted_parameters


def test_the_same_seed_gives_the_same_network(model: Any, fitter: Fitter, simulated: Any) -> None:
    again = fitter.fit(simulated.rows, PARAMETERS)
    part = simulated.rows.design.take(slice(0, 400))
    np.testing.assert_array_equal(again.predict(part), model.predict(part))


def test_the_epoch_with_the_lowest_held_out_loss_is_kept(fitter: Fitter, simulated: Any) -> None:
    held_out = simulated.rows.take(simulated.fold == 0)
    told: list[tuple[int, float]] = []
    validation = Validation(held_out, lambda step, loss: told.append((step, loss)))
    parameters = PARAMETERS | {"epochs": 12, "learning_rate": 0.05, "batch_size": 128}
    model = fitter.fit(simulated.rows.take(simulated.fold != 0), parameters, validation)
    best = min(loss for _, loss in told)
    kept = next(step for step, loss in told if loss == best)
    assert model.fitted_parameters["epochs"] == kept < 12
    assert [step for step, _ in told] == list(range(1, min(kept + 3, 12) + 1))
    loss = log_loss(held_out.response, model.predict_logged(held_out), held_out.sampling_weight)
    assert loss == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("wrong", [{"unit": 3}, {"dropout": 1.0}, {"layers": 0}])
def test_wrong_hyper_parameters_are_refused(
    fitter: Fitter, simulated: Any, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        fitter.fit(simulated.rows, wrong)
