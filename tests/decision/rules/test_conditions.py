from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from pentathlon.decision.rules import Condition
from pentathlon.decision.rules.conditions import all_hold, dates_of
from pentathlon.errors import DataError, ParameterError

TABLE = pd.DataFrame(
    {
        "age": [17.0, 18.0, np.nan, 65.0],
        "tier": ["gold", "silver", None, "vip"],
        "vip": [True, False, False, True],
        "opened": ["2026-03-01", "2026-03-31T23:59:00", None, "2026-04-01"],
    }
)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"column": "age", "at_least": 18}, [False, True, False, True]),
        ({"column": "age", "above": 18}, [False, False, False, True]),
        ({"column": "age", "below": 18}, [True, False, False, False]),
        ({"column": "age", "at_most": 18}, [True, True, False, False]),
        ({"column": "age", "at_least": 18, "below": 65}, [False, True, False, False]),
        ({"column": "age", "missing": True}, [False, False, True, False]),
        ({"column": "age", "missing": False}, [True, True, False, True]),
        ({"column": "age", "equals": 65}, [False, False, False, True]),
        ({"column": "vip", "equals": True}, [True, False, False, True]),
        ({"column": "tier", "equals": "vip"}, [False, False, False, True]),
        ({"column": "tier", "one_of": ["gold", "vip"]}, [True, False, False, True]),
        ({"column": "opened", "at_least": "2026-03-31"}, [False, True, False, True]),
        ({"column": "opened", "below": date(2026, 3, 31)}, [True, False, False, False]),
    ],
)
def test_a_condition_by_hand(test: dict[str, Any], expected: list[bool]) -> None:
    if isinstance(test.get("at_least"), str):
        test = test | {"at_least": date.fromisoformat(test["at_least"])}
    assert Condition.model_validate(test).holds(TABLE).tolist() == expected


def test_a_date_in_yaml_is_a_string_until_it_is_typed() -> None:
    condition = Condition.model_validate({"column": "opened", "at_least": "2026-03-31"})
    assert condition.at_least == date(2026, 3, 31)


def test_several_conditions_must_all_hold() -> None:
    conditions = [Condition(column="vip", equals=True), Condition(column="age", at_least=18)]
    assert all_hold(conditions, TABLE).tolist() == [False, False, False, True]
    assert all_hold([], TABLE).all()


def test_what_cannot_be_tested_is_refused() -> None:
    with pytest.raises(ValidationError, match="tests nothing"):
        Condition(column="age")
    with pytest.raises(ParameterError, match=r"no column 'aeg'.*Did you mean 'age'"):
        Condition(column="aeg", below=18).holds(TABLE)
    with pytest.raises(ParameterError, match="'gold', which cannot be compared with 3"):
        Condition(column="tier", below=3).holds(TABLE)
    with pytest.raises(ParameterError, match="holds numbers; it never equals"):
        Condition(column="age", equals="old").holds(TABLE)
    with pytest.raises(DataError, match=r"'yesterday' is no date \(1 such rows\)"):
        dates_of(pd.Series(["2026-01-01", "yesterday"]), "opened")


def test_times_with_a_zone_are_compared_in_utc() -> None:
    got = dates_of(pd.Series(["2026-01-01T00:30:00+02:00"]), "sent_at")
    assert got.tolist() == [pd.Timestamp("2025-12-31T22:30:00")]
