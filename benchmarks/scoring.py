"""Millions of customers scored and decided, Parquet to Parquet: time, memory, and what it beats.

Four models of tuned size (a forest of 300 trees, XGBoost with 300 trees of depth 6, a network, an
interaction logit), order values, fusion, shrinkage and decisions, for seven messages. Beside it
stand the best straightforward version (each library's vectorised predict, per message and model)
and a loop over customers, both on fewer customers and counted per customer.

    python benchmarks/scoring.py
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "scoring.json"
CACHE = Path(tempfile.gettempdir()) / "pentathlon-scoring-benchmark"
THREADS = 2
PARTITION_ROWS = 250_000
TUNED: dict[str, tuple[float, dict[str, Any]]] = {
    "logistic_regression": (10, {}),
    "random_forest": (4, {"n_estimators": 300, "max_depth": 12, "min_samples_leaf": 30}),
    "xgboost": (10, {"n_estimators": 300, "max_depth": 6}),
    "neural_network": (10, {"units": 64, "layers": 2, "epochs": 4}),
}
"""Non-buyers per buyer and hyper-parameters of each model."""


def fit_engine(folder: Path, messages: Any, columns: Any) -> None:
    """Fit an engine of tuned size on 150,000 simulated customers, and save it."""
    from pentathlon.decision import ContrastShrinkage, DecisionEngine
    from pentathlon.features import DesignBuilder, build_features
    from pentathlon.fusion import FusionModel
    from pentathlon.models import TrainingRows, model_class
    from pentathlon.models.order_value import BoostedLevel, Orders, OrderValueModel
    from pentathlon.models.sampling import case_control_sample
    from pentathlon.simulation import SimulationConfig, simulate_retailer

    file = simulate_retailer(SimulationConfig(rows=200_000, seed=1)).file
    features = build_features(file.rename(columns={"custid": "customer_id"}), columns)
    builder = DesignBuilder.fit(features, columns, messages)
    rows = TrainingRows(
        builder.transform(features),
        messages.codes(file["message"].astype(str).to_numpy()),
        (file["buyer"] == "yes").to_numpy(dtype=np.int8),
        np.ones(len(file)),
    )
    train, held_out = rows.take(np.arange(150_000)), rows.take(np.arange(150_000, 200_000))
    models = {}
    for name, (ratio, parameters) in TUNED.items():
        sample = case_control_sample(train.response, train.sampling_weight, ratio, 1)
        models[name] = model_class(name).fit(
            train.take(sample.rows),
            builder,
            parameters,
            logit_offset=sample.logit_offset,
            seed=1,
            threads=THREADS,
        )
    logged = {name: model.predict_logged(held_out) for name, model in models.items()}
    fusion = FusionModel.fit("stacking", logged, held_out.response, held_out.sampling_weight)
    shrinkage = ContrastShrinkage.fit(
        fusion.predict({n: m.predict(held_out.design) for n, m in models.items()}),
        held_out.message,
        held_out.response,
        held_out.sampling_weight,
        messages.control,
    )
    buyers = np.flatnonzero(rows.response)
    value = file["total_os"].to_numpy(dtype=np.float64)[buyers]
    orders = Orders(rows.design.take(buyers), rows.message[buyers], value, np.ones(len(buyers)))
    level = BoostedLevel.fit(orders, builder, {}, seed=1, threads=THREADS)
    engine = DecisionEngine(
        messages=messages,
        columns=columns,
        builder=builder,
        models=models,
        fusion=fusion,
        order_value=OrderValueModel(level, np.ones(len(messages))),
        shrinkage=shrinkage,
        policy="personalised",
    )
    folder.mkdir(parents=True)
    engine.save(folder)


def make_customers(folder: Path, n: int, partition_rows: int = PARTITION_ROWS) -> None:
    """Simulated customers in partitions; a part of them is kept and used by larger files too."""
    from pentathlon.simulation import SimulationConfig, simulate_retailer

    done = folder / "done"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for i, start in enumerate(range(0, n, partition_rows)):
        rows = min(partition_rows, n - start)
        file = simulate_retailer(SimulationConfig(rows=rows, seed=100 + i)).file
        file = file.rename(columns={"custid": "customer_id"})
        file = file.drop(columns=["buyer", "total_os", "message", "training"])
        file["customer_id"] = [f"{i:04d}-{c}" for c in file["customer_id"]]
        file.to_parquet(folder / f"part-{i:04d}.parquet", index=False)
    done.touch()


def load(folder: Path) -> Any:
    """The engine as it was saved."""
    from pentathlon.decision import DecisionEngine

    return DecisionEngine.load(folder)


def score(engine_folder: Path, customers: Path, out: Path) -> dict[str, Any]:
    """Score a folder in this process; seconds, processor seconds and peak memory."""
    import psutil

    from pentathlon.decision.settings import FREE
    from pentathlon.scoring import BatchDecider, Reference, ScoringJob

    engine = load(engine_folder)
    edges = Reference.of(
        engine.compiled(THREADS),
        pd.read_parquet(next(customers.glob("*.parquet"))).head(20_000),
        20_000,
        1,
    ).edges
    decider = BatchDecider(engine.compiled(), FREE, campaign="benchmark", edges=edges)
    before, started = sum(psutil.Process().cpu_times()[:2]), time.perf_counter()
    ScoringJob(customers, decider, threads=THREADS).write_to(out)
    seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "processor_seconds": sum(psutil.Process().cpu_times()[:2]) - before,
        "peak_mib": peak_mib(),
    }


def peak_mib() -> float:
    """Peak resident memory of the process."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def by_library(engine: Any, customers: pd.DataFrame) -> tuple[float, float]:
    """Seconds and processor seconds of each library's own predict, per message and model."""
    for model in engine.models.values():
        if hasattr(model, "estimator"):
            model.estimator.n_jobs = THREADS
    started, before = time.perf_counter(), time.process_time()
    engine.decide(customers)
    return time.perf_counter() - started, time.process_time() - before


def by_customer(engine: Any, customers: pd.DataFrame) -> tuple[float, float]:
    """Seconds of a loop that decides customer after customer."""
    for model in engine.models.values():
        if hasattr(model, "estimator"):
            model.estimator.n_jobs = 1
    started, before = time.perf_counter(), time.process_time()
    for i in range(len(customers)):
        engine.decide(customers.iloc[[i]])
    return time.perf_counter() - started, time.process_time() - before


def compiled_beside_library(engine_folder: Path, customers: Path, n: int) -> dict[str, Any]:
    """The three ways on the same machine, in turns, so that they share what else it does."""
    engine = load(engine_folder)
    table = pd.read_parquet(sorted(customers.glob("*.parquet"))[0]).head(n)
    fast = engine.compiled(THREADS)
    fast.decide(table.head(1_000))
    wall: dict[str, list[float]] = {"compiled": [], "library": []}
    spent: dict[str, list[float]] = {"compiled": [], "library": []}
    for _ in range(3):
        for name, run in (
            ("compiled", lambda: by_library(fast, table)),
            ("library", lambda: by_library(engine, table)),
        ):
            seconds, processor = run()
            wall[name].append(seconds / n)
            spent[name].append(processor / n)
    some = table.head(40)
    loop, loop_spent = by_customer(engine, some)
    return {
        "customers": n,
        "microseconds_a_customer": {k: 1e6 * min(v) for k, v in wall.items()}
        | {"loop": 1e6 * loop / len(some)},
        "processor_microseconds_a_customer": {k: 1e6 * min(v) for k, v in spent.items()}
        | {"loop": 1e6 * loop_spent / len(some)},
    }


def stages(engine_folder: Path, customers: Path, n: int) -> dict[str, float]:
    """Processor microseconds a customer of each step, on one thread."""
    import pyarrow.parquet as pq

    from pentathlon.decision.decisions import decisions_table
    from pentathlon.decision.plan import make_plan
    from pentathlon.decision.rules import screen_customers
    from pentathlon.decision.settings import FREE
    from pentathlon.features import build_features
    from pentathlon.scoring.cleaning import clean_batch
    from pentathlon.scoring.parts import as_batch

    engine = load(engine_folder).compiled()
    found: dict[str, float] = {}

    def timed(name: str, work: Any) -> Any:
        work()
        best = np.inf
        for _ in range(3):
            before = time.process_time()
            result = work()
            best = min(best, time.process_time() - before)
        found[name] = 1e6 * best / n
        return result

    path = sorted(customers.glob("*.parquet"))[0]
    batch = timed("read", lambda: next(pq.ParquetFile(path).iter_batches(n, use_threads=False)))
    clean = timed("check", lambda: clean_batch(batch, engine.columns)).customers
    features = timed("features", lambda: build_features(clean, engine.columns))
    design = timed("design", lambda: engine.builder.transform(features))
    by_model = {
        name: timed(name, lambda m=model: m.predict(design))
        for name, model in engine.models.items()
    }
    timed("order value", lambda: engine.order_value.predict(design))
    fused = timed("fusion", lambda: engine.fusion.predict(by_model))
    timed("shrinkage", lambda: engine.shrinkage.predict(fused))
    prediction = engine.predict(features)
    profit = prediction.expected_profit

    def decide() -> Any:
        screen = screen_customers(clean, engine.messages, FREE.rules)
        plan = make_plan(profit, engine.choose(prediction), screen, FREE, engine.messages)
        return decisions_table(screen.customer_id, prediction, plan, engine.messages, engine.policy)

    table = timed("decide", decide)
    out = CACHE / "stage.parquet"

    def write() -> None:
        writer = pq.ParquetWriter(out, as_batch(table).schema, compression="zstd")
        writer.write_batch(as_batch(table))
        writer.close()

    timed("write", write)
    return found


def growth(engine_folder: Path, customers: Path, n: int) -> dict[str, dict[str, float]]:
    """Processor microseconds a customer by number of messages and of trees."""
    engine = load(engine_folder)
    table = pd.read_parquet(sorted(customers.glob("*.parquet"))[0]).head(n)
    from pentathlon.features import Design, build_features

    design = engine.builder.transform(build_features(table, engine.columns))

    def seconds(work: Any) -> float:
        work()
        before = time.process_time()
        work()
        return 1e6 * (time.process_time() - before) / n

    forest, boosting = engine.models["random_forest"], engine.models["xgboost"]
    trees = {}
    for count in (75, 150, 225, 300):
        import copy

        small = copy.copy(forest.estimator)
        small.estimators_ = forest.estimator.estimators_[:count]
        some = [
            replace(forest, estimator=small),
            replace(boosting, booster=boosting.booster[:count]),
        ]
        from pentathlon.models.compiled import compiled

        trees[str(count)] = sum(
            seconds(lambda fast=fast: fast.predict(design)) for fast in map(compiled, some)
        )
    messages = {}
    for count in range(2, design.n_messages + 1):
        messages[str(count)] = _messages(forest, design, count, seconds)
    assert isinstance(design, Design)
    return {"trees": trees, "messages": messages}


def _messages(forest: Any, design: Any, count: int, seconds: Any) -> float:
    """Forest's time where only the first messages are asked for: walk the same trees for fewer."""
    from pentathlon.models.compiled.ensemble import Layout
    from pentathlon.models.compiled.readers import forest_ensemble
    from pentathlon.models.compiled.walk import add_by_message

    n_base, n_match = design.base.shape[1], design.match.shape[2]
    ensemble = forest_ensemble(forest.estimator, Layout(n_base, design.n_messages, n_match))
    # Bits of the other messages are set in no mask when fewer columns are asked for.
    match = np.ascontiguousarray(design.match[:, :count])
    out = np.zeros((len(design), count))
    return float(seconds(lambda: add_by_message(ensemble, design.base, match, out)))


def hardware(engine_folder: Path, customers: Path, n: int) -> dict[str, float]:
    """What the forest's walks ask of the machine, and what the machine gives.

    Nodes that the walk of one message visits in all trees, and how many of these come before the
    first split that is not the customer's own (walked once for all messages); nanoseconds of a
    load that waits for the one before, alone and with eight such chains at a time, out of arrays
    of several sizes; and the bandwidth of copying.
    """
    from pentathlon.features import build_features
    from pentathlon.models.compiled import compiled
    from pentathlon.models.compiled.ensemble import Layout
    from pentathlon.models.compiled.readers import forest_ensemble

    engine = load(engine_folder)
    table = pd.read_parquet(sorted(customers.glob("*.parquet"))[0]).head(n)
    design = engine.builder.transform(build_features(table, engine.columns))
    model = engine.models["random_forest"]
    n_base, n_match = design.base.shape[1], design.match.shape[2]
    ensemble = forest_ensemble(model.estimator, Layout(n_base, design.n_messages, n_match))
    fast = compiled(model)
    fast.predict(design)
    before = time.process_time()
    fast.predict(design)
    spent = time.process_time() - before
    visits = shared = 0.0
    for tree in model.estimator.estimators_:
        own = _own(tree.tree_, n_base)
        for k in range(design.n_messages):
            path = tree.decision_path(design.under(k))
            visits += path.nnz
            shared += path[:, np.flatnonzero(own)].nnz
    walks = n * design.n_messages
    found = {
        "forest_microseconds_a_customer": 1e6 * spent / n,
        "visits_of_a_walk": visits / walks,
        "of_these_shared": shared / walks,
        "nanoseconds_a_visit_of_separate_walks": 1e9 * spent / visits,
        "forest_mib": sum(
            value.nbytes for value in vars(ensemble).values() if isinstance(value, np.ndarray)
        )
        / 2**20,
    }
    for kib in (32, 512, 4_096, 65_536):
        for chains in (1, 8):
            found[f"nanoseconds_a_load_{kib}_kib_{chains}"] = _chase(kib * 1024, chains)
    source = np.ones(2**25)
    target = np.empty_like(source)
    np.copyto(target, source)
    before = time.perf_counter()
    np.copyto(target, source)
    found["copied_gib_a_second"] = source.nbytes / 2**30 / (time.perf_counter() - before)
    return found


def _own(tree: Any, n_base: int) -> Any:
    """Nodes above which there is no split but on the customer's own columns."""
    own = np.zeros(tree.node_count, dtype=bool)
    own[0] = True
    for node in range(tree.node_count):  # children come after their parent
        left, right = tree.children_left[node], tree.children_right[node]
        if left >= 0:
            own[left] = own[right] = own[node] and tree.feature[node] < n_base
    return own


def _chase(size: int, chains: int) -> float:
    """Nanoseconds of a load whose address the load before it gives."""
    import numba

    length = size // 8
    order = np.random.default_rng(1).permutation(length)
    following = np.empty(length, dtype=np.int64)
    following[order] = np.roll(order, 1)

    @numba.njit
    def run(following: Any, at: Any, steps: int) -> int:
        for _ in range(steps):
            for c in range(len(at)):
                at[c] = following[at[c]]
        return at[0]

    @numba.njit
    def one(following: Any, at: int, steps: int) -> int:
        for _ in range(steps):
            at = following[at]
        return at

    steps = 4_000_000
    starts = order[:: max(length // chains, 1)][:chains].copy()

    def work() -> None:
        if chains == 1:
            one(following, int(starts[0]), steps)
        else:
            run(following, starts, steps // chains)

    work()
    before = time.perf_counter()
    work()
    return 1e9 * (time.perf_counter() - before) / steps


def in_a_process(*arguments: str) -> dict[str, Any]:
    """Run this file's command in a process of its own, for its memory to be its own."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


PARTS = ("runs", "beside", "stages", "growth", "hardware")


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--customers", type=int, default=5_000_000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--only-score", nargs=3, metavar=("ENGINE", "CUSTOMERS", "OUT"))
    arguments = parser.parse_args()
    if arguments.only_score:
        print(json.dumps(score(*map(Path, arguments.only_score))))
        return
    from pentathlon.contract import FeatureColumns, MessageSet

    base = yaml.safe_load((ROOT / "conf/base/parameters.yml").read_text(encoding="utf-8"))
    messages, columns = MessageSet(base["messages"]), FeatureColumns(**base["features"])
    engine = CACHE / f"engine-{source_mark()}"
    if not (engine / "manifest.json").exists():
        fit_engine(engine, messages, columns)
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    customers = CACHE / f"customers-{arguments.customers}"
    make_customers(customers, arguments.customers)
    if "runs" in arguments.parts:
        results["runs"] = results.get("runs", {}) | measured_runs(
            engine, sorted({arguments.customers, *arguments.sizes})
        )
    if "beside" in arguments.parts:
        results["beside"] = compiled_beside_library(engine, customers, 50_000)
    if "stages" in arguments.parts:
        results["stages"] = stages(engine, customers, 65_536)
    if "growth" in arguments.parts:
        results["growth"] = growth(engine, customers, 20_000)
    if "hardware" in arguments.parts:
        results["hardware"] = hardware(engine, customers, 20_000)
    results = headline(results) | {k: results[k] for k in PARTS if k in results}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


def source_mark() -> str:
    """Mark of the code that makes an engine, so that none is kept beyond it."""
    digest = hashlib.sha256(repr(TUNED).encode())
    for package in ("contract", "decision", "features", "fusion", "models", "simulation"):
        for path in sorted((ROOT / "src" / "pentathlon" / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def measured_runs(engine: Path, sizes: list[int]) -> dict[str, Any]:
    """Score folders of customers, each in a process of its own."""
    runs = {}
    for n in sizes:
        make_customers(CACHE / f"customers-{n}", n)
        with tempfile.TemporaryDirectory(dir=CACHE) as out:
            runs[str(n)] = in_a_process(
                "--only-score", str(engine), str(CACHE / f"customers-{n}"), out
            )
        print(n, runs[str(n)], flush=True)
    return runs


def headline(results: dict[str, Any]) -> dict[str, Any]:
    """The figures that are promised."""
    runs = results.get("runs", {})
    five, one, ten = (runs.get(n, {}) for n in ("5000000", "1000000", "10000000"))
    found = {
        "seconds_5m": five.get("seconds"),
        "processor_seconds_5m": five.get("processor_seconds"),
        "peak_mib_5m": five.get("peak_mib"),
        "threads": THREADS,
    }
    if one and ten:
        found["peak_10m_over_1m"] = ten["peak_mib"] / one["peak_mib"]
    if "beside" in results:
        wall = results["beside"]["microseconds_a_customer"]
        spent = results["beside"]["processor_microseconds_a_customer"]
        found |= {
            "speedup_vs_library": wall["library"] / wall["compiled"],
            "speedup_vs_library_processor_time": spent["library"] / spent["compiled"],
            "speedup_vs_loop": wall["loop"] / wall["compiled"],
        }
    return found


if __name__ == "__main__":
    main()
