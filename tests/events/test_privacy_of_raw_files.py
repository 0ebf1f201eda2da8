"""Whoever asks is found in every raw file that the intake reads, or told where nobody looked."""

import gzip
import json
import shutil
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from pentathlon.cli import cli
from pentathlon.events import IntakeSettings, PseudonymKey, files
from pentathlon.events.holdings import TEXT_TABLES, spellings
from pentathlon.events.requests import AUDIT, erase_person, export_person, person

PROJECT = Path(__file__).parents[2]
SHOP = "01_raw/shop"
ORDERS = (
    "order_id,line_number,customer_id,ordered_at,department,product_id,quantity,unit_price,"
    "discount\n"
)
LINES = (
    "customer_id,joined_at,region\n",
    "U2,2020-01-02,south\n",
    "U1,2020-01-01,north\n",
    "U3,2020-01-03,west\n",
)
TILDES = tuple(line.replace(",", "~") for line in LINES)
QUOTED = (
    "'customer_id','joined_at','region'\n",
    "'U2','2020-01-02','south, it''s said'\n",
    "'U1','2020-01-01','north, or\nthe coast'\n",
    "'U3','2020-01-03','west'\n",
)
MAPPED = (
    "Kunde;joined_at;region\r\n",
    "zwei;2020-01-02;Süd\r\n",
    '" eins ";2020-01-01;"Nord\r\nund ""Küste"""\r\n',
    "U3;2020-01-03;West\r\n",
)


@dataclass(frozen=True)
class Text:
    """A table of customers in a text file; its third line, and no other, is the person's."""

    file: str
    lines: tuple[str, ...] = LINES
    source: dict[str, Any] = field(default_factory=dict)
    encoding: str = "utf-8"
    mark: bytes = b""
    who: str = "U1"

    def bytes(self, *, erased: bool) -> bytes:
        kept = [line for number, line in enumerate(self.lines) if not (erased and number == 2)]
        return self.mark + "".join(kept).encode(self.encoding)


TEXTS = {
    "text": Text("customers.txt"),
    "tildes": Text("customers.csv", TILDES, {"delimiter": "~"}),
    "tildes, gzipped": Text("customers.csv.gz", TILDES, {"delimiter": "~"}),
    "tabs": Text("customers.tsv", tuple(line.replace(",", "\t") for line in LINES)),
    "other suffix": Text("customers.dat", TILDES, {"delimiter": "~", "format": "csv"}),
    "UTF-8 with a mark": Text("customers.csv", mark=b"\xef\xbb\xbf"),
    "UTF-16": Text("customers.csv", LINES, {"encoding": "utf-16"}, "utf-16-le", b"\xff\xfe"),
    "big UTF-16": Text("customers.csv", LINES, {"encoding": "utf-16"}, "utf-16-be", b"\xfe\xff"),
    "UTF-16 without a mark": Text("customers.csv", LINES, {"encoding": "utf-16-be"}, "utf-16-be"),
    "single quotes": Text("customers.csv", QUOTED, {"quote": "'"}),
    "western": Text(
        "customers.csv",
        tuple(line.replace("U1", "Jörg") for line in LINES),
        {"encoding": "latin-1"},
        "latin-1",
        who="Jörg",
    ),
    "not the encoding it should be": Text(
        "customers.csv", (*LINES, "U4,2020-01-04,Zürich\n"), {}, "latin-1"
    ),
    "blanks": Text("customers.csv", tuple(x.replace("U1", "\u00a0 U1 ") for x in LINES)),
    "decimals": Text(
        "customers.csv", tuple(x.replace("U1", "20001.0") for x in LINES), who="20001"
    ),
    "spelled otherwise": Text(
        "customers.csv",
        MAPPED,
        {
            "delimiter": ";",
            "columns": {"customer_id": "Kunde"},
            "values": {"customer_id": {"eins": "U1", "zwei": "U2"}},
        },
    ),
}


def tables(customers: dict[str, Any]) -> dict[str, Any]:
    return {"transactions": {"path": "orders.csv"}, "customers": customers}


def settings(customers: dict[str, Any], **others: Any) -> IntakeSettings:
    return IntakeSettings.model_validate(
        {
            "tables": {**tables(customers), **others},
            "privacy": {"allow_development_key": True},
            "database": {"memory_gib": 0.25, "threads": 1},
        }
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / SHOP).mkdir(parents=True)
    (folder / SHOP / "orders.csv").write_text(ORDERS)
    return folder


def put(root: Path, text: Text) -> tuple[Path, IntakeSettings]:
    path = root / SHOP / text.file
    content = text.bytes(erased=False)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path, settings({"path": text.file, **text.source})


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


# --- as the intake reads


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_who_is_in_a_text_is_found_as_the_intake_does_and_erased_alone(
    text, root, check, key, tmp_path
):
    path, intake = put(root, text)
    who, name = person(text.who, key), f"{SHOP}/{text.file}"

    def taken_in() -> set[str]:
        result = check(
            root / SHOP, tmp_path / "scratch", tables=tables({"path": text.file, **text.source})
        )
        return set(pd.read_parquet(result.tables.path / "customers")["customer_id"])

    before = taken_in()
    assert before & set(who.pseudonyms)
    found = export_person(root, who, key, intake)
    assert (found.rows, found.not_searched) == ({name: 1}, {})
    assert [row["joined_at"] for row in found.held[name]] == ["2020-01-01"]
    assert content(path) == text.bytes(erased=False)

    done = erase_person(root, who, key, intake)
    assert (done.rows, done.not_searched, done.not_erased) == ({name: 1}, {}, {})
    assert content(path) == text.bytes(erased=True)
    assert taken_in() == before - set(who.pseudonyms)
    assert export_person(root, who, key, intake).rows == {}
    assert {p.name for p in root.rglob("*")} == {"01_raw", "shop", "orders.csv", text.file, AUDIT}


FRAMES = {
    "blanks": (pa.array(["U2", "U1 ", "U3"]), "U1"),
    "no-break space": (pa.array(["U2", "\u00a0U1", "U3"]), "U1"),
    "floats": (pa.array([20002.0, 20001.0, None]), "20001"),
    "floats, asked for as the intake knows them": (pa.array([20002.0, 20001.0, None]), "20001.0"),
    "whole numbers": (pa.array([20002, 20001, 200010]), "20001"),
    "decimals": (pa.array([Decimal("20002.00"), Decimal("20001.00"), None]), "20001"),
    "categories": (pa.array(["U2", "U1", None]).dictionary_encode(), "U1"),
    "bytes": (pa.array([b"U2", b"U1", None]), "U1"),
    "views": (pa.array(["U2", "U1 ", None], pa.string_view()), "U1"),
}


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize(("ids", "name"), FRAMES.values(), ids=FRAMES)
def test_who_is_in_parquet_is_found_however_the_identifier_is_stored(
    ids, name, described, root, key
):
    path = root / SHOP / "customers.parquet"
    rows = pa.table({"customer_id": ids, "x": [[1], [2, 3], []]})
    pq.write_table(rows.replace_schema_metadata({"a": "b"}), path, compression="gzip")
    whole = pq.read_table(path)
    who, intake = person(name, key), settings({"path": path.name}) if described else None
    found = export_person(root, who, key, intake)
    assert [row["x"] for row in found.held[f"{SHOP}/{path.name}"]] == [[2, 3]]
    assert erase_person(root, who, key, intake).rows == {f"{SHOP}/{path.name}": 1}
    left = pq.read_table(path)
    assert left.equals(pa.concat_tables([whole[:1], whole[2:]]), check_metadata=True)
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "GZIP"
    assert export_person(root, who, key, intake).rows == {}


def test_files_of_several_types_are_searched_as_the_one_table_that_they_are(root, key):
    folder = root / SHOP / "customers"
    folder.mkdir()
    pq.write_table(pa.table({"customer_id": [20001, 7]}), folder / "a.parquet")
    pq.write_table(pa.table({"customer_id": [20001.0, None]}), folder / "b.parquet")
    who, intake = person("20001", key), settings({"path": "customers"})
    assert set(erase_person(root, who, key, intake).rows.values()) == {1}
    assert pq.read_table(folder / "a.parquet")["customer_id"].to_pylist() == [7]
    assert pq.read_table(folder / "b.parquet")["customer_id"].to_pylist() == [None]


def test_one_file_of_several_tables_loses_each_row_once(root, key):
    mapping = {
        "path": "sales*.csv",
        "delimiter": "~",
        "columns": {"customer_id": "Customer ID"},
        "one_row_per_key": True,
    }
    text = "Invoice~Customer ID~Day\n1~U2~x\n2~U1~x\n3~U1~y\n"
    (root / SHOP / "sales 1.csv").write_text(text)
    intake = settings(
        mapping, transactions=mapping, products={"path": "sales*.csv", "delimiter": "~"}
    )
    who = person("U1", key)
    found = export_person(root, who, key, intake)
    assert [row["Invoice"] for row in found.held[f"{SHOP}/sales 1.csv"]] == ["2", "3"]
    assert erase_person(root, who, key, intake).rows == {f"{SHOP}/sales 1.csv": 2}
    assert (root / SHOP / "sales 1.csv").read_text() == "Invoice~Customer ID~Day\n1~U2~x\n"


def test_a_partition_may_be_called_as_the_person_is(root, key):
    for name in ("U1", "U2"):
        folder = root / SHOP / "customers" / f"customer_id={name}"
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"x": [1, 2]}), folder / "p.parquet")
    who, intake = person("U1", key), settings({"path": "customers"})
    mine = f"{SHOP}/customers/customer_id=U1/p.parquet"
    done = erase_person(root, who, key, intake)
    assert (done.rows, done.mentioned_in) == ({mine: 2}, [mine])
    record = json.loads((root / AUDIT).read_text())
    assert record["files"] == [f"{SHOP}/customers/customer_id=…/p.parquet"]
    assert "U1" not in (root / AUDIT).read_text()


def test_a_table_that_one_file_spoils_is_searched_file_by_file(root, key):
    folder = root / SHOP / "people"
    folder.mkdir()
    (folder / "a.csv").write_text("".join(TILDES))
    (folder / "b.csv").write_text("who~who\n")
    done = erase_person(
        root, person("U1", key), key, settings({"path": "people", "delimiter": "~"})
    )
    assert done.rows == {f"{SHOP}/people/a.csv": 1}
    (why,) = done.not_searched.items()
    assert why[0] == f"{SHOP}/people/b.csv"
    assert "names ['who'] more than once" in why[1]


def test_a_file_without_the_column_that_others_of_its_table_have_is_reported(root, key):
    folder = root / SHOP / "people"
    folder.mkdir()
    (folder / "a.csv").write_text("Kunde~x\nU1~1\nU2~2\n")
    (folder / "b.csv").write_text("Kundin~x\nU1~1\n")
    (folder / "c.csv").write_text("customer_id,x\nU1,1\n")
    source = {"path": "people", "delimiter": "~", "columns": {"customer_id": "Kunde"}}
    done = erase_person(root, person("U1", key), key, settings(source))
    assert done.rows == {f"{SHOP}/people/a.csv": 1, f"{SHOP}/people/c.csv": 1}
    assert "no row of it has a customer in 'Kunde'" in done.not_searched[f"{SHOP}/people/b.csv"]
    assert len(done.not_searched) == 1


def test_a_file_is_not_searched_because_it_is_read_for_its_products(root, key):
    (root / SHOP / "sales.csv").write_text("product_id~Kunde\nP1~U1\n")
    sales = {"path": "sales.csv", "delimiter": "~"}
    typo = sales | {"columns": {"customer_id": "Kundin"}}
    done = erase_person(root, person("U1", key), key, settings(typo, products=sales))
    assert "no column 'Kundin' for customer_id" in done.not_searched[f"{SHOP}/sales.csv"]
    right = sales | {"columns": {"customer_id": "Kunde"}}
    done = erase_person(root, person("U1", key), key, settings(right, products=sales))
    assert (done.rows, done.not_searched) == ({f"{SHOP}/sales.csv": 1}, {})


def test_a_file_that_is_not_as_the_settings_say_is_read_as_it_looks(root, key):
    (root / SHOP / "customers.csv").write_text("".join(LINES))
    intake = settings({"path": "customers.csv", "delimiter": "~"})
    done = erase_person(root, person("U1", key), key, intake)
    assert (done.rows, done.not_searched) == ({f"{SHOP}/customers.csv": 1}, {})


# --- what cannot be taken out for certain


STUBBORN = {
    # Reads as the same two characters, but is never written so.
    "bytes": ('U2,2020-01-02,"?"\nU1,2020-01-01,north\n', "cannot be kept as they are"),
    "text behind a quote": ('"U1"x,2020-01-01,north\nU2,2020-01-02,south\n', "0 can be cut out"),
    "quote that swallows": ('U1,"a"b"c,north\nU2,2020-01-02,south\n', "would read 1 rows"),
    "open quote": ('U1,"2020-01-01,north\nU2,2020-01-02,south\n', "may hold rows of others"),
}


@pytest.mark.parametrize(("rows", "why"), STUBBORN.values(), ids=STUBBORN)
def test_a_file_that_would_lose_others_rows_stays_as_it_is(rows, why, root, key):
    path = root / SHOP / "customers.csv"
    before = (LINES[0] + rows).encode("cp932").replace(b'"?"', b'"\x87\x90"')
    path.write_bytes(before)
    intake = settings({"path": path.name, "encoding": "cp932"})
    done = erase_person(root, person("U1", key), key, intake)
    assert done.rows == {}
    assert why in done.not_erased[f"{SHOP}/customers.csv"]
    assert path.read_bytes() == before
    record = json.loads((root / AUDIT).read_text())
    assert record["not_erased"] == [f"{SHOP}/customers.csv"]
    assert not [p for p in root.rglob("*") if "erasing" in p.name or "privacy-" in p.name]


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize(
    "rows",
    ['U1,2020-01-01,"north\nU2,2020-01-02,south\n', "a comma, then,U2,2020-01-02,south\n"],
    ids=["swallowed", "shifted"],
)
def test_a_row_of_which_nobody_is_certain_is_reported(rows, described, root, key):
    path = root / SHOP / "customers.csv"
    path.write_text(LINES[0] + rows)
    intake = settings({"path": path.name}) if described else None
    for ask in (export_person, erase_person):
        found = ask(root, person("U2", key), key, intake)
        assert found.rows == {}
        assert "may be about the person" in found.not_searched[f"{SHOP}/customers.csv"]


# --- what is not searched


def test_every_suffix_that_the_intake_reads_is_searched():
    assert {s for s, kind in files._SUFFIXES.items() if kind == "csv"} <= set(TEXT_TABLES)


def test_what_cannot_be_searched_is_reported_with_its_reason(root, key, tmp_path):
    raw = root / SHOP
    (raw / "broken.parquet").write_bytes(b"PAR1 and no more")
    (raw / "broken.feather").write_bytes(b"nothing of that kind")
    (raw / "cut.csv.gz").write_bytes(gzip.compress("".join(LINES).encode() * 50)[:-20])
    (raw / "tildes.csv").write_text("".join(TILDES))
    (raw / "tildes.txt").write_text("".join(TILDES))
    (raw / "wide.csv").write_bytes("".join(LINES).encode("utf-16-le"))
    (raw / "people.xlsx").write_bytes(b"PK")
    (raw / "people.dat").write_text("".join(LINES))
    (raw / "strangers.csv").write_text("Kunde,x\nU1,2\n")
    (raw / "empty.bin").touch()
    (raw / "letter.txt").write_text("Dear U10, this is not about U.1 but\nU2.\n")
    (tmp_path / "elsewhere.csv").write_text("".join(LINES))
    (raw / "link.csv").symlink_to(tmp_path / "elsewhere.csv")
    (raw / "link within.csv").symlink_to(raw / "orders.csv")
    models = root / "06_models"
    models.mkdir()
    (models / "model.ubj").write_bytes(b"\x7b")
    expected = {
        "broken.parquet": "it cannot be read",
        "broken.feather": "it cannot be read",
        "cut.csv.gz": "it cannot be read",
        "tildes.csv": "what separates its fields is unknown; name it in intake.tables",
        "tildes.txt": "what separates its fields is unknown",
        "wide.csv": "its encoding is unknown",
        "people.xlsx": "neither a table nor a text",
        "people.dat": "neither a table nor a text",
        "strangers.csv": "no column of it is known to hold your identifiers",
        "link.csv": "it leads to",
    }
    for ask in (export_person, erase_person):
        found = ask(root, person("U1", key), key)
        assert found.rows == {}
        assert set(found.not_searched) == {
            *(f"{SHOP}/{name}" for name in expected),
            "06_models/model.ubj",
        }
        for name, reason in expected.items():
            assert reason in found.not_searched[f"{SHOP}/{name}"]
        # They are read as texts at least.
        named = ("strangers.csv", "tildes.csv", "tildes.txt", "wide.csv")
        assert found.mentioned_in == [f"{SHOP}/{name}" for name in named]
    for line in (root / AUDIT).read_text().splitlines():
        assert json.loads(line)["not_searched"] == sorted(found.not_searched)
    assert (tmp_path / "elsewhere.csv").read_text() == "".join(LINES)
    found = export_person(root, person("U2", key), key)
    assert f"{SHOP}/letter.txt" in found.mentioned_in


def test_a_described_file_outside_the_data_root_is_reported(root, key, tmp_path):
    outside = tmp_path / "customers.csv"
    outside.write_text("".join(LINES))
    done = erase_person(root, person("U1", key), key, settings({"path": str(outside)}))
    assert done.not_searched == {str(outside): "it lies outside the data root"}
    assert outside.read_text() == "".join(LINES)


def test_files_that_are_read_as_they_look_keep_their_form(root, key):
    wide = root / SHOP / "wide.csv"
    wide.write_bytes(b"\xff\xfe" + "".join(LINES).encode("utf-16-le"))
    single = root / SHOP / "single.csv"
    single.write_text("".join(QUOTED))
    western = root / SHOP / "western.csv"
    western.write_bytes("".join(LINES).replace("U1", "Jörg").encode("cp1252"))
    lines = [LINES[0], *LINES[2:]]
    assert erase_person(root, person("U2", key), key).rows == dict.fromkeys(
        (f"{SHOP}/{path.name}" for path in (single, western, wide)), 1
    )
    assert wide.read_bytes() == b"\xff\xfe" + "".join(lines).encode("utf-16-le")
    assert single.read_text() == "".join([QUOTED[0], *QUOTED[2:]])
    assert western.read_bytes() == "".join(lines).replace("U1", "Jörg").encode("cp1252")
    assert erase_person(root, person("Jörg", key), key).rows == {f"{SHOP}/western.csv": 1}


def test_pseudonyms_are_found_in_lists_and_records(root, key):
    me, path = key.pseudonym("U1"), root / "03_primary" / "nested.parquet"
    path.parent.mkdir()
    whole = pa.table(
        {
            "x": [1, 2, 3, 4],
            "list": [["a"], [me], None, []],
            "record": [{"customer_id": "U2"}, None, {"customer_id": "U1 "}, {"customer_id": None}],
            "map": pa.array([[], None, [], [("k", me)]], pa.map_(pa.string(), pa.string())),
        }
    )
    pq.write_table(whole, path)
    assert erase_person(root, person("U1", key), key).rows == {"03_primary/nested.parquet": 3}
    assert pq.read_table(path).equals(whole.slice(0, 1))


# --- words for whoever asks


def test_whole_numbers_have_the_spellings_that_columns_of_decimals_give_them():
    assert spellings("20001") == ("20001", "20001.0", "20001.00")
    assert spellings("20001.0") == ("20001.0", "20001", "20001.00")
    assert spellings("0020001") == ("0020001",)
    assert spellings("U1") == ("U1",)


def test_documents_are_searched_for_the_identifier_as_a_word(root, key):
    folder = root / "08_reporting"
    folder.mkdir()
    said = {"a.json": '"J\\u00f6rg & Co"', "b.html": "Jörg &amp; Co", "c.md": "Jörg & Cousins"}
    for name, text in said.items():
        (folder / name).write_text(text)
    found = export_person(root, person("Jörg & Co", key), key)
    assert found.mentioned_in == ["08_reporting/a.json", "08_reporting/b.html"]
    (folder / "d.json").write_text('{"a": 0.20001, "b": 20001.5, "c": 120001, "d": 20001}')
    assert export_person(root, person("20001", key), key).mentioned_in == ["08_reporting/d.json"]
    assert export_person(root, person("20002", key), key).mentioned_in == []


def test_whoever_asks_by_another_name_is_told_so(root, key):
    text = TEXTS["spelled otherwise"]
    _, intake = put(root, text)
    (note,) = export_person(root, person("eins", key), key, intake).notes
    assert "eins stands for U1. Ask for U1 too" in note
    assert export_person(root, person("U1", key), key, intake).notes == []
    (note,) = export_person(root, person(key.pseudonym("U1"), key), key, intake).notes
    assert "Ask by your own identifier too" in note


# --- commands


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with an environment ``shop``, whose intake reads customers between tildes."""
    folder = tmp_path / "project"
    shutil.copytree(PROJECT / "conf" / "base", folder / "conf" / "base")
    for name in ("local", "shop"):
        (folder / "conf" / name).mkdir()
    shutil.copy(PROJECT / "pyproject.toml", folder)
    (folder / "src").mkdir()
    block = {"tables": tables({"path": "customers.csv", "delimiter": "~"})}
    (folder / "conf/shop/parameters_intake.yml").write_text(yaml.safe_dump({"intake": block}))
    (folder / "conf/shop/globals.yml").write_text("data_root: data\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def public_key(project):
    entry = yaml.safe_load((project / "conf/base/credentials.yml").read_text())["pseudonyms"]
    return PseudonymKey.from_credentials(entry)


def privacy(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["privacy", *arguments, "--env", "shop"])


def test_the_commands_read_raw_files_as_the_environment_says(project, public_key):
    raw = project / "data" / SHOP
    raw.mkdir(parents=True)
    (raw / "customers.csv").write_text("".join(TILDES))
    (raw / "people.xlsx").write_bytes(b"PK")
    me = public_key.pseudonym("U1")
    clean = project / "data/03_primary/customers.parquet"
    clean.parent.mkdir()
    pd.DataFrame({"customer_id": [me]}).to_parquet(clean)

    shown = privacy("export", "--customer", "U1")
    held = json.loads(shown.stdout)
    missed = held.pop("not_searched")
    assert set(held) == {f"{SHOP}/customers.csv", "03_primary/customers.parquet"}
    assert missed.keys() == {f"{SHOP}/people.xlsx"}
    assert f"Not searched: {SHOP}/people.xlsx: it is neither" in shown.stderr
    written = privacy("export", "--customer", "U1", "--to", "U1.json")
    assert json.loads((project / "U1.json").read_text()) == {**held, "not_searched": missed}
    assert "2 rows of 2 files" in written.stdout
    assert f"Not searched: {SHOP}/people.xlsx" in written.stdout

    done = privacy("erase", "--customer", "U1", "--yes")
    assert done.exit_code == 0
    assert "Erased 2 rows from 2 files" in done.stdout
    assert f"Not searched: {SHOP}/people.xlsx" in done.stdout
    assert (raw / "customers.csv").read_text() == "".join([*TILDES[:2], TILDES[3]])
    records = [json.loads(x) for x in (project / "data" / AUDIT).read_text().splitlines()]
    assert [record["action"] for record in records] == ["export", "export", "erase"]
    assert {tuple(record["not_searched"]) for record in records} == {(f"{SHOP}/people.xlsx",)}


def test_the_command_fails_when_rows_are_left(project):
    raw = project / "data" / SHOP
    raw.mkdir(parents=True)
    (raw / "customers.csv").write_text(TILDES[0] + 'U1~"2020-01-01~north\nU2~2020-01-02~south\n')
    done = privacy("erase", "--customer", "U1", "--yes")
    assert done.exit_code == 1
    assert "Erased 0 rows from 0 files" in done.stdout
    assert f"Not erased: {SHOP}/customers.csv: the row in lines 2 to 3 has" in done.stdout
    assert "1 files still hold rows about the person" in done.stderr


def test_settings_that_cannot_be_read_stop_the_command(project):
    (project / "data").mkdir()
    (project / "conf/shop/parameters_intake.yml").write_text("intake: {tables: {customers: 1}}\n")
    done = privacy("erase", "--customer", "U1", "--yes")
    assert done.exit_code == 1
    assert "The block `intake` of the parameters cannot be read" in done.stderr
