import numpy as np
import pandas as pd
import pytest

from pentathlon.contract.messages import MessageSet
from pentathlon.contract.scores import scores_array, scores_table
from pentathlon.errors import DataError

MESSAGES = MessageSet({m: {"margin": 0.4} for m in ("control", "water", "team")})
OBSERVATIONS = pd.DataFrame(
    {"customer_id": ["b", "a"], "fold": np.array([-1, 3], dtype=np.int8), "response": [0, 1]},
    index=[9, 4],
)
SCORES = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=np.float32)


def test_scores_carry_their_customer_and_their_fold() -> None:
    table = scores_table(OBSERVATIONS, SCORES, MESSAGES)
    assert list(table.columns) == ["customer_id", "fold", "control", "water", "team"]
    assert table["customer_id"].tolist() == ["b", "a"]
    assert table["fold"].tolist() == [-1, 3]
    assert table["water"].dtype == np.float32
    np.testing.assert_array_equal(scores_array(table, MESSAGES), SCORES)


def test_columns_follow_the_messages_and_not_the_table() -> None:
    table = scores_table(OBSERVATIONS, SCORES, MESSAGES)[
        ["team", "control", "fold", "water", "customer_id"]
    ]
    array = scores_array(table, MESSAGES)
    np.testing.assert_array_equal(array, SCORES)
    assert array.dtype == np.float32
    assert array.flags["C_CONTIGUOUS"]


def test_a_row_without_a_score_is_refused() -> None:
    holes = SCORES.copy()
    holes[1, 2] = np.nan
    with pytest.raises(DataError, match="1 of 2 rows have no score"):
        scores_table(OBSERVATIONS, holes, MESSAGES)


def test_scores_of_other_messages_are_refused() -> None:
    table = scores_table(OBSERVATIONS, SCORES, MESSAGES).drop(columns=["water"])
    with pytest.raises(DataError, match=r"no columns for the messages \['water'\]"):
        scores_array(table, MESSAGES)
