from dataclasses import dataclass
from pathlib import Path

import pytest

from pentathlon.hooks.places import Places

PLACES = Places(Path("/srv/shop"), Path("/mnt/big/data"))


@pytest.mark.parametrize(
    ("root", "expected"),
    [("data/x", "/srv/shop/data/x"), ("/mnt/d", "/mnt/d"), ("s3://bucket/d", "/srv/shop/data")],
)
def test_data_root(root, expected):
    assert Places.of(Path("/srv/shop"), root).data_root == Path(expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/shop/data/a.csv", "data/a.csv"),
        ("/mnt/big/data/01_raw/a.csv", "{data_root}/01_raw/a.csv"),
        ("/home/ann/a.csv", ".../a.csv"),
        ("bucket/a.csv", "bucket/a.csv"),
    ],
)
def test_relative(path, expected):
    assert PLACES.relative(path) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("No file '/srv/shop/data/a.csv'.", "No file 'data/a.csv'."),
        ("in /srv/shop", "in ."),
        ("/srv/shops is /other/shops", ".../shops is .../shops"),
        ("at /mnt/big/data/x/y", "at {data_root}/x/y"),
        ("PosixPath('/home/ann/secret.csv')", "PosixPath('.../secret.csv')"),
        (r"C:\Users\ann\a.csv", ".../a.csv"),
        ("see https://example.com/a/b, and/or 1 / 2", "see https://example.com/a/b, and/or 1 / 2"),
    ],
)
def test_scrub(text, expected):
    assert PLACES.scrub(text) == expected


def test_home_becomes_a_tilde():
    assert PLACES.scrub(f"{Path.home()}/x") == "~/x"


def test_plain_makes_json_of_parameters():
    @dataclass
    class Point:
        x: float
        where: Path

    value = {"p": Point(float("nan"), Path("/srv/shop/a")), "s": {2, 1}, "t": (None, True, 3)}
    assert PLACES.plain(value) == {
        "p": {"x": "nan", "where": "a"},
        "s": [1, 2],
        "t": [None, True, 3],
    }
