import numpy as np
import pandas as pd
import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import TEST_FOLD, check_fold_provenance


@pytest.fixture
def observations():
    return pd.DataFrame({"customer_id": ["a", "b", "c", "d"], "fold": [0, 1, 0, TEST_FOLD]})


def test_accepts_scores_out_of_fold(observations):
    check_fold_provenance(observations, observations.assign(score=0.5))
    check_fold_provenance(observations, observations.astype({"fold": "int8"}))
    check_fold_provenance(observations.set_index("fold", drop=False), observations)


def test_counts_the_rows_scored_in_fold(observations):
    scores = observations.assign(fold=[0, 0, 0, 1])
    with pytest.raises(EvaluationError, match=r"2 of 4 rows .* row 1: .* fold 1, .* fold 0"):
        check_fold_provenance(observations, scores)


def test_refuses_another_order(observations):
    scores = observations.iloc[[0, 2, 1, 3]]
    with pytest.raises(EvaluationError, match=r"2 of 4 rows .* row 1: 'c' scored, 'b' observed"):
        check_fold_provenance(observations, scores)


def test_refuses_missing_rows_columns_and_folds(observations):
    with pytest.raises(EvaluationError, match=r"3 rows for 4"):
        check_fold_provenance(observations, observations.head(3))
    with pytest.raises(EvaluationError, match=r"scores: column fold"):
        check_fold_provenance(observations, observations[["customer_id"]])
    with pytest.raises(EvaluationError, match=r"observations: column customer_id, fold"):
        check_fold_provenance(pd.DataFrame({"x": [1]}), observations)
    unknown = observations.assign(fold=[0, np.nan, 0, -1])
    with pytest.raises(EvaluationError, match=r"scores: 1 of 4 rows have no fold.*'b'"):
        check_fold_provenance(observations, unknown)


def test_numeric_identifiers_and_categories(observations):
    numbers = observations.assign(customer_id=[11, 12, 13, 14])
    check_fold_provenance(numbers, numbers.copy())
    check_fold_provenance(observations, observations.astype({"customer_id": "category"}))
