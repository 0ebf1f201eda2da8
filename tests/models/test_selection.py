"""Features that say nothing go, those that say something stay, and nobody peeks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.errors import ParameterError
from pentathlon.features import DesignBuilder, build_features
from pentathlon.models import TrainingRows, model_class, stored
from pentathlon.models.compiled import compiled
from pentathlon.models.importance import permutation_importance
from pentathlon.models.selection import (
    ChosenFeatures,
    FeatureSelectionSettings,
    choose_features,
    narrowed_view,
)
from pentathlon.models.selection.columns import DesignColumns
from pentathlon.models.selection.evidence import Sums
from pentathlon.models.selection.narrowing import Narrowing
from pentathlon.models.selection.selected import SelectedModel, fitter_of
from pentathlon.models.training import Fitter, cross_fit

MESSAGES = MessageSet(
    {
        "control": {"margin": 0.4},
        "water": {"margin": 0.4, "department": "water"},
        "team": {"margin": 0.4, "department": "team"},
    }
)
COLUMNS = FeatureColumns(
    numeric=["income", "noise", "static"],
    log=["income"],
    categorical=["age", "shoe"],
    counts={"water": "freq_water", "team": "freq_team", "golf": "freq_golf"},
)
SIGNAL = {"income", "age", "freq_water", "freq_team"}
NOISE = {"noise", "static", "shoe"}
METHODS = ("permutation", "drop_column", "recursive", "l1_path")
LINEAR = {"C": 0.1, "cross_scale": 0.0, "interaction_scale": 0.0}
FOLDS = 3


@dataclass(frozen=True)
class People:
    customers: pd.DataFrame
    builder: DesignBuilder
    rows: TrainingRows
    fold: np.ndarray

    def fitter(self, model: str = "logistic_regression") -> Fitter:
        return Fitter(model_class(model), self.builder, None, seed=1, threads=1)

    def choose(self, parameters: Any = LINEAR, **settings: Any) -> ChosenFeatures:
        return choose_features(
            self.fitter(),
            self.rows,
            self.fold,
            parameters,
            FeatureSelectionSettings(**{"repeats": 1, "penalties": 6} | settings),
        )


def make_people(n: int, seed: int = 0, columns: FeatureColumns = COLUMNS) -> People:
    """Buyers go by income, age and the counts, which also say whom a message moves."""
    rng = np.random.default_rng(seed)
    customers = pd.DataFrame(
        {
            "customer_id": [str(i) for i in range(n)],
            "income": rng.gamma(2.0, 20.0, n),
            "noise": rng.normal(size=n),
            "static": rng.exponential(size=n),
            "age": rng.choice(["young", "middle", "old"], n),
            "shoe": rng.choice(["left", "right", "both"], n),
            "freq_water": rng.poisson(1.0, n),
            "freq_team": rng.poisson(1.0, n),
            "freq_golf": rng.poisson(1.0, n),
        }
    ).assign(twin=lambda t: t["income"])
    message = rng.integers(0, 3, n)
    water, team = (np.log1p(customers[f"freq_{d}"].to_numpy()) for d in ("water", "team"))
    index = -2.0 + 1.2 * (customers["age"] == "old").to_numpy()
    index = index + 0.03 * (customers["income"].to_numpy() - 40)
    index = (
        index + 0.5 * (water + team) + 1.2 * water * (message == 1) + 1.2 * team * (message == 2)
    )
    response = (rng.random(n) < 1 / (1 + np.exp(-index))).astype(np.int8)
    features = build_features(customers, columns)
    builder = DesignBuilder.fit(features, columns, MESSAGES)
    rows = TrainingRows(builder.transform(features), message, response, np.ones(n))
    return People(customers, builder, rows, rng.permutation(n) % FOLDS)


@pytest.fixture(scope="module")
def people() -> People:
    return make_people(4_000, seed=1)


@pytest.fixture(scope="module")
def few() -> People:
    return make_people(500)


# --- what is dropped


@pytest.mark.parametrize("method", METHODS)
def test_noise_goes_and_signal_stays(people: People, method: str) -> None:
    chosen = people.choose(method=method, standard_errors=2.0, penalties=8)
    assert set(chosen.kept()) >= SIGNAL
    assert not set(chosen.kept()) & NOISE
    # Each fold has a selection of its own; a feature may pass by chance in a few of them.
    table = chosen.table[chosen.table["without_fold"] >= 0]
    counts = table.groupby("feature")["kept"].sum()
    assert (counts[list(SIGNAL)] == FOLDS).all()
    assert counts[list(NOISE)].sum() <= 1
    assert set(chosen.table["method"]) == {method}
    assert sorted(table["without_fold"].unique()) == list(range(FOLDS))
    assert chosen.table["reason"].str.len().min() > 0


@pytest.mark.parametrize("model", ["random_forest", "xgboost"])
def test_trees_are_asked_what_they_use(people: People, model: str) -> None:
    small = {"n_estimators": 20, "max_depth": 4}
    chosen = choose_features(
        people.fitter(model),
        people.rows,
        people.fold,
        small,
        FeatureSelectionSettings(method="permutation", at_most=len(SIGNAL)),
    )
    assert set(chosen.kept()) == SIGNAL


def test_two_features_that_say_the_same_do_not_both_go() -> None:
    columns = COLUMNS.model_copy(update={"numeric": ["income", "twin", "noise"], "log": []})
    pair = make_people(2_000, columns=columns).choose(method="drop_column")
    assert len({"income", "twin"} & set(pair.kept())) == 1
    table = pair.table[
        (pair.table["without_fold"] == -1) & pair.table["feature"].isin(["income", "twin"])
    ]
    assert any(reason.startswith("put back") for reason in table["reason"])


@pytest.mark.parametrize("method", METHODS)
def test_bounds_are_kept(few: People, method: str) -> None:
    chosen = few.choose(method=method, at_most=2, always_keep=["noise"])
    assert len(chosen.kept()) <= 2
    assert "noise" in chosen.kept()
    everything = few.choose(method=method, at_least=8)
    assert len(everything.kept()) == 8


def test_an_l1_feature_goes_with_all_its_levels(people: People) -> None:
    table = people.choose(method="l1_path", standard_errors=2.0, penalties=8).table
    final = table[table["without_fold"] == -1].set_index("feature")
    assert final.loc["shoe", "importance"] == 0
    assert final.loc["age", "importance"] > 0
    assert final.loc["income", "step"] < final.loc["noise", "step"]


def test_a_mean_difference_has_the_standard_error_of_its_rows() -> None:
    d, w = np.array([0.1, -0.2, 0.4, 0.3, 0.0]), np.ones(5)
    found = Sums.together([Sums.of(d[:2], w[:2]), Sums.of(d[2:], w[2:])])
    assert found.mean == pytest.approx(0.12)
    assert found.standard_error == pytest.approx(d.std(ddof=1) / np.sqrt(5))
    twice = Sums.together([Sums.of(d, 2 * w)])
    assert twice == pytest.approx(found)
    assert found.beyond(1.0)
    assert not found.beyond(2.0)


# --- nobody peeks


@pytest.mark.parametrize("method", METHODS)
def test_a_fold_has_no_part_in_its_own_selection(few: People, method: str) -> None:
    changed = few.rows.take(np.arange(len(few.rows)))
    mine = few.fold == 2
    changed.response[mine] = 1 - changed.response[mine]
    before = few.choose(method=method).table
    after = replace(few, rows=changed).choose(method=method).table
    own = before["without_fold"] == 2
    pd.testing.assert_frame_equal(after[after["without_fold"] == 2], before[own])
    others = after["without_fold"] != 2
    assert not after[others].equals(before[~own])


def test_scores_of_a_fold_come_from_the_features_selected_without_it(few: People) -> None:
    chosen = few.choose(method="permutation", at_most=3)
    fitter = few.fitter()
    scores = cross_fit(fitter, few.rows, few.fold, LINEAR, by_fold=chosen.by_fold(fitter))
    for held_out in range(FOLDS):
        outside = few.fold == held_out
        own = fitter_of(fitter, chosen.kept(held_out)).fit(few.rows.take(~outside), LINEAR)
        expected = own.predict(few.rows.design.take(outside))
        np.testing.assert_array_equal(scores[outside], expected)


def test_nothing_changes_without_a_selection(few: People) -> None:
    chosen = few.choose(method="none")
    fitter = few.fitter()
    assert chosen.fitter(fitter) is fitter
    assert chosen.by_fold(fitter) == {}
    assert chosen.table["kept"].all()
    np.testing.assert_array_equal(
        cross_fit(fitter, few.rows, few.fold, LINEAR, by_fold=chosen.by_fold(fitter)),
        cross_fit(fitter, few.rows, few.fold, LINEAR),
    )


def test_a_selection_that_drops_nothing_leaves_the_model_as_it_is(few: People) -> None:
    fitter = few.fitter()
    assert fitter_of(fitter, DesignColumns(few.builder).features) is fitter


def test_the_same_seed_selects_the_same(few: People) -> None:
    first, again = (few.choose(method="recursive", at_least=5).table for _ in range(2))
    pd.testing.assert_frame_equal(first, again)


# --- a narrow design is that of fewer columns


@pytest.mark.parametrize(
    "dropped", [{"income"}, {"shoe", "noise"}, {"freq_team"}, {"freq_golf", "age"}]
)
def test_narrowing_is_never_having_had_the_columns(few: People, dropped: set[str]) -> None:
    fewer = FeatureColumns(
        numeric=[c for c in COLUMNS.numeric if c not in dropped],
        log=[c for c in COLUMNS.log if c not in dropped],
        categorical=[c for c in COLUMNS.categorical if c not in dropped],
        counts={d: c for d, c in COLUMNS.counts.items() if c not in dropped},
    )
    features = build_features(few.customers, fewer)
    builder = DesignBuilder.fit(features, fewer, MESSAGES)
    kept = [f for f in DesignColumns(few.builder).features if f not in dropped]
    narrowing = Narrowing(few.builder, tuple(kept))
    found, expected = narrowing.narrow(few.rows.design), builder.transform(features)
    np.testing.assert_array_equal(found.base, expected.base)
    np.testing.assert_array_equal(found.match, expected.match)
    fitted = narrowing.fitted_builder(found)
    assert fitted.base_names == builder.base_names
    assert fitted.splits == builder.splits
    for scales in ("mean", "scale", "match_mean", "match_scale"):
        assert getattr(fitted, scales) == pytest.approx(getattr(builder, scales), rel=1e-6)


def test_without_any_count_there_is_no_match(few: People) -> None:
    narrowing = Narrowing(few.builder, ("income", "age"))
    design = narrowing.narrow(few.rows.design)
    assert not design.match.any()
    names = narrowing.fitted_builder(design).base_names
    assert names == ["income", "log_income", "age=middle", "age=old", "age=young"]


@pytest.mark.parametrize("feature", ["income", "age", "freq_water"])
def test_what_is_made_of_a_feature_is_shuffled_with_it(few: People, feature: str) -> None:
    order = np.random.default_rng(3).permutation(len(few.rows))
    moved = few.customers.assign(**{feature: few.customers[feature].to_numpy()[order]})
    expected = few.builder.transform(build_features(moved, COLUMNS))
    found = DesignColumns(few.builder).shuffled(few.rows.design, feature, order)
    np.testing.assert_array_equal(found.base, expected.base)
    np.testing.assert_array_equal(found.match, expected.match)
    assert (found.base != few.rows.design.base).any()


# --- a model of some features behaves as any other


@pytest.fixture(scope="module", params=["logistic_regression", "random_forest", "xgboost"])
def selected(request: pytest.FixtureRequest, few: People) -> Any:
    small = {"logistic_regression": LINEAR}.get(request.param, {"n_estimators": 12, "max_depth": 3})
    kept = ["income", "age", "freq_water"]
    return fitter_of(few.fitter(request.param), kept).fit(few.rows, small)


def test_what_a_dropped_feature_says_does_not_matter(selected: Any, few: People) -> None:
    shouting = few.customers.assign(noise=1e6, shoe="neither", freq_team=99, freq_golf=99)
    design = few.builder.transform(build_features(shouting, COLUMNS))
    expected = selected.predict(few.rows.design)
    np.testing.assert_array_equal(selected.predict(design), expected)
    # Its message may still be sent; only the match with it is gone.
    assert expected.std(axis=0).min() > 0
    logged = selected.predict_logged(few.rows)
    own = expected[np.arange(len(few.rows)), few.rows.message]
    np.testing.assert_allclose(logged, own, rtol=1e-6)


def test_a_selected_model_survives_its_folder(selected: Any, few: People, tmp_path: Path) -> None:
    selected.save(tmp_path)
    loaded = getattr(stored, selected.name).load(tmp_path)
    assert isinstance(loaded, SelectedModel)
    np.testing.assert_array_equal(
        loaded.predict(few.rows.design), selected.predict(few.rows.design)
    )
    with pytest.raises((OSError, ValueError, RuntimeError)):
        model_class(selected.name).load(tmp_path)


def test_a_plain_model_is_saved_as_ever(few: People, tmp_path: Path) -> None:
    model = few.fitter().fit(few.rows, LINEAR)
    model.save(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.json"]
    loaded = stored.load_model("logistic_regression", tmp_path)
    assert type(loaded) is type(model)


def test_no_other_model_is_stored() -> None:
    with pytest.raises(AttributeError, match="choose from"):
        _ = stored.no_such_model


def test_a_compiled_selected_model_predicts_as_it_does(selected: Any, few: People) -> None:
    design = few.rows.design
    fast = compiled(selected)
    np.testing.assert_allclose(fast.predict(design), selected.predict(design), atol=3e-7)
    together = fast.predict(design.take(slice(0, 9)))
    alone = [fast.predict(design.take(slice(i, i + 1)))[0] for i in range(9)]
    np.testing.assert_array_equal(together, np.stack(alone))


def test_importance_is_shown_of_what_the_model_is_told(selected: Any, few: People) -> None:
    table = permutation_importance(*narrowed_view(selected, few.rows, few.builder), seed=1)
    features = set(table["feature"])
    assert {"income", "age", "freq_water"} <= features
    assert not features & {"noise", "shoe", "freq_team"}
    plain = few.fitter().fit(few.rows, LINEAR)
    assert narrowed_view(plain, few.rows, few.builder)[2] is few.builder


# --- what cannot be


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"method": "guess"}, "permutation"),
        ({"standard_errors": -1.0}, "greater than or equal to 0"),
        ({"at_least": 0}, "greater than or equal to 1"),
        ({"at_least": 3, "at_most": 2}, "at_most: 2 is less than the 3 features"),
        ({"always_keep": ["a", "b"], "at_most": 1}, "at_most: 1 is less than the 2 features"),
        ({"always_keep": ["a", "a"]}, r"\['a'\] are named twice"),
        ({"no_such_key": 1}, "no_such_key"),
    ],
)
def test_wrong_settings_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FeatureSelectionSettings(**given)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"always_keep": ["incme"]}, r"training.logistic_regression.*no features \['incme'\]"),
        ({"at_least": 9}, "at_least: 9 features are to be kept and there are 8"),
    ],
)
def test_settings_that_these_features_cannot_meet_are_refused(
    few: People, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        few.choose(method="permutation", **given)


def test_two_folds_are_too_few_to_select_without_one(few: People) -> None:
    with pytest.raises(ParameterError, match=r"needs 3 folds and there are 2\. Raise"):
        replace(few, fold=few.fold % 2).choose(method="permutation")
