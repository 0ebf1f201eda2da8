"""Campaign limits for five million customers: time, memory, and the proof that it is optimal.

A budget and a minimum and maximum for each of six messages, on skewed profits. Beside it stand
HiGHS on a smaller instance, and the greedy rule of most tools: customers sorted by the profit of
their best message, each given the best that is still free.

    python benchmarks/allocation.py
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from pentathlon.decision.allocation import Limit, allocate
from pentathlon.simulation import SimulationConfig, simulate_retailer

RESULTS = Path(__file__).resolve().parent / "results" / "allocation.json"
N_MESSAGES = 7
SEND_COST = 0.05


def campaign(n: int, seed: int = 1) -> tuple[NDArray[np.float32], list[Limit]]:
    """The skewed reference instance: few customers earn most, and all like the same messages.

    What a message adds does not grow with what the customer buys anyway.
    """
    rng = np.random.default_rng(seed)
    level = np.exp(rng.normal(-1.2, 1.1, (n, 1))).astype(np.float32)
    popularity = np.exp(np.float32([0.8, 0.4, 0.2, 0.0, -0.2, -0.4]))
    gain = np.exp(rng.standard_normal((n, N_MESSAGES - 1), dtype=np.float32) - 2.5) * popularity
    profit = np.concatenate([level, level + gain - SEND_COST], axis=1)
    return profit, campaign_limits(n, least=0.05)


def campaign_limits(n: int, least: float) -> list[Limit]:
    """Budget for e-mails to 60 % of the customers, and each message to at most 10 % of them."""
    limits = [Limit("budget", (0.0, *[SEND_COST] * 6), maximum=0.6 * SEND_COST * n)]
    for k in range(1, N_MESSAGES):
        use = tuple(float(j == k) for j in range(N_MESSAGES))
        limits.append(Limit(f"message {k}", use, round(least * n), round(0.1 * n)))
    return limits


def simulated(n: int) -> NDArray[np.float32]:
    """True expected profits of the simulated retailer whose customers have affinities."""
    truth = simulate_retailer(SimulationConfig(rows=n, seed=1, effects="affinity")).truth
    names = [c.removeprefix("purchase_probability_") for c in truth if c.startswith("purchase_p")]
    profit = np.column_stack(
        [
            0.4 * truth[f"purchase_probability_{m}"] * truth[f"expected_order_value_{m}"]
            for m in names
        ]
    )
    profit[:, 1:] -= SEND_COST / 5
    return profit.astype(np.float32)


def greedy(profit: NDArray[np.float32], limits: list[Limit]) -> float:
    """Total by value-sorted greedy: reserve the minima, then best customers first.

    Customers come in the order of their best message's profit; each gets the most profitable
    message whose maximum and whose part of the budget are not used up, and message 0 otherwise.
    Afterwards minima are filled by the customers who lose least.
    """
    n = len(profit)
    left = np.array([np.inf, *[limit.maximum for limit in limits[1:]]])
    emails = int(limits[0].maximum / SEND_COST)
    choice = np.zeros(n, dtype=np.int64)
    order = np.argsort(-profit.max(axis=1), kind="stable")
    preference = np.argsort(-profit, axis=1)
    for row in order:
        for k in preference[row]:
            if k == 0 or (left[k] > 0 and emails > 0):
                choice[row] = k
                left[k] -= 1
                emails -= k != 0
                break
    for k, limit in enumerate(limits[1:], start=1):
        missing = int(limit.minimum - (choice == k).sum())
        if missing > 0:
            spare = (
                np.flatnonzero(choice == 0) if emails >= missing else np.flatnonzero(choice != k)
            )
            loss = profit[spare, choice[spare]] - profit[spare, k]
            choice[spare[np.argsort(loss)[:missing]]] = k
    return float(profit[np.arange(n), choice].sum(dtype=np.float64))


def highs(profit: NDArray[np.float32], limits: list[Limit]) -> float:
    """Optimum of the linear program by HiGHS's interior-point method."""
    n = len(profit)
    cells = np.arange(n * N_MESSAGES)
    use = np.stack([np.tile(limit.use, n) for limit in limits])
    low = np.array([limit.minimum for limit in limits])
    found = linprog(
        -profit.ravel().astype(float),
        A_ub=csr_array(np.vstack([use, -use[np.isfinite(low)]])),
        b_ub=np.concatenate([[limit.maximum for limit in limits], -low[np.isfinite(low)]]),
        A_eq=csr_array((np.ones(len(cells)), (cells // N_MESSAGES, cells)), (n, len(cells))),
        b_eq=np.ones(n),
        method="highs-ipm",
    )
    return -float(found.fun)


def peak_mib() -> float:
    """Peak memory of the process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=5_000_000)
    parser.add_argument("--highs-customers", type=int, default=200_000)
    arguments = parser.parse_args()
    profit, limits = campaign(arguments.customers)
    before = peak_mib()
    started = time.perf_counter()
    found = allocate(profit, limits)
    results: dict[str, Any] = {
        "customers": arguments.customers,
        "seconds": time.perf_counter() - started,
        "peak_mib_beyond_input": peak_mib() - before,
        "relative_gap": found.gap,
        "profit_a_customer": found.profit / len(profit),
        "free_profit_a_customer": found.free_profit / len(profit),
        "prices": {limit.name: price for limit, price in zip(limits, found.prices, strict=True)},
    }
    profit, limits = campaign(arguments.highs_customers)
    started = time.perf_counter()
    ours = allocate(profit, limits)
    results["small_customers"] = arguments.highs_customers
    results["small_seconds"] = time.perf_counter() - started
    results["over_greedy_percent"] = 100 * (ours.profit / greedy(profit, limits) - 1)
    case, mild = simulated(50_000), campaign_limits(50_000, least=0.03)
    results["over_greedy_percent_simulated"] = 100 * (
        allocate(case, mild).profit / greedy(case, mild) - 1
    )
    started = time.perf_counter()
    results["from_highs"] = ours.profit / highs(profit, limits) - 1
    results["highs_seconds"] = time.perf_counter() - started
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
