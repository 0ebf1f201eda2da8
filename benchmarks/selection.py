"""What each way to select features drops, how long it takes, and what test rows say of it.

    python benchmarks/selection.py
    python benchmarks/selection.py --models logistic_regression --methods permutation --rows 100000

A simulated retailer of 200,000 customers whose effects are those of the published case, with
columns of pure noise beside its own. Each selection is that of the training template: one for the
final model and one without each fold, with the settings of `conf/base` but for the method.
Hyper-parameters are the model's defaults, with the number of trees that early stopping finds.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kept_fits import RESULTS, parameters
from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.contract.process import process_customer_file
from pentathlon.contract.source import FileContract
from pentathlon.features import DesignBuilder, build_features
from pentathlon.models.selection import ChosenFeatures, FeatureSelectionSettings, choose_features
from pentathlon.models.selection.evidence import Sums, losses_of
from pentathlon.models.settings import RandomnessSettings, TrainingSettings
from pentathlon.models.training import Fitter, cross_validate
from pentathlon.recipe import Observed, make_fitter
from pentathlon.simulation import SimulationConfig, simulate_retailer

METHODS = ("permutation", "l1_path", "drop_column", "recursive")
NOISE_NUMBERS, NOISE_LABELS = 4, 1
STANDARD_ERRORS = (1.0, 2.0)
"""Evidence that is asked for; permutation is cheap enough to show what the second does."""


@dataclass(frozen=True)
class Retailer:
    """Training and test rows, and the columns that are noise."""

    train: Observed
    test: Observed
    builder: DesignBuilder
    noise: list[str]


def make_retailer(rows: int, seed: int) -> Retailer:
    """Simulate, add noise, and build the design as the pipelines do."""
    config = parameters()
    messages = MessageSet(config["messages"])
    simulated = SimulationConfig(rows=rows, seed=seed, effects="published", test_share=0.3)
    file = simulate_retailer(simulated).file.reset_index(drop=True)
    rng = np.random.default_rng(seed)
    numbers = [f"noise_{i + 1}" for i in range(NOISE_NUMBERS)]
    labels = [f"noise_label_{i + 1}" for i in range(NOISE_LABELS)]
    for name in numbers:
        file[name] = rng.normal(size=rows)
    for name in labels:
        file[name] = rng.choice(["red", "green", "blue", "white"], rows)
    declared = config["features"]
    columns = FeatureColumns.model_validate(
        declared
        | {
            "numeric": [*declared["numeric"], *numbers],
            "categorical": [*declared["categorical"], *labels],
        }
    )
    contract = FileContract.model_validate(config["data_processing"])
    processed = process_customer_file(file, messages, columns, contract)
    observations = processed.observations
    features = build_features(
        observations[["customer_id"]].merge(processed.customers, on="customer_id"), columns
    )
    train = (observations["split"] == "train").to_numpy()
    builder = DesignBuilder.fit(features[train], columns, messages)

    def observed(part: Any) -> Observed:
        return Observed.from_tables(observations[part], features[part], builder, messages)

    return Retailer(observed(train), observed(~train), builder, numbers + labels)


def measure(
    retailer: Retailer, fitter: Fitter, fixed: dict[str, Any], settings: FeatureSelectionSettings
) -> dict[str, Any]:
    """Select, and compare the model of fewer features with the one of all on test rows."""
    train, rows = retailer.train, retailer.test.rows
    started, busy = time.perf_counter(), time.process_time()
    chosen = choose_features(fitter, train.rows, train.fold, fixed, settings)
    seconds, cpu = time.perf_counter() - started, time.process_time() - busy
    few = losses_of(chosen.fitter(fitter).fit(train.rows, fixed), rows)
    everything = losses_of(fitter.fit(train.rows, fixed), rows)
    difference = Sums.together([Sums.of(few - everything, rows.sampling_weight)])
    return {
        "model": fitter.model.name,
        "method": settings.method,
        "standard_errors": settings.standard_errors,
        "rows": settings.rows,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "load_average": round(os.getloadavg()[0], 1),
        **summary(chosen, retailer.noise),
        "test_log_loss_change": difference.mean,
        "test_log_loss_change_standard_error": difference.standard_error,
    }


def summary(chosen: ChosenFeatures, noise: list[str]) -> dict[str, Any]:
    """What stays and goes in the final model, and how often in the folds."""
    table = chosen.table
    final = table[table["without_fold"] == -1]
    folds = table[table["without_fold"] != -1]
    stayed = folds.groupby("feature", sort=False)["kept"].sum()
    return {
        "kept": sorted(final.loc[final["kept"], "feature"]),
        "dropped": sorted(final.loc[~final["kept"], "feature"]),
        "noise_kept": int(final["feature"].isin(noise)[final["kept"]].sum()),
        "noise_kept_in_folds": int(stayed[noise].sum()),
        "noise_in_folds": len(noise) * folds["without_fold"].nunique(),
        "kept_in_folds": {str(k): int(v) for k, v in stayed.items()},
        "features": json.loads(
            final[["feature", "importance", "standard_error", "kept", "step", "reason"]].to_json(
                orient="records"
            )
        ),
    }


def asked(methods: list[str], rows: int | None) -> list[FeatureSelectionSettings]:
    """Settings to measure: each method as it is, and permutation with more evidence."""
    given = {} if rows is None else {"rows": rows}
    found = [FeatureSelectionSettings(method=m, **given) for m in methods]  # type: ignore[arg-type]
    if "permutation" in methods:
        found += [
            FeatureSelectionSettings(method="permutation", standard_errors=k, **given)  # type: ignore[arg-type]
            for k in STANDARD_ERRORS[1:]
        ]
    return found


def main() -> None:
    """Measure, and write results as they come."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", default="xgboost")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("--rows", type=int, help="training rows that a selection looks at")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=Path, default=RESULTS / "selection.json")
    args = parser.parse_args()
    retailer = make_retailer(args.customers, args.seed)
    found: list[dict[str, Any]] = []
    for model in args.models.split(","):
        block = parameters()["training"][model]
        settings = TrainingSettings.model_validate(block)
        randomness = RandomnessSettings(seed=args.seed, threads=args.threads)
        fitter = make_fitter(settings, retailer.builder, randomness)
        train = retailer.train
        fixed = cross_validate(fitter, train.rows, train.fold, {}, [0]).fitted_parameters
        for one in asked(args.methods.split(","), args.rows):
            found.append(measure(retailer, fitter, fixed, one))
            result = {
                "customers": args.customers,
                "training_rows": len(train),
                "training_buyers": int(train.rows.response.sum()),
                "test_rows": len(retailer.test),
                "seed": args.seed,
                "threads": args.threads,
                "noise": retailer.noise,
                "selections": found,
            }
            args.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
            shown = {k: v for k, v in found[-1].items() if k not in ("features", "kept_in_folds")}
            print(pd.Series(shown).to_string(), "\n", flush=True)


if __name__ == "__main__":
    main()
