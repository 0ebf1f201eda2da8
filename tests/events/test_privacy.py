"""Nobody stays named, and whoever asks is erased or told what is held."""

import csv
import gzip
import hashlib
import hmac
import json
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from pentathlon.errors import DataError, ParameterError
from pentathlon.events import PseudonymKey, personal_columns
from pentathlon.events.contracts import TABLES
from pentathlon.events.intake import suppressed_customers
from pentathlon.events.pseudonyms import pseudonymise_file, require_key
from pentathlon.events.requests import AUDIT, erase_person, export_person, person

CONF = Path(__file__).parents[2] / "conf"
OWN = PseudonymKey("k2", "x" * 70, {"k1": "y" * 32})


# --- pseudonyms


def test_a_pseudonym_is_the_beginning_of_an_hmac(key):
    digest = hmac.new(key.key.encode(), "Jörg".encode(), hashlib.sha256).hexdigest()
    assert key.pseudonym("Jörg") == f"dev_{digest[:32]}"


@pytest.mark.parametrize("secret", ["s" * 32, "s" * 64, "ß" * 80])
def test_the_database_makes_the_same_pseudonyms(secret):
    key = PseudonymKey("k1", secret)
    connection = duckdb.connect()
    key.install(connection)
    for identifier in ("U1", "Jörg", "a" * 200):
        made = connection.execute("SELECT pseudonym($1)", [identifier]).fetchone()
        assert made == (key.pseudonym(identifier),)


def test_a_rotated_key_still_knows_the_pseudonyms_of_the_one_before():
    before = PseudonymKey("k1", "y" * 32)
    assert OWN.pseudonyms("U1") == [OWN.pseudonym("U1"), before.pseudonym("U1")]
    assert "x" * 70 not in repr(OWN)
    assert "y" * 32 not in repr(OWN)


@pytest.mark.parametrize(
    ("credentials", "message"),
    [
        (None, "There is no key"),
        ({"key_id": "k1", "key": "short"}, "could be guessed"),
        ({"key_id": "K 1", "key": "x" * 32}, "key_id"),
        ({"key_id": "k1", "key": "x" * 32, "old": {}}, "key_id"),
        ({"key_id": "k1", "key": "x" * 32, "previous": {"k1": "y" * 32}}, "needs a new name"),
    ],
)
def test_a_key_that_protects_nobody_is_refused(credentials, message):
    with pytest.raises(ParameterError, match=message):
        PseudonymKey.from_credentials(credentials)


def test_real_customers_need_a_key_of_their_own(key):
    with pytest.raises(ParameterError, match="everybody knows it"):
        require_key(key, development_allowed=False)
    with pytest.raises(ParameterError, match="There is no key"):
        require_key(None, development_allowed=True)
    assert require_key(OWN, development_allowed=False) is OWN


def test_only_environments_that_simulate_may_use_the_public_key():
    credentials = yaml.safe_load((CONF / "base" / "credentials.yml").read_text(encoding="utf-8"))
    assert PseudonymKey.from_credentials(credentials["pseudonyms"]).for_development
    for path in CONF.glob("*/parameters_intake.yml"):
        block = yaml.safe_load(path.read_text(encoding="utf-8"))["intake"]
        allowed = block["privacy"]["allow_development_key"]
        assert not allowed or path.parent.name in {"base", "test"}, path


# --- personal columns


def test_no_clean_table_has_a_personal_column(simulated):
    marked = personal_columns()
    assert {"name", "email"} <= {column for table, column in marked if table == "customers"}
    for name, contract in TABLES.items():
        for file in (simulated.tables.path / name).glob("*.parquet"):
            columns = set(pq.read_schema(file).names)
            assert columns == {column.name for column in contract.clean}
            assert not {(name, column) for column in columns} & marked


def test_nothing_that_names_a_customer_comes_through(retailer, simulated):
    people = pd.read_parquet(retailer / "customers")
    secrets = set(people["customer_id"].dropna()) | set(people["email"]) | set(people["name"])
    seen = 0
    for folder in (simulated.tables.path, simulated.quarantine.path):
        for file in folder.rglob("*.parquet"):
            for column in pd.read_parquet(file).select_dtypes(["object", "string"]):
                values = pd.read_parquet(file, columns=[column])[column].dropna().astype(str)
                assert not values.isin(secrets).any(), f"{file.name}: {column}"
                assert not values.str.contains("@shop.example").any(), f"{file.name}: {column}"
                seen += len(values)
    assert seen > 10_000


def test_no_environment_makes_a_feature_of_a_personal_column():
    # What the datasets of later layers hold after a run is looked at in
    # tests/end_to_end/test_privacy_of_a_run.py.
    names = {column for table, column in personal_columns() if table == "customers"}
    for path in CONF.glob("*/parameters.yml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        features = content.get("features", {})
        used = {*features.get("numeric", []), *features.get("categorical", [])}
        used |= set((features.get("counts") or {}).values())
        assert not used & names, path


def test_only_the_intake_reads_raw_tables():
    # They have personal columns, and it writes nothing but clean tables and counts.
    from pentathlon.pipeline_registry import register_pipelines

    readers = {
        node.name
        for pipeline in register_pipelines().values()
        for node in pipeline.nodes
        if {"raw_events", "simulated_events"} & set(node.inputs)
    }
    assert readers == {"intake.check"}


def test_a_hash_is_kept_only_where_that_is_declared(intake, key):
    customers = "customer_id,joined_at,region,email\nU1,2020-01-01,north,Ann@Shop.example\n"
    lines = (
        "order_id,line_number,customer_id,ordered_at,department,product_id,quantity,"
        "unit_price,discount\n"
    )
    found, _ = intake({"customers": customers, "transactions": lines})
    assert "email_hash" not in found["customers"]
    rules = {"allow_development_key": True, "personal": {"email": "hash", "name": "drop"}}
    found, _ = intake({"customers": customers, "transactions": lines}, privacy=rules)
    expected = hmac.new(key.key.encode(), b"ann@shop.example", hashlib.sha256).hexdigest()[:32]
    assert found["customers"]["email_hash"].tolist() == [expected]
    assert "email" not in found["customers"]


# --- consent


def test_who_has_not_consented_or_has_opted_out_is_suppressed(intake, key):
    customers = (
        "customer_id,joined_at,region,consented_at,opted_out_at\n"
        "U1,2020-01-01,north,2020-01-02,\n"
        "U2,2020-01-01,north,,\n"
        "U3,2020-01-01,north,2020-01-02,2021-01-01\n"
    )
    lines = (
        "order_id,line_number,customer_id,ordered_at,department,product_id,quantity,"
        "unit_price,discount\n"
    )
    found, quality = intake({"customers": customers, "transactions": lines})
    reasons = found["suppressed"].set_index("customer_id")["reason"].to_dict()
    assert reasons == {key.pseudonym("U2"): "no consent", key.pseudonym("U3"): "opted out"}
    assert quality["suppressed_customers"] == 2


def test_rules_keep_suppressed_customers_from_every_email(simulated):
    from datetime import date

    from pentathlon.contract.messages import MessageSet
    from pentathlon.decision.rules.asking import Sources, screen_customers
    from pentathlon.decision.rules.settings import RuleSettings

    suppressed = suppressed_customers(simulated.tables)
    assert 10 < len(suppressed) < 200
    people = pd.read_parquet(simulated.tables.path / "customers", columns=["customer_id"])
    messages = MessageSet({"control": {"margin": 0.4}, "water": {"margin": 0.4}})
    sources = Sources(suppressed=suppressed)
    screen = screen_customers(people, messages, RuleSettings(), (), sources, date(2026, 2, 13))
    held = people["customer_id"].isin(suppressed["customer_id"]).to_numpy()
    assert ((screen.removed_by[:, 1] > 0) == held).all()
    assert (screen.removed_by[:, 0] == 0).all()


def test_files_of_addresses_get_pseudonyms(tmp_path):
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("email,customer_id\na@b,U1\nc@d,\n")
    assert pseudonymise_file(source, target, "customer_id", OWN) == 2
    assert target.read_text().splitlines() == [
        *("email,customer_id", f"a@b,{OWN.pseudonym('U1')}", "c@d,")
    ]
    with pytest.raises(DataError, match="no column id"):
        pseudonymise_file(source, target, "id", OWN)
    with pytest.raises(DataError, match="Name another one"):
        pseudonymise_file(source, source, "customer_id", OWN)


def test_nobody_is_assigned_an_email_against_their_will(simulated):
    log = pd.read_parquet(simulated.tables.path / "email_log")
    people = pd.read_parquet(simulated.tables.path / "customers")
    rows = log.merge(people, on="customer_id")
    assert (rows["consented_at"] <= rows["assigned_at"]).all()
    assert not (rows["opted_out_at"] < rows["assigned_at"]).any()


# --- requests


@pytest.fixture
def root(tmp_path):
    """A data root with one person, U1, in every kind of file, layer and version."""
    me, before, other = OWN.pseudonym("U1"), OWN.pseudonyms("U1")[1], OWN.pseudonym("U2")
    raw = tmp_path / "01_raw"
    (raw / "orders" / "month=1").mkdir(parents=True)
    pd.DataFrame({"customer_id": ["U1", "U2", "U1"], "x": [1, 2, 3]}).to_parquet(
        raw / "orders" / "month=1" / "p.parquet"
    )
    (raw / "people.csv").write_bytes(b'Kunde;note\r\nU1;"two\r\nlines"\r\nU2;U1\r\nU3;\xe9\r\n')
    with gzip.open(raw / "old.csv.gz", "wt") as file:
        file.write("custid,x\nU2,1\nU1,2\n")
    for version, name in (("v1", before), ("v2", me)):
        folder = tmp_path / "03_primary" / "customers.parquet" / version
        folder.mkdir(parents=True)
        frame = pd.DataFrame({"customer_id": [name, other], "x": [1.5, 2.5]})
        frame["customer_id"] = frame["customer_id"].astype("category")
        frame.to_parquet(folder / "customers.parquet")
    exports = tmp_path / "08_reporting" / "exports"
    exports.mkdir(parents=True)
    (exports / "braze.csv").write_text(f"who,message\n{me},water\n{other},team\n")
    (exports / "note.json").write_text(json.dumps({"example": me}))
    runs = tmp_path / "08_reporting" / "runs"
    runs.mkdir()
    digest = hashlib.sha256((raw / "people.csv").read_bytes()).hexdigest()
    inputs = {"raw_customers": {"path": "{data_root}/01_raw/people.csv", "sha256": digest}}
    (runs / "v2.json").write_text(json.dumps({"id": "v2", "inputs": inputs}))
    (runs / "v3.json").write_text(json.dumps({"id": "v3", "inputs": {}}))
    return tmp_path


def test_erasing_removes_a_person_from_every_layer_and_version_and_nobody_else(root):
    me = person("U1", OWN, ["Kunde"])
    done = erase_person(root, me, OWN)
    assert done.rows == {
        "01_raw/old.csv.gz": 1,
        "01_raw/orders/month=1/p.parquet": 2,
        "01_raw/people.csv": 1,
        "03_primary/customers.parquet/v1/customers.parquet": 1,
        "03_primary/customers.parquet/v2/customers.parquet": 1,
        "08_reporting/exports/braze.csv": 1,
    }
    assert done.mentioned_in == ["08_reporting/exports/note.json"]
    # Bytes of the others are what they were; U1 in a note is no identifier.
    assert (root / "01_raw/people.csv").read_bytes() == b"Kunde;note\r\nU2;U1\r\nU3;\xe9\r\n"
    orders = pd.read_parquet(root / "01_raw/orders")
    assert orders["customer_id"].tolist() == ["U2"]
    left = pd.read_parquet(root / "03_primary/customers.parquet/v1/customers.parquet")
    assert left["customer_id"].tolist() == [OWN.pseudonym("U2")]
    assert erase_person(root, me, OWN).rows == {}
    assert not [p for p in root.rglob("*") if "erasing" in p.name]


def test_erasing_is_recorded_without_naming_anybody(root):
    erase_person(root, person("U1", OWN, ["Kunde"]), OWN)
    (line,) = (root / AUDIT).read_text().splitlines()
    record = json.loads(line)
    assert (record["action"], record["rows"], len(record["files"])) == ("erase", 7, 6)
    assert record["proof"] == OWN.proof("U1")
    assert not any(name in line for name in (*OWN.pseudonyms("U1"), '"U1"'))


def test_records_of_runs_say_what_has_changed_since(root):
    before = json.loads((root / "08_reporting/runs/v2.json").read_text())
    erase_person(root, person("U1", OWN, ["Kunde"]), OWN)
    after = json.loads((root / "08_reporting/runs/v2.json").read_text())
    entry = after["inputs"]["raw_customers"]
    assert entry["sha256"] == before["inputs"]["raw_customers"]["sha256"]
    now = hashlib.sha256((root / "01_raw/people.csv").read_bytes()).hexdigest()
    assert entry["erasures"][0]["sha256"] == now != entry["sha256"]
    files = ["03_primary/customers.parquet/v2/customers.parquet"]
    assert after["erasures"][0]["files"] == files
    assert json.loads((root / "08_reporting/runs/v3.json").read_text()) == {
        "id": "v3",
        "inputs": {},
    }


def test_an_export_holds_every_row_about_a_person_and_changes_nothing(root):
    before = {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}
    found = export_person(root, person("U1", OWN, ["Kunde"]), OWN)
    assert found.held["01_raw/people.csv"] == [{"Kunde": "U1", "note": "two\r\nlines"}]
    assert [row["x"] for row in found.held["01_raw/orders/month=1/p.parquet"]] == [1, 3]
    assert sum(found.rows.values()) == 7
    assert {p: p.read_bytes() for p in before} == before


def test_a_person_can_be_named_by_a_pseudonym(root):
    found = export_person(root, person(OWN.pseudonym("U1"), OWN), OWN)
    assert set(found.rows) == {
        "03_primary/customers.parquet/v2/customers.parquet",
        "08_reporting/exports/braze.csv",
    }


def test_an_erased_customer_is_gone_from_the_intake_too(check, retailer, key, tmp_path):
    import shutil

    folder = tmp_path / "01_raw"
    shutil.copytree(retailer, folder)
    done = erase_person(tmp_path, person("U7", key), key)
    assert any(name.startswith("01_raw/transactions") for name in done.rows)
    result = check(folder, tmp_path / "scratch")
    for file in (tmp_path / "scratch").rglob("*.parquet"):
        frame = pd.read_parquet(file)
        if "customer_id" in frame:
            assert not frame["customer_id"].eq(key.pseudonym("U7")).any(), file
    used = result.quality["tables"]["customers"]["rows_used"]
    assert used == 599


def test_text_tables_are_found_with_any_usual_delimiter(tmp_path):
    for delimiter in ",;\t":
        with (tmp_path / "t.csv").open("w", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([["customer_id", "x"], ["U1", "1"]])
        assert erase_person(tmp_path, person("U1", OWN), OWN).rows == {"t.csv": 1}
