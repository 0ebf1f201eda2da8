"""Whether 95 % intervals cover in 95 % of campaigns: hundreds of draws of a fast recipe.

Every draw is another retailer of the same kind, its customers, assignments and outcomes; one
logistic regression with fixed hyper-parameters, its order values, decision and judgement on test
rows, by the functions that `kedro run` goes through. The truth is known, so each draw says whether
the interval held it, of

- the supported profit of what ships,
- the supported profit of the personalised policy, shipped or not,
- the paired gain of the personalised policy over the single message that the evidence picked.

The last two are there because what ships is often that single message, whose gain over itself is 0
in every estimate; where personal differences were shrunk away altogether, the personalised policy
is that message too and its gain is not counted. Draws that are in the results already are not drawn
again.

    python benchmarks/intervals.py --kinds segments published --draws 200
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from campaigns import prepare
from kept_fits import RESULTS, parameters, recipe_settings
from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.decision.policies import personalised
from pentathlon.evaluation import AIPW, covered, paired_gain, true_value
from pentathlon.judgement.judged import judge_test_rows
from pentathlon.judgement.truth import true_profit_of
from pentathlon.recipe import fit_recipe
from readme_figures import coverage

FIRST_SEED = 5_000
"""Away from the seeds of the campaigns."""
LOGISTIC = {"C": 0.3, "match_scale": 1.0, "interaction_scale": 0.05, "cross_scale": 0.05}


def fast(config: dict[str, Any]) -> dict[str, Any]:
    """Parameters with one model, nothing tuned and no tree."""
    training = config["training"]["logistic_regression"] | {"fixed": LOGISTIC}
    gamma = {"gamma": config["order_value"]["candidates"]["gamma"]}
    return config | {
        "training": {"logistic_regression": training},
        "randomness": config["randomness"] | {"threads": 1},
        "order_value": config["order_value"] | {"candidates": gamma, "n_trials": 1},
        "fusion": config["fusion"] | {"methods": ["equal"]},
        "decision": config["decision"] | {"policy_tree": None},
        "data_processing": config["data_processing"] | {"n_folds": 3},
    }


def draw(kind: str, seed: int, rows: int, config: dict[str, Any]) -> dict[str, Any]:
    """One campaign, its intervals held against the truth."""
    observations, features, truth = prepare(kind, seed, rows, config)
    messages = MessageSet(config["messages"])
    columns = FeatureColumns.model_validate(config["features"])
    train = (observations["split"] == "train").to_numpy()
    settings = recipe_settings(config)
    fitted = fit_recipe(observations[train], features[train], columns, messages, settings)
    judged = judge_test_rows(fitted.engine, observations, features)
    outcomes, profit = judged.outcomes(), true_profit_of(judged, truth)
    personal = personalised(judged.profit)
    single = np.full(len(judged), fitted.choice.gate.best_constant)
    estimates = {
        "shipped_value": AIPW().estimate(judged.decision, outcomes, judged.profit),
        "personal_value": AIPW().estimate(personal, outcomes, judged.profit),
        "personal_gain": paired_gain(personal, single, outcomes, judged.profit),
    }
    values = {
        name: true_value(policy, profit).value
        for name, policy in (
            ("shipped_value", judged.decision),
            ("personal_value", personal),
            ("single", single),
        )
    }
    truths = values | {"personal_gain": values["personal_value"] - values["single"]}
    result: dict[str, Any] = {
        "kind": kind,
        "seed": seed,
        "rows": rows,
        "ships": fitted.engine.policy,
    }
    for name, estimate in estimates.items():
        # Personal differences that were shrunk away leave the single message: nothing to cover.
        told = estimate.standard_error > 0
        error = (estimate.value - truths[name]) / estimate.standard_error if told else None
        result[f"{name}_covered"] = covered(estimate, truths[name]) if told else None
        result[f"{name}_z"] = error
    return result


def main() -> None:
    """Draw what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=["segments", "published"])
    parser.add_argument("--draws", type=int, default=200, help="of each kind")
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--results", type=Path, default=RESULTS / "intervals.json")
    arguments = parser.parse_args()
    config = fast(parameters())
    path = arguments.results
    results = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    known = {(r["kind"], r["seed"], r["rows"]) for r in results}
    for seed in range(FIRST_SEED, FIRST_SEED + arguments.draws):
        for kind in arguments.kinds:
            if (kind, seed, arguments.rows) in known:
                continue
            results.append(draw(kind, seed, arguments.rows, config))
            path.write_text(json.dumps(results, indent=0) + "\n", encoding="utf-8")
    print(coverage(pd.DataFrame(results)).to_string(index=False))


if __name__ == "__main__":
    main()
