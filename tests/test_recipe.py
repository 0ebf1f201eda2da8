"""The whole recipe on arrays, with fixed hyper-parameters."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pentathlon.decision import DecisionEngine, DecisionSettings
from pentathlon.decision.attribution import attribute, feature_reference
from pentathlon.errors import DataError
from pentathlon.features import DesignBuilder, build_features
from pentathlon.fusion import choose_fusion
from pentathlon.fusion.settings import FusionSettings
from pentathlon.judgement import judge_cross_fitted, judge_test_rows
from pentathlon.models.selection.selected import SelectedModel
from pentathlon.models.settings import OrderValueSettings, RandomnessSettings, TrainingSettings
from pentathlon.models.training import cross_fit
from pentathlon.models.tuning import StudyStore
from pentathlon.pipelines.params import MessagesParams, RandomnessParams
from pentathlon.pipelines.training.nodes import select
from pentathlon.pipelines.training.params import TrainingParams
from pentathlon.recipe import (
    FittedRecipe,
    Observed,
    RecipeSettings,
    cross_fit_order_values,
    decide_policy,
    fit_order_values,
    fit_recipe,
    make_fitter,
    tune_model,
)

make_retailer = runpy.run_path(str(Path(__file__).parent / "decision" / "small_retailer.py"))[
    "make_retailer"
]

RANDOM = RandomnessParams(seed=1, threads=1)


def settings(seed: int = 1) -> RecipeSettings:
    return RecipeSettings(
        training={
            "logistic_regression": TrainingSettings(
                model="logistic_regression", fixed={"C": 0.1}, non_buyers_per_buyer=1.5
            ),
            "xgboost": TrainingSettings(
                model="xgboost",
                fixed={"n_estimators": 15, "max_depth": 3},
                non_buyers_per_buyer=1.5,
            ),
        },
        order_value=OrderValueSettings(n_trials=1, candidates={"gamma": {}}),
        fusion=FusionSettings(methods=["equal", "stacking"]),
        decision=DecisionSettings(),
        randomness=RandomnessSettings(seed=seed, threads=1),
    )


@pytest.fixture(scope="module")
def retailer() -> Any:
    return make_retailer(1_500, n_folds=4)


def train_rows(retailer: Any) -> dict[str, Any]:
    train = (retailer.observations["split"] == "train").to_numpy()
    return {
        "observations": retailer.observations[train],
        "model_input": retailer.model_input[train],
        "columns": retailer.columns,
        "messages": retailer.messages,
    }


@pytest.fixture(scope="module")
def recipe(retailer: Any) -> FittedRecipe:
    return fit_recipe(**train_rows(retailer), settings=settings())


def test_matching_e_mails_are_found_and_ship(recipe: FittedRecipe, retailer: Any) -> None:
    assert recipe.choice.policy == recipe.engine.policy == "personalised"
    decisions = recipe.engine.decide(retailer.customers)
    water, team = (retailer.customers[f"freq_{d}"].to_numpy() for d in ("water", "team"))
    sent = decisions["message"].to_numpy()
    assert (sent[(water > 1) & (team == 0)] == "water").mean() > 0.8
    assert (sent[(team > 1) & (water == 0)] == "team").mean() > 0.8


def test_the_same_seed_gives_the_same_decisions(recipe: FittedRecipe, retailer: Any) -> None:
    again = fit_recipe(**train_rows(retailer), settings=settings())
    np.testing.assert_array_equal(again.fusion.scores, recipe.fusion.scores)
    pd.testing.assert_frame_equal(again.fusion.table, recipe.fusion.table)
    assert again.choice.gate == recipe.choice.gate
    assert again.choice.shrinkage == recipe.choice.shrinkage
    pd.testing.assert_frame_equal(
        again.engine.decide(retailer.customers), recipe.engine.decide(retailer.customers)
    )
    other = fit_recipe(**train_rows(retailer), settings=settings(seed=2))
    assert (other.fusion.scores != recipe.fusion.scores).any()


def test_the_engine_survives_its_folder(
    recipe: FittedRecipe, retailer: Any, tmp_path: Path
) -> None:
    recipe.engine.save(tmp_path)
    pd.testing.assert_frame_equal(
        DecisionEngine.load(tmp_path).decide(retailer.customers),
        recipe.engine.decide(retailer.customers),
    )


def test_fused_probabilities_are_calibrated(recipe: FittedRecipe, retailer: Any) -> None:
    observations = train_rows(retailer)["observations"]
    code = retailer.messages.codes(observations["message"].to_numpy())
    logged = recipe.fusion.scores[np.arange(len(code)), code]
    assert logged.mean() == pytest.approx(observations["response"].mean(), rel=0.02)


def test_the_recipe_is_its_steps(recipe: FittedRecipe, retailer: Any) -> None:
    """What pipelines run one by one gives what the recipe gives in one go."""
    rows, used = train_rows(retailer), settings()
    builder = DesignBuilder.fit(rows["model_input"], rows["columns"], rows["messages"])
    train = Observed.training_rows(
        retailer.observations, retailer.model_input, builder, retailer.messages
    )
    scores, models = {}, {}
    for name, training in used.training.items():
        fitter = make_fitter(training, builder, used.randomness)
        parameters = tune_model(train, fitter, training, StudyStore(None)).parameters
        scores[name] = cross_fit(fitter, train.rows, train.fold, parameters)
        models[name] = fitter.fit(train.rows, parameters)
    fusion = choose_fusion(
        scores,
        train.rows.message,
        train.rows.response,
        train.rows.sampling_weight,
        train.fold,
        methods=used.fusion.methods,
    )
    np.testing.assert_array_equal(fusion.scores, recipe.fusion.scores)
    assert fusion.model == recipe.engine.fusion
    values = fit_order_values(train, builder, used.order_value, used.randomness)
    order_values = cross_fit_order_values(train, builder, values.choice, used.randomness)
    choice = decide_policy(
        train, fusion.scores, order_values, rows["messages"], used.decision, by_model=scores
    )
    np.testing.assert_array_equal(choice.expected_profit, recipe.choice.expected_profit)
    assert choice.shrinkage == recipe.engine.shrinkage
    assert choice.gate == recipe.choice.gate
    design = builder.transform(retailer.model_input)
    engine = recipe.engine
    np.testing.assert_array_equal(engine.order_value.predict(design), values.model.predict(design))
    for name, model in models.items():
        np.testing.assert_array_equal(engine.models[name].predict(design), model.predict(design))


def test_test_rows_play_no_part(recipe: FittedRecipe, retailer: Any) -> None:
    judged = judge_test_rows(recipe.engine, retailer.observations, retailer.model_input)
    decisions = recipe.engine.decide(retailer.customers).set_index("customer_id")
    expected = decisions.loc[judged.keys["customer_id"], "message"]
    assert judged.keys["decision"].tolist() == expected.tolist()
    train = (retailer.observations["split"] == "train").to_numpy()
    spoilt = retailer.observations.copy()
    spoilt.loc[~train, ["response", "order_value"]] = [1, 1e6]
    again = fit_recipe(**train_rows(retailer._replace(observations=spoilt)), settings=settings())
    np.testing.assert_array_equal(again.fusion.scores, recipe.fusion.scores)


def test_a_folds_outcomes_do_not_reach_those_who_judge_it(retailer: Any) -> None:
    """Cross-fitted judgement of fold 0 is the same whatever fold 0's customers did."""
    small = retailer._replace(
        observations=retailer.observations.iloc[:900], model_input=retailer.model_input.iloc[:900]
    )
    mine = (small.observations["fold"] == 0).to_numpy()
    changed = small.observations.copy()
    changed.loc[mine, "response"] = 1 - changed.loc[mine, "response"]
    changed.loc[mine, "order_value"] = np.where(changed.loc[mine, "response"] == 1, 40.0, 0.0)

    def refit(observations: pd.DataFrame, model_input: pd.DataFrame) -> DecisionEngine:
        recipe = fit_recipe(observations, model_input, small.columns, small.messages, settings())
        return recipe.engine

    before, after = (
        judge_cross_fitted(o, small.model_input, refit) for o in (small.observations, changed)
    )
    judged = (before.keys["fold"] == 0).to_numpy()
    np.testing.assert_array_equal(after.profit[judged], before.profit[judged])
    same = after.keys["decision"] == before.keys["decision"]
    assert same[judged].all()
    assert (after.profit[~judged] != before.profit[~judged]).all()


@pytest.fixture(scope="module")
def selecting(retailer: Any) -> FittedRecipe:
    """The recipe, with a model that may keep two features."""
    used = settings()
    few = {"method": "permutation", "at_most": 2, "always_keep": ["freq_team"]}
    training = dict(used.training)
    training["logistic_regression"] = TrainingSettings.model_validate(
        training["logistic_regression"].model_dump() | {"feature_selection": few}
    )
    return fit_recipe(**train_rows(retailer), settings=replace(used, training=training))


def test_a_dropped_feature_is_absent_at_scoring(
    selecting: FittedRecipe, recipe: FittedRecipe, retailer: Any
) -> None:
    engine, model = selecting.engine, selecting.engine.models["logistic_regression"]
    assert isinstance(model, SelectedModel)
    kept = set(model.narrowing.kept)
    assert len(kept) == 2
    assert "freq_team" in kept
    dropped = sorted(set(retailer.columns.columns) - kept)
    order = np.random.default_rng(0).permutation(len(retailer.customers))
    shuffled = {name: retailer.customers[name].to_numpy()[order] for name in dropped}
    changed = retailer.customers.assign(**shuffled)
    before, after = (
        engine.predict(build_features(people, retailer.columns)).by_model
        for people in (retailer.customers, changed)
    )
    np.testing.assert_array_equal(after["logistic_regression"], before["logistic_regression"])
    # The other model selects nothing: it listens, and is what it is without its neighbour's.
    assert (after["xgboost"] != before["xgboost"]).any()
    plain = recipe.engine.predict(build_features(retailer.customers, retailer.columns)).by_model
    np.testing.assert_array_equal(before["xgboost"], plain["xgboost"])


def test_an_engine_carries_its_models_features(
    selecting: FittedRecipe, retailer: Any, tmp_path: Path
) -> None:
    engine, people = selecting.engine, retailer.customers
    engine.save(tmp_path)
    loaded = DecisionEngine.load(tmp_path)
    decisions = engine.decide(people)
    pd.testing.assert_frame_equal(loaded.decide(people), decisions)
    pd.testing.assert_frame_equal(
        engine.decide(people.iloc[[3]]), decisions.iloc[[3]].reset_index(drop=True), atol=1e-5
    )
    fast = loaded.compiled().decide(people)
    assert (fast["message"] == decisions["message"]).mean() > 0.999


def test_reasons_are_found_where_features_were_dropped(
    selecting: FittedRecipe, retailer: Any
) -> None:
    reference = feature_reference(retailer.customers, retailer.columns)
    people = retailer.customers.head(20)
    n = np.zeros(len(people), dtype=np.int64)
    amounts, lead = attribute(selecting.engine, people, n + 1, n, reference)
    assert np.isfinite(amounts).all()
    assert (amounts != 0).any()
    assert np.isfinite(lead).all()


def test_test_rows_play_no_part_in_a_selection(retailer: Any) -> None:
    settings = TrainingParams(
        model="logistic_regression", fixed={"C": 0.1}, feature_selection={"method": "permutation"}
    )
    messages = MessagesParams.model_validate(retailer.messages.to_dict())
    builder = DesignBuilder.fit(
        train_rows(retailer)["model_input"], retailer.columns, retailer.messages
    )
    test = (retailer.observations["split"] == "test").to_numpy()
    observations, model_input = retailer.observations.copy(), retailer.model_input.copy()
    observations.loc[test, "response"] = 1 - observations.loc[test, "response"]
    model_input.loc[test, "income"] = 0.0
    found = [
        select(rows, features, builder, {"parameters": {"C": 0.1}}, messages, settings, RANDOM)
        for rows, features in (
            (retailer.observations, retailer.model_input),
            (observations, model_input),
        )
    ]
    pd.testing.assert_frame_equal(*found)
    assert found[0]["importance"].notna().all()


def test_tables_of_different_customers_are_refused(retailer: Any) -> None:
    builder = DesignBuilder.fit(retailer.model_input, retailer.columns, retailer.messages)
    for model_input in (retailer.model_input.iloc[::-1], retailer.model_input.iloc[:-1]):
        with pytest.raises(DataError, match="same customers in the same order"):
            Observed.from_tables(retailer.observations, model_input, builder, retailer.messages)


def test_orders_are_those_of_buyers(retailer: Any) -> None:
    builder = DesignBuilder.fit(retailer.model_input, retailer.columns, retailer.messages)
    seen = Observed.from_tables(
        retailer.observations, retailer.model_input, builder, retailer.messages
    )
    part = seen.take(np.arange(100))
    bought = retailer.observations.iloc[:100].query("response == 1")
    assert len(part) == 100
    assert part.buyers.tolist() == bought.index.tolist()
    orders = part.orders()
    assert orders.value.tolist() == bought["order_value"].tolist()
    assert (orders.value > 0).all()
    names = np.array(retailer.messages.names)
    assert names[orders.message].tolist() == bought["message"].tolist()
    np.testing.assert_array_equal(orders.design.base, part.rows.design.base[part.buyers])


def test_an_unknown_model_or_hyper_parameter_is_refused() -> None:
    with pytest.raises(ValidationError, match="no 'svm'"):
        TrainingSettings(model="svm")
    with pytest.raises(ValidationError, match=r"fixed: \['depth'\]"):
        TrainingSettings(model="xgboost", fixed={"depth": 3})
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        TrainingSettings(model="xgboost", fixed={"max_depth": 0})
