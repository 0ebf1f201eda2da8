"""Trees of questions: exact search, routing, words."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision.policy_tree import BINS, PolicyTreeLearner
from pentathlon.decision.routing import Leaf, Router, Split, segments_of
from pentathlon.errors import DataError

MESSAGES = MessageSet({m: {"margin": 0.5} for m in ("control", "water", "team")})


def table(n: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "customer_id": [str(i) for i in range(n)],
            "age": rng.integers(18, 24, n).astype(np.float32),
            "log_age": rng.normal(size=n),
            "orders": rng.integers(0, 4, n).astype(np.float32),
            "region": rng.choice(["north", "south", "west"], n),
        }
    )


def value_of(router: Router, features: pd.DataFrame, scores: np.ndarray) -> float:
    chosen = router.choose(router.route(features), scores.astype(np.float32), MESSAGES)
    return float(scores[np.arange(len(scores)), chosen].sum())


def questions(features: pd.DataFrame) -> list[np.ndarray]:
    """Every question that may be asked, answered."""
    answers = [
        (features[name] <= t).to_numpy()
        for name in ("age", "orders")
        for t in sorted(features[name].unique())[:-1]
    ]
    return answers + [(features["region"] == r).to_numpy() for r in ("north", "south", "west")]


@pytest.mark.parametrize("seed", range(4))
def test_depth_two_is_the_best_of_all_trees(seed: int) -> None:
    features = table(120, seed)
    scores = np.random.default_rng(seed).normal(size=(120, 3))
    learner = PolicyTreeLearner(features, scores, np.ones(120), depth=2, smallest_leaf=0.1)
    router = learner.fit(np.ones(120, dtype=bool), np.ones(120, dtype=np.float32), MESSAGES)

    def best(rows: np.ndarray) -> float:
        alone = scores[rows].sum(axis=0).max()
        split = [
            scores[rows & q].sum(axis=0).max() + scores[rows & ~q].sum(axis=0).max()
            for q in questions(features)
            if min((rows & q).sum(), (rows & ~q).sum()) >= 12
        ]
        return float(max([alone, *split]))

    brute = max(best(q) + best(~q) for q in questions(features) if min(q.sum(), (~q).sum()) >= 12)
    assert value_of(router, features, scores) == pytest.approx(brute, rel=1e-9)
    assert "log_age" not in " ".join(router.rules())  # the same question as of age


def test_a_true_tree_is_found_and_told_in_words() -> None:
    n = 4_000
    features = table(n)
    best = np.where(features["age"] > 20, np.where(features["region"] == "south", 1, 2), 0)
    scores = np.random.default_rng(1).normal(0, 1, (n, 3)) + np.eye(3)[best]
    level = np.full(n, 2.0, dtype=np.float32)
    router = PolicyTreeLearner(features, scores, np.ones(n), depth=2).fit(
        np.ones(n, dtype=bool), level, MESSAGES
    )
    group = router.route(features)
    chosen = router.choose(group, scores.astype(np.float32), MESSAGES)
    np.testing.assert_array_equal(chosen, best)
    assert (
        sorted(router.rules())
        == sorted(
            [
                "age at most 20: control",
                "age above 20 and region is south: water",
                "age above 20 and region is not south: team",
            ]
        )
        or len(router.leaves) == 4
    )
    for g, leaf in enumerate(router.leaves):
        mine = group == g
        np.testing.assert_allclose(np.array(leaf.worth) * 2.0, scores[mine].mean(axis=0))
    again = Router.from_dict(json.loads(json.dumps(router.to_dict())))
    assert again == router


def test_depth_three_finds_what_depth_two_cannot_say() -> None:
    n = 6_000
    features = table(n)
    parts = [features["age"] > 20, features["orders"] > 1, features["region"] == "west"]
    code = sum(p.to_numpy().astype(int) << i for i, p in enumerate(parts))
    best = np.array([0, 1, 2, 0, 1, 2, 2, 1])[code]
    scores = np.eye(3)[best]
    everyone, level = np.ones(n, dtype=bool), np.ones(n, dtype=np.float32)
    values = [
        value_of(
            PolicyTreeLearner(features, scores, np.ones(n), depth=d).fit(everyone, level, MESSAGES),
            features,
            scores,
        )
        for d in (1, 2, 3)
    ]
    assert values[0] < values[1] < values[2]


def test_groups_are_never_smaller_than_asked_and_weights_count() -> None:
    n = 400
    features = table(n)
    rare = (features["age"] == 18).to_numpy()
    weight = np.where(rare, 0.1, 1.0)
    scores = np.where(rare[:, None], [0.0, 0.0, 9.0], [1.0, 0.0, 0.0])
    share = (weight * rare).sum() / weight.sum()
    for least, found in ((share * 0.9, True), (share * 1.1, False)):
        learner = PolicyTreeLearner(features, scores, weight, 1, least)
        router = learner.fit(np.ones(n, dtype=bool), np.ones(n, dtype=np.float32), MESSAGES)
        assert any("age at most 18" in rule for rule in router.rules()) == found


def test_without_anything_to_gain_there_is_one_group() -> None:
    features = table(200)
    scores = np.tile([1.0, 3.0, 2.0], (200, 1))
    router = PolicyTreeLearner(features, scores, np.ones(200)).fit(
        np.ones(200, dtype=bool), np.ones(200, dtype=np.float32), MESSAGES
    )
    assert router.rules() == ["everyone: water"]
    assert (router.route(features) == 0).all()


def test_missing_numbers_go_where_the_router_sends_them() -> None:
    n = 900
    features = table(n)
    features.loc[::3, "age"] = np.nan
    unknown = features["age"].isna().to_numpy()
    scores = np.eye(3)[np.where(unknown, 2, 1)]
    router = PolicyTreeLearner(features, scores, np.ones(n), depth=1).fit(
        np.ones(n, dtype=bool), np.ones(n, dtype=np.float32), MESSAGES
    )
    chosen = router.choose(router.route(features), scores.astype(np.float32), MESSAGES)
    assert (chosen[unknown] == 2).all()


def test_routing_by_hand() -> None:
    router = Router(
        (Split("age", 30.0, None, 1, -3), Split("region", None, "north", -1, -2)),
        (
            Leaf("water", (0.1, 0.3, 0.2)),
            Leaf("personalised", (0.1, 0.2, 0.3)),
            Leaf("control", (0.5, 0.2, 0.1)),
        ),
    )
    features = pd.DataFrame({"age": [30, 20, 31], "region": ["north", "south", "north"]})
    group = router.route(features)
    assert group.tolist() == [0, 1, 2]
    profit = np.array([[1, 1, 4], [1, 1, 4], [1, 1, 4]], dtype=np.float32)
    assert router.choose(group, profit, MESSAGES).tolist() == [1, 2, 0]
    worth = router.worth(group, profit, MESSAGES)
    np.testing.assert_allclose(worth[0], [0.2, 0.6, 0.4], rtol=1e-6)
    np.testing.assert_allclose(worth[1], profit[1])
    np.testing.assert_allclose(worth[2], [1.0, 0.4, 0.2], rtol=1e-6)
    with pytest.raises(DataError, match=r"\['region'\]"):
        router.route(features[["age"]])


def test_segments_of_texts_and_numbers() -> None:
    features = table(400)

    def groups(column: str) -> np.ndarray:
        splits = segments_of(features, column)
        router = Router(splits, tuple(Leaf("water", ()) for _ in range(len(splits) + 1)))
        assert len(set(router.rules())) == len(splits) + 1
        return router.route(features)

    region = groups("region")
    assert pd.crosstab(region, features["region"]).gt(0).to_numpy().sum() == 3
    assert np.bincount(groups("log_age")).tolist() == [100] * 4


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ("region_of_birth", "no feature 'region_of_birth'"),
        ("customer_id", "no feature 'customer_id'"),
        ("one", "the same for everyone"),
        ("many", "has 400 values"),
    ],
)
def test_segments_that_cannot_be_told_apart_are_refused(column: str, reason: str) -> None:
    features = table(400).assign(one=1.0, many=[f"v{i}" for i in range(400)])
    with pytest.raises(DataError, match=reason):
        segments_of(features, column)


def test_there_are_as_many_bins_as_sixteenths() -> None:
    features = pd.DataFrame({"x": np.arange(1_600.0)})
    scores = np.eye(3)[np.where(features["x"] < 100, 1, 2)]
    learner = PolicyTreeLearner(features, scores, np.ones(1_600), 1, 0.01)
    router = learner.fit(np.ones(1_600, dtype=bool), np.ones(1_600, dtype=np.float32), MESSAGES)
    assert router.splits[0].threshold == pytest.approx(1_600 / BINS - 1, abs=1)


def test_all_pairs_of_questions_are_searched() -> None:
    """Neither question helps alone: a greedy search finds nothing."""
    features = pd.DataFrame(list(itertools.product([0.0, 1.0], repeat=2)) * 100, columns=["a", "b"])
    either = (features["a"] != features["b"]).to_numpy()
    scores = np.eye(3)[np.where(either, 1, 2)]
    arguments: dict[str, Any] = {
        "rows": np.ones(400, dtype=bool),
        "level": np.ones(400, dtype=np.float32),
        "messages": MESSAGES,
    }
    router = PolicyTreeLearner(features, scores, np.ones(400), 2).fit(**arguments)
    assert value_of(router, features, scores) == 400
