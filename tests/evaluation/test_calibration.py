import numpy as np
import pytest
from scipy import stats

from pentathlon.errors import CalibrationError, EvaluationError
from pentathlon.evaluation import check_expected_observed, expected_observed, poisson_interval

NAMES = ["control", "shoes", "boots"]


@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.999])
def test_garwood_interval(confidence):
    count = np.array([0, 1, 5, 400])
    lower, upper = poisson_interval(count, confidence=confidence)
    tail = (1 - confidence) / 2
    np.testing.assert_allclose(lower[1:], stats.chi2.ppf(tail, 2 * count[1:]) / 2, rtol=1e-12)
    np.testing.assert_allclose(upper, stats.chi2.ppf(1 - tail, 2 * count + 2) / 2, rtol=1e-12)
    assert lower[0] == 0


def test_garwood_interval_from_the_table():
    # Garwood (1936): 10 events, 95 %: 4.795 to 18.390; no events: 0 to 3.689
    lower, upper = poisson_interval(np.array([10, 0]))
    np.testing.assert_allclose([lower, upper], [[4.795, 0], [18.390, 3.689]], atol=1e-3)


def test_exact_coverage():
    for mean in (0.5, 3.0, 20.0):
        counts = np.arange(200)
        lower, upper = poisson_interval(counts)
        inside = (lower <= mean) & (mean <= upper)
        assert stats.poisson.pmf(counts[inside], mean).sum() >= 0.95


def test_equal_weights_scale_the_exact_interval():
    plain = poisson_interval(7)
    weighted = poisson_interval(7 * 3.0, variance=7 * 9.0, largest_weight=3.0)
    np.testing.assert_allclose(weighted, np.multiply(plain, 3.0), rtol=1e-12)


def test_weighted_interval_covers():
    rng = np.random.default_rng(0)
    weights, means = np.array([1.0, 4.0]), np.array([12.0, 4.0])
    events = rng.poisson(means, (4_000, 2))
    lower, upper = poisson_interval(
        events @ weights, variance=events @ weights**2, largest_weight=4.0
    )
    truth = means @ weights
    assert ((lower <= truth) & (truth <= upper)).mean() >= 0.94


def draw(n=20_000, seed=0):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 40, n)
    return (rng.random(n) < p).astype(int), p, rng.integers(0, 3, n)


def test_table_by_hand():
    y = np.array([1, 0, 0, 1])
    p = np.array([0.4, 0.3, 0.2, 0.1])
    table = expected_observed(
        y, p, message=np.array([0, 1, 0, 1]), names=["a", "b"], bins=2, confidence=0.9
    )
    assert table["group"].tolist() == ["all"] + ["message"] * 2 + ["bin"] * 2 + [
        "message x bin"
    ] * 4 + ["top 1 %"]
    assert table["message"].tolist() == ["all", "a", "b", "all", "all", *"aabb", "all"]
    assert table["bin"].tolist() == [0, 0, 0, 1, 2, 1, 2, 1, 2, 0]
    expected = [1.0, 0.6, 0.4, 0.7, 0.3, 0.4, 0.2, 0.3, 0.1, 0.0]
    np.testing.assert_allclose(table["expected"], expected, rtol=1e-12)
    assert table["observed"].tolist() == [2, 1, 1, 1, 1, 1, 0, 0, 1, 0]
    assert table["rows"].tolist() == [4, 2, 2, 2, 2, 1, 1, 1, 1, 0]
    assert table["ratio"][1] == pytest.approx(1 / 0.6)
    assert table["upper"][0] == pytest.approx(stats.chi2.ppf(0.95, 6) / 2)
    assert table["agrees"].all()


def test_every_row_is_counted_once():
    y, p, message = draw()
    table = expected_observed(y, p, message=message, names=NAMES)
    totals = table.groupby("group")[["rows", "expected", "observed"]].sum()
    for group in ("message", "bin", "message x bin"):
        np.testing.assert_allclose(totals.loc[group], totals.loc["all"], rtol=1e-12)
    assert totals.loc["top 1 %", "rows"] == 200
    assert table["agrees"].mean() > 0.85


def test_a_message_without_rows():
    y, p, _ = draw(500)
    table = expected_observed(y, p, message=np.zeros(500, dtype=int), names=["a", "b"])
    empty = table[(table["message"] == "b")]
    assert (empty["rows"] == 0).all()
    assert empty["agrees"].all()
    assert empty["ratio"].isna().all()


def test_calibrated_probabilities_pass_and_uncorrected_ones_fail():
    y, p, message = draw()
    check_expected_observed(y, p, message=message, names=NAMES)
    with pytest.raises(CalibrationError, match=r"XGBoost: .*all: .* expected, .* observed"):
        check_expected_observed(y, np.minimum(30 * p, 1), source="XGBoost")


def test_a_message_can_fail_alone():
    y, p, message = draw()
    skewed = p * np.array([1.0, 1.6, 0.5])[message]
    with pytest.raises(CalibrationError) as error:
        check_expected_observed(y, skewed, message=message, names=NAMES)
    assert "boots" in str(error.value)
    assert "control" not in str(error.value)


def test_false_alarms_are_as_rare_as_promised():
    alarms = 0
    for seed in range(200):
        y, p, message = draw(2_000, seed)
        try:
            check_expected_observed(y, p, message=message, names=NAMES, confidence=0.9)
        except CalibrationError:
            alarms += 1
    assert alarms <= 0.15 * 200


def test_tolerance_lets_small_differences_through():
    y, p, _ = draw(200_000)
    slightly = p * (1.05 * y.sum() / p.sum())
    with pytest.raises(CalibrationError):
        check_expected_observed(y, slightly, confidence=0.95)
    check_expected_observed(y, slightly, confidence=0.95, tolerance=0.06)


def test_weights_restore_the_natural_rate():
    y, p, message = draw(50_000)
    keep = (y == 1) | (np.random.default_rng(1).random(len(y)) < 0.1)
    weight = np.where(y == 1, 1.0, 10.0)[keep]
    check_expected_observed(
        y[keep], p[keep], sampling_weight=weight, message=message[keep], names=NAMES
    )
    with pytest.raises(CalibrationError):
        check_expected_observed(y[keep], p[keep])


def test_refuses_messages_without_names_and_odd_settings():
    y, p, message = draw(100)
    with pytest.raises(EvaluationError, match="names"):
        expected_observed(y, p, message=message)
    with pytest.raises(EvaluationError, match="message"):
        expected_observed(y, p, message=message, names=["a"])
    with pytest.raises(EvaluationError, match="tolerance"):
        check_expected_observed(y, p, tolerance=-0.1)
    with pytest.raises(EvaluationError, match="confidence"):
        check_expected_observed(y, p, confidence=1.0)
