from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from pentathlon.cli import cli
from pentathlon.errors import DataError
from pentathlon.outputs import compare_decisions


def decisions(**messages: tuple[str, float, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [[c, *rest] for c, rest in messages.items()],
        columns=["customer_id", "message", "expected_profit", "decided_by"],
    )


BEFORE = decisions(
    a=("team", 1.0, "policy"),
    b=("team", 2.0, "policy"),
    c=("water", 3.0, "policy"),
    gone=("team", 9.0, "policy"),
)
AFTER = decisions(
    c=("water", 3.5, "policy"),
    b=("control", 0.5, "rule"),
    a=("control", 0.25, "limit"),
    new=("team", 7.0, "policy"),
)


def test_a_comparison_by_hand() -> None:
    found = compare_decisions(BEFORE, AFTER)
    assert (found.customers, found.changed) == (3, 2)
    assert (found.only_before, found.only_after) == (1, 1)
    assert found.expected_profit_before == 6.0
    assert found.expected_profit_change == pytest.approx(-1.75)
    assert found.flows.to_dict("records") == [
        {
            "message_before": "team",
            "message_after": "control",
            "customers": 2,
            "expected_profit_change": -2.25,
        }
    ]
    assert found.messages.set_index("message")["difference"].to_dict() == {
        "control": 2,
        "team": -2,
        "water": 0,
    }
    assert found.deciders.set_index("decided_by")["after"].to_dict() == {
        "limit": 1,
        "policy": 1,
        "rule": 1,
    }


def test_the_same_decisions_in_another_order_are_no_difference() -> None:
    found = compare_decisions(BEFORE, BEFORE.iloc[::-1])
    assert found.changed == 0
    assert found.flows.empty
    assert found.expected_profit_change == 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match=r"first decisions have no columns \['decided_by'\]"):
        compare_decisions(BEFORE.drop(columns="decided_by"), AFTER)
    with pytest.raises(DataError, match="second decisions have several rows of one customer"):
        compare_decisions(BEFORE, pd.concat([AFTER, AFTER]))
    with pytest.raises(DataError, match="No customer is in both"):
        compare_decisions(BEFORE.iloc[3:], AFTER)


@pytest.fixture
def data_root(tmp_path: Path) -> Path:
    """A data root in which two runs made decisions, and a later one did not."""
    runs = tmp_path / "08_reporting" / "runs"
    runs.mkdir(parents=True)
    for run, table in (("run1", BEFORE), ("run2", AFTER), ("run3", None)):
        written: dict[str, Any] = {}
        if table is not None:
            place = f"07_model_output/decisions.parquet/{run}/decisions.parquet"
            (tmp_path / place).parent.mkdir(parents=True)
            table.to_parquet(tmp_path / place)
            written = {"decisions": {"version": run, "path": "{data_root}/" + place}}
        manifest = {
            "id": run,
            "started_at": f"2026-01-0{run[-1]}T00:00:00+00:00",
            "parameters": {"campaign": {"name": "Spring"}},
            "datasets": {"read": {}, "written": written},
        }
        (runs / f"{run}.json").write_text(json.dumps(manifest))
    return tmp_path


def test_the_command_compares_the_last_two_runs_that_decided(data_root: Path) -> None:
    said = CliRunner().invoke(cli, ["diff", "--data-root", str(data_root)])
    assert said.exit_code == 0, said.output
    assert said.output.splitlines()[:3] == [
        "run1 -> run2",
        "2 of 3 customers (66.7%) get another message.",
        "Expected profit 6.00 -> 4.25 (-1.75) by prediction.",
    ]
    assert "1 customers are in run1 only." in said.output
    as_json = CliRunner().invoke(
        cli, ["diff", "run2", "run1", "--json", "--data-root", str(data_root)]
    )
    found = json.loads(as_json.output)
    assert (found["before"], found["after"], found["changed"]) == ("run2", "run1", 2)


def test_the_command_exports_the_last_run_that_decided(data_root: Path) -> None:
    said = CliRunner().invoke(cli, ["export", "--to", "braze", "--data-root", str(data_root)])
    assert said.exit_code == 0, said.output
    assert "2 e-mails to send, 2 customers get none by decision, 0 refused." in said.output
    written = data_root / "08_reporting" / "exports" / "run2" / "braze" / "braze.csv"
    assert written.read_text().splitlines()[1:] == ["c,Spring,water", "new,Spring,team"]


def test_commands_say_what_is_missing(data_root: Path, tmp_path: Path) -> None:
    said = CliRunner().invoke(cli, ["export", "--to", "klaviyo", "--data-root", str(data_root)])
    assert said.exit_code == 1
    assert "give a table with customer_id and email" in said.output
    absent = ["export", "--to", "klaviyo", "--addresses", str(tmp_path / "a.csv")]
    said = CliRunner().invoke(cli, [*absent, "--data-root", str(data_root)])
    assert f"There is no file {tmp_path / 'a.csv'}" in said.output
    (data_root / "07_model_output/decisions.parquet/run1/decisions.parquet").unlink()
    said = CliRunner().invoke(cli, ["diff", "--data-root", str(data_root)])
    assert "decisions of run run1 are gone" in said.output
    said = CliRunner().invoke(cli, ["diff", "--data-root", str(tmp_path / "empty")])
    assert "No run has made decisions yet" in said.output
