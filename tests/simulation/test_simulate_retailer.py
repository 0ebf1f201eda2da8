"""The file, its truth and how they belong together."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from pydantic import ValidationError
from scipy.special import logit

from pentathlon.simulation import (
    DEPARTMENTS,
    MESSAGES,
    SEGMENTS,
    SimulatedRetailer,
    SimulationConfig,
    attainable_gain,
    fatigued,
    segments,
    simulate_retailer,
)
from pentathlon.simulation.assignment import assign
from pentathlon.simulation.orders import MINIMUM, draw_orders, mean_excess
from pentathlon.simulation.world import match_rates, reference_customers

KINDS = ["none", "published", "affinity", "segments", "fatigue"]
COLUMNS = [
    "custid", "buyer", "total_os", "message", "age", "female", "income", "education", "children",
    *(f"freq_{d}" for d in DEPARTMENTS), "training",
]  # fmt: skip


@pytest.fixture(scope="module")
def retailers() -> dict[str, SimulatedRetailer]:
    return {
        kind: simulate_retailer(SimulationConfig(rows=120_000, seed=5, effects=kind))
        for kind in KINDS
    }


def values(truth: pd.DataFrame, name: str) -> np.ndarray:
    return truth[[f"{name}_{m}" for m in MESSAGES]].to_numpy(dtype=float)


def sent(file: pd.DataFrame) -> np.ndarray:
    return file["message"].astype(str).map({m: j for j, m in enumerate(MESSAGES)}).to_numpy(int)


def test_columns_and_dtypes(retailers: dict[str, SimulatedRetailer]) -> None:
    file = retailers["affinity"].file
    assert list(file.columns) == COLUMNS
    for name in ("total_os", "income", "education", *(f"freq_{d}" for d in DEPARTMENTS)):
        assert file[name].dtype == np.int32
    for name in ("children", "training"):
        assert file[name].dtype == np.float64
    assert list(file["buyer"].cat.categories) == ["yes", "no"]
    assert list(file["female"].cat.categories) == ["yes", "no"]
    assert list(file["age"].cat.categories) == ["< 30", "30 to 44", "45 to 59", ">= 60"]
    assert list(file["message"].cat.categories) == sorted(MESSAGES)
    assert not file.isna().any(axis=None)


def test_ids_increase_with_gaps(retailers: dict[str, SimulatedRetailer]) -> None:
    custid = retailers["affinity"].file["custid"]
    assert custid.str.fullmatch(r"U[1-9]\d*").all()
    numbers = custid.str[1:].astype(int)
    gaps = numbers.diff().dropna()
    assert gaps.min() >= 1
    assert gaps.max() > 10
    assert gaps.mean() == pytest.approx(5.77, rel=0.05)


def test_training_is_stratified(retailers: dict[str, SimulatedRetailer]) -> None:
    file = retailers["none"].file
    assert set(file["training"]) == {0.0, 1.0}
    for _, stratum in file.groupby("buyer", observed=True):
        assert (stratum["training"] == 0).sum() == round(0.3 * len(stratum))


def test_truth_columns(retailers: dict[str, SimulatedRetailer]) -> None:
    result = retailers["affinity"]
    names = ("purchase_probability", "expected_order_value", "propensity")
    assert list(result.truth.columns) == ["custid", *(f"{n}_{m}" for n in names for m in MESSAGES)]
    assert result.truth["custid"].equals(result.file["custid"])
    p = values(result.truth, "purchase_probability")
    assert ((p > 0) & (p < 1)).all()
    assert (values(result.truth, "expected_order_value") > MINIMUM).all()


def test_propensities_match_the_assignment(retailers: dict[str, SimulatedRetailer]) -> None:
    result = retailers["affinity"]
    e = values(result.truth, "propensity")
    assert np.abs(e.sum(axis=1) - 1).max() < 1e-5
    assert e.min() > 0.08
    column = sent(result.file)
    index = logit(values(result.truth, "purchase_probability")[:, 0])
    for j in range(len(MESSAGES)):
        error = (column == j) - e[:, j]
        sd = np.sqrt(e[:, j] * (1 - e[:, j]))
        assert abs(error.sum()) < 4 * np.sqrt((sd**2).sum())
        assert abs((error * index).sum()) < 4 * np.sqrt(((sd * index) ** 2).sum())


@pytest.mark.parametrize("kind", KINDS)
def test_outcomes_follow_the_truth(retailers: dict[str, SimulatedRetailer], kind: str) -> None:
    file, truth = retailers[kind].file, retailers[kind].truth
    column, rows = sent(file), np.arange(len(file))
    p = values(truth, "purchase_probability")[rows, column]
    order = values(truth, "expected_order_value")[rows, column]
    bought = (file["buyer"] == "yes").to_numpy()
    for j in range(len(MESSAGES)):
        arm = column == j
        variance = (p * (1 - p))[arm].sum()
        assert abs(bought[arm].sum() - p[arm].sum()) < 4 * np.sqrt(variance)
    for low, high in ((0, 0.01), (0.01, 0.05), (0.05, 0.2), (0.2, 1)):
        group = (p >= low) & (p < high)
        variance = (p * (1 - p))[group].sum()
        assert abs(bought[group].sum() - p[group].sum()) < 4 * np.sqrt(variance)
    ratio = file["total_os"].to_numpy(dtype=float)[bought] / order[bought]
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / np.sqrt(bought.sum())


def test_expected_order_value_includes_rounding() -> None:
    generator = np.random.default_rng(0)
    for index in (2.0, 3.4, 5.0):
        draws = draw_orders(np.full(2_000_000, index), generator).astype(float)
        expected = MINIMUM + mean_excess(np.array(index))
        assert draws.min() >= MINIMUM
        assert abs(draws.mean() - expected) < 4 * draws.std() / np.sqrt(len(draws))


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("none", 0.0, 0.015),
        ("published", 0.02, 0.07),
        ("affinity", 0.20, 0.25),
        ("segments", 0.20, 0.25),
        ("fatigue", 0.08, 0.10),
    ],
)
def test_attainable_gain_of_each_kind(
    retailers: dict[str, SimulatedRetailer], kind: str, low: float, high: float
) -> None:
    gain = attainable_gain(retailers[kind].truth)
    assert low <= gain["oracle_gain_share"] <= high
    assert gain["oracle_value"] > gain["best_constant_value"] > gain["random_value"]
    assert gain["random_value"] > gain["control_value"]


def test_none_has_no_interaction(retailers: dict[str, SimulatedRetailer]) -> None:
    p = values(retailers["none"].truth, "purchase_probability")
    log_odds = np.log(p) - np.log1p(-p)
    differences = log_odds - log_odds[:, :1]
    assert np.ptp(differences, axis=0).max() < 1e-4
    order = values(retailers["none"].truth, "expected_order_value") - MINIMUM
    assert np.ptp(order / order[:, :1], axis=0).max() < 1e-5


def test_affinity_grows_with_purchases_in_the_department(
    retailers: dict[str, SimulatedRetailer],
) -> None:
    file, truth = retailers["affinity"].file, retailers["affinity"].truth
    log_odds = logit(values(truth, "purchase_probability"))
    for j, department in enumerate(DEPARTMENTS, start=1):
        uplift = log_odds[:, j] - log_odds[:, 0]
        frequency = file[f"freq_{department}"]
        none, some = uplift[frequency == 0], uplift[frequency > 0]
        assert np.ptp(none) < 1e-4
        assert some.min() > none.max()


def test_fatigued_customers_are_better_left_alone(
    retailers: dict[str, SimulatedRetailer],
) -> None:
    customers, _ = reference_customers()
    assert 0.2 < fatigued(customers).mean() < 0.3
    file, truth = retailers["fatigue"].file, retailers["fatigue"].truth
    frequency = file[[f"freq_{d}" for d in DEPARTMENTS]].sum(axis=1)
    tired = (file["age"] == ">= 60") | ((file["age"] == "45 to 59") & (frequency >= 7))
    p = values(truth, "purchase_probability")[tired]
    assert (p[:, 1:] < p[:, :1]).all()


def test_segments_are_few_and_none_is_small() -> None:
    customers, _ = reference_customers()
    shares = np.bincount(segments(customers), minlength=len(SEGMENTS)) / len(customers)
    assert len(shares) == len(SEGMENTS)
    assert shares.min() > 0.08


def test_strength_scales_the_differences() -> None:
    gains = [
        attainable_gain(simulate_retailer(SimulationConfig(rows=30_000, seed=1, strength=s)).truth)[
            "oracle_gain_share"
        ]
        for s in (0.0, 0.5, 1.0, 2.0)
    ]
    assert gains == sorted(gains)
    plain = simulate_retailer(SimulationConfig(rows=1_000, seed=1, effects="none"))
    off = simulate_retailer(SimulationConfig(rows=1_000, seed=1, strength=0.0))
    assert_frame_equal(plain.file, off.file)
    assert_frame_equal(plain.truth, off.truth)


def test_same_seed_same_frames_and_streams_are_independent() -> None:
    config = SimulationConfig(rows=3_000, seed=8)
    first, again = simulate_retailer(config), simulate_retailer(config)
    assert_frame_equal(first.file, again.file)
    assert_frame_equal(first.truth, again.truth)
    other = simulate_retailer(SimulationConfig(rows=3_000, seed=9)).file
    assert not first.file["income"].equals(other["income"])
    kind = simulate_retailer(SimulationConfig(rows=3_000, seed=8, effects="segments")).file
    unaffected = ["custid", "message", "age", "female", "income", "children", "freq_team"]
    assert_frame_equal(first.file[unaffected], kind[unaffected])


def test_the_truth_does_not_depend_on_the_seed_or_the_size() -> None:
    long = simulate_retailer(SimulationConfig(rows=5_000, seed=8)).truth.head(1_000)
    short = simulate_retailer(SimulationConfig(rows=1_000, seed=8)).truth
    names = [c for c in short.columns if c != "custid"]
    assert_frame_equal(long[names], short[names])


@pytest.mark.parametrize(
    "wrong",
    [
        {"rows": 999},
        {"seed": -1},
        {"effects": "magic"},
        {"strength": -0.1},
        {"strength": float("inf")},
        {"test_share": 0.0},
        {"test_share": 1.0},
        {"row": 5_000},
    ],
)
def test_invalid_configurations_are_rejected(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SimulationConfig.model_validate({"rows": 2_000, "seed": 0} | wrong)


def test_configurations_are_frozen() -> None:
    config = SimulationConfig(rows=2_000, seed=0)
    with pytest.raises(ValidationError):
        config.rows = 3_000  # type: ignore[misc]


def test_attainable_gain_by_hand() -> None:
    truth = pd.DataFrame(
        {f"purchase_probability_{m}": [0.1, 0.1] for m in MESSAGES}
        | {f"expected_order_value_{m}": [10.0, 10.0] for m in MESSAGES}
        | {"expected_order_value_water": [40.0, 0.0], "expected_order_value_team": [0.0, 30.0]}
    )
    gain = attainable_gain(truth, margin=0.5)
    assert gain["best_constant_message"] == "water"
    assert gain["best_constant_value"] == pytest.approx(1.0)
    assert gain["oracle_value"] == pytest.approx((2.0 + 1.5) / 2)
    assert gain["oracle_gain"] == pytest.approx(0.75)
    assert gain["oracle_gain_share"] == pytest.approx(0.75)
    assert gain["control_value"] == pytest.approx(0.5)
    assert gain["random_value"] == pytest.approx((5 * 0.5 + 1.0 + 0.75) / 7)


def test_attainable_gain_refuses_what_it_cannot_value() -> None:
    truth = simulate_retailer(SimulationConfig(rows=1_000, seed=0)).truth
    with pytest.raises(ValueError, match="margin"):
        attainable_gain(truth, margin=0)
    with pytest.raises(ValueError, match="purchase_probability_water"):
        attainable_gain(truth.drop(columns="purchase_probability_water"))
    with pytest.raises(ValueError, match="no rows"):
        attainable_gain(truth.head(0))


def test_building_blocks_by_hand() -> None:
    sure = np.eye(len(MESSAGES), dtype=np.float32)
    assert assign(sure, np.random.default_rng(0)).tolist() == list(range(len(MESSAGES)))
    constants = match_rates(np.zeros((4, 2)), np.full((4, 2), 0.25), np.array([0.5, 0.1]))
    assert constants == pytest.approx([0.0, np.log(1 / 9)], abs=1e-8)
