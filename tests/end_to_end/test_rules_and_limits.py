"""Rules and limits in a run: stated in one conf folder, kept by decisions, judged, reported."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

ROOT = Path(__file__).parents[2]
STATED = {
    "campaign": {"name": "Spring", "date": "2026-03-31"},
    "decision": {
        "rules": {
            "eligibility": [
                {
                    "name": "no strength for VIP",
                    "messages": ["strength"],
                    "when": [{"column": "tier", "equals": "vip"}],
                }
            ],
            "frequency_caps": [{"name": "one a week", "at_most": 1, "days": 7}],
        },
        "limits": [
            {"name": "mails", "of": "share", "at_most": 0.5},
            {"name": "water at least", "messages": ["water"], "of": "share", "at_least": 0.1},
        ],
        "exploration": {"share": 0.04, "holdout": 0.02},
    },
}


@pytest.fixture(scope="module")
def restricted(finished: Any, run_all: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Decisions, judgement and report of a finished run once more, within rules and limits."""
    folder = tmp_path_factory.mktemp("restricted")
    results = finished.copy(folder / "data")
    shutil.copytree(ROOT / "conf", folder / "conf", ignore=shutil.ignore_patterns("local"))
    (folder / "conf" / "local").mkdir()
    for block, content in STATED.items():
        name = "parameters" if block == "campaign" else f"parameters_{block}"
        (folder / "conf" / "test" / f"{name}.yml").write_text(yaml.safe_dump({block: content}))
    ids = results.load("customers")["customer_id"]
    raw = results.root / "01_raw"
    vip = pd.DataFrame({"customer_id": ids, "tier": np.where(np.arange(len(ids)) % 5, "", "vip")})
    vip.to_csv(raw / "customer_attributes.csv", index=False)
    mailed = pd.DataFrame({"customer_id": ids[::4], "message": "team", "sent_at": "2026-03-28"})
    mailed.to_parquet(raw / "contact_history.parquet")
    params = f"data_root={results.root},randomness.threads=1"
    (outcome,) = run_all(
        f"--env test --conf-source {folder / 'conf'} --from-nodes decision.screen --params {params}"
    )
    outcome.checked()
    return results


def test_decisions_keep_rules_and_limits_and_say_what_was_done(restricted: Any) -> None:
    decisions = restricted.load("decisions").set_index("customer_id")
    ids = restricted.load("customers")["customer_id"]
    share = decisions["message"].value_counts(normalize=True)
    assert 1 - share["control"] <= 0.5
    assert share["water"] >= 0.1
    vip, mailed = decisions.loc[ids[::5]], decisions.loc[ids[::4]]
    assert (vip["message"] != "strength").all()
    assert (mailed["message"] == "control").all()
    assert mailed["removed"].str.contains(": one a week").all()
    only_vip = vip.loc[vip.index.difference(mailed.index)]
    assert (only_vip["removed"] == "strength: no strength for VIP").all()
    assert {"rule", "limit", "exploration", "holdout"} <= set(decisions["decided_by"])
    assert decisions["propensity"].between(0, 1, inclusive="right").all()


def test_what_ships_is_judged_within_them(restricted: Any, finished: Any) -> None:
    shipped = restricted.load("policy_values").set_index("policy").loc["shipped"]
    assert 1 - shipped["share_control"] <= 0.5 + 1e-3
    assert shipped["share_water"] >= 0.1 - 1e-3
    free = finished.load("policy_values").set_index("policy").loc["shipped"]
    assert shipped["aipw"] != free["aipw"]


def test_the_report_has_their_prices(restricted: Any) -> None:
    limits = restricted.load("limit_outcomes").set_index("name")
    assert limits.loc["water at least", "used"] >= limits.loc["water at least", "at_least"]
    assert limits.loc["mails", "used"] <= limits.loc["mails", "at_most"]
    assert limits.loc["water at least", "price"] < 0 < limits.loc["water at least", "cost"]
    report = restricted.path("report").read_text(encoding="utf-8")
    assert "as far as rules and limits allow" in report
    assert "“water at least” binds: one customer less would be worth" in report
    assert "no strength for VIP" in report
