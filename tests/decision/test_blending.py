"""Weights of the models' contrasts."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import ContrastBlend, DecisionSettings, choose_policy, logged_outcomes
from pentathlon.decision.blending import FUSED, BlendFitter
from pentathlon.errors import DataError
from pentathlon.special import expit, logit

N, K = 12_000, 3
MESSAGES = MessageSet({m: {"margin": 0.4} for m in ("control", "water", "team")})


def campaign(seed: int = 5) -> dict[str, Any]:
    """One model knows who buys, another which message moves them, a third neither."""
    rng = np.random.default_rng(seed)
    level = rng.normal(-1, 1, (N, 1))
    contrast = rng.normal(0, 0.5, (N, K))
    contrast -= contrast.mean(axis=1, keepdims=True)
    message = rng.integers(0, K, N)
    p = expit(level + contrast)
    return {
        "fused": expit(level + rng.normal(0, 0.2, (N, K))).astype(np.float32),
        "by_model": {
            "buyers": expit(level + rng.normal(0, 0.2, (N, K))).astype(np.float32),
            "movers": expit(rng.normal(-1, 1, (N, 1)) + contrast / 2).astype(np.float32),
            "against": expit(level - 0.3 * contrast).astype(np.float32),
        },
        "message": message,
        "response": (rng.random(N) < p[np.arange(N), message]).astype(int),
        "sampling_weight": np.ones(N),
    }


def test_the_model_that_knows_the_differences_gets_the_weight() -> None:
    fitter = BlendFitter(**campaign())
    blend = fitter.fit(np.ones(N, dtype=bool))
    weights = dict(zip(blend.models, blend.weights, strict=True))
    assert weights["movers"] == pytest.approx(2.0, abs=0.25)  # it halves what is true
    assert weights["against"] == 0.0  # wrong signs are no knowledge
    assert weights["buyers"] < 0.3


def test_a_blend_by_hand() -> None:
    fused = np.array([[0.1, 0.2, 0.3]], dtype=np.float32)
    scores = {
        "a": np.array([[0.5, 0.25, 0.5]], dtype=np.float32),
        "b": np.array([[0.2, 0.2, 0.4]], dtype=np.float32),
    }
    blend = ContrastBlend(
        ("a", "b"), (0.5, 2.0), ((0.1, 0.0, -0.1), (0.0, 0.0, 0.0)), (0.0, 0.2, 0.3)
    )
    za, zb = (logit(scores[m])[0] for m in "ab")
    expected = (
        logit(fused)[0].mean()
        + np.array([0.0, 0.2, 0.3])
        + 0.5 * (za - za.mean() - np.array([0.1, 0.0, -0.1]))
        + 2.0 * (zb - zb.mean())
    )
    np.testing.assert_allclose(blend.predict(fused, scores)[0], expit(expected), rtol=1e-6)
    assert ContrastBlend.from_dict(json.loads(json.dumps(blend.to_dict()))) == blend


def test_without_weights_the_fused_scores_stay() -> None:
    fused = np.array([[0.1, 0.2, 0.3]], dtype=np.float32)
    assert FUSED.predict(fused, None) is fused
    assert ContrastBlend.from_dict(json.loads(json.dumps(FUSED.to_dict()))) == FUSED


@pytest.mark.parametrize("by_model", [None, {"b": np.full((1, 2), 0.5, dtype=np.float32)}])
def test_missing_scores_are_named(by_model: Any) -> None:
    blend = ContrastBlend(("a",), (1.0,), ((0.0, 0.0),), (0.0, 0.0))
    with pytest.raises(DataError, match=r"\['a'\] missing"):
        blend.predict(np.full((1, 2), 0.5, dtype=np.float32), by_model)


def test_a_model_without_differences_is_no_trouble() -> None:
    data = campaign()
    data["by_model"] = {"flat": np.full((N, K), 0.3, dtype=np.float32)}
    assert BlendFitter(**data).fit(np.ones(N, dtype=bool)).weights == (0.0,)


def test_folds_are_blended_by_weights_that_never_saw_their_outcomes() -> None:
    data, fold = campaign(), np.arange(N) % 4
    before = BlendFitter(**data).cross_fit(fold)
    turned = np.where(fold == 2, 1 - data["response"], data["response"])
    after = BlendFitter(**data | {"response": turned}).cross_fit(fold)
    np.testing.assert_array_equal(after.held_out()[fold == 2], before.held_out()[fold == 2])
    assert (after.held_out()[fold != 2] != before.held_out()[fold != 2]).any()
    # What is fitted without the fold owes it nothing at all.
    np.testing.assert_array_equal(after.without(2), before.without(2))
    assert (after.without(1)[fold == 3] != before.without(1)[fold == 3]).any()


def chosen(data: dict[str, Any], fold: np.ndarray, **changes: Any) -> Any:
    rows = data["message"], np.full(N, 1 / K), data["response"]
    values = np.full((N, K), 50.0, dtype=np.float32)
    outcomes = logged_outcomes(
        *rows, 50.0 * data["response"], data["sampling_weight"], values, MESSAGES
    )
    return choose_policy(
        data["fused"],
        values,
        outcomes,
        data["response"],
        fold,
        MESSAGES,
        DecisionSettings(**changes),
        data["by_model"],
    )


def test_the_choice_personalises_by_the_blend_and_its_folds_stay_apart() -> None:
    data, fold = campaign(), np.arange(N) % 3
    choice = chosen(data, fold)
    assert choice.policy == "personalised"
    assert dict(zip(choice.blend.models, choice.blend.weights, strict=True))["movers"] > 1
    assert not chosen(data, fold, blend_contrasts=False).contrasts_real
    turned = np.where(fold == 1, 1 - data["response"], data["response"])
    after = chosen(data | {"response": turned}, fold)
    same = fold == 1
    np.testing.assert_array_equal(after.expected_profit[same], choice.expected_profit[same])
    assert (after.expected_profit[~same] != choice.expected_profit[~same]).any()


@pytest.mark.parametrize(("folds", "changes"), [(2, {}), (3, {"shrink_contrasts": False})])
def test_where_nothing_can_be_held_out_or_shrunk_nothing_is_blended(
    folds: int, changes: dict[str, Any]
) -> None:
    assert chosen(campaign(), np.arange(N) % folds, **changes).blend == FUSED


def test_noise_is_blended_into_nothing_that_ships() -> None:
    data = campaign()
    rng = np.random.default_rng(0)
    data["by_model"] = {
        name: expit(rng.normal(-1, 0.5, (N, K))).astype(np.float32) for name in ("a", "b", "c")
    }
    choice = chosen(data, np.arange(N) % 3)
    assert not choice.contrasts_real
    assert choice.policy != "personalised"
