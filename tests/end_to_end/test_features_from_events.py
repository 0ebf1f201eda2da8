"""From simulated raw tables to observations and customers, through the command line."""

import pandas as pd


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
    assert set(customers["customer_id"]) == set(pd.read_parquet(clean)["customer_id"])
    page = next((root / "08_reporting/feature_dictionary.md").glob("*/feature_dictionary.md"))
    assert "| `orders_30d` |" in page.read_text(encoding="utf-8")
    assert not list((root / "02_intermediate/.moments").rglob("*.parquet"))
