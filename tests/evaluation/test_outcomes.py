import numpy as np
import pytest

from pentathlon.errors import EvaluationError
from pentathlon.evaluation import AIPW, IPS, LoggedOutcomes, one_hot
from pentathlon.evaluation.outcomes import BLOCK_ROWS

GOOD = {
    "message": np.array([0, 1, 2]),
    "propensity": np.array([0.2, 0.3, 1.0]),
    "profit": np.array([1.0, 0.0, -1.0]),
}


def test_takes_rows():
    outcomes = LoggedOutcomes(**GOOD, sampling_weight=np.array([1.0, 2.0, 3.0]))
    part = outcomes.take(np.array([2, 0]))
    assert part.message.tolist() == [2, 0]
    assert part.sampling_weight.tolist() == [3.0, 1.0]
    assert part.cluster is None
    assert part.n == 2


def test_accepts_lists_and_unsigned_codes():
    outcomes = LoggedOutcomes([0, 1], [0.5, 0.5], [1, 2], cluster=np.array([3, 4], dtype=np.uint64))
    assert outcomes.cluster.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"profit": np.array([1.0, np.nan, np.inf])}, "profit: 2 of 3 rows .* row 1"),
        ({"propensity": np.array([0.2, 0.0, 1.0])}, "propensity: 1 of 3 rows .* row 1"),
        ({"propensity": np.array([0.2, 0.3, 1.01])}, "outside"),
        ({"profit": np.array([1.0, 2.0])}, r"profit: expected shape \(3,\)"),
        ({"profit": np.ones((3, 1))}, "profit: expected shape"),
        ({"profit": np.array(["a", "b", "c"])}, "expected numbers"),
        ({"message": np.array([0, -1, 2])}, "message"),
        ({"message": np.array([0.0, 1.0, 2.0])}, "integer codes"),
        ({"sampling_weight": np.array([1.0, -1.0, 1.0])}, "sampling_weight"),
        ({"sampling_weight": np.zeros(3)}, "sampling_weight"),
        ({"cluster": np.array([1, 2])}, "cluster"),
    ],
)
def test_refuses_what_is_not_an_outcome(change, words):
    with pytest.raises(EvaluationError, match=words):
        LoggedOutcomes(**{**GOOD, **change})


def test_refuses_no_rows():
    with pytest.raises(EvaluationError, match="no rows"):
        LoggedOutcomes(np.array([], dtype=int), np.array([]), np.array([]))


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (np.array([0, 1]), "expected 3 rows"),
        (np.array([0, 1, 3]), "do not fit"),
        (-1, "do not fit"),
        (np.array([0.0, 1.0, 2.0]), "integer codes"),
        (np.ones((3, 2)) / 2, r"expected shape \(3, 3\)"),
        (np.ones((2, 3)) / 3, "expected shape"),
        (np.array([[1.0, 0, 0], [0.5, 0.4, 0], [0, 0, 1]]), "row 1 is not"),
        (np.array([[1.0, 0, 0], [0, 1, 0], [-0.5, 0.5, 1]]), "row 2 is not"),
        (np.full((3, 3), np.nan), "row 0 is not"),
    ],
)
def test_refuses_what_is_not_a_policy(policy, words):
    with pytest.raises(EvaluationError, match=words):
        AIPW().influence(policy, LoggedOutcomes(**GOOD), np.zeros((3, 3)))


def test_refuses_predictions_that_do_not_fit():
    outcomes = LoggedOutcomes(**GOOD)
    with pytest.raises(EvaluationError, match="code 2 was sent"):
        AIPW().estimate(0, outcomes, np.zeros((3, 2)))
    with pytest.raises(EvaluationError, match="expected_profit: expected shape"):
        AIPW().estimate(0, outcomes, np.zeros((2, 3)))
    with pytest.raises(EvaluationError, match="needs out-of-fold predictions"):
        AIPW().estimate(0, outcomes)
    with pytest.raises(EvaluationError, match="the policy has 2 columns"):
        IPS().estimate(np.ones((3, 2)) / 2, outcomes)
    with pytest.raises(EvaluationError, match="not finite"):
        AIPW().estimate(0, outcomes, np.full((3, 3), np.nan))


def test_one_hot():
    assert one_hot(np.array([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
    assert one_hot(np.array([], dtype=int), 3).shape == (0, 3)
    with pytest.raises(EvaluationError, match="do not fit"):
        one_hot(np.array([3]), 3)


def test_rows_beyond_one_block():
    n = BLOCK_ROWS + 3
    rng = np.random.default_rng(3)
    message, policy = rng.integers(0, 2, n), rng.integers(0, 2, n)
    outcomes = LoggedOutcomes(message, np.full(n, 0.5), rng.normal(size=n))
    mu = rng.normal(size=(n, 2))
    expected = mu[np.arange(n), policy] + (message == policy) / 0.5 * (
        outcomes.profit - mu[np.arange(n), message]
    )
    np.testing.assert_allclose(AIPW().influence(policy, outcomes, mu), expected, rtol=1e-12)
