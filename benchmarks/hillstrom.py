"""Hillstrom's e-mail experiment: what ships, judged by customers who played no part in it.

Every seed draws other folds and seeds the models anew. For each fold the whole recipe is refitted
without it, tuning and gate included, and decides for the fold's customers, as `kedro run --env
hillstrom` does. Fits are kept in a folder and used again while code and parameters that they
depend on are the same.

    python benchmarks/hillstrom.py --file hillstrom.csv.gz --seeds 6
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pandas as pd

from kept_fits import PROJECT, RESULTS, fingerprint, keep_fit, parameters, recipe_settings
from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.contract.process import process_customer_file
from pentathlon.datasets import CustomerFileDataset
from pentathlon.decision import DecisionEngine, PolicyChoice
from pentathlon.decision.policies import constant_name, personalised
from pentathlon.evaluation import AIPW, paired_gain
from pentathlon.features import build_features
from pentathlon.judgement import Judged, judge_cross_fitted
from pentathlon.pipelines.data_processing.params import DataProcessingParams
from pentathlon.recipe import decide_policy


def prepare_seed(
    file: pd.DataFrame, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, FeatureColumns, MessageSet]:
    """Bring the file to the contract: observations and features, with the folds of a seed."""
    config = seeded(seed)
    messages = MessageSet(config["messages"])
    columns = FeatureColumns.model_validate(config["features"])
    contract = DataProcessingParams.model_validate(config["data_processing"])
    processed = process_customer_file(file, messages, columns, contract)
    customers = processed.observations[["customer_id"]].merge(processed.customers)
    return processed.observations, build_features(customers, columns), columns, messages


def seeded(seed: int) -> dict[str, Any]:
    """Parameters with every seed replaced."""
    config = parameters("hillstrom")
    config["data_processing"]["seed"] = config["randomness"]["seed"] = seed
    return config


def judge_seed(
    file: pd.DataFrame, seed: int, folder: Path
) -> tuple[Judged, dict[int, PolicyChoice]]:
    """Refit without each fold and judge that fold's customers, for one seed."""
    config = seeded(seed)
    settings, mark = recipe_settings(config), fingerprint(config)
    observations, features, columns, messages = prepare_seed(file, seed)
    choices: dict[int, PolicyChoice] = {}

    def refit(inside: pd.DataFrame, model_input: pd.DataFrame) -> DecisionEngine:
        fold = len(choices)
        home = folder / "fits" / f"hillstrom_{seed}_{fold}"
        fit = keep_fit(home, mark, inside, model_input, columns, messages, settings)
        choice = decide_policy(
            fit.train,
            fit.fused,
            fit.order_values,
            messages,
            settings.decision,
            by_model=fit.by_model,
            features=fit.features,
        )
        choices[fold] = choice
        return fit.engine.shipping(choice)

    return judge_cross_fitted(observations, features, refit), choices


def row(seed: int, judged: Judged, choices: dict[int, PolicyChoice]) -> dict[str, Any]:
    """What one seed found."""
    outcomes, profit = judged.outcomes(), judged.profit
    shipped = AIPW().estimate(judged.decision, outcomes, profit)
    constants = {
        constant_name(name): AIPW().estimate(k, outcomes, profit)
        for k, name in enumerate(judged.messages)
    }
    best = max(constants, key=lambda name: constants[name].value)
    ungated = AIPW().estimate(personalised(profit), outcomes, profit)
    gain = paired_gain(judged.decision, list(constants).index(best), outcomes, profit)
    lower, upper = shipped.interval(0.95)
    return {
        "seed": seed,
        "supported": shipped.value,
        "lower": lower,
        "upper": upper,
        "best_constant": best,
        "best_constant_value": constants[best].value,
        "gain": gain.value,
        "gain_standard_error": gain.standard_error,
        "ungated": ungated.value,
        "refits": [
            {
                "ships": choice.policy,
                "gate_z": choice.gain.value / max(choice.gain.standard_error, 1e-12),
                "z_by_outcomes": choice.gate.gain.value
                / max(choice.gate.gain.standard_error, 1e-12),
                "slopes": choice.shrinkage.slopes,
                "raw_slope": choice.shrinkage.raw_slope,
                "raw_slope_standard_error": choice.shrinkage.standard_error,
            }
            for choice in choices.values()
        ],
    }


def main() -> None:
    """Judge every seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="the experiment's CSV file")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "benchmarks")
    arguments = parser.parse_args()
    file = CustomerFileDataset(filepath=str(arguments.file)).load()
    rows = []
    for seed in range(1, arguments.seeds + 1):
        rows.append(row(seed, *judge_seed(file, seed, arguments.folder)))
        print(json.dumps(rows[-1]), flush=True)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "hillstrom.json").write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    table = pd.DataFrame(rows).drop(columns="refits").round(4)
    print(table.to_string(index=False))
    print(f"mean supported profit {table['supported'].mean():.4f} a customer")


if __name__ == "__main__":
    main()
