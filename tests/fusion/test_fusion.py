from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pentathlon.errors import DataError
from pentathlon.fusion import METHODS, FusionModel, choose_fusion
from pentathlon.models.metrics import log_loss
from pentathlon.special import expit, logit

N, K = 1_500, 3


@pytest.fixture(scope="module")
def data() -> dict[str, Any]:
    """Two models of the same truth with errors of their own, the second one overconfident."""
    rng = np.random.default_rng(0)
    z = -1.2 + rng.normal(0, 0.8, (N, 1)) + rng.normal(0, 0.2, (N, K))
    message = rng.integers(0, K, N)
    response = (rng.random(N) < expit(z[np.arange(N), message])).astype(int)
    noisy = [z + rng.normal(0, 0.5, (N, 1)), 1.7 * (z + rng.normal(0, 0.5, (N, 1)))]
    return {
        "scores": {name: expit(s).astype(np.float32) for name, s in zip("ab", noisy, strict=True)},
        "message": message,
        "response": response,
        "sampling_weight": np.where(response == 1, 0.5, 1.2),
        "fold": rng.permutation(N) % 3,
    }


def logged(data: dict[str, Any]) -> dict[str, np.ndarray]:
    return {m: s[np.arange(N), data["message"]] for m, s in data["scores"].items()}


@pytest.mark.parametrize("method", METHODS)
def test_fused_probabilities_have_the_populations_rate(data: dict[str, Any], method: str) -> None:
    p, y, w = logged(data), data["response"], data["sampling_weight"]
    fused = FusionModel.fit(method, p, y, w).predict(p)
    assert np.average(fused, weights=w) == pytest.approx(np.average(y, weights=w), abs=1e-5)
    single = [log_loss(y, p[m], w) for m in p]
    assert log_loss(y, fused, w) < min(single)


def test_steps_are_calibration_pool_and_calibration(data: dict[str, Any]) -> None:
    p = logged(data)
    model = FusionModel.fit("average_logit", p, data["response"], data["sampling_weight"])
    index = sum(
        w * (c.intercept + c.slope * logit(p[m]))
        for m, c, w in zip(model.models, model.calibrators, model.weights, strict=True)
    )
    final = model.final.intercept + model.final.slope * index
    np.testing.assert_allclose(model.predict(p), expit(final), rtol=1e-5)
    assert model.calibrators[1].slope < model.calibrators[0].slope
    assert sum(model.weights) == pytest.approx(1)


@pytest.mark.parametrize("method", METHODS)
def test_neither_order_of_rows_nor_of_models_matters(data: dict[str, Any], method: str) -> None:
    p, y, w = logged(data), data["response"], data["sampling_weight"]
    reference = FusionModel.fit(method, p, y, w).predict(p)
    order = np.random.default_rng(1).permutation(N)
    rows = FusionModel.fit(method, {m: p[m][order] for m in p}, y[order], w[order])
    np.testing.assert_allclose(rows.predict(p), reference, rtol=1e-3)
    models = FusionModel.fit(method, {m: p[m] for m in reversed(p)}, y, w)
    np.testing.assert_allclose(models.predict(p), reference, rtol=1e-3)


def test_a_matrix_is_fused_column_by_column(data: dict[str, Any]) -> None:
    scores = data["scores"]
    model = FusionModel.fit("stacking", logged(data), data["response"], data["sampling_weight"])
    fused = model.predict(scores)
    assert fused.shape == (N, K)
    assert fused.dtype == np.float32
    assert ((fused >= 0) & (fused <= 1)).all()
    for k in range(K):
        np.testing.assert_array_equal(
            fused[:, k], model.predict({m: s[:, k] for m, s in scores.items()})
        )


def test_a_saved_fusion_predicts_the_same(data: dict[str, Any], tmp_path: Path) -> None:
    model = FusionModel.fit("stacking", logged(data), data["response"], data["sampling_weight"])
    model.save(tmp_path)
    assert FusionModel.load(tmp_path) == model


def test_missing_scores_are_named(data: dict[str, Any]) -> None:
    model = FusionModel.fit("equal", logged(data), data["response"], data["sampling_weight"])
    with pytest.raises(DataError, match=r"\['b'\] missing"):
        model.predict({"a": data["scores"]["a"]})


def test_the_winner_has_the_lowest_cross_validated_log_loss(data: dict[str, Any]) -> None:
    result = choose_fusion(**data)
    table = result.table.set_index("candidate")
    assert set(table.index) == {*METHODS, "a", "b"}
    assert set(table.loc[["a", "b"], "kind"]) == {"single model"}
    winner = table.index[table["chosen"]]
    assert list(winner) == [result.model.method]
    assert winner[0] == table.loc[list(METHODS), "log_loss"].idxmin()
    row = table.loc[winner[0]]
    p = result.scores[np.arange(N), data["message"]]
    w, y = data["sampling_weight"], data["response"]
    assert row["log_loss"] == pytest.approx(log_loss(y, p, w), rel=1e-6)
    assert row["brier"] == pytest.approx(np.average((p - y) ** 2, weights=w), rel=1e-5)
    assert (row["worse_by"], row["worse_by_standard_error"]) == (0, 0)
    gap = table["log_loss"] - row["log_loss"]
    np.testing.assert_allclose(table["worse_by"], gap, atol=1e-7)


def test_a_folds_own_outcomes_do_not_reach_its_scores(data: dict[str, Any]) -> None:
    held_out = data["fold"] == 1
    changed = {**data, "response": np.where(held_out, 1 - data["response"], data["response"])}
    before = choose_fusion(**data, methods=["stacking"]).scores
    after = choose_fusion(**changed, methods=["stacking"]).scores
    np.testing.assert_array_equal(after[held_out], before[held_out])
    assert (after[~held_out] != before[~held_out]).all()


def test_equal_candidates_are_decided_by_their_simplicity(data: dict[str, Any]) -> None:
    alone = {**data, "scores": {"a": data["scores"]["a"]}}
    result = choose_fusion(**alone, methods=["stacking", "average_logit", "equal"])
    assert result.model.method == "equal"
    assert len(result.table) == 3
