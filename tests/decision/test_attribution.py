"""Amounts by which features moved a choice: exact where the engine is linear."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.decision import Prediction
from pentathlon.decision.attribution import attribute, explain_decisions, feature_reference
from pentathlon.decision.settings import ExplainSettings
from pentathlon.errors import DataError

MESSAGES = MessageSet({"control": {"margin": 0.4}, "a": {"margin": 0.4}, "b": {"margin": 0.4}})
COLUMNS = FeatureColumns(numeric=["x", "y"], categorical=["kind"])


@dataclass(frozen=True)
class Linear:
    """Profit that is linear in the features, with a slope per message."""

    policy: str = "personalised"
    messages: MessageSet = MESSAGES
    columns: FeatureColumns = COLUMNS

    def expect(self, customers: pd.DataFrame) -> Prediction:
        x, y = customers["x"].to_numpy(float), customers["y"].to_numpy(float)
        new = (customers["kind"] == "new").to_numpy(float)
        profit = np.stack([0 * x, x + 2 * y, -x + y + 5 * new], axis=1).astype(np.float32)
        return Prediction(profit, profit, profit, {})


@pytest.fixture
def customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": ["p", "q", "r"],
            "x": [3, 0, 1],
            "y": [1.0, 2.0, 4.0],
            "kind": ["old", "new", "old"],
        }
    )


REFERENCE = {"x": 1.0, "y": 2.0, "kind": "old"}


def test_amounts_of_a_linear_engine_are_slope_times_distance(customers: pd.DataFrame) -> None:
    engine: Any = Linear()
    amounts, lead = attribute(
        engine, customers, np.array([1, 2, 1]), np.array([2, 1, 0]), REFERENCE
    )
    np.testing.assert_allclose(lead, [7, 3, 9])
    # a over b: 2 x + y - 5 new; b over a its negative; a over control: x + 2 y.
    np.testing.assert_allclose(amounts, [[4, -1, 0], [2, 0, 5], [0, 4, 0]])
    at_reference = np.array([2 * 1 + 2, -2 * 1 - 2, 1 + 4])
    np.testing.assert_allclose(amounts.sum(axis=1), lead - at_reference)


def decided(**changes: Any) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "customer_id": ["q", "p", "r"],
            "message": ["b", "a", "a"],
            "runner_up": ["a", "b", "control"],
            "decided_by": "policy",
        }
    )
    return table.assign(**changes)


def test_the_largest_come_first_with_their_values(customers: pd.DataFrame) -> None:
    engine: Any = Linear()
    table = explain_decisions(engine, customers, decided(), REFERENCE, ExplainSettings(features=2))
    assert table.drop(columns="lead").to_dict("split")["data"] == [
        ["q", 1, "kind", "new", "old", 5.0],
        ["q", 2, "x", "0", "1", 2.0],
        ["p", 1, "x", "3", "1", 4.0],
        ["p", 2, "y", "1.0", "2.0", -1.0],
        ["r", 1, "y", "4.0", "2.0", 4.0],
    ]
    assert table.groupby("customer_id")["lead"].first().to_dict() == {"p": 7, "q": 3, "r": 9}


def test_as_many_are_explained_as_are_asked_for(customers: pd.DataFrame) -> None:
    engine: Any = Linear()

    def who(**settings: Any) -> set[str]:
        found = explain_decisions(
            engine, customers, decided(), REFERENCE, ExplainSettings(**settings)
        )
        return set(found["customer_id"])

    assert who(customers=0) == set()
    assert who(customers=1) == {"q"}
    assert who(customers=0, customer_ids=("r",)) == {"r"}
    assert who(customers=2) == {"q", "r"}
    with pytest.raises(DataError, match=r"\['z'\] are not among the 3 customers decided"):
        who(customer_ids=("z",))


def test_what_no_feature_decided_is_not_explained(customers: pd.DataFrame) -> None:
    engine: Any = Linear()
    for change in (
        {"decided_by": ["exploration", "holdout", "mandatory"]},
        {"runner_up": pd.array([None] * 3, dtype="str")},
    ):
        assert explain_decisions(
            engine, customers, decided(**change), REFERENCE, ExplainSettings()
        ).empty
    constant: Any = replace(engine, policy="send a")
    found = explain_decisions(constant, customers, decided(), REFERENCE, ExplainSettings())
    assert found.empty
    assert list(found.columns)[-1] == "lead"


def test_what_is_usual_is_the_median_and_the_mode() -> None:
    seen = pd.DataFrame(
        {
            "income": [1.0, 5.0, 9.0, 10.0],
            "age": ["old", "young", "old", "old"],
            "freq_team": [0, 1, 2, 3],
        }
    )
    columns = FeatureColumns(numeric=["income"], categorical=["age"], counts={"team": "freq_team"})
    assert feature_reference(seen, columns) == {"income": 5.0, "age": "old", "freq_team": 1.0}


def test_the_real_engine_moves_everything_derived_from_a_column(engine: Any, retailer: Any) -> None:
    people = retailer.customers.iloc[:80]
    decisions = engine.decide(people)
    reference = feature_reference(retailer.customers, engine.columns)
    settings = ExplainSettings(features=4)
    table = explain_decisions(engine, people, decisions, reference, settings)
    changed = people.assign(freq_water=reference["freq_water"])
    before, after = (engine.expect(p).expected_profit for p in (people, changed))
    codes = [engine.messages.codes(decisions[c].tolist()) for c in ("message", "runner_up")]
    rows = np.arange(80)
    amount = (before[rows, codes[0]] - before[rows, codes[1]]) - (
        after[rows, codes[0]] - after[rows, codes[1]]
    )
    mine = table[table["feature"] == "freq_water"].set_index("customer_id")["amount"]
    expected = pd.Series(amount, index=people["customer_id"].to_numpy())[mine.index]
    np.testing.assert_allclose(mine, expected, atol=1e-5)
    assert len(mine)
    with pytest.raises(DataError, match=r"lacks \['age'\]"):
        explain_decisions(
            engine, people, decisions, {k: v for k, v in reference.items() if k != "age"}, settings
        )
