"""How much may be unusable, and what is said when it is more."""

import pytest

from pentathlon.errors import DataError
from pentathlon.events import TABLES, enforce_limits, quality_report, quality_table
from pentathlon.events.checks import phrases

LINES = (
    "order_id,line_number,customer_id,ordered_at,department,product_id,quantity,unit_price,"
    "discount\n"
)
CUSTOMERS = "customer_id,joined_at,region\nU1,2020-01-01,north\n"


@pytest.fixture
def lines():
    """A thousand order lines of which 31 have no customer."""
    rows = [f"o{i},1,{'' if i < 31 else 'U1'},2022-01-01,a,p,1,5,0" for i in range(1000)]
    return LINES + "\n".join(rows) + "\n"


def test_a_limit_that_is_exceeded_stops_the_run_with_one_clear_sentence(intake, lines):
    limits = {"transactions": {"no customer": 0.01}}
    _, quality = intake({"customers": CUSTOMERS, "transactions": lines}, limits=limits)
    with pytest.raises(DataError) as caught:
        enforce_limits(quality_table(quality))
    first = str(caught.value).splitlines()[0]
    assert first == "3.1 % of order lines have no customer; the limit is 1 %."


def test_a_limit_that_is_met_stops_nothing(intake, lines):
    limits = {"transactions": {"no customer": 0.031}}
    _, quality = intake({"customers": CUSTOMERS, "transactions": lines}, limits=limits)
    enforce_limits(quality_table(quality))


def test_the_table_counts_by_reason(intake, lines):
    _, quality = intake({"customers": CUSTOMERS, "transactions": lines})
    table = quality_table(quality).query("table == 'transactions'").set_index("reason")
    assert table["rows"].to_dict() == {
        **{"read": 1000, "used": 969, "quarantined": 31},
        "no customer": 31,
    }
    assert table.loc["no customer", "exceeded"]
    assert table.loc["no customer", "example"] == "transactions.csv, row 1"


def test_the_page_says_what_is_wrong_and_escapes_what_it_shows(intake, lines):
    text = LINES.replace("discount", "discount,<script>") + "o1,1,,2022-01-01,a,p,1,5,0,x\n"
    _, quality = intake({"customers": CUSTOMERS, "transactions": text})
    page = quality_report(quality)
    assert "100 % of order lines have no customer; the limit is 2 %." in page
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    _, quality = intake({"customers": CUSTOMERS, "transactions": LINES})
    assert "within its limit" in quality_report(quality)


def test_every_reason_has_words():
    for contract in TABLES.values():
        for reason, phrase in phrases(contract).items():
            assert reason
            assert not phrase.endswith(".")
