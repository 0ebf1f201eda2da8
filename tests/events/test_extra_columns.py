"""Columns that a retailer has beside those of the contract."""

import hashlib
import hmac
import json
import re
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from pydantic import ValidationError

from pentathlon.errors import DataError
from pentathlon.events import TABLES, IntakeSettings, personal_columns

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
PAGE = ROOT / "docs" / "how-to" / "raw-tables.md"
CUSTOMERS = "customer_id,joined_at,region,Einkommen,kids,badge,card\n"
PEOPLE = (
    "U1,2020-01-01,north,1.200,none,yes,K-1\n"
    "U2,2020-01-01,south,,two,no,\n"
    "U3,2020-01-01,south,-3,two,no,K-3\n"
)
LINES = (
    "order_id,line_number,customer_id,ordered_at,department,product_id,quantity,unit_price,"
    "discount,courier,door\n"
)
ORDERS = "o1,1,U1,2022-01-01,a,p,1,5,0,bike,12 High Street\no2,1,U9,2022-01-01,a,p,1,5,0,bike,13\n"
SOURCES = {
    "customers": {
        "decimal": ",",
        "columns": {"income": "Einkommen", "children": "kids", "loyal": "badge"},
        "values": {"children": {"none": "0", "two": "2"}},
        "extra": {
            "income": {"type": "integer", "unit": "currency per year", "range": [0, None]},
            "children": {"type": "number"},
            "loyal": {"type": "boolean", "nullable": False},
            "card": {"type": "text", "personal": True},
        },
    },
    "transactions": {
        "extra": {"courier": {"type": "text"}, "door": {"type": "text", "personal": True}}
    },
}


@pytest.fixture
def taken(intake):
    def run(**changes):
        texts = {"customers": CUSTOMERS + PEOPLE, "transactions": LINES + ORDERS}
        return intake(texts, SOURCES, **changes)

    return run


def test_declared_columns_are_typed_checked_and_kept(taken, key):
    found, quality = taken()
    people = found["customers"].set_index("customer_id")
    assert list(people.columns[-3:]) == ["income", "children", "loyal"]
    one, two = people.loc[key.pseudonym("U1")], people.loc[key.pseudonym("U2")]
    assert (one["income"], one["children"], one["loyal"]) == (1200, 0.0, True)
    assert pd.isna(two["income"])
    assert (two["children"], two["loyal"]) == (2.0, False)
    assert found["transactions"]["courier"].tolist() == ["bike"]
    held = found["quarantine"].set_index("table")
    assert held.loc["customers", "reason"] == "income out of range"
    assert json.loads(held.loc["customers", "row"])["income"] == "-3"
    assert quality["tables"]["customers"]["unused_columns"] == []
    (reason,) = quality["tables"]["customers"]["reasons"]
    assert reason["phrase"] == "have an income below 0"


def test_personal_ones_are_dropped_and_never_shown(taken):
    found, _ = taken()
    assert not {"card", "door"} & {*found["customers"], *found["transactions"]}
    for frame in found.values():
        assert not frame.astype(str).isin(["12 High Street", "13", "K-1", "K-3"]).any(axis=None)
    for row in found["quarantine"]["row"]:
        assert not {"card", "door"} & set(json.loads(row))


def test_personal_ones_are_hashed_by_the_rule_of_the_others_in_whatever_table(taken, key):
    rules = {"card": "hash", "door": "hash", "email": "drop"}
    found, _ = taken(privacy={"allow_development_key": True, "personal": rules})

    def hashed(text):
        digest = hmac.new(key.key.encode(), text.lower().encode(), hashlib.sha256)
        return digest.hexdigest()[:32]

    people = found["customers"].set_index("customer_id")
    assert people.loc[key.pseudonym("U1"), "card_hash"] == hashed("K-1")
    assert pd.isna(people.loc[key.pseudonym("U2"), "card_hash"])
    assert found["transactions"]["door_hash"].tolist() == [hashed("12 High Street")]
    assert not {"card", "door"} & {*found["customers"], *found["transactions"]}


def test_a_declared_column_that_no_file_has_stops_the_run(intake):
    texts = {"customers": "customer_id,joined_at,region,incomes\n", "transactions": LINES}
    extra = {"customers": {"extra": {"income": {"type": "integer"}}}}
    with pytest.raises(DataError) as caught:
        intake(texts, extra)
    assert str(caught.value) == (
        "The table customers has no column 'income' for income; it has customer_id, joined_at, "
        "region, incomes. Did you mean 'incomes'? Name it in intake.tables.customers.columns, or "
        "take it out of intake.tables.customers.extra."
    )


def test_the_example_of_the_documentation_is_valid():
    blocks = re.findall(r"^```yaml\n(intake:.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
    (block,) = (block for block in blocks if "extra:" in block)
    settings = IntakeSettings.model_validate(yaml.safe_load(block)["intake"])
    contracts = settings.contracts()
    assert [c.name for c in contracts["customers"].declared] == [
        *("income", "member_until", "loyalty_card")
    ]
    assert settings.hashed(contracts["customers"]) == ["loyalty_card"]
    assert contracts["transactions"] == TABLES["transactions"]


@pytest.mark.parametrize(
    ("name", "declaration", "message"),
    [
        ("region", {"type": "text"}, "columns that every customers table has"),
        ("email", {"type": "text"}, "columns that every customers table has"),
        ("raw_income", {"type": "text"}, "names that the intake uses itself"),
        ("card_hash", {"type": "text"}, "names that the intake uses itself"),
        ("reason", {"type": "text"}, "names that the intake uses itself"),
        ("Income", {"type": "number"}, "should match pattern"),
        ('x" --', {"type": "number"}, "should match pattern"),
        ("income", {"type": "money"}, "Input should be 'text'"),
        ("income", {}, "Field required"),
        ("income", {"type": "number", "minimum": 0}, "Extra inputs are not permitted"),
        ("income", {"type": "text", "range": [0, 1]}, "only numbers have one"),
        ("income", {"type": "number", "range": [2, 1]}, "2.0 is above 1.0"),
        ("income", {"type": "number", "range": [0, float("inf")]}, "finite number"),
        ("income", {"type": "number", "future": True}, "only times may be later"),
        ("hobbies", {"type": "texts", "nullable": False}, "a list may always be empty"),
        ("card", {"type": "integer", "personal": True}, "give it the type text"),
        ("card", {"type": "text", "personal": True, "nullable": False}, "leave nullable out"),
    ],
)
def test_a_declaration_that_cannot_be_is_refused(configured, name, declaration, message):
    tables = {table: {"path": table} for table in TABLES}
    tables["customers"]["extra"] = {name: declaration}
    with pytest.raises(ValidationError, match=message):
        configured(tables=tables)


def test_a_column_that_is_neither_known_nor_declared_is_refused(configured):
    tables = {"customers": {"path": "c", "columns": {"wage": "w"}}, "transactions": {"path": "t"}}
    with pytest.raises(ValidationError, match=r"Declare others in customers\.extra"):
        configured(tables=tables)


def test_a_rule_for_a_column_that_is_not_personal_is_refused(configured):
    extra = {"income": {"type": "number"}, "card": {"type": "text", "personal": True}}
    tables = {"customers": {"path": "c", "extra": extra}, "transactions": {"path": "t"}}
    rules = {"allow_development_key": True, "personal": {"income": "hash"}}
    with pytest.raises(ValidationError, match=r"\['income'\] are not marked .*'card'.* are"):
        configured(tables=tables, privacy=rules)


# --- the simulated retailer


def environments():
    """Settings of the intake by environment."""
    for path in sorted(CONF.glob("*/parameters_intake.yml")):
        block = yaml.safe_load(path.read_text(encoding="utf-8"))["intake"]
        yield path.parent.name, IntakeSettings.model_validate(block)


def test_what_drives_responses_reaches_the_clean_customers(check, retailer, key, tmp_path):
    wanted = {"customers": {"income", "education", "children"}, "products": {"brand"}}
    settings = dict(environments())
    assert settings["base"].tables == settings["test"].tables
    tables = settings["base"].tables.model_dump()
    result = check(retailer, tmp_path, tables=tables)
    for name, contract in settings["base"].contracts().items():
        assert {column.name for column in contract.declared} == wanted.get(name, set())
        schema = pq.read_schema(result.tables.path / name / "data_0.parquet")
        assert schema.names == [column.name for column in contract.clean]
        assert result.quality["tables"][name]["unused_columns"] == []
    raw = pd.read_parquet(retailer / "customers").drop_duplicates("customer_id")
    raw["customer_id"] = [key.pseudonym(str(name)) for name in raw["customer_id"]]
    clean = pd.read_parquet(result.tables.path / "customers").set_index("customer_id")
    columns = sorted(wanted["customers"])
    expected = raw.set_index("customer_id").loc[clean.index, columns]
    pd.testing.assert_frame_equal(clean[columns], expected, check_dtype=False)
    assert (clean[columns].nunique() > 5).all()
    products = pd.read_parquet(result.tables.path / "products")
    assert set(products["brand"]) == {"own", "known", "fine"}
    # What is found against rows is what was found without the further columns.
    bad = json.loads((retailer / "simulated.json").read_text())["bad_rows"]
    for name, kinds in bad.items():
        reasons = {r["reason"]: r["rows"] for r in result.quality["tables"][name]["reasons"]}
        assert reasons == {kind: n for kind, n in kinds.items() if n}


def test_no_declared_personal_column_is_a_feature_in_any_environment():
    for name, settings in environments():
        marked = {column for _, column in personal_columns(settings.contracts().values())}
        for path in (CONF / "base" / "parameters.yml", CONF / name / "parameters.yml"):
            content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
            features = content.get("features", {})
            used = {*features.get("numeric", []), *features.get("categorical", [])}
            assert not used & marked, path
