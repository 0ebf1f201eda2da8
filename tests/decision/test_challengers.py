"""When a tree or some segments ship."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import DecisionSettings, PolicyChoice, choose_policy, logged_outcomes
from pentathlon.decision.challengers import SegmentVerdict, TreeChallenge
from pentathlon.decision.routing import Router
from pentathlon.decision.verdicts import tree_wins, verdict_by_segment
from pentathlon.evaluation.estimate import Estimate
from pentathlon.special import expit

MESSAGES = MessageSet({m: {"margin": 0.4} for m in ("control", "water", "team")})
N = 6_000


def campaign(
    known: float, strength: float = 1.2, where: str = "all", seed: int = 3
) -> dict[str, Any]:
    """Customers whose region tells their message; models know it as far as ``known``."""
    rng = np.random.default_rng(seed)
    region = rng.integers(0, 3, N)
    country = np.where(rng.random(N) < 0.5, "A", "B")
    differs = np.ones(N, dtype=bool) if where == "all" else country == where
    contrast = np.where(np.arange(3) == region[:, None], strength, 0.0) * differs[:, None]
    contrast -= contrast.mean(axis=1, keepdims=True)
    level = rng.normal(-0.7, 0.3, (N, 1))
    message = rng.integers(0, 3, N)
    truth = expit(level + contrast)
    response = (rng.random(N) < truth[np.arange(N), message]).astype(int)
    values = np.full((N, 3), 50.0, dtype=np.float32)
    outcomes = logged_outcomes(
        message, np.full(N, 1 / 3), response, 50.0 * response, np.ones(N), values, MESSAGES
    )
    predicted = expit(level + known * contrast + rng.normal(0, 0.05, (N, 3)))
    return {
        "purchase_probability": predicted.astype(np.float32),
        "expected_order_value": values,
        "outcomes": outcomes,
        "response": response,
        "fold": np.arange(N) % 3,
        "messages": MESSAGES,
        "features": pd.DataFrame(
            {"region": region.astype(np.float32), "country": country, "noise": rng.normal(size=N)}
        ),
    }


def chosen(data: dict[str, Any], **changes: Any) -> PolicyChoice:
    return choose_policy(**data, settings=DecisionSettings(**changes))


def test_a_tree_ships_where_models_miss_what_groups_want() -> None:
    choice = chosen(campaign(known=0.0))
    assert choice.policy == "policy_tree"
    assert choice.tree is not None
    assert choice.router == choice.tree.router
    assert len(choice.tree.router.leaves) >= 3
    assert choice.tree.gain.z > 5
    assert "policy tree" in choice.reason
    assert choice.promised_profit > choice.tree.gain.value


def test_personal_messages_ship_where_models_know() -> None:
    choice = chosen(campaign(known=1.0))
    assert choice.policy == "personalised"
    assert choice.router is None
    assert choice.tree is not None  # it challenged, and is told about


def test_without_differences_no_tree_ships() -> None:
    shipped = [chosen(campaign(0.0, strength=0.0, seed=s)).policy for s in range(12)]
    assert "policy_tree" not in shipped


def test_no_challenger_where_none_is_asked_for_or_nothing_is_known() -> None:
    assert chosen(campaign(0.0), policy_tree=None).tree is None
    assert chosen(campaign(0.0) | {"features": None}).tree is None


def test_a_folds_outcomes_do_not_choose_its_tree() -> None:
    """The gain is of trees that never saw the fold: with luck alone it is around zero."""
    gains = []
    for seed in range(8):
        tree = chosen(campaign(0.0, strength=0.0, seed=seed)).tree
        assert tree is not None
        gains.append(tree.gain.z)
    assert np.mean(gains) < 2 / np.sqrt(8)


def test_personal_messages_ship_where_their_segment_gains() -> None:
    data = campaign(known=1.0, where="B")
    # Models believe in differences everywhere; in A there are none.
    rng = np.random.default_rng(0)
    believed = data["purchase_probability"].copy()
    inside = (data["features"]["country"] == "A").to_numpy()
    believed[inside] = expit(rng.normal(-0.7, 0.3, (inside.sum(), 3)) * 0 - 0.7)
    data["purchase_probability"] = believed.astype(np.float32)
    choice = chosen(data, segments="country", policy_tree=None)
    held = {s.segment: s.personalised for s in choice.segments}
    assert held == {"country is A": False, "country is not A": True}
    assert choice.policy == "by_segment"
    assert choice.router is not None
    assert [leaf.action == "personalised" for leaf in choice.router.leaves] == [False, True]
    assert sum(s.share for s in choice.segments) == pytest.approx(1.0)
    assert choice.reason == (
        "The gain holds where country is not A; elsewhere the best constant ships."
    )


def test_where_every_segment_gains_everyone_is_personalised() -> None:
    choice = chosen(campaign(known=1.0), segments="country", policy_tree=None)
    assert choice.policy == "personalised"
    assert choice.router is None
    assert choice.reason == "The gain holds in every segment."


def test_where_no_segment_gains_the_constant_ships() -> None:
    choice = chosen(campaign(0.0, strength=0.0), segments="country", policy_tree=None)
    assert choice.policy.startswith(("send ", "no e-mail"))
    assert not any(s.personalised for s in choice.segments)
    assert choice.router is None


def test_gains_of_segments_add_up_to_the_whole() -> None:
    choice = chosen(campaign(known=1.0), segments="country", policy_tree=None)
    total = sum(s.share * s.gain.value for s in choice.segments)
    assert total == pytest.approx(choice.gain.value, rel=1e-9)


def estimate(value: float, error: float, size: float = 500.0) -> Estimate:
    return Estimate(value, error, 1_000, size)


@pytest.mark.parametrize(
    ("gain", "over_incumbent", "wins"),
    [
        (estimate(3.0, 1.0), estimate(3.0, 1.0), True),
        (estimate(1.9, 1.0), estimate(1.9, 1.0), False),  # below 1.96: half of five per cent
        (estimate(3.0, 1.0), estimate(1.0, 1.0), False),
        (estimate(1.0, 1.0), estimate(3.0, 1.0), False),
        (estimate(3.0, 1.0), estimate(3.0, 1.0, size=99), False),
    ],
)
def test_the_tree_must_gain_more_than_it_may_be_wrong(
    gain: Estimate, over_incumbent: Estimate, wins: bool
) -> None:
    assert tree_wins(TreeChallenge(Router((), ()), gain, over_incumbent), 0.95) is wins


def test_segments_that_hold_are_told() -> None:
    def verdict(name: str, personalised: bool) -> SegmentVerdict:
        return SegmentVerdict(name, 0.5, estimate(2, 1), estimate(2, 1), 0.01, personalised)

    policy, gain, _ = verdict_by_segment([verdict("a", True), verdict("b", False)], "send water")
    assert policy == "by_segment"
    assert gain is not None
    assert (gain.value, gain.standard_error) == (1.0, 0.5)
    assert verdict_by_segment([verdict("a", False)], "send water")[:2] == ("send water", None)
