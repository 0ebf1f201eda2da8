"""Learners of causalml and EconML on the same draws, beside what ships.

Every peer sees the same customers, features, assignments and outcomes, and the same order-value
model turns its purchase probabilities into profit; it sends each customer the message of highest
predicted profit. The libraries are not part of the project's environment (both want another build
of XGBoost), so make one for this:

    python3.11 -m venv peers && peers/bin/pip install -r requirements.lock causalml econml
    peers/bin/pip install --no-deps -e .
    peers/bin/python benchmarks/peers.py --kinds affinity segments --seeds 5
    peers/bin/python benchmarks/peers.py --kinds --hillstrom-file hillstrom.csv.gz --seeds 6
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from campaigns import fit_campaign, tuned_settings
from hillstrom import judge_seed, prepare_seed
from kept_fits import PROJECT, RESULTS, fingerprint, parameters, recipe_settings
from pentathlon.datasets import CustomerFileDataset
from pentathlon.decision.policies import personalised
from pentathlon.decision.profit import expected_profit
from pentathlon.evaluation import AIPW, true_value
from pentathlon.features import DesignBuilder
from pentathlon.judgement.judged import judge_test_rows
from pentathlon.judgement.truth import true_profit_of
from pentathlon.recipe import decide_policy

Array = NDArray[np.float64]
FOUND = RESULTS / "peers.json"
Learner = Callable[[Array, NDArray[np.int64], NDArray[np.integer], Array], Array]
"""From features, message and response of training rows and features of others to purchase
probabilities, shape ``(n_others, n_messages)``."""


def booster(**changes: Any) -> Any:
    """XGBoost with settings that suit two per cent of buyers."""
    from xgboost import XGBClassifier

    settings = {"n_estimators": 150, "max_depth": 3, "learning_rate": 0.08, "n_jobs": 2}
    return XGBClassifier(**settings | {"min_child_weight": 20} | changes)


def regressor() -> Any:
    """The same for effects."""
    from xgboost import XGBRegressor

    return XGBRegressor(
        n_estimators=100, max_depth=3, learning_rate=0.05, min_child_weight=200, n_jobs=2
    )


def causalml_learner(make: Callable[[], Any]) -> Learner:
    """A meta-learner of causalml: effects over the first message, added to a model of it."""

    def probabilities(
        X: Array, message: NDArray[np.int64], response: NDArray[np.integer], others: Array
    ) -> Array:
        k = int(message.max()) + 1
        names = np.array([f"m{j}" for j in range(k)])
        learner = make()
        even = {name: np.full(len(X), 0.5) for name in names[1:]}
        learner.fit(X=X, treatment=names[message], y=response, p=even)
        some = {name: np.full(len(others), 0.5) for name in names[1:]}
        effect = np.asarray(learner.predict(X=others, p=some)).reshape(len(others), k - 1)
        first = booster().fit(X[message == 0], response[message == 0])
        base = first.predict_proba(others)[:, 1]
        return np.column_stack([base, base[:, None] + effect])

    return probabilities


def econml_learner(make: Callable[[], Any]) -> Learner:
    """A learner of EconML: effects over the first message, added to a model of it."""

    def probabilities(
        X: Array, message: NDArray[np.int64], response: NDArray[np.integer], others: Array
    ) -> Array:
        k = int(message.max()) + 1
        learner = make()
        learner.fit(response.astype(float), message, X=X)
        effect = np.column_stack([learner.effect(others, T0=0, T1=j) for j in range(1, k)])
        first = booster().fit(X[message == 0], response[message == 0])
        base = first.predict_proba(others)[:, 1]
        return np.column_stack([base, base[:, None] + effect])

    return probabilities


def peers() -> dict[str, Learner]:
    """Every learner by name."""
    from causalml.inference.meta import (
        BaseRClassifier,
        BaseSClassifier,
        BaseTClassifier,
        BaseXClassifier,
    )
    from econml.dr import DRLearner, LinearDRLearner
    from sklearn.dummy import DummyClassifier

    def s_learner() -> Any:
        return BaseSClassifier(learner=booster(), control_name="m0")

    def t_learner() -> Any:
        return BaseTClassifier(learner=booster(), control_name="m0")

    def x_learner() -> Any:
        return BaseXClassifier(
            outcome_learner=booster(), effect_learner=regressor(), control_name="m0"
        )

    def r_learner() -> Any:
        return BaseRClassifier(
            outcome_learner=booster(), effect_learner=regressor(), control_name="m0", n_fold=3
        )

    def linear_dr() -> Any:
        return LinearDRLearner(
            model_propensity=DummyClassifier(),
            model_regression=booster(),
            discrete_outcome=True,
            cv=3,
            random_state=1,
        )

    def dr() -> Any:
        return DRLearner(
            model_propensity=DummyClassifier(),
            model_regression=booster(),
            model_final=regressor(),
            discrete_outcome=True,
            cv=3,
            random_state=1,
        )

    return {
        "causalml S": causalml_learner(s_learner),
        "causalml T": causalml_learner(t_learner),
        "causalml X": causalml_learner(x_learner),
        "causalml R": causalml_learner(r_learner),
        "EconML LinearDR": econml_learner(linear_dr),
        "EconML DR": econml_learner(dr),
    }


def features_of(builder: DesignBuilder, features: pd.DataFrame) -> Array:
    """What all models know about a customer, without the message."""
    return builder.transform(features).base.astype(np.float64)


def simulated(kind: str, seed: int, rows: int, folder: Path) -> list[dict[str, Any]]:
    """Every peer and what ships on one simulated campaign, by the truth."""
    config = parameters()
    fixed = tuned_settings(kind, rows, config, folder)
    settings, mark = recipe_settings(config, fixed), fingerprint(config, fixed)
    campaign = fit_campaign(kind, seed, rows, config, settings, folder, mark)
    fit, messages = campaign.fit, campaign.fit.engine.messages
    choice = decide_policy(
        fit.train,
        fit.fused,
        fit.order_values,
        messages,
        settings.decision,
        by_model=fit.by_model,
        features=fit.features,
    )
    engine = fit.engine.shipping(choice)
    judged = judge_test_rows(engine, campaign.observations, campaign.features)
    truth = true_profit_of(judged, campaign.truth)

    def record(name: str, decision: NDArray[np.int64], seconds: float) -> dict[str, Any]:
        value = true_value(decision, truth)
        return {
            "kind": kind,
            "seed": seed,
            "learner": name,
            "captured": value.share_of_attainable,
            "value": value.value,
            "seconds": seconds,
        }

    split = campaign.observations["split"] == "train"
    X = features_of(engine.builder, campaign.features[split])
    others = features_of(engine.builder, campaign.features[~split])
    seen = fit.train.rows
    found = [record("Pentathlon, what ships", judged.decision, 0.0)]
    found.append(record("Pentathlon, without the gate", personalised(judged.profit), 0.0))
    for name, learner in peers().items():
        started = time.perf_counter()
        probability = learner(X, seen.message, seen.response, others)
        profit = expected_profit(
            probability.clip(1e-6, 1).astype(np.float32), judged.order_values, messages
        )
        found.append(record(name, personalised(profit), time.perf_counter() - started))
        print(json.dumps(found[-1]), flush=True)
    return found


def hillstrom(file: pd.DataFrame, seed: int, folder: Path) -> list[dict[str, Any]]:
    """Every peer and what ships on Hillstrom's customers, cross-fitted, by the same estimator."""
    judged, _ = judge_seed(file, seed, folder)
    observations, features, columns, messages = prepare_seed(file, seed)
    outcomes = judged.outcomes()
    fold = observations["fold"].to_numpy()
    message = messages.codes(observations["message"].to_numpy())
    response = observations["response"].to_numpy()

    def record(name: str, decision: NDArray[np.int64]) -> dict[str, Any]:
        value = AIPW().estimate(decision, outcomes, judged.profit)
        return {
            "kind": "hillstrom",
            "seed": seed,
            "learner": name,
            "value": value.value,
            "standard_error": value.standard_error,
        }

    found = [record("Pentathlon, what ships", judged.decision)]
    found.append(record("Pentathlon, without the gate", personalised(judged.profit)))
    for name, learner in peers().items():
        decision = np.empty(len(fold), dtype=np.int64)
        for held_out in np.unique(fold):
            inside, outside = fold != held_out, fold == held_out
            builder = DesignBuilder.fit(features[inside], columns, messages)
            probability = learner(
                features_of(builder, features[inside]),
                message[inside],
                response[inside],
                features_of(builder, features[outside]),
            )
            profit = expected_profit(
                probability.clip(1e-6, 1).astype(np.float32), judged.order_values[outside], messages
            )
            decision[outside] = personalised(profit)
        found.append(record(name, decision))
        print(json.dumps(found[-1]), flush=True)
    return found


def keep(found: list[dict[str, Any]]) -> None:
    """Put what was found in the place of what was known of the same draw."""
    known = json.loads(FOUND.read_text(encoding="utf-8")) if FOUND.is_file() else []
    drawn = {(one["kind"], one["seed"]) for one in found}
    known = [one for one in known if (one["kind"], one["seed"]) not in drawn] + found
    known.sort(key=lambda one: (one["kind"], one["seed"]))
    FOUND.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Run what is asked for and print the mean by learner."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = ["affinity", "segments", "fatigue", "published", "none"]
    parser.add_argument("--kinds", nargs="*", default=["affinity", "segments"], choices=kinds)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--hillstrom-file", type=Path)
    parser.add_argument("--folder", type=Path, default=PROJECT / "data" / "benchmarks")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
        for kind in arguments.kinds:
            keep(simulated(kind, seed, arguments.rows, arguments.folder))
        if arguments.hillstrom_file is not None:
            file = CustomerFileDataset(filepath=str(arguments.hillstrom_file)).load()
            keep(hillstrom(file, seed, arguments.folder))
    table = pd.DataFrame(json.loads(FOUND.read_text(encoding="utf-8")))
    numbers = [c for c in ("captured", "value", "seconds") if c in table]
    print(table.groupby(["kind", "learner"], sort=False)[numbers].mean().round(4).to_string())


if __name__ == "__main__":
    main()
