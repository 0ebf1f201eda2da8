from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pentathlon.contract import MessageSet
from pentathlon.decision import DecisionEngine, Prediction
from pentathlon.decision import engine as engine_module
from pentathlon.decision.blending import FUSED
from pentathlon.decision.decisions import decisions_table
from pentathlon.decision.exploration import ExplorationSettings
from pentathlon.decision.leads import AS_PREDICTED
from pentathlon.decision.manifest import manifest_digest
from pentathlon.decision.plan import Plan, make_plan
from pentathlon.decision.routing import Leaf, Router, Split
from pentathlon.decision.rules import Screen
from pentathlon.decision.settings import FREE, SendingSettings
from pentathlon.errors import ArtifactError, DataError
from pentathlon.special import expit, logit

COLUMNS = [
    *["customer_id", "message", "purchase_probability", "expected_order_value"],
    *["expected_profit", "expected_profit_of_control", "runner_up"],
    *[
        "runner_up_expected_profit",
        "lead",
        "policy",
        "decided_by",
        "preferred",
        "removed",
        "propensity",
    ],
]


def certain(messages: MessageSet, *choice: int) -> Plan:
    """The policy's choice with no rule, no limit and nothing left to chance."""
    n = len(choice)
    worth = np.zeros((n, len(messages)), dtype=np.float32)
    worth[np.arange(n), list(choice)] = 1
    ids = np.arange(n).astype(object)
    return make_plan(worth, np.array(choice), Screen.open(ids, len(messages)), FREE, messages)


def test_decisions_by_hand() -> None:
    p = np.array([[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]], dtype=np.float32)
    profit = np.array([[2, 1, 3], [9, 7, 8]], dtype=np.float32)
    messages = load_messages("water", "control", "team")
    table = decisions_table(
        np.array(["a", "b"], dtype=object),
        Prediction(p, 10 * p, profit, {}),
        certain(messages, 2, 1),
        messages,
        "personalised",
    )
    assert list(table.columns) == COLUMNS
    assert table["message"].tolist() == ["team", "control"]
    np.testing.assert_allclose(table["purchase_probability"], [0.3, 0.5])
    np.testing.assert_allclose(table["expected_order_value"], [3, 5])
    assert table["expected_profit"].tolist() == [3, 7]
    assert table["expected_profit_of_control"].tolist() == [1, 7]
    # Of what was not chosen the best, even where that is better than the choice.
    assert table["runner_up"].tolist() == ["water", "water"]
    assert table["runner_up_expected_profit"].tolist() == [2, 9]
    assert table["propensity"].tolist() == [1, 1]
    assert profit.tolist() == [[2, 1, 3], [9, 7, 8]]


def test_without_control_its_profit_is_missing() -> None:
    p = np.array([[0.1, 0.2]], dtype=np.float32)
    messages = load_messages("water", "team")
    table = decisions_table(
        np.array(["a"], dtype=object),
        Prediction(p, p, p, {}),
        certain(messages, 1),
        messages,
        "send team",
    )
    assert table["expected_profit_of_control"].isna().all()
    assert table["runner_up"].tolist() == ["water"]


def load_messages(*names: str) -> MessageSet:
    return MessageSet({m: {"margin": 0.4} for m in names})


def test_a_decision_is_its_steps_one_after_the_other(engine: DecisionEngine, retailer: Any) -> None:
    design = engine.builder.transform(retailer.model_input)
    index = sum(
        w * (c.intercept + c.slope * logit(engine.models[m].predict(design)))
        for m, c, w in zip(
            engine.fusion.models, engine.fusion.calibrators, engine.fusion.weights, strict=True
        )
    )
    index = engine.fusion.final.intercept + engine.fusion.final.slope * index
    base = index.mean(axis=1, keepdims=True)
    effect = np.array([-0.2, 0.1, 0.1])
    contrast = index - base - effect
    shared = np.column_stack([contrast[:, :1]] + 2 * [contrast[:, 1:].mean(axis=1)])
    own = contrast - shared
    personal = 0.3 * shared + np.where(own > 0, 0.9, 0.6) * own
    p = expit(base + np.array([-0.2, 0.05, 0.15]) + personal)
    value = engine.order_value.level.predict(design)[:, None] * [0.95, 0.9, 1.21]
    profit = p * value * [0.4, 0.4, 0.5] - [0, 0.05, 0.1]
    choice = profit.argmax(axis=1)
    rows = np.arange(len(choice))

    decisions = engine.decide(retailer.customers)
    assert list(decisions.columns) == COLUMNS
    assert decisions["customer_id"].tolist() == retailer.customers["customer_id"].tolist()
    names = np.array(retailer.messages.names)
    assert decisions["message"].tolist() == names[choice].tolist()
    assert len(set(choice)) > 1
    for column, expected in {
        "purchase_probability": p[rows, choice],
        "expected_order_value": value[rows, choice],
        "expected_profit": profit[rows, choice],
        "expected_profit_of_control": profit[:, 0],
        "runner_up_expected_profit": np.sort(profit, axis=1)[:, -2],
    }.items():
        np.testing.assert_allclose(decisions[column], expected, rtol=1e-3, err_msg=column)
    assert decisions["runner_up"].tolist() == names[profit.argsort(axis=1)[:, -2]].tolist()
    assert set(decisions["policy"]) == {"personalised"}


@pytest.mark.parametrize("rows", [1, 7, 599, 600])
def test_decisions_do_not_depend_on_chunks(
    engine: DecisionEngine, retailer: Any, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    customers = retailer.customers if rows > 1 else retailer.customers.iloc[:20]
    whole = engine.decide(customers)
    monkeypatch.setattr(engine_module, "CHUNK_ROWS", rows)
    pd.testing.assert_frame_equal(engine.decide(customers), whole, rtol=1e-4)


def test_labels_and_order_of_customers_do_not_matter(engine: DecisionEngine, retailer: Any) -> None:
    whole = engine.decide(retailer.customers)
    shuffled = retailer.customers.sample(frac=1, random_state=0)
    got = engine.decide(shuffled).set_index("customer_id").loc[whole["customer_id"]].reset_index()
    pd.testing.assert_frame_equal(got, whole, rtol=1e-4)


def test_no_customers_get_no_decisions(engine: DecisionEngine, retailer: Any) -> None:
    decisions = engine.decide(retailer.customers.iloc[:0])
    assert list(decisions.columns) == COLUMNS
    assert len(decisions) == 0


def test_a_customer_without_a_feature_is_refused(engine: DecisionEngine, retailer: Any) -> None:
    with pytest.raises(DataError, match=r"\['freq_team'\] are missing"):
        engine.decide(retailer.customers.drop(columns="freq_team"))


@pytest.mark.parametrize(("policy", "message"), [("no e-mail", "control"), ("send team", "team")])
def test_a_constant_policy_sends_everyone_the_same(
    engine: DecisionEngine, retailer: Any, policy: str, message: str
) -> None:
    decisions = replace(engine, policy=policy).decide(retailer.customers)
    assert set(decisions["message"]) == {message}
    assert set(decisions["policy"]) == {policy}
    best = engine.decide(retailer.customers)
    differs = (best["message"] != message).to_numpy()
    assert differs.any()
    assert (decisions["runner_up"][differs] == best["message"][differs]).all()


def test_what_is_left_to_chance_is_in_the_decisions(engine: DecisionEngine, retailer: Any) -> None:
    exploration = SendingSettings(exploration=ExplorationSettings(share=0.3, holdout=0.2))
    usual = engine.decide(retailer.customers)
    drawn = engine.decide(retailer.customers, exploration, campaign="may")
    assert set(usual["decided_by"]) == {"policy"}
    assert set(drawn["decided_by"]) == {"policy", "exploration", "holdout"}
    kept = drawn["decided_by"] == "policy"
    assert (drawn["message"] == usual["message"])[kept].all()
    assert set(drawn["message"][drawn["decided_by"] == "holdout"]) == {"control"}
    # 0.8 * 0.3 / 3 for each message, 0.8 * 0.7 more for the policy's, 0.2 more for control.
    expected = 0.08 + 0.56 * (drawn["message"] == usual["message"])
    expected += 0.2 * (drawn["message"] == "control")
    np.testing.assert_allclose(drawn["propensity"], expected)
    # The prediction is that of the message that is sent, and the runner-up another one.
    assert (drawn["message"] != drawn["runner_up"]).all()
    assert (drawn["expected_profit"][~kept] <= usual["expected_profit"][~kept] + 1e-6).all()
    other = engine.decide(retailer.customers, exploration, campaign="june")
    assert (other["message"] != drawn["message"]).any()


def test_where_a_constant_is_taken_away_averages_decide(
    engine: DecisionEngine, retailer: Any
) -> None:
    """No personal difference is confirmed there, so none may choose the substitute."""
    constant = replace(engine, policy="send water", constant_worth=(0.5, 1.0, 0.8))
    rules = {"eligibility": [{"name": "no water", "messages": ["water"]}]}
    sending = SendingSettings.model_validate({"rules": rules})
    decisions = constant.decide(retailer.customers, sending)
    assert set(decisions["message"]) == {"team"}
    assert set(decisions["preferred"]) == {"water"}
    assert set(decisions["decided_by"]) == {"rule"}
    assert set(decisions["removed"]) == {"water: no water"}
    # Within limits those who bring more keep the better message.
    limits = [{"name": "some", "messages": ["water"], "at_most": 100}]
    limited = constant.decide(
        retailer.customers, SendingSettings.model_validate({"limits": limits})
    )
    got = (limited["message"] == "water").to_numpy()
    assert got.sum() == 100
    gross = constant.plan(retailer.customers)[0].expected_profit + retailer.messages.costs
    level = gross.mean(axis=1)
    assert level[got].min() >= level[~got].max() - 1e-6


def test_an_unknown_policy_is_refused(engine: DecisionEngine) -> None:
    with pytest.raises(ArtifactError, match=r"no policy 'send golf'; choose from .*send team"):
        replace(engine, policy="send golf")


@pytest.fixture(scope="module")
def saved(engine: DecisionEngine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine")
    engine.save(folder)
    return folder


@pytest.fixture
def copy(saved: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(saved, tmp_path / "engine"))


def test_a_saved_engine_decides_the_same(
    engine: DecisionEngine, saved: Path, retailer: Any
) -> None:
    loaded = DecisionEngine.load(saved)
    pd.testing.assert_frame_equal(
        loaded.decide(retailer.customers), engine.decide(retailer.customers)
    )
    assert (loaded.messages, loaded.columns) == (engine.messages, engine.columns)
    assert (loaded.shrinkage, loaded.fusion) == (engine.shrinkage, engine.fusion)


def routed(engine: DecisionEngine) -> DecisionEngine:
    """The engine with a policy tree on one of its features."""
    names = engine.messages.names
    router = Router(
        (Split(engine.columns.numeric[0], 1.0, None, -1, -2),),
        (Leaf(names[1], (0.1, 0.9, 0.2)), Leaf("personalised", (0.1, 0.2, 0.3))),
    )
    return replace(engine, policy="policy_tree", router=router)


def test_an_engine_goes_by_groups_whatever_the_chunks(
    engine: DecisionEngine, retailer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grouped = routed(engine)
    decisions = grouped.decide(retailer.customers)
    column = engine.columns.numeric[0]
    low = retailer.customers[column].to_numpy() <= 1.0
    assert 0 < low.sum() < len(low)
    assert (decisions["message"][low] == engine.messages.names[1]).all()
    own = engine.decide(retailer.customers)
    assert decisions["message"][~low].tolist() == own["message"][~low].tolist()
    assert (decisions["policy"] == "policy_tree").all()
    (tmp_path / "engine").mkdir()
    grouped.save(tmp_path / "engine")
    monkeypatch.setattr(engine_module, "CHUNK_ROWS", 7)
    loaded = DecisionEngine.load(tmp_path / "engine")
    assert loaded.router == grouped.router
    pd.testing.assert_frame_equal(loaded.decide(retailer.customers), decisions)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"policy": "policy_tree"}, "'policy_tree' needs groups"),
        ({"router": Router((), (Leaf("personalised", ()),))}, "'personalised' has no groups"),
    ],
)
def test_a_policy_and_its_groups_belong_together(
    engine: DecisionEngine, changes: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ArtifactError, match=reason):
        replace(engine, **changes)


def test_an_engine_from_before_contrasts_were_blended_is_read(copy: Path) -> None:
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["blend"], manifest["router"], manifest["leads"]
    manifest["format"] = 3
    manifest["digest"] = manifest_digest(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert DecisionEngine.load(copy).blend == FUSED


def test_an_engine_from_before_leads_were_shrunk_is_read(
    copy: Path, engine: DecisionEngine
) -> None:
    path = copy / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    del manifest["leads"]
    manifest["format"] = 4
    manifest["digest"] = manifest_digest(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert DecisionEngine.load(copy).leads == AS_PREDICTED
    manifest["format"] = 5
    manifest["digest"] = manifest_digest(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"lacks \['leads'\]"):
        DecisionEngine.load(copy)


def test_nothing_in_the_folder_is_a_pickle(saved: Path) -> None:
    files = [path for path in saved.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".ubj", ".skops"}
    forest = zipfile.ZipFile(saved / "models" / "random_forest" / "forest.skops").namelist()
    assert {Path(name).suffix for name in forest} <= {".json", ".npy"}
    for path in files:
        assert not path.read_bytes().startswith(b"\x80"), path  # how a pickle starts


def alter_model(folder: Path) -> None:
    path = folder / "models" / "logistic_regression" / "model.json"
    path.write_text(path.read_text() + " ")


def remove_booster(folder: Path) -> None:
    (folder / "models" / "xgboost" / "booster.ubj").unlink()


def add_file(folder: Path) -> None:
    (folder / "models" / "notes.txt").write_text("hello")


def remove_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


def break_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")


def list_manifest(folder: Path) -> None:
    (folder / "manifest.json").write_text("[]")


def edit(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "manifest.json"
        changed = json.loads(path.read_text()) | changes
        manifest = {k: v for k, v in changed.items() if v is not None}
        manifest["digest"] = manifest_digest(manifest)
        path.write_text(json.dumps(manifest))

    return change


def cheapen(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_text(path.read_text().replace('"margin": 0.4', '"margin": 0.9', 1))


def older_library(folder: Path) -> None:
    versions = json.loads((folder / "manifest.json").read_text())["versions"]
    edit(versions=versions | {"scikit-learn": "0.24.2"})(folder)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (alter_model, r"altered files \['models/logistic_regression/model.json'\]"),
        (remove_booster, r"missing files \['models/xgboost/booster.ubj'\]"),
        (add_file, r"unexpected files \['models/notes.txt'\]"),
        (remove_manifest, "not a decision engine: it has no manifest.json"),
        (break_manifest, "not valid JSON"),
        (list_manifest, "not valid: it is no JSON object"),
        (cheapen, "its manifest.json is not the one that was written"),
        (edit(format=2), "has format 2, this version reads formats 3 to 5"),
        (edit(format=None), "has format None"),
        (edit(shrinkage=None), r"lacks \['shrinkage'\]"),
        (older_library, r"saved with scikit-learn 0\.24\.2 \(here 1\.\d"),
        (edit(versions={"torch": "2.1.0"}), r"torch 2\.1\.0 \(here not installed\)"),
        (edit(policy="send golf"), "no policy 'send golf'"),
        (edit(messages={"control": {"margin": 7}, "water": {}}), "(?s)not valid: .*margin"),
        (edit(models=["oracle"]), "not valid: There is no model 'oracle'"),
    ],
)
def test_an_engine_that_was_harmed_is_refused_with_the_reason(
    copy: Path, harm: Callable[[Path], None], reason: str
) -> None:
    harm(copy)
    with pytest.raises(ArtifactError, match=reason):
        DecisionEngine.load(copy)


def test_a_patch_release_is_no_reason_to_refuse(copy: Path) -> None:
    versions = json.loads((copy / "manifest.json").read_text())["versions"]
    major, minor, *_ = versions["scikit-learn"].split(".")
    patched = {"scikit-learn": f"{major}.{minor}.99", "numpy": "1.0.0", "pentathlon": "0.0.1"}
    edit(versions=versions | patched)(copy)
    assert DecisionEngine.load(copy).policy == "personalised"


def test_a_compiled_engine_decides_as_the_engine_itself(
    engine: DecisionEngine, retailer: Any
) -> None:
    fast = engine.compiled(threads=2).decide(retailer.customers)
    whole = engine.decide(retailer.customers)
    pd.testing.assert_frame_equal(fast, whole, rtol=2e-6)
    assert fast["message"].tolist() == whole["message"].tolist()


def test_a_compiled_engine_decides_a_customer_alone_to_the_last_bit(
    engine: DecisionEngine, retailer: Any
) -> None:
    fast = engine.compiled()
    together = fast.decide(retailer.customers).iloc[:40]
    alone = [fast.decide(retailer.customers.iloc[[i]]) for i in range(40)]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), together, check_exact=True)
