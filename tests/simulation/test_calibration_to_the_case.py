"""The simulated file against what is published about the case."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import OptimizeResult
from scipy.special import expit
from scipy.stats import rankdata

from pentathlon.simulation import (
    AGES,
    DEPARTMENTS,
    MESSAGES,
    SimulatedRetailer,
    SimulationConfig,
    calibration,
    published_statistics,
    simulate_retailer,
)
from pentathlon.simulation.assignment import propensities
from pentathlon.simulation.calibration import noncentrality
from pentathlon.simulation.population import (
    MAXIMUM_WEIGHT,
    draw_copula,
    linear_index,
    tilting_statistics,
)
from pentathlon.simulation.published import (
    NUMERIC,
    arm_shares,
    arm_statistic,
    fitted,
    log_order_coefficients,
    logit_coefficients,
)
from pentathlon.simulation.response import baseline_basis
from pentathlon.simulation.world import build_world, reference_customers

ROWS = 400_000
FACTS = published_statistics()


@pytest.fixture(scope="module")
def retailer() -> SimulatedRetailer:
    return simulate_retailer(SimulationConfig(rows=ROWS, seed=11, effects="none"))


@pytest.fixture(scope="module")
def file(retailer: SimulatedRetailer) -> pd.DataFrame:
    return retailer.file


@pytest.fixture(scope="module")
def buyers(file: pd.DataFrame) -> pd.DataFrame:
    return file[file["buyer"] == "yes"]


def design(file: pd.DataFrame) -> np.ndarray:
    ages = [file["age"] == a for a in AGES[1:]]
    messages = [file["message"] == m for m in MESSAGES if m != "backcountry"]
    columns = [file[n] for n in NUMERIC] + ages + [file["female"] == "no"] + messages
    return np.column_stack([np.asarray(c, dtype=float) for c in columns])


def fit_logit(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    mean, sd = X.mean(axis=0), X.std(axis=0)
    Z = np.column_stack([np.ones(len(X)), (X - mean) / sd])
    beta = np.zeros(Z.shape[1])
    for _ in range(12):
        p = expit(Z @ beta)
        information = (Z * (p * (1 - p))[:, None]).T @ Z
        beta += np.linalg.solve(information, Z.T @ (y - p))
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    return beta[1:] / sd, errors[1:] / sd, expit(Z @ beta)


def auc(score: np.ndarray, y: np.ndarray) -> float:
    ranks, n = rankdata(score), y.sum()
    return float((ranks[y].sum() - n * (n + 1) / 2) / (n * (len(y) - n)))


@pytest.mark.parametrize("name", NUMERIC)
def test_margins(file: pd.DataFrame, name: str) -> None:
    moments = FACTS["moments"][name]
    assert file[name].mean() == pytest.approx(moments["mean"], rel=0.015)
    assert file[name].std() == pytest.approx(moments["sd"], rel=0.025)


@pytest.mark.parametrize("name", [f"freq_{d}" for d in DEPARTMENTS])
def test_frequency_distribution(file: pd.DataFrame, name: str) -> None:
    pmf = np.array(FACTS["pmf"][name]["pmf"])
    counts = np.bincount(file[name], minlength=len(pmf)) / len(file)
    assert np.abs(counts - pmf / pmf.sum()).sum() < 0.02


def test_age_and_gender(file: pd.DataFrame, buyers: pd.DataFrame) -> None:
    for rows, who in ((file, "all"), (buyers, "buyers")):
        tolerance = 0.003 if who == "all" else 0.015
        shares = rows["age"].value_counts(normalize=True)
        for age in AGES:
            assert shares[age] == pytest.approx(FACTS["age_digitised"][who][age], abs=tolerance)
        female = (rows["female"] == "yes").mean()
        assert female == pytest.approx(FACTS["female_digitised"][who], abs=tolerance)


def test_correlations(file: pd.DataFrame) -> None:
    observed = file[list(NUMERIC)].corr().to_numpy()
    assert np.abs(observed - np.array(FACTS["correlations"])).max() < 0.025


def test_ranges(file: pd.DataFrame, buyers: pd.DataFrame) -> None:
    assert (file["income"] % 5_000 == 0).all()
    assert file["income"].between(0, 200_000).all()
    assert file["education"].between(0, 100).all()
    tenths = file["children"] * 10
    assert np.allclose(tenths, tenths.round())
    assert file["children"].between(0.2, 5.8).all()
    assert buyers["total_os"].min() >= 5
    assert 500 < buyers["total_os"].max() < 1_100
    assert (file.loc[file["buyer"] == "no", "total_os"] == 0).all()


def test_buyers(buyers: pd.DataFrame) -> None:
    assert buyers["education"].mean() == pytest.approx(49.9, abs=0.6)
    for name in ("income", "education", "children"):
        logs, known = np.log1p(buyers[name]), FACTS["buyers"][f"ln_{name}_plus1"]
        assert logs.mean() == pytest.approx(known["mean"], abs=0.02)
        assert logs.std() == pytest.approx(known["sd"], rel=0.08)
    for name in NUMERIC[3:]:
        known = FACTS["buyers"][name]
        assert buyers[name].mean() == pytest.approx(known["mean"], rel=0.06)
        # The tails of frequent purchases among buyers are somewhat short.
        assert known["sd"] * 0.75 < buyers[name].std() < known["sd"] * 1.1


def test_overall_rate_and_order_value(buyers: pd.DataFrame) -> None:
    assert len(buyers) / ROWS == pytest.approx(0.024, rel=0.03)
    assert buyers["total_os"].mean() == pytest.approx(57.38, rel=0.03)
    assert buyers["total_os"].std() == pytest.approx(62.39, rel=0.06)
    for name, value in FACTS["order_value_quantiles_digitised"].items():
        quantile = buyers["total_os"].quantile(int(name[1:]) / 100)
        assert quantile == pytest.approx(value, rel=0.08)


@pytest.mark.parametrize("effects", ["none", "published", "affinity", "segments", "fatigue"])
def test_every_kind_keeps_the_published_arms(effects: str) -> None:
    customers, weights = reference_customers()
    world = build_world(effects, 1.0)
    arm = weights[:, None] * propensities(customers)
    shares = arm.sum(axis=0)
    assert shares == pytest.approx(arm_shares(), rel=0.01)
    p = world.purchase_probabilities(customers)
    buying = (arm * p).sum(axis=0)
    assert buying / shares == pytest.approx(arm_statistic("buyer_rate"), rel=1e-6)
    assert buying.sum() == pytest.approx(0.024, rel=1e-3)
    spending = (arm * p * world.expected_order_values(customers)).sum(axis=0)
    assert spending / buying == pytest.approx(arm_statistic("mean_order_value"), rel=1e-6)


def test_arms_of_the_file(file: pd.DataFrame) -> None:
    for m, share in zip(MESSAGES, arm_shares(), strict=True):
        known = FACTS["arms"][m]
        arm = file[file["message"] == m]
        bought = arm["buyer"] == "yes"
        assert len(arm) == pytest.approx(share * ROWS, rel=0.015)
        expected = known["buyer_rate"] * len(arm)
        assert abs(bought.sum() - expected) < 4 * np.sqrt(expected)
        error = 62.4 / np.sqrt(bought.sum())
        assert abs(arm.loc[bought, "total_os"].mean() - known["mean_order_value"]) < 4 * error


def test_endurance_and_strength_arms_hold_weaker_customers() -> None:
    customers, weights = reference_customers()
    p = build_world("none", 1.0).purchase_probabilities(customers).mean(axis=1)
    arm = weights[:, None] * propensities(customers)
    strength = (p @ arm) / arm.sum(axis=0) / (weights @ p)
    assert 0.93 < strength[MESSAGES.index("endurance")] < 0.965
    assert 0.945 < strength[MESSAGES.index("strength")] < 0.975
    assert strength[MESSAGES.index("control")] > 1.02


def test_main_effects_logit(file: pd.DataFrame, retailer: SimulatedRetailer) -> None:
    X, y = design(file), (file["buyer"] == "yes").to_numpy()
    coefficients, errors, fitted = fit_logit(X, y)
    _, messages, features = logit_coefficients()
    known = np.concatenate([features, messages[[m != "backcountry" for m in MESSAGES]]])
    z = (coefficients - known) / errors
    assert np.abs(z).max() < 4
    assert np.mean(z**2) < 2.5
    assert auc(fitted, y) == pytest.approx(FACTS["logit_main_fit"]["auc_test"], abs=0.006)
    loglik = np.mean(np.where(y, np.log(fitted), np.log1p(-fitted)))
    assert loglik == pytest.approx(-35159.009 / 420_000, rel=0.03)
    sent = truth_of_message_sent(retailer, "purchase_probability")
    assert auc(sent, y) - auc(fitted, y) == pytest.approx(0.0055, abs=0.003)


def truth_of_message_sent(retailer: SimulatedRetailer, name: str) -> np.ndarray:
    column = retailer.file["message"].astype(str).map({m: j for j, m in enumerate(MESSAGES)})
    values = retailer.truth[[f"{name}_{m}" for m in MESSAGES]].to_numpy(dtype=float)
    return values[np.arange(len(values)), column.to_numpy(dtype=int)]


def test_true_area_under_the_curve() -> None:
    customers, weights = reference_customers()
    p = build_world("none", 1.0).purchase_probabilities(customers).mean(axis=1)
    order = np.argsort(p)
    events, others = (weights * p)[order], (weights * (1 - p))[order]
    area = ((np.cumsum(others) - others / 2) @ events) / events.sum() / others.sum()
    assert 0.885 < area < 0.892


def test_order_value_regression(file: pd.DataFrame, buyers: pd.DataFrame) -> None:
    X = np.column_stack([np.ones(len(buyers)), design(buyers)])
    y = np.log(buyers["total_os"].to_numpy(dtype=float))
    beta = np.linalg.lstsq(X, y, rcond=None)[0]
    residual = y - X @ beta
    errors = np.sqrt(np.diag(np.linalg.inv(X.T @ X)) * residual.var())
    z = (beta[1:14] - log_order_coefficients()) / errors[1:14]
    assert np.abs(z).max() < 4
    assert 1 - residual.var() / y.var() == pytest.approx(0.121, abs=0.025)


def test_published_interactions_are_as_faint_as_published() -> None:
    assert 78 + noncentrality(420_000, "published") == pytest.approx(112.14, abs=1)
    assert noncentrality(420_000, "none") == pytest.approx(0, abs=1e-9)


def test_the_fits_meet_their_targets() -> None:
    pool = draw_copula(60_000, np.random.default_rng(1))
    tilt, offset, weights = calibration.fit_tilt(pool)
    statistics = tilting_statistics(pool)
    assert weights.sum() == pytest.approx(1)
    assert weights.max() * len(weights) < 1.02 * MAXIMUM_WEIGHT
    assert np.exp(statistics @ tilt + offset).mean() == pytest.approx(1)
    logit = expit(linear_index(pool))
    assert weights @ logit == pytest.approx(0.024, rel=0.01)
    buyers = (weights * logit) @ pool.numeric / (weights @ logit)
    assert buyers == pytest.approx(calibration.buyer_means(), rel=0.01)
    p = expit(baseline_basis(pool) @ calibration.fit_baseline(pool, weights))
    assert (weights * p) @ pool.numeric == pytest.approx((weights * logit) @ pool.numeric, rel=0.01)
    policy = calibration.fit_assignment(pool, weights)
    assert policy["slopes"] == pytest.approx(fitted()["assignment"]["slopes"], abs=0.004)


def test_every_constant_is_fitted_and_written(monkeypatch, tmp_path) -> None:
    """What the command writes, with its slow fits replaced: all that is committed, and no more."""
    monkeypatch.setattr(calibration, "__file__", str(tmp_path / "calibration.py"))
    pool = draw_copula(200, np.random.default_rng(1))
    weights = np.full(200, 1 / 200)
    fits = {
        "draw_copula": lambda rows, generator: pool,
        "fit_tilt": lambda pool: (np.zeros(72), 0.0, weights),
        "fit_baseline": lambda pool, weights: np.zeros(3),
        "fit_assignment": lambda pool, weights: {"intercepts": [0.0]},
        "fit_control_means": lambda: [0.0],
        "fit_published_scale": lambda: 0.4,
    }
    for name, fit in fits.items():
        monkeypatch.setattr(calibration, name, fit)
    path = tmp_path / "fitted_constants.json"

    def oracle_gain(kind: str) -> float:
        return 0.1 * float(json.loads(path.read_text(encoding="utf-8"))["scales"][kind])

    monkeypatch.setattr(calibration, "oracle_gain", oracle_gain)
    calibration.main()
    written = json.loads(path.read_text(encoding="utf-8"))
    assert set(written) == set(fitted())
    assert written["scales"] == pytest.approx(
        {"published": 0.4, **{kind: 10 * gain for kind, gain in calibration.GAINS.items()}},
        abs=2e-3,
    )


def test_a_logging_policy_that_cannot_be_fitted_is_no_policy(monkeypatch) -> None:
    failed = OptimizeResult(success=False, message="no root", x=np.zeros(13))
    monkeypatch.setattr(calibration, "root", lambda *_, **__: failed)
    pool = draw_copula(500, np.random.default_rng(1))
    with pytest.raises(RuntimeError, match="could not be fitted: no root"):
        calibration.fit_assignment(pool, np.full(500, 1 / 500))
