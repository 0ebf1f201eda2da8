"""Raw tables become clean ones, and nothing disappears on the way."""

import json

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pentathlon.errors import DataError
from pentathlon.events import TABLES

CUSTOMERS = "customer_id,joined_at,region\nU1,2020-01-01,north\nU2,2021-01-01,south\n"
LINES = (
    "order_id,line_number,customer_id,ordered_at,department,product_id,quantity,unit_price,"
    "discount,returns_order_id\n"
)


def reasons(quality, table):
    return {r["reason"]: r["rows"] for r in quality["tables"][table]["reasons"]}


def test_the_clean_tables_are_those_of_the_contracts(simulated):
    kinds = {
        "text": "string",
        "integer": "int32",
        "number": "double",
        "boolean": "bool",
        "timestamp": "timestamp[us]",
    }
    for name, contract in TABLES.items():
        schema = pq.read_schema(simulated.tables.path / name / "data_0.parquet")
        assert schema.names == [column.name for column in contract.clean]
        for column in contract.clean:
            found = str(schema.field(column.name).type)
            assert found == kinds.get(column.kind, found), f"{name}.{column.name}"
            assert column.kind != "texts" or found.startswith("list<")


def test_every_bad_row_of_the_simulation_is_found_for_its_reason_and_no_other(retailer, simulated):
    bad = json.loads((retailer / "simulated.json").read_text())["bad_rows"]
    assert sum(sum(kinds.values()) for kinds in bad.values()) > 100
    for name, kinds in bad.items():
        assert reasons(simulated.quality, name) == {k: n for k, n in kinds.items() if n}


def test_rows_read_are_rows_used_and_rows_quarantined(retailer, simulated):
    held = pd.read_parquet(simulated.quarantine.path)
    for name, table in simulated.quality["tables"].items():
        on_disk = sum(pq.read_metadata(f).num_rows for f in (retailer / name).glob("*.parquet"))
        used = len(pd.read_parquet(simulated.tables.path / name))
        assert on_disk == used + (held["table"] == name).sum() == table["rows_read"]


CELLS = {
    "id": st.sampled_from(["U1", "U2", "U3", "", "nobody", "U1 ", "ü\udcff"]),
    "time": st.sampled_from(
        ["2022-05-01 10:00", "2022-05-01T10:00:00+02:00", "x", "", "2199-01-01"]
    ),
    "number": st.sampled_from(["1", "-1", "0", "2.5", "", "1e400", "many", "2"]),
    "word": st.sampled_from(["a", "b", "", '"a, b"', "NULL", "a,b"]),
}
ROWS = {
    "customers": ("id", "time", "word"),
    "transactions": (*("word", "number", "id", "time", "word", "word"), *["number"] * 3, "word"),
    "sessions": ("word", "id", "time", "number", "number", "word", "number"),
    "email_log": ("word", "id", "word", "time", "word", "number", "time", "time", "time"),
    "products": ("word", "word", "word", "number", "number"),
}
HEADERS = {
    name: ",".join(
        c.name
        for c in TABLES[name].clean
        if name != "customers" or c.name in {"customer_id", "joined_at", "region"}
    )
    for name in ROWS
}


@st.composite
def tables(draw):
    found = {}
    for name, cells in ROWS.items():
        rows = draw(st.lists(st.tuples(*(CELLS[c] for c in cells)), max_size=12))
        found[name] = [",".join(row) for row in rows if ",".join(row).strip()]
    return found


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(tables())
def test_no_row_of_any_dirty_table_disappears(intake, dirty):
    texts = {
        name: "\n".join([HEADERS[name], *rows, ""]).encode("utf-8", "surrogateescape")
        for name, rows in dirty.items()
    }
    found, quality = intake(texts)
    held = found["quarantine"]
    for name, rows in dirty.items():
        quarantined = held[held["table"] == name]
        assert len(rows) == len(found[name]) + len(quarantined)
        assert quarantined["row_number"].is_unique
        assert quarantined["row_number"].between(1, len(rows)).all()
        assert quality["tables"][name]["rows_read"] == len(rows)


def test_what_cannot_be_used_is_kept_with_reason_file_and_row(intake):
    lines = LINES + (
        "o1,1,U1,2022-01-01 10:00:00,a,p,2,5,0,\n"
        "o2,1,U1,2022-01-02 10:00:00,a,p,-1,5,0,o1\n"
        "o3,1,U1,2022-01-02 10:00:00,a,p,-1,5,0,o9\n"
        "o4,1,U2,2022-01-02 10:00:00,a,p,-1,5,0,o1\n"
        "o5,1,U1,2021-01-01 10:00:00,a,p,-1,5,0,o1\n"
        "o6,1,U9,2022-01-01,a,p,1,5,0,\n"
        "o7,1,U2,2020-06-01,a,p,1,5,0,\n"
        "o8,1,U1,2023-01-01,a,p,1.5,5,0,\n"
        "o9,1,U1,2199-01-01,a,p,1,5,0,\n"
        "o1,1,U1,2022-01-01 10:00:00,a,p,2,5,0,\n"
        "o11,1,U1,2022-01-01,a,p,1,-5,0,\n"
        "o12,1,,2022-01-01,a,p,1,5,0,\n"
    )
    found, quality = intake({"customers": CUSTOMERS, "transactions": lines})
    held = found["quarantine"].set_index("row_number")
    assert held["reason"].to_dict() == {
        3: "return without an order",
        4: "return without an order",
        5: "return before its order",
        6: "unknown customer",
        7: "before the customer joined",
        8: "quantity is not a whole number",
        9: "ordered_at in the future",
        10: "duplicate",
        11: "negative price",
        12: "no customer",
    }
    assert set(held["source_file"]) == {"transactions.csv"}
    assert json.loads(held.loc[8, "row"])["quantity"] == "1.5"
    assert "customer_id" not in json.loads(held.loc[8, "row"])
    assert sorted(found["transactions"]["order_id"]) == ["o1", "o2"]
    assert quality["tables"]["transactions"]["rows_quarantined"] == 10


def test_text_that_is_not_utf8_is_quarantined_and_other_encodings_can_be_declared(intake):
    text = "customer_id,joined_at,region\nU1,2020-01-01,süd\nU2,2020-01-01,nord\n".encode("latin-1")
    lines = LINES + "o1,1,U2,2022-01-01,a,p,1,5,0,\n"
    found, quality = intake({"customers": text, "transactions": lines})
    assert reasons(quality, "customers") == {"broken text": 1}
    found, quality = intake(
        {"customers": text, "transactions": lines}, {"customers": {"encoding": "latin-1"}}
    )
    assert sorted(found["customers"]["region"]) == ["nord", "süd"]
    assert not quality["tables"]["customers"]["reasons"]


def test_names_and_formats_are_mapped(intake, key):
    readers = "reader;since;where;Mail\n7;01.02.2020 12:00;n;a@b.example\n"
    orders = "o;l;who;when;what;n;eur\nx;1;7;15.07.2021 12:00;p;2;1.234,50\n"
    found, _ = intake(
        {"customers": readers, "transactions": orders},
        {
            "customers": {
                "delimiter": ";",
                "timestamp_format": "%d.%m.%Y %H:%M",
                "columns": {
                    **{"customer_id": "reader", "joined_at": "since", "region": "where"},
                    "email": "Mail",
                },
                "values": {"region": {"n": "north"}},
            },
            "transactions": {
                "delimiter": ";",
                "decimal": ",",
                "timestamp_format": "%d.%m.%Y %H:%M",
                "timezone": "Europe/Berlin",
                "columns": {
                    **{"order_id": "o", "line_number": {"row_number": True}, "customer_id": "who"},
                    **{"ordered_at": "when", "department": {"constant": "books"}},
                    **{"product_id": "what", "quantity": "n", "unit_price": "eur"},
                    "discount": {"constant": 0},
                },
            },
        },
    )
    assert found["customers"]["region"].tolist() == ["north"]
    line = found["transactions"].iloc[0]
    assert line["ordered_at"] == pd.Timestamp("2021-07-15 10:00")
    assert (line["unit_price"], line["department"], line["line_number"]) == (1234.5, "books", 1)
    assert line["customer_id"] == key.pseudonym("7")


def test_constants_are_written_as_parameters_are_and_not_as_the_file(intake):
    orders = "o;n;who;when;eur\nx;1;7;15.07.2021 12:00;1.234,50\n"
    columns = {
        **{"order_id": "o", "line_number": "n", "customer_id": "who", "ordered_at": "when"},
        **{"department": {"constant": "books"}, "product_id": {"constant": 12}},
        **{"quantity": {"constant": 2}, "unit_price": "eur", "discount": {"constant": 1.5}},
    }
    form = {"delimiter": ";", "decimal": ",", "timestamp_format": "%d.%m.%Y %H:%M"}
    readers = "customer_id;joined_at;region\n7;01.02.2020 12:00;n\n"
    consent = {"consented_at": {"constant": "2020-07-01T12:00:00"}}
    found, quality = intake(
        {"customers": readers, "transactions": orders},
        {
            "customers": {**form, "timezone": "Europe/Berlin", "columns": consent},
            "transactions": {**form, "columns": columns},
        },
    )
    line = found["transactions"].iloc[0]
    assert (line["quantity"], line["unit_price"], line["discount"]) == (2, 1234.5, 1.5)
    assert line["product_id"] == "12"
    assert found["customers"]["consented_at"].tolist() == [pd.Timestamp("2020-07-01 10:00")]
    assert quality["suppressed_customers"] == 0


def test_times_with_an_offset_become_utc(intake):
    customers = "customer_id,joined_at,region\nU1,2020-01-01T00:30:00+02:00,north\n"
    found, _ = intake({"customers": customers, "transactions": LINES})
    assert found["customers"]["joined_at"].tolist() == [pd.Timestamp("2019-12-31 22:30")]


def test_tables_that_there_are_not_come_out_empty_and_typed(intake):
    found, quality = intake({"customers": CUSTOMERS, "transactions": LINES})
    assert len(found["sessions"]) == len(found["email_log"]) == len(found["products"]) == 0
    assert set(quality["tables"]) == {"customers", "transactions"}


def test_a_lost_column_is_named_with_the_one_that_may_be_meant(intake):
    with pytest.raises(DataError, match=r"no column 'region' .* Did you mean 'regions'\?"):
        intake({"customers": "customer_id,joined_at,regions\n", "transactions": LINES})


def test_a_lost_file_is_named(check, tmp_path):
    paths = {"customers": {"path": "customers"}, "transactions": {"path": "t"}}
    with pytest.raises(DataError, match=r"customers.* for the table customers"):
        check(tmp_path, tmp_path / "s", tables=paths)


def test_partitions_are_one_table(check, retailer, simulated, tmp_path):
    folder = tmp_path / "raw"
    table = pd.read_parquet(retailer / "transactions")
    for month, rows in table.groupby(table["ordered_at"].dt.month):
        place = folder / "transactions" / f"month={month}"
        place.mkdir(parents=True)
        rows.to_parquet(place / "part.parquet")
    (folder / "customers").symlink_to(retailer / "customers")
    paths = {name: {"path": name} for name in ("customers", "transactions")}
    got = check(folder, tmp_path / "scratch", tables=paths)
    # Without a list of products, nothing is known of departments and products.
    unknown = {"unknown department", "unknown product"}
    expected = {
        k: n for k, n in reasons(simulated.quality, "transactions").items() if k not in unknown
    }
    assert reasons(got.quality, "transactions") == expected


def test_scratch_space_is_left_empty_but_for_the_results(simulated):
    assert {p.name for p in simulated.tables.path.parent.iterdir()} == {"checked", "quarantine"}
