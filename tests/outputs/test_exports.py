from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from pentathlon.errors import DataError, ParameterError
from pentathlon.outputs import PROVIDERS, export_decisions

DECISIONS = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d", "e", "f"],
        "message": ["team", "control", "water", "team", "water", "team"],
    }
)
ADDRESSES = pd.DataFrame(
    {
        "customer_id": ["a", "b", "c", "d", "e"],
        "email": [
            *["Ann@example.com", "b@example.com", "nobody", " josé@example.com "],
            "ann@EXAMPLE.com",
        ],
    }
)


def read(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_braze_knows_customers_by_their_id(tmp_path: Path) -> None:
    done = export_decisions(DECISIONS, "braze", tmp_path / "new", campaign="Spring, first")
    assert (done.sent, done.held_back, len(done.refused)) == (5, 1, 0)
    assert [p.name for p in done.files] == ["braze.csv", "list_team.csv", "list_water.csv"]
    assert read(done.files[0]) == [
        ["external_id", "pentathlon_campaign", "pentathlon_message"],
        ["a", "Spring, first", "team"],
        ["c", "Spring, first", "water"],
        ["d", "Spring, first", "team"],
        ["e", "Spring, first", "water"],
        ["f", "Spring, first", "team"],
    ]
    assert read(done.files[1]) == [["customer_id"], ["a"], ["d"], ["f"]]
    assert done.files[0].read_bytes().count(b"\r\n") == 6


@pytest.mark.parametrize(
    ("provider", "header", "row"),
    [
        (
            "klaviyo",
            # The address must be the first column.
            ["Email", "Pentathlon Customer", "Pentathlon Campaign", "Pentathlon Message"],
            ["Ann@example.com", "a", "Spring", "team"],
        ),
        (
            "salesforce",
            # The address must be the last column.
            ["SubscriberKey", "PentathlonCampaign", "PentathlonMessage", "EmailAddress"],
            ["a", "Spring", "team", "Ann@example.com"],
        ),
    ],
)
def test_addresses_lie_where_the_provider_wants_them(
    tmp_path: Path, provider: str, header: list[str], row: list[str]
) -> None:
    done = export_decisions(DECISIONS, provider, tmp_path, campaign="Spring", addresses=ADDRESSES)
    written = read(tmp_path / f"{provider}.csv")
    assert written[:2] == [header, row]
    # Everybody is accounted for.
    assert done.sent + done.held_back + len(done.refused) == len(DECISIONS)
    assert dict(zip(done.refused["customer_id"], done.refused["reason"], strict=True)) == {
        "c": "not an e-mail address",
        "f": "no address",
        "e": "another customer has the same address",
    }
    refused = read(tmp_path / f"{provider}_refused.csv")
    assert refused[0] == ["customer_id", "message", "reason"]
    assert len(refused) == 4
    assert read(tmp_path / "list_team.csv") == [["customer_id"], ["a"], ["d"]]


def test_mailchimp_refuses_letters_before_the_at(tmp_path: Path) -> None:
    done = export_decisions(
        DECISIONS, "mailchimp", tmp_path, campaign="Spring", addresses=ADDRESSES
    )
    reasons = done.refused.set_index("customer_id")["reason"]
    assert reasons["d"] == "letters before the @ that it refuses"
    assert read(tmp_path / "mailchimp.csv")[0][0] == "Email Address"


def test_files_are_split_where_the_provider_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = replace(PROVIDERS["braze"], max_bytes=75)
    monkeypatch.setitem(PROVIDERS, "braze", limited)
    done = export_decisions(DECISIONS, "braze", tmp_path, campaign="x")
    parts = [p for p in done.files if p.name.startswith("braze")]
    assert [p.name for p in parts] == ["braze.csv", "braze_2.csv", "braze_3.csv"]
    assert all(p.stat().st_size <= 75 for p in parts)
    headers = {tuple(read(p)[0]) for p in parts}
    assert headers == {PROVIDERS["braze"].columns}
    assert [row[0] for p in parts for row in read(p)[1:]] == list("acdef")


def test_an_earlier_export_leaves_nothing_behind(tmp_path: Path) -> None:
    export_decisions(DECISIONS, "braze", tmp_path, campaign="x")
    export_decisions(DECISIONS[DECISIONS["message"] != "water"], "braze", tmp_path, campaign="x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["braze.csv", "list_team.csv"]


def test_names_of_messages_make_safe_files(tmp_path: Path) -> None:
    odd = pd.DataFrame({"customer_id": ["a"], "message": ["50 % off / team"]})
    done = export_decisions(odd, "braze", tmp_path, campaign="x")
    assert done.files[1].name == "list_50_off_team.csv"


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="No provider 'fax'"):
        export_decisions(DECISIONS, "fax", tmp_path, campaign="x")
    with pytest.raises(ParameterError, match="Klaviyo knows customers by their address"):
        export_decisions(DECISIONS, "klaviyo", tmp_path, campaign="x")
    with pytest.raises(DataError, match=r"addresses: no columns \['email'\]"):
        export_decisions(
            DECISIONS, "klaviyo", tmp_path, campaign="x", addresses=ADDRESSES[["customer_id"]]
        )
    twice = pd.concat([ADDRESSES, ADDRESSES.iloc[:1]])
    with pytest.raises(DataError, match="customer 'a' has several rows"):
        export_decisions(DECISIONS, "klaviyo", tmp_path, campaign="x", addresses=twice)
    nobody = DECISIONS.assign(message="control")
    with pytest.raises(DataError, match="nothing to send: of 6 decisions 6 are no e-mail"):
        export_decisions(nobody, "braze", tmp_path, campaign="x")
    assert not list(tmp_path.iterdir())
