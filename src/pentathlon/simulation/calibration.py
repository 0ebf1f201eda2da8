"""Fit the constants of the simulation to the published statistics.

Run ``python -m pentathlon.simulation.calibration`` after changing a published statistic or
the form of the truth; it rewrites ``fitted_constants.json`` next to this file. The package
itself only reads that file.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import brentq, root

from pentathlon.simulation.assignment import propensities
from pentathlon.simulation.effects import Effects, personal_effects
from pentathlon.simulation.population import (
    MAXIMUM_WEIGHT,
    Customers,
    draw_copula,
    draw_customers,
    linear_index,
    standardised,
    tilting_statistics,
)
from pentathlon.simulation.published import (
    AGES,
    MESSAGES,
    NUMERIC,
    FloatArray,
    arm_shares,
    arm_statistic,
    fitted,
    logit_coefficients,
    published_statistics,
)
from pentathlon.simulation.response import baseline_basis
from pentathlon.simulation.world import build_world, control_variates, reference_customers
from pentathlon.special import expit, softmax

POOL_ROWS = 300_000
POOL_SEED = 7
CONTROL_DRAWS, CONTROL_ROWS, CONTROL_SEED = 25, 200_000, 11
RIDGE = 1e-4
GAINS = {"affinity": 0.225, "segments": 0.225, "fatigue": 0.09}
"""Gain of the oracle over the best constant policy wanted at strength 1."""

_RANKS = np.linspace(0.0, 1.0, 201)


def main() -> None:
    """Fit every constant and write them."""
    path = Path(__file__).with_name("fitted_constants.json")
    constants: dict[str, Any] = {
        "source": "Fitted by pentathlon.simulation.calibration to published_statistics.json."
    }

    def store(**values: Any) -> None:
        constants.update(values)
        path.write_text(json.dumps(constants, indent=1) + "\n", encoding="utf-8")
        for cached in (fitted, build_world):
            cached.cache_clear()

    pool = draw_copula(POOL_ROWS, np.random.default_rng(POOL_SEED))
    tilt, offset, weights = fit_tilt(pool)
    store(tilt=_rounded(tilt), tilt_offset=offset)
    store(index_quantiles=_rounded(_weighted_quantiles(linear_index(pool), weights)))
    store(baseline=_rounded(fit_baseline(pool, weights)))
    store(assignment=fit_assignment(pool, weights))
    store(control_means=fit_control_means())
    reference_customers.cache_clear()
    store(scales={"published": 1.0, "affinity": 1.0, "segments": 1.0, "fatigue": 0.0})
    scales: dict[str, float] = dict(constants["scales"])
    store(scales=scales | {"published": fit_published_scale()})
    for kind in ("affinity", "segments", "fatigue"):
        scales = dict(constants["scales"])

        def excess(scale: float, kind: str = kind, scales: dict[str, float] = scales) -> float:
            store(scales=scales | {kind: scale})
            return oracle_gain(kind) - GAINS[kind]  # type: ignore[arg-type]

        store(scales=scales | {kind: round(float(brentq(excess, 0.01, 8.0, xtol=1e-3)), 4)})


def fit_tilt(pool: Customers) -> tuple[FloatArray, float, FloatArray]:
    """Fit the exponential tilting of the copula.

    Parameters
    ----------
    pool : Customers
        Draws from the copula.

    Returns
    -------
    tilt : ndarray of shape (72,)
        Coefficients of `tilting_statistics`.
    offset : float
        Added so that the weights have mean 1.
    weights : ndarray of shape (n,)
        Capped weights of the pool, of sum 1.
    """
    statistics = tilting_statistics(pool)
    deviations = statistics - _tilting_targets(statistics)
    scale = deviations.std(axis=0)
    tilt = _entropy_tilt(deviations / scale) / scale
    weights, offset = _capped_weights(statistics @ tilt)
    return tilt, offset, weights


def _tilting_targets(statistics: FloatArray) -> FloatArray:
    known = published_statistics()
    rate = known["totals"]["buyer_rate"]
    moments = [known["moments"][n] for n in NUMERIC]
    z_buyers = [
        (m - moment["mean"]) / moment["sd"]
        for m, moment in zip(buyer_means(), moments, strict=True)
    ]
    rows, columns = np.tril_indices(len(NUMERIC), -1)
    everyone = [known["age_digitised"]["all"][a] for a in AGES[1:]]
    buyers = [known["age_digitised"]["buyers"][a] for a in AGES[1:]]
    female = known["female_digitised"]
    fit = known["logit_main_fit"]
    k = len(NUMERIC)
    return np.concatenate(
        [
            np.zeros(k),
            # The copula's margins are right already: the tilting is to leave them alone.
            statistics[:, k : 2 * k].mean(axis=0),
            np.array(known["correlations"])[rows, columns],
            [*everyone, 1 - female["all"], rate],
            rate * np.array([*z_buyers, *buyers, 1 - female["buyers"]]),
            [fit["loglik"] / fit["rows"]],
        ]
    )


def buyer_means() -> FloatArray:
    """Mean of the numeric features among buyers.

    Returns
    -------
    ndarray of shape (9,)
        Frequencies as published. Income and children from their published log moments, as
        log-normals; education as the mean of its published histogram.
    """
    buyers = published_statistics()["buyers"]
    means = [
        float(np.exp(buyers[f"ln_{n}_plus1"]["mean"] + buyers[f"ln_{n}_plus1"]["sd"] ** 2 / 2) - 1)
        for n in ("income", "children")
    ]
    return np.array([means[0], 49.9, means[1], *(buyers[n]["mean"] for n in NUMERIC[3:])])


def _entropy_tilt(deviations: FloatArray) -> FloatArray:
    # The moments are matched with the weights already capped, as customers are drawn.
    tilt = np.zeros(deviations.shape[1])
    for _ in range(100):
        weights, _ = _capped_weights(deviations @ tilt)
        mean = weights @ deviations
        gradient = mean + RIDGE * tilt
        hessian = (deviations * weights[:, None]).T @ deviations - np.outer(mean, mean)
        step = np.linalg.solve(hessian + RIDGE * np.eye(len(tilt)), gradient)
        tilt -= step / max(1.0, 2 * float(np.abs(step).max()))
        if np.abs(gradient).max() < 1e-7:
            break
    return tilt


def _capped_weights(log_weights: FloatArray) -> tuple[FloatArray, float]:
    top = log_weights.max()
    offset = -float(np.log(np.exp(log_weights - top).mean()) + top)
    weights = np.minimum(np.exp(log_weights + offset), MAXIMUM_WEIGHT)
    return weights / weights.sum(), offset


def _weighted_quantiles(values: FloatArray, weights: FloatArray) -> FloatArray:
    order = np.argsort(values)
    ranks = np.cumsum(weights[order])
    return np.interp(_RANKS, ranks, values[order])


def fit_baseline(pool: Customers, weights: FloatArray) -> FloatArray:
    """Fit the maximum-entropy response to the published buyers and area under the curve.

    Parameters
    ----------
    pool : Customers
        Draws from the copula.
    weights : ndarray of shape (n,)
        Their weights, of sum 1.

    Returns
    -------
    ndarray of shape (18,)
        Coefficients of `baseline_basis`.
    """
    known = published_statistics()
    rate = known["totals"]["buyer_rate"]
    basis = baseline_basis(pool)
    logit = expit(linear_index(pool))
    targets = basis.T @ (weights * logit)
    targets *= rate / targets[0]
    # Buyers' mean logs are published: their standardised mean is 0.
    targets[-4:-1] = 0.0
    auc = known["logit_main_fit"]["auc_test"]
    targets[-1] = rate * (auc * (1 - rate) + rate / 2)
    coefficients = np.zeros(basis.shape[1])
    coefficients[0] = np.log(rate)
    for step_limit in [2.0] * 25 + [np.inf] * 50:
        p = expit(basis @ coefficients)
        gradient = basis.T @ (weights * p) - targets
        hessian = (basis * (weights * p * (1 - p))[:, None]).T @ basis
        step = np.linalg.solve(hessian, gradient)
        coefficients -= step * min(1.0, step_limit / float(np.abs(basis @ step).max()))
        if np.abs(gradient).max() < 1e-12:
            break
    return coefficients


def fit_assignment(pool: Customers, weights: FloatArray) -> dict[str, Any]:
    """Fit the logging policy to arm sizes and to how far rates and logit disagree.

    An arm whose published rate is below what the published logit's message coefficient
    says holds weaker customers.

    Parameters
    ----------
    pool : Customers
        Draws from the copula.
    weights : ndarray of shape (n,)
        Their weights, of sum 1.

    Returns
    -------
    dict
        ``index_mean``, ``index_sd``, and ``intercepts`` and ``slopes`` by message.
    """
    intercept, messages, features = logit_coefficients()
    index = linear_index(pool)
    mean = float(weights @ index)
    sd = float(np.sqrt(weights @ (index - mean) ** 2))
    z = (index - mean) / sd
    plain = pool.features() @ features + intercept
    probability = expit(plain[:, None] + messages)
    shares, rates = arm_shares(), arm_statistic("buyer_rate")
    m = len(MESSAGES)

    def unpack(x: FloatArray) -> tuple[FloatArray, FloatArray, float]:
        return np.append(0.0, x[: m - 1]), np.append(0.0, x[m - 1 : 2 * m - 2]), float(x[-1])

    def equations(x: FloatArray) -> FloatArray:
        log_shares, slopes, level = unpack(x)
        propensity = softmax(np.log(shares) + log_shares + z[:, None] * slopes, axis=1)
        arm = weights @ propensity
        rate = np.exp(level) * (weights @ (propensity * probability)) / arm
        return np.concatenate([(arm / shares - 1)[1:], rate / rates - 1])

    solution = root(equations, np.zeros(2 * m - 1), tol=1e-10)
    if not solution.success:
        raise RuntimeError(f"the logging policy could not be fitted: {solution.message}")
    log_shares, slopes, _ = unpack(solution.x)
    return {
        "index_mean": round(mean, 9),
        "index_sd": round(sd, 9),
        "intercepts": _rounded(np.log(shares) + log_shares),
        "slopes": _rounded(slopes - shares @ slopes),
    }


def fit_control_means() -> list[float]:
    """Estimate the means of the control variates over all possible customers.

    Returns
    -------
    list of float
        Means over many independent draws.
    """
    generator = np.random.default_rng(CONTROL_SEED)
    means = [
        control_variates(draw_customers(CONTROL_ROWS, generator)).mean(axis=0)
        for _ in range(CONTROL_DRAWS)
    ]
    return _rounded(np.mean(means, axis=0))


def fit_published_scale() -> float:
    """Scale the published interactions to their published likelihood-ratio statistic.

    Returns
    -------
    float
        The scale at which the noncentrality of the test of all interactions on the
        published training rows is the published statistic less its degrees of freedom.
    """
    fit = published_statistics()["logit_interactions_fit"]
    wanted = fit["likelihood_ratio_chi2"] - fit["df"]
    return round(float(np.sqrt(wanted / noncentrality(fit["rows"], "published"))), 4)


def noncentrality(rows: int, effects: Effects) -> float:
    """Noncentrality of the likelihood-ratio test of all interactions, to second order.

    Parameters
    ----------
    rows : int
        Rows of the file.
    effects : str
        Kind of personal differences, at strength 1.

    Returns
    -------
    float
        Rows times the information that is left in the effects after regressing them, in the
        metric of the information, on the main effects.
    """
    customers, weights = reference_customers()
    shift = personal_effects(customers, effects, 1.0)
    world = build_world(effects, 1.0)
    p = world.purchase_probabilities(customers)
    information = weights[:, None] * propensities(customers) * p * (1 - p)
    categories = customers.features()[:, len(NUMERIC) :]
    main = np.column_stack([standardised(customers), categories])
    k, m = main.shape[1], len(MESSAGES)
    gram, cross, square = np.zeros((k + m, k + m)), np.zeros(k + m), 0.0
    for j in range(m):
        dummies = np.zeros((len(customers), m))
        dummies[:, j] = 1.0
        design = np.column_stack([main, dummies])
        weighted = design * information[:, [j]]
        gram += weighted.T @ design
        cross += weighted.T @ shift[:, j]
        square += float(information[:, j] @ shift[:, j] ** 2)
    return rows * (square - float(cross @ np.linalg.solve(gram, cross)))


def oracle_gain(effects: Effects) -> float:
    """Relative gain of the oracle over the best constant policy at strength 1.

    Parameters
    ----------
    effects : str
        Kind of personal differences.

    Returns
    -------
    float
        Gain on the reference customers, relative to the best constant.
    """
    customers, weights = reference_customers()
    world = build_world(effects, 1.0)
    value = world.purchase_probabilities(customers) * world.expected_order_values(customers)
    return float(weights @ value.max(axis=1) / (weights @ value).max() - 1)


def _rounded(values: FloatArray) -> list[float]:
    return [round(float(v), 9) for v in values]


if __name__ == "__main__":
    main()
