"""From simulated raw tables to observations and customers, through the command line."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]


def test_clean_tables_become_observations_customers_and_a_dictionary(run_all, tmp_path):
    root = tmp_path / "data"
    taken, made = run_all(
        f"--pipelines events --env test --params data_root={root}",
        f"--pipelines moments --env test --params data_root={root}",
    )
    taken.checked()
    made.checked()
    assert "assignments are observations" in made.output + made.errors
    source = pd.read_parquet(root / "02_intermediate" / "moment_observations.parquet")
    assert set(source["split"]) == {"train", "test"}
    assert set(source["response"]) == {0, 1}
    (folder,) = (root / "02_intermediate/moment_customers").glob("*/moment_customers")
    customers = pd.read_parquet(folder)
    (clean,) = (root / "02_intermediate/clean_customers").glob("*/clean_customers")
    (listed,) = (root / "02_intermediate/suppressed_customers.parquet").glob("*/*.parquet")
    suppressed = set(pd.read_parquet(listed)["customer_id"])
    assert len(suppressed) > 0
    assert set(customers["customer_id"]) == set(pd.read_parquet(clean)["customer_id"]) - suppressed
    page = next((root / "08_reporting/feature_dictionary.md").glob("*/feature_dictionary.md"))
    assert "| `orders_30d` |" in page.read_text(encoding="utf-8")
    assert not list((root / "02_intermediate/.moments").rglob("*.parquet"))


@pytest.fixture
def settings_for_events(tmp_path):
    """The settings for events with models that are small enough for a test."""
    conf = tmp_path / "conf"
    for name in ("base", "events"):
        shutil.copytree(ROOT / "conf" / name, conf / name)
    (conf / "local").mkdir()
    shutil.copy(ROOT / "conf" / "logging.yml", conf)
    for name in ("training", "order_value"):
        shutil.copy(ROOT / "conf" / "test" / f"parameters_{name}.yml", conf / "events")
    return conf


def test_raw_tables_become_decisions_about_everybody_as_of_now(
    run_all, settings_for_events, tmp_path
):
    root = tmp_path / "data"
    params = f"data_root={root},randomness.threads=1"
    (simulated,) = run_all(f"--pipelines simulate_events --env test --params {params}")
    simulated.checked()
    people = pd.read_parquet(root / "01_raw/simulated/events/customers")
    consenting = people[people["consented_at"].notna() & people["opted_out_at"].isna()]
    own = pd.DataFrame({"customer_id": consenting["customer_id"].iloc[:20].astype("str")})
    own.to_csv(tmp_path / "own.csv", index=False)
    pseudonymised = subprocess.run(
        [
            *(sys.executable, "-m", "pentathlon", "privacy", "pseudonymise", "--env", "test"),
            *(str(tmp_path / "own.csv"), str(root / "01_raw" / "suppression_list.csv")),
        ],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert pseudonymised.returncode == 0, pseudonymised.stderr
    (decided,) = run_all(
        f"--pipelines from_events --env events --conf-source {settings_for_events} "
        f"--params {params},raw_events={root}/01_raw/simulated/events",
    )
    decided.checked()
    unwilling = pd.read_csv(root / "01_raw" / "suppression_list.csv", dtype="str")["customer_id"]
    sent = pd.read_parquet(root / "07_model_output/scored/decisions").set_index("customer_id")
    assert unwilling.isin(sent.index).sum() == 20
    assert set(sent.loc[unwilling, "message"]) == {"control"}
    assert sent.loc[unwilling, "removed"].str.contains("suppression list").all()
    observed = pd.read_parquet(next((root / "03_primary/observations.parquet").glob("*/*.parquet")))
    assert set(observed["split"]) == {"train", "test"}
    summary = json.loads(next((root / "08_reporting/scoring_summary.json").glob("*/*")).read_text())
    assert summary["may_be_sent"]
    assert summary["rejected_rows"] == 0
    assert summary["filled_values_by_column"]["age"] > 0
    decisions = pd.read_parquet(root / "07_model_output/scored/decisions")
    now = pd.read_parquet(next((root / "02_intermediate/moment_customers").glob("*/*")))
    assert sorted(decisions["customer_id"]) == sorted(now["customer_id"])
    assert len(decisions) > len(observed)


def test_a_margin_is_not_taken_off_twice(run_all, tmp_path):
    root = tmp_path / "data"
    taken, made = run_all(
        f"--pipelines events --env test --params data_root={root}",
        f"--pipelines moments --env test --params data_root={root},moments.outcome.value=margin",
    )
    taken.checked()
    assert made.code != 0
    assert "would take it off again. Set their margin to 1." in made.output + made.errors
