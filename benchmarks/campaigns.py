"""What ships, in truth: the whole recipe on simulated retailers whose truth is known.

For every kind of retailer hyper-parameters are tuned once and then fixed; every seed is another
draw of customers, assignments and outcomes. Each campaign goes through the same functions as
``kedro run``: contract, features, training, fusion, decision, judgement on test rows. Beside it
stands the published practice: one XGBoost with the message as a feature, argmax of predicted
profit. Fits are kept, so that a command that was interrupted goes on where it stopped, and a change
of the decision alone costs seconds. Results of a campaign replace those of the same campaign in
``benchmarks/results/campaigns.json``; the table is of all that are in it.

    python benchmarks/campaigns.py --kinds none published affinity segments fatigue --seeds 20
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kept_fits import (
    PROJECT,
    RESULTS,
    KeptFit,
    fingerprint,
    keep_fit,
    parameters,
    recipe_settings,
)
from pentathlon.contract import FeatureColumns, MessageSet
from pentathlon.contract.process import process_customer_file
from pentathlon.decision import DecisionSettings
from pentathlon.decision.policies import constant_name, personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.evaluation import AIPW, covered, paired_gain, true_value
from pentathlon.features import DesignBuilder, build_features
from pentathlon.judgement.judged import judge_test_rows
from pentathlon.judgement.truth import compare_with_truth, true_profit_of
from pentathlon.models.tuning import StudyStore
from pentathlon.pipelines.data_processing.params import DataProcessingParams
from pentathlon.pipelines.params import RandomnessParams
from pentathlon.pipelines.training.params import TrainingParams
from pentathlon.recipe import (
    Observed,
    RecipeSettings,
    decide_policy,
    make_fitter,
    tune_model,
)
from pentathlon.simulation import SimulationConfig, simulate_retailer

KINDS = ["none", "published", "affinity", "segments", "fatigue"]
TUNING_SEED = 1_000
"""Seed of the draw that hyper-parameters are tuned on; no campaign uses it."""


def prepare(kind: str, seed: int, rows: int, config: dict[str, Any]) -> tuple[Any, ...]:
    """Simulate a retailer and bring its file to the contract.

    Returns
    -------
    observations, features, truth : DataFrame
    """
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
    messages: MessageSet,
    settings: TrainingParams,
    builder: DesignBuilder,
    randomness: RandomnessParams,
) -> NDArray[np.float32]:
    """Argmax of predicted profit by one XGBoost and a mean order value per message.

    The message is a feature like any other: no match features, no calibration, no gate.
    """
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


@dataclass(frozen=True)
class Campaign:
    """One campaign with everything fitted, ready to decide.

    Attributes
    ----------
    observations, features, truth : DataFrame
    fit : KeptFit
        Of the training rows.
    practice : ndarray of float32, shape (n_test, n_messages)
        Expected profit by the published practice.
    """

    observations: pd.DataFrame
    features: pd.DataFrame
    truth: pd.DataFrame
    fit: KeptFit
    practice: NDArray[np.float32]


def fit_campaign(
    kind: str,
    seed: int,
    rows: int,
    config: dict[str, Any],
    settings: RecipeSettings,
    folder: Path,
    mark: str,
) -> Campaign:
    """Fit a campaign, or read what was fitted by the same code with the same parameters."""
    home = folder / "fits" / f"{kind}_{seed}_{rows}"
    tables = [home / f"{name}.parquet" for name in ("observations", "features", "truth")]
    kept_tables = (home / mark).is_file() and all(path.is_file() for path in tables)
    if kept_tables:
        observations, features, truth = (pd.read_parquet(path) for path in tables)
    else:
        observations, features, truth = prepare(kind, seed, rows, config)
    messages = MessageSet(config["messages"])
    columns = FeatureColumns.model_validate(config["features"])
    train = (observations["split"] == "train").to_numpy()
    fit = keep_fit(home, mark, observations[train], features[train], columns, messages, settings)
    kept = home / "practice.npy"
    if not kept.is_file():
        xgboost = settings.training["xgboost"]
        practice = published_practice(
            observations, features, messages, xgboost, fit.engine.builder, settings.randomness
        )
        np.save(kept, practice)
    if not kept_tables:
        for table, path in zip((observations, features, truth), tables, strict=True):
            table.to_parquet(path)
    return Campaign(observations, features, truth, fit, np.load(kept))


def informed_pick(fitted: Campaign) -> float:
    """What the best-informed choice of one message for everyone loses, in per cent.

    It knows the true purchase probability and order value of every customer under every message
    but for one factor per message, and estimates that by maximum likelihood (observed over
    expected orders of the message's training rows). No estimator from these orders is more
    precise; what it loses is the price of having no more orders than that.
    """
    messages = fitted.fit.engine.messages
    ids = fitted.observations.loc[fitted.observations["split"] == "train", "customer_id"]
    truth = fitted.truth.set_index(fitted.truth["custid"].astype(str)).loc[ids.astype(str)]
    probability = truth[[f"purchase_probability_{m}" for m in messages]].to_numpy()
    order_value = truth[[f"expected_order_value_{m}" for m in messages]].to_numpy()
    value = expected_profit(probability, order_value, messages).mean(axis=0, dtype=np.float64)
    sent, response = fitted.fit.train.rows.message, fitted.fit.train.rows.response
    expected = np.bincount(sent, probability[np.arange(len(sent)), sent])
    factor = np.bincount(sent, response) / expected
    picked = int(np.argmax(factor * value))
    return float(100 * (value[picked] / value.max() - 1))


def decide_campaign(
    kind: str, seed: int, rows: int, fitted: Campaign, decision: DecisionSettings
) -> dict[str, Any]:
    """Choose the policy of a fitted campaign and hold it against the truth."""
    messages, truth = fitted.fit.engine.messages, fitted.truth
    choice = decide_policy(
        fitted.fit.train,
        fitted.fit.fused,
        fitted.fit.order_values,
        messages,
        decision,
        by_model=fitted.fit.by_model,
        features=fitted.fit.features,
    )
    engine = fitted.fit.engine.shipping(choice)
    judged = judge_test_rows(engine, fitted.observations, fitted.features)
    summary, policies = compare_with_truth(judged, truth, 0.95)
    gate = choice.gate
    outcomes = judged.outcomes()
    truth_profit = true_profit_of(judged, truth)
    chosen = judged.decision
    fallback = np.full(len(judged), gate.best_constant)
    gain = paired_gain(chosen, fallback, outcomes, judged.profit)
    true_gain = true_value(chosen, truth_profit).value - true_value(fallback, truth_profit).value
    practice = fitted.practice
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
        "ships": engine.policy,
        "chosen_constant": messages.names[gate.best_constant],
        "true_best_constant": summary["true_best_constant"],
        "gate_gain": choice.gain.value,
        "gate_standard_error": choice.gain.standard_error,
        "gain_by_outcomes": gate.gain.value,
        "gain_by_outcomes_standard_error": gate.gain.standard_error,
        "contrasts_real": choice.contrasts_real,
        "tree_gain": choice.tree.gain.value if choice.tree else None,
        "tree_standard_error": choice.tree.gain.standard_error if choice.tree else None,
        "tree": choice.tree.router.rules() if choice.tree else None,
        "contrast_weights": dict(zip(choice.blend.models, choice.blend.weights, strict=True)),
        "contrast_slopes": choice.shrinkage.slopes,
        "contrast_raw_slope": choice.shrinkage.raw_slope,
        "fusion": engine.fusion.method,
        "weights": dict(zip(engine.fusion.models, engine.fusion.weights, strict=True)),
        "true_value": summary["true_value"],
        "gain_percent": 100 * (summary["true_value"] / best - 1),
        "gain_over_chosen_constant_percent": 100
        * true_gain
        / float(by_policy.loc[constant_name(messages.names[gate.best_constant]), "truth"]),
        "captured_share": summary["captured_share"],
        "ungated_gain_percent": 100 * (alone.value / best - 1),
        "ungated_captured_share": alone.share_of_attainable,
        "informed_pick_percent": informed_pick(fitted),
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
            "worst of the best-informed pick %": grouped["informed_pick_percent"].min(),
            "captured": grouped["captured_share"].mean(),
            "value covered": grouped["value_covered"].sum(),
            "gain covered": grouped["gain_covered"].sum(),
            "published practice: gain %": grouped["published_practice_gain_percent"].mean(),
            "published practice: claim %": grouped["published_practice_claim_percent"].mean(),
            "published practice: captured": grouped["published_practice_captured_share"].mean(),
        }
    ).round(2)


def remember(result: dict[str, Any], path: Path) -> None:
    """Put a campaign's result into the file, in place of the same campaign's before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    same = [r for r in known if all(r[k] == result[k] for k in ("kind", "seed", "rows"))]
    results = [r for r in known if r not in same] + [result]
    results.sort(key=lambda r: (KINDS.index(r["kind"]), r["seed"], r["rows"]))
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--seeds", type=int, default=5, help="campaigns per kind")
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "benchmarks")
    parser.add_argument("--results", type=Path, default=RESULTS / "campaigns.json")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    config = parameters()
    for kind in arguments.kinds:
        fixed = tuned_settings(kind, arguments.rows, config, arguments.folder)
        settings, mark = recipe_settings(config, fixed), fingerprint(config, fixed)
        for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
            draw = (kind, seed, arguments.rows)
            fitted = fit_campaign(*draw, config, settings, arguments.folder, mark)
            result = decide_campaign(*draw, fitted, settings.decision)
            print(json.dumps(result), flush=True)
            remember(result, arguments.results)
    results = pd.DataFrame(json.loads(arguments.results.read_text(encoding="utf-8")))
    print(table(results).T.to_string())
    print(
        f"\ncoverage of 95 % intervals: value {results['value_covered'].sum()}/{len(results)}, "
        f"gain {results['gain_covered'].sum()}/{len(results)}; AUC gap to the truth "
        f"{results['auc_gap'].max():.4f} at most"
    )


if __name__ == "__main__":
    main()
