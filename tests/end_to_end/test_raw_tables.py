"""Raw tables from the command line: taken in, refused, and asked about by a person."""

import json

import pandas as pd
from click.testing import CliRunner

from pentathlon.cli import cli
from pentathlon.events import TABLES

SMALL = "simulate_events.customers=300"
DECLARED = {"customers": ["income", "education", "children"], "products": ["brand"]}
"""Columns that the environment declares beside those of the contracts."""


def newest(root, name):
    (folder,) = (root / "02_intermediate" / name).glob(f"*/{name}")
    return folder


def test_events_are_taken_in_and_a_person_can_be_erased_from_them(run_all, tmp_path, monkeypatch):
    root = tmp_path / "data"
    key = "intake.privacy.allow_development_key=false"
    given = f"--env test --params data_root={root},{SMALL}"
    taken, real, stopped = run_all(
        f"--pipelines events {given}",
        f"--pipelines intake {given},{key}",
        f"--pipelines intake {given},intake.limit=0.0001",
    )
    taken.checked()
    for name, contract in TABLES.items():
        frame = pd.read_parquet(newest(root, f"clean_{name}"))
        expected = [*(column.name for column in contract.clean), *DECLARED.get(name, [])]
        assert list(frame.columns) == expected
        assert len(frame) > 0
    assert not list((root / "02_intermediate" / ".scratch").rglob("*.parquet"))
    assert real.code == 1
    assert "everybody knows it" in real.errors
    assert stopped.code == 1
    assert "of order lines " in stopped.errors
    assert "; the limit is 0.01 %." in stopped.errors
    reports = list((root / "08_reporting/event_quality_report.html").rglob("*.html"))
    assert len(reports) == 2  # also of the run that was stopped

    ask = ["privacy", "export", "--customer", "U5", "--env", "test", "--data-root", str(root)]
    held = json.loads(CliRunner().invoke(cli, ask, catch_exceptions=False).stdout)
    layers = {name.split("/")[0] for name in held}
    assert {"01_raw", "02_intermediate"} <= layers
    assert any("clean_customers" in name for name in held)
    ask[1] = "erase"
    erased = CliRunner().invoke(cli, [*ask, "--yes"], catch_exceptions=False)
    assert erased.exit_code == 0
    assert f"from {len(held)} files" in erased.stdout
    ask[1] = "export"
    assert json.loads(CliRunner().invoke(cli, ask).stdout) == {}
    audit = (root / "privacy_audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["action"] for line in audit] == ["export", "erase", "export"]
