"""The documented mapping of UCI's Online Retail II, on a few rows of its form."""

import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from pentathlon.contract import MessageSet
from pentathlon.errors import DataError
from pentathlon.events import (
    IntakeSettings,
    RawEvents,
    check_events,
    enforce_limits,
    quality_report,
    quality_table,
)
from pentathlon.events.intake import suppressed_customers
from pentathlon.moments.assemble import assemble_customers, declared_features
from pentathlon.moments.settings import MomentSettings

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "raw-tables.md"
# Made up, in the form of the file.
ROWS = """Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country
500001,10001,TIN OF BUTTONS,12,2010-06-01 09:00:00,1.25,20001.0,United Kingdom
500001,10002,"CLOCK, SMALL",2,2010-06-01 09:00:00,8.5,20001.0,United Kingdom
500002,10001,TIN OF BUTTONS,6,2010-01-04 12:30:00,1.25,20002.0,France
500003,10002,,1,2010-06-02 10:00:00,8.5,,United Kingdom
C500004,10001,TIN OF BUTTONS,-2,2010-06-09 11:00:00,1.25,20001.0,United Kingdom
500005,10001,TIN OF BUTTONS,6,2010-12-04 12:30:00,1.25,20002.0,France
500006,10001,TIN OF BUTTONS,1,2010-12-05 12:30:00,-11062.06,20002.0,France
"""


@pytest.fixture
def mapping():
    blocks = re.findall(r"^```yaml\n(intake:.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    (block,) = (block for block in blocks if "online_retail" in block)
    settings = yaml.safe_load(block)["intake"]
    # The page is about real customers, who need a key of their own.
    return settings | {"privacy": {"allow_development_key": True}}


@pytest.fixture
def take_in(mapping, key, tmp_path):
    """Take the file in; ``lost`` columns are not mapped."""

    def run(lost=()):
        (tmp_path / "online_retail_II_2010.csv").write_text(ROWS, encoding="utf-8")
        for column in lost:
            del mapping["tables"]["customers"]["columns"][column]
        raw = RawEvents(tmp_path, tmp_path / "scratch", key)
        return check_events(raw, IntakeSettings.model_validate(mapping), ["control"])

    return run


def test_the_page_maps_the_file_to_clean_tables(take_in, key):
    result = take_in()
    customers = pd.read_parquet(result.tables.path / "customers").set_index("customer_id")
    assert customers["region"].to_dict() == {
        key.pseudonym("20001.0"): "United Kingdom",
        key.pseudonym("20002.0"): "France",
    }
    joined = customers.loc[key.pseudonym("20001.0"), "joined_at"]
    assert joined == pd.Timestamp("2010-06-01 08:00:00")  # British summer time
    lines = pd.read_parquet(result.tables.path / "transactions")
    assert sorted(lines["line_number"]) == [1, 2, 3, 5, 6]
    assert lines.loc[lines["quantity"] < 0, "order_id"].tolist() == ["C500004"]
    assert set(lines["department"]) == {"gifts"}
    products = pd.read_parquet(result.tables.path / "products").set_index("product_id")
    assert products["name"].to_dict() == {"10001": "TIN OF BUTTONS", "10002": "CLOCK, SMALL"}
    held = pd.read_parquet(result.quarantine.path)
    assert held[held["table"] == "transactions"].set_index("row_number")["reason"].to_dict() == {
        4: "no customer",
        7: "negative price",
    }
    assert set(held["table"]) == {"customers", "transactions"}


def test_the_page_allows_the_quarter_of_lines_that_has_no_customer(mapping, key, tmp_path):
    line = "5{i:05d},10001,TIN,1,2010-06-01 09:00:00,1.25,{who},United Kingdom"
    rows = [line.format(i=i, who="" if i % 100 < 23 else "20001.0") for i in range(400)]
    text = "\n".join([ROWS.splitlines()[0], *rows, ""])
    (tmp_path / "online_retail_II.csv").write_text(text, encoding="utf-8")
    raw = RawEvents(tmp_path, tmp_path / "scratch", key)
    result = check_events(raw, IntakeSettings.model_validate(mapping), ["control"])
    table = quality_table(result.quality)
    assert table.set_index(["table", "reason"]).loc[("transactions", "no customer"), "rows"] == 92
    enforce_limits(table[table["table"] != "customers"])


def test_consent_that_the_page_asserts_lets_customers_be_scored(take_in, tmp_path):
    result = take_in()
    customers = pd.read_parquet(result.tables.path / "customers")
    assert customers["consented_at"].tolist() == [pd.Timestamp("2009-12-01")] * 2
    assert suppressed_customers(result.tables).empty
    assert result.quality["suppressed_customers"] == 0
    assert result.quality["tables"]["customers"]["constants"] == {"consented_at": "2009-12-01"}
    assert "said of every row in the parameters: consented_at = 2009-12-01" in quality_report(
        result.quality
    )
    made = features_now(result, tmp_path).set_index("customer_id")
    assert sorted(made.index) == sorted(customers["customer_id"])
    assert sorted(made["orders"]) == [1, 2]
    assert (made["consent"] == 1).all()


def test_without_that_assertion_nobody_is(take_in, tmp_path):
    result = take_in(lost=["consented_at"])
    suppressed = suppressed_customers(result.tables)
    assert suppressed["reason"].tolist() == ["no consent"] * 2
    with pytest.raises(DataError, match="Of no customer there is consent"):
        features_now(result, tmp_path)


def features_now(result, folder):
    declared = {
        "orders": {"source": "orders", "aggregation": "count"},
        "consent": {"source": "customers", "aggregation": "consent", "column": "consented_at"},
    }
    settings = MomentSettings.model_validate(
        {"features": declared, "departments": ["gifts"], "database": {"scratch": str(folder / "m")}}
    )
    messages = MessageSet({"control": {"margin": 0.4}, "gifts": {"margin": 0.4}})
    folders = {
        name: result.tables.path / name
        for name in ("customers", "transactions", "sessions", "email_log")
    }
    left_out = suppressed_customers(result.tables)["customer_id"]
    features = declared_features(settings, messages)
    made = assemble_customers(folders, features, settings, folder / "made", left_out)
    return pd.read_parquet(made.folder)
