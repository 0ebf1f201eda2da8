from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import Prediction, SendingSettings
from pentathlon.decision.rules import Screen
from pentathlon.errors import DataError, EvaluationError
from pentathlon.evaluation import IPS
from pentathlon.judgement import (
    Judged,
    Sending,
    judge_cross_fitted,
    judge_rolling_origin,
    judge_test_rows,
)


def test_a_table_holds_everything(judged: Judged) -> None:
    table = judged.to_table()
    assert len(table.columns) == 10 + 3 * (3 + 2)
    again = Judged.from_table(table.sample(frac=1, random_state=0).sort_index(), judged.messages)
    pd.testing.assert_frame_equal(again.keys, judged.keys)
    assert list(again.probabilities) == list(judged.probabilities)
    for name, p in judged.probabilities.items():
        np.testing.assert_array_equal(again.probabilities[name], p)
    np.testing.assert_array_equal(again.order_values, judged.order_values)
    np.testing.assert_array_equal(again.profit, judged.profit)
    assert again.single_models == ["logistic_regression", "xgboost"]


def test_columns_follow_the_messages_and_not_the_table(judged: Judged) -> None:
    names = list(judged.messages)[::-1]
    turned = MessageSet({m: judged.messages.to_dict()[m] for m in names})
    again = Judged.from_table(judged.to_table(), turned)
    np.testing.assert_array_equal(again.profit, judged.profit[:, ::-1])


def test_a_table_of_other_messages_is_refused(judged: Judged) -> None:
    more = MessageSet(judged.messages.to_dict() | {"golf": {"margin": 0.4}})
    with pytest.raises(DataError, match="logistic_regression__golf"):
        Judged.from_table(judged.to_table(), more)


def test_a_message_may_have_two_underscores_in_its_name(judged: Judged) -> None:
    definitions = judged.messages.to_dict()
    messages = MessageSet({m.replace("sea_", "sea__"): d for m, d in definitions.items()})
    renamed = Judged(
        judged.keys.replace({"sea_team": "sea__team"}),
        judged.probabilities,
        judged.order_values,
        judged.profit,
        messages,
    )
    again = Judged.from_table(renamed.to_table(), messages)
    np.testing.assert_array_equal(again.profit, judged.profit)
    assert (again.message == judged.message).all()


def test_anyone_can_recompute_the_value_of_what_ships(judged: Judged) -> None:
    scores = judged.policy_scores()
    assert list(scores.columns) == [
        *["customer_id", "fold", "message", "propensity", "response", "order_value"],
        *["profit", "decision", "sampling_weight"],
    ]
    margin = scores["message"].map({"control": 0.4, "water": 0.4, "sea_team": 0.5})
    cost = scores["message"].map({"control": 0.0, "water": 0.1, "sea_team": 0.2})
    np.testing.assert_allclose(scores["profit"], margin * scores["order_value"] - cost)
    hit = scores["message"] == scores["decision"]
    term = hit / scores["propensity"] * scores["profit"]
    by_hand = (scores["sampling_weight"] * term).sum() / scores["sampling_weight"].sum()
    estimate = IPS().estimate(judged.decision, judged.outcomes())
    assert estimate.value == pytest.approx(by_hand)


@dataclass
class StubEngine:
    """Predicts what it was told; remembers whom it was asked about."""

    messages: MessageSet
    trained_on: set[str]
    number: int
    policy: str = "personalised"

    def predict(self, features: pd.DataFrame) -> Prediction:
        assert not self.trained_on & set(features["customer_id"])
        # The income travels through, so that rows can be told apart.
        values = np.tile(features["income"].to_numpy(np.float32)[:, None], (1, 3))
        values = values + np.float32([0, 1, 2]) * (self.number - 1)
        return Prediction(values, values + 1, values + 2, {"stub": values + 3})

    def choose(self, prediction: Prediction) -> np.ndarray:
        return prediction.expected_profit.argmax(axis=1)


def test_cross_fitted_engines_never_saw_the_rows_they_judge(retailer: Any) -> None:
    fitted: list[StubEngine] = []

    def refit(observations: pd.DataFrame, model_input: pd.DataFrame) -> Any:
        assert (observations["customer_id"] == model_input["customer_id"]).all()
        fitted.append(StubEngine(retailer.messages, set(observations["customer_id"]), len(fitted)))
        return fitted[-1]

    said: list[str] = []
    result = judge_cross_fitted(retailer.observations, retailer.model_input, refit, said.append)
    train = retailer.observations["split"] == "train"
    rows = retailer.observations[train]
    assert [e.trained_on for e in fitted] == [
        set(rows["customer_id"][rows["fold"] != fold]) for fold in range(4)
    ]
    # Every training row is judged once, in the order of the observations.
    assert result.keys["customer_id"].tolist() == rows["customer_id"].tolist()
    for key in ("fold", "message", "response", "order_value", "propensity"):
        assert result.keys[key].tolist() == rows[key].tolist()
    income = retailer.model_input["income"].to_numpy()[train]
    engine = rows["fold"].to_numpy()
    fusion = income[:, None] + np.arange(3) * (engine[:, None] - 1)
    np.testing.assert_allclose(result.probabilities["fusion"], fusion, rtol=1e-6)
    np.testing.assert_allclose(result.order_values, fusion + 1, rtol=1e-6)
    np.testing.assert_allclose(result.profit, fusion + 2, rtol=1e-6)
    np.testing.assert_allclose(result.probabilities["stub"], fusion + 3, rtol=1e-6)
    best = np.array(["control", "control", "team", "team"])[engine]
    assert result.keys["decision"].tolist() == best.tolist()
    assert said[-1] == "fold 4/4: personalised ships"


def test_rolling_engines_know_only_what_was_known_before(retailer: Any) -> None:
    rng = np.random.default_rng(1)
    start = np.datetime64("2026-01-01", "us")
    days = rng.permutation(len(retailer.observations)) % 100
    at = start + days.astype("timedelta64[D]").astype("timedelta64[us]")
    observations = retailer.observations.assign(assigned_at=at)
    fitted: list[tuple[pd.DataFrame, StubEngine]] = []

    def refit(known: pd.DataFrame, model_input: pd.DataFrame) -> Any:
        assert (known["customer_id"] == model_input["customer_id"]).all()
        engine = StubEngine(retailer.messages, set(known["customer_id"]), len(fitted))
        fitted.append((known, engine))
        return engine

    said: list[str] = []
    result = judge_rolling_origin(observations, retailer.model_input, refit, 3, 10, said.append)
    train = observations[observations["split"] == "train"].set_index("customer_id")
    assert len(fitted) == 3
    judged = result.keys.set_index("customer_id")
    assert judged.index.is_unique
    judged_at = train.loc[judged.index, "assigned_at"]
    for number, (known, _) in enumerate(fitted):
        first = judged_at[judged["fold"] == number].min()
        # All that was known ten days after it was assigned, and nothing later.
        expected = train.index[train["assigned_at"] + pd.Timedelta(days=10) <= first]
        assert set(known["customer_id"]) == set(expected)
        assert judged_at[judged["fold"] < number].max() < first if number else True
    # A stretch judges as a whole, and but for the first every stretch does.
    assert len(judged) == (train["assigned_at"] >= judged_at.min()).sum()
    assert len(judged) > 0.7 * len(train)
    order = train.index[train["assigned_at"] >= judged_at.min()]
    assert judged.index.tolist() == order.tolist()
    assert said[0].startswith("origin 1/3, 2026-01-")
    assert said[-1] == "origin 3/3: personalised ships"


def test_rolling_origin_needs_times(retailer: Any) -> None:
    with pytest.raises(EvaluationError, match=r"data_processing\.columns\.assigned_at"):
        judge_rolling_origin(retailer.observations, retailer.model_input, pytest.fail, 3, 10)


def test_three_folds_are_too_few_to_judge_on(retailer: Any) -> None:
    fold = retailer.observations["fold"]
    retailer = retailer._replace(observations=retailer.observations.assign(fold=fold.clip(-1, 2)))
    with pytest.raises(EvaluationError, match=r"at least four folds.*n_folds gave 3"):
        judge_cross_fitted(retailer.observations, retailer.model_input, pytest.fail)


def test_the_engine_judges_on_test_rows_alone(retailer: Any) -> None:
    observations = retailer.observations
    seen = set(observations["customer_id"][observations["split"] == "train"])
    engine = StubEngine(retailer.messages, seen, 2, policy="send team")
    result = judge_test_rows(engine, observations, retailer.model_input)  # type: ignore[arg-type]
    test = observations[observations["split"] == "test"]
    assert result.keys["customer_id"].tolist() == test["customer_id"].tolist()
    assert set(result.keys["fold"]) == {-1}
    assert set(result.keys["policy"]) == {"send team"}
    income = retailer.model_input["income"].to_numpy()[observations["split"] == "test"]
    np.testing.assert_allclose(result.profit[:, 0], income + 2, rtol=1e-6)


def test_without_test_rows_there_is_nothing_to_judge_on(retailer: Any) -> None:
    observations = retailer.observations.assign(split="train")
    engine = StubEngine(retailer.messages, set(), 0)
    with pytest.raises(EvaluationError, match=r"no test rows.*test_share"):
        judge_test_rows(engine, observations, retailer.model_input)  # type: ignore[arg-type]


def test_replacing_the_decision_changes_what_ships(judged: Judged) -> None:
    keys = judged.keys.assign(decision="water")
    assert set(replace(judged, keys=keys).decision) == {1}


@dataclass
class RankingEngine(StubEngine):
    """Also says by what messages compete."""

    constant_worth: tuple[float, ...] = ()

    def worth(self, prediction: Prediction) -> np.ndarray:
        return prediction.expected_profit


@pytest.mark.parametrize("declared", [True, False])
def test_declared_contact_costs_are_those_of_the_judged_customers(
    retailer: Any, declared: bool
) -> None:
    observations = retailer.observations
    ids = observations["customer_id"].to_numpy(dtype=object)[::-1]
    cost = np.linspace(0, 3, len(ids)).astype(np.float32) * declared
    screen = replace(Screen.open(ids, 3), contact_cost=cost)
    engine: Any = RankingEngine(retailer.messages, set(), 2)
    sending = Sending(SendingSettings(), screen)
    result = judge_test_rows(engine, observations, retailer.model_input, sending)
    assert set(result.keys["preferred"]) == {"team"}
    assert ("contact_cost" in result.keys) == declared
    if declared:
        expected = pd.Series(cost, index=ids)[result.keys["customer_id"]].to_numpy()
        np.testing.assert_array_equal(result.keys["contact_cost"], expected)
        # Team brings 2 more than no e-mail: it is sent where another contact costs less.
        np.testing.assert_array_equal(result.decision == 2, expected <= 2)
