"""What ships, in truth: the whole recipe on simulated retailers whose truth is known.

For every kind of retailer hyper-parameters are tuned once and then fixed; every seed is another
draw of customers, assignments and outcomes. Each campaign goes through the same functions as
``kedro run``: contract, features, training, fusion, decision, judgement on test rows. Beside it
stands the published practice: one XGBoost with the message as a feature, argmax of predicted
profit. Results are appended to a file as they come, and campaigns already in it are skipped.

    python benchmarks/campaigns.py --kinds none published affinity segments fatigue --seeds 5
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.contract.process import process_customer_file
from pentathlon.decision.policies import constant_name, personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.evaluation import AIPW, covered, paired_gain, true_value
from pentathlon.features import DesignBuilder, build_features
from pentathlon.judgement.judged import Judged, judge_test_rows
from pentathlon.judgement.truth import compare_with_truth, true_profit_of
from pentathlon.models.tuning import StudyStore
from pentathlon.pipelines.data_processing.params import DataProcessingParams
from pentathlon.pipelines.decision.params import DecisionParams
from pentathlon.pipelines.fusion.params import FusionParams
from pentathlon.pipelines.order_value.params import OrderValueParams
from pentathlon.pipelines.training.params import RandomnessParams, TrainingParams
from pentathlon.recipe import Observed, RecipeSettings, fit_recipe, make_fitter, tune_model
from pentathlon.simulation import SimulationConfig, simulate_retailer

PROJECT = Path(__file__).resolve().parents[1]
TUNING_SEED = 1_000
"""Seed of the draw that hyper-parameters are tuned on; no campaign uses it."""


def parameters() -> dict[str, Any]:
    """Parameters of the base environment."""
    merged: dict[str, Any] = {}
    for path in sorted((PROJECT / "conf" / "base").glob("parameters*.yml")):
        merged |= yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    return merged


def prepare(kind: str, seed: int, rows: int, config: dict[str, Any]) -> tuple[Any, ...]:
    """Simulate a retailer and bring its file to the contract."""
    retailer = simulate_retailer(SimulationConfig(rows=rows, seed=seed, effects=kind))
    messages = MessageSet(config["messages"])
    columns = FeatureColumns.model_validate(config["features"])
    contract = DataProcessingParams.model_validate(config["data_processing"])
    processed = process_customer_file(retailer.file, messages, columns, contract)
    customers = processed.observations[["customer_id"]].merge(processed.customers)
    return processed.observations, build_features(customers, columns), retailer.truth


def tuned_settings(
    kind: str, rows: int, config: dict[str, Any], folder: Path
) -> dict[str, dict[str, Any]]:
    """Hyper-parameters of a kind, tuned once and kept."""
    path = folder / f"hyperparameters_{kind}_{rows}.json"
    if path.is_file():
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        return found
    observations, features, _ = prepare(kind, TUNING_SEED, rows, config)
    messages = MessageSet(config["messages"])
    columns = FeatureColumns.model_validate(config["features"])
    train = (observations["split"] == "train").to_numpy()
    builder = DesignBuilder.fit(features[train], columns, messages)
    observed = Observed.training_rows(observations, features, builder, messages)
    randomness = RandomnessParams.model_validate(config["randomness"])
    fixed = {}
    for name, block in config["training"].items():
        settings = TrainingParams.model_validate(block)
        fitter = make_fitter(settings, builder, randomness)
        fixed[name] = tune_model(observed, fitter, settings, StudyStore(None)).parameters
        print(f"{kind}: {name} {fixed[name]}", flush=True)
    path.write_text(json.dumps(fixed, indent=1), encoding="utf-8")
    return fixed


def published_practice(
    observations: pd.DataFrame,
    features: pd.DataFrame,
    judged: Judged,
    settings: TrainingParams,
    builder: DesignBuilder,
    randomness: RandomnessParams,
) -> np.ndarray:
    """Argmax of predicted profit by one XGBoost and a mean order value per message.

    The message is a feature like any other: no match features, no calibration, no gate.
    """
    messages = judged.messages
    blind = DesignBuilder.from_dict(builder.to_dict() | {"departments": [None] * len(messages)})
    train = Observed.training_rows(observations, features, blind, messages)
    fitter = make_fitter(settings, blind, randomness)
    model = fitter.fit(train.rows, settings.fixed or {})
    test = (observations["split"] == "test").to_numpy()
    probability = model.predict(blind.transform(features[test]))
    orders = train.orders()
    means = [orders.value[orders.message == k].mean() for k in range(len(messages))]
    return expected_profit(
        probability, np.broadcast_to(np.float32(means), probability.shape), messages
    )


def campaign(
    kind: str, seed: int, rows: int, config: dict[str, Any], fixed: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Run one campaign and hold it against the truth."""
    started = time.perf_counter()
    observations, features, truth = prepare(kind, seed, rows, config)
    messages = MessageSet(config["messages"])
    columns = FeatureColumns.model_validate(config["features"])
    training = {
        name: TrainingParams.model_validate(block | {"fixed": fixed[name]})
        for name, block in config["training"].items()
    }
    randomness = RandomnessParams.model_validate(config["randomness"])
    settings = RecipeSettings(
        training=training,
        order_value=OrderValueParams.model_validate(config["order_value"]),
        fusion=FusionParams.model_validate(config["fusion"]),
        decision=DecisionParams.model_validate(config["decision"]),
        randomness=randomness,
    )
    train = (observations["split"] == "train").to_numpy()
    recipe = fit_recipe(observations[train], features[train], columns, messages, settings)
    judged = judge_test_rows(recipe.engine, observations, features)
    summary, policies = compare_with_truth(judged, truth, 0.95)
    gate = recipe.choice.gate
    outcomes = judged.outcomes()
    truth_profit = true_profit_of(judged, truth)
    chosen = judged.decision
    fallback = np.full(len(judged), gate.best_constant)
    gain = paired_gain(chosen, fallback, outcomes, judged.profit)
    true_gain = true_value(chosen, truth_profit).value - true_value(fallback, truth_profit).value
    practice = published_practice(
        observations, features, judged, training["xgboost"], recipe.engine.builder, randomness
    )
    theirs = true_value(personalised(practice), truth_profit)
    claimed = float(practice.max(axis=1).mean())
    promised_constant = float(practice.mean(axis=0).max())
    best = summary["true_best_constant_value"]
    alone = true_value(personalised(judged.profit), truth_profit)
    by_policy = policies.set_index("policy")
    return {
        "kind": kind,
        "seed": seed,
        "rows": rows,
        "ships": recipe.engine.policy,
        "chosen_constant": messages.names[gate.best_constant],
        "true_best_constant": summary["true_best_constant"],
        "gate_gain": gate.gain.value,
        "gate_standard_error": gate.gain.standard_error,
        "contrasts_real": recipe.choice.contrasts_real,
        "contrast_slope": recipe.choice.shrinkage.slope,
        "contrast_raw_slope": recipe.choice.shrinkage.raw_slope,
        "fusion": recipe.fusion.model.method,
        "weights": dict(zip(recipe.fusion.model.models, recipe.fusion.model.weights, strict=True)),
        "true_value": summary["true_value"],
        "gain_percent": 100 * (summary["true_value"] / best - 1),
        "gain_over_chosen_constant_percent": 100
        * true_gain
        / float(by_policy.loc[constant_name(messages.names[gate.best_constant]), "truth"]),
        "captured_share": summary["captured_share"],
        "ungated_gain_percent": 100 * (alone.value / best - 1),
        "ungated_captured_share": alone.share_of_attainable,
        "attainable_percent": 100 * summary["attainable_gain"] / best,
        "value_covered": summary["value_covered"],
        "gain_covered": abs(gain.value - true_gain) < 1e-6 or covered(gain, true_gain),
        "supported": float(AIPW().estimate(chosen, outcomes, judged.profit).value),
        "claimed": float(judged.profit[np.arange(len(judged)), chosen].mean()),
        "auc_gap": summary["auc_of_truth"] - summary["auc_of_fusion"],
        **{key: value for key, value in summary.items() if key.startswith("predicted_over")},
        "published_practice_gain_percent": 100 * (theirs.value / best - 1),
        "published_practice_claim_percent": 100 * (claimed / promised_constant - 1),
        "published_practice_captured_share": theirs.share_of_attainable,
        "seconds": time.perf_counter() - started,
    }


def table(results: pd.DataFrame) -> pd.DataFrame:
    """One row per kind of retailer."""
    grouped = results.groupby("kind", sort=False)
    return pd.DataFrame(
        {
            "campaigns": grouped.size(),
            "personalised ships": grouped["ships"].agg(lambda s: int((s == "personalised").sum())),
            "attainable %": grouped["attainable_percent"].mean(),
            "gain %": grouped["gain_percent"].mean(),
            "worst gain %": grouped["gain_percent"].min(),
            "worst over chosen constant %": grouped["gain_over_chosen_constant_percent"].min(),
            "captured": grouped["captured_share"].mean(),
            "value covered": grouped["value_covered"].sum(),
            "gain covered": grouped["gain_covered"].sum(),
            "published practice: gain %": grouped["published_practice_gain_percent"].mean(),
            "published practice: claim %": grouped["published_practice_claim_percent"].mean(),
            "published practice: captured": grouped["published_practice_captured_share"].mean(),
        }
    ).round(2)


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["none", "published", "affinity", "segments", "fatigue"]
    parser.add_argument("--kinds", nargs="+", default=kinds, choices=kinds)
    parser.add_argument("--seeds", type=int, default=5, help="campaigns per kind")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "benchmarks")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    path = arguments.folder / "campaigns.jsonl"
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    finished = {(r["kind"], r["seed"], r["rows"]) for r in done}
    config = parameters()
    for kind in arguments.kinds:
        fixed = tuned_settings(kind, arguments.rows, config, arguments.folder)
        for seed in range(1, arguments.seeds + 1):
            if (kind, seed, arguments.rows) in finished:
                continue
            result = campaign(kind, seed, arguments.rows, config, fixed)
            done.append(result)
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(result) + "\n")
            print(json.dumps(result), flush=True)
    results = pd.DataFrame(done)
    results = results[(results["rows"] == arguments.rows) & results["kind"].isin(arguments.kinds)]
    print(table(results).T.to_string())
    print(
        f"\ncoverage of 95 % intervals: value {results['value_covered'].sum()}/{len(results)}, "
        f"gain {results['gain_covered'].sum()}/{len(results)}; AUC gap to the truth "
        f"{results['auc_gap'].max():.4f} at most"
    )


if __name__ == "__main__":
    main()
