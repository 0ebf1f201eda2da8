"""The command that tells one customer's story, from a saved engine and a run's decisions."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pentathlon.cli import cli
from pentathlon.decision.attribution import feature_reference

DECISION = Path(__file__).parents[1] / "decision"
make_retailer = runpy.run_path(str(DECISION / "small_retailer.py"))["make_retailer"]
make_engine = runpy.run_path(str(DECISION / "conftest.py"))["engine"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Tell the story of a customer after a run that decided; ``(run, decisions)``."""
    root = tmp_path_factory.mktemp("data")
    retailer = make_retailer(300)
    engine = make_engine.__wrapped__(retailer)
    decisions = engine.decide(retailer.customers)
    places = {"decision_engine": "06_models/engine"}
    places |= {n: f"07_model_output/{n}.parquet" for n in ("decisions", "customers")}
    places["feature_reference"] = "07_model_output/reference.json"
    for place in places.values():
        (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / places["decision_engine"]).mkdir()
    engine.save(root / places["decision_engine"])
    decisions.to_parquet(root / places["decisions"])
    retailer.customers.to_parquet(root / places["customers"])
    reference = feature_reference(retailer.customers, engine.columns)
    (root / places["feature_reference"]).write_text(json.dumps(reference))
    entries = {k: {"path": "{data_root}/" + v} for k, v in places.items()}
    written = {k: entries.pop(k) for k in ("decisions", "feature_reference")}
    manifest = {
        "id": "run1",
        "started_at": "2026-01-01T00:00:00+00:00",
        "parameters": {"campaign": {"name": "Spring", "currency": "EUR"}},
        "datasets": {"read": entries, "written": written},
    }
    (root / "08_reporting" / "runs").mkdir(parents=True)
    (root / "08_reporting" / "runs" / "run1.json").write_text(json.dumps(manifest))

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(cli, ["why", *arguments, "--data-root", str(root)])

    return run, decisions


def test_the_story_of_a_customer(told: Any) -> None:
    run, decisions = told
    row = decisions.iloc[7]
    said = run("--customer", row["customer_id"])
    assert said.exit_code == 0, said.output
    assert f"Customer {row['customer_id']}, run run1" in said.output
    assert f"{row['message']}, expected profit {row['expected_profit']:,.4f} EUR" in said.output
    assert f"runner-up       {row['runner_up']}" in said.output
    assert "decided by      policy; the policy 'personalised' prefers" in said.output
    assert "moved the lead by (EUR)" in said.output
    as_json = json.loads(run("--customer", row["customer_id"], "--json", "-n", "2").output)
    assert as_json["message"] == row["message"]
    assert len(as_json["moved_by"]) == 2
    assert as_json["moved_by"][0]["feature"] in said.output
    lead = row["expected_profit"] - row["runner_up_expected_profit"]
    assert as_json["moved_by"][0]["lead"] == pytest.approx(lead, abs=1e-5)


def test_a_customer_who_was_not_decided_is_named(told: Any) -> None:
    run, _ = told
    said = run("--customer", "nobody")
    assert said.exit_code == 1
    assert "Run run1 decided nothing for a customer 'nobody'." in said.output
