"""Valuing a policy on millions of logged e-mails: seconds of each estimate with its interval.

python benchmarks/valuation.py --rows 5000000
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np

from kept_fits import RESULTS
from pentathlon.evaluation import AIPW, IPS, SNIPS, Estimate, LoggedOutcomes, paired_gain

MESSAGES = 7


def logged(rows: int, seed: int) -> tuple[LoggedOutcomes, np.ndarray, np.ndarray]:
    """A log with rare, skewed orders, what was predicted for it, and a policy."""
    rng = np.random.default_rng(seed)
    message = rng.integers(0, MESSAGES, rows)
    level = np.exp(rng.normal(-4.0, 0.8, rows)).astype(np.float32)
    predicted = level[:, None] * rng.uniform(15, 25, (rows, MESSAGES)).astype(np.float32)
    buys = rng.random(rows) < level
    profit = np.where(buys, rng.gamma(2.0, 10.0, rows), 0.0)
    outcomes = LoggedOutcomes(
        message=message, propensity=np.full(rows, 1 / MESSAGES), profit=profit
    )
    return outcomes, predicted, predicted.argmax(axis=1)


def timed(what: Callable[[], Estimate]) -> dict[str, float]:
    """Value, interval and seconds of an estimate."""
    started = time.perf_counter()
    found = what()
    lower, upper = found.interval(0.95)
    return {
        "value": found.value,
        "lower": lower,
        "upper": upper,
        "seconds": time.perf_counter() - started,
    }


def main() -> None:
    """Time every estimator and a paired gain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=5_000_000)
    arguments = parser.parse_args()
    outcomes, predicted, policy = logged(arguments.rows, 1)
    found = {
        "ips": timed(lambda: IPS().estimate(policy, outcomes, predicted)),
        "snips": timed(lambda: SNIPS().estimate(policy, outcomes, predicted)),
        "aipw": timed(lambda: AIPW().estimate(policy, outcomes, predicted)),
        "paired gain": timed(lambda: paired_gain(policy, 1, outcomes, predicted)),
    }
    result = {"rows": arguments.rows, **found}
    (RESULTS / "valuation.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name, one in found.items():
        print(f"{name:12} {one['seconds']:.2f} s  {one['value']:.4f}")


if __name__ == "__main__":
    main()
