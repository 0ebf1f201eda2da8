"""`kill -9` at any moment, then run again: the same files, byte for byte."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).parent / "interrupted.py"
KILLED = Path(__file__).parent / "killed.py"
OF_THE_RUN = ("seconds", "customers_a_second", "customers_scored", "partitions_scored_before")
"""What the report says of time, and of how much was there already."""


def files(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in folder.rglob("*")
        if p.is_file() and p.name != "run.json"
    }


def score(
    engine: Path, customers: Path, out: Path, sending: dict[str, Any], kills: int, seconds: float
) -> list[float]:
    arguments = [engine, customers, out, json.dumps(sending), kills, seconds]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [float(word) for word in done.stdout.split()]


@pytest.fixture
def many(customers: pd.DataFrame, tmp_path: Path) -> Path:
    """Eight partitions, some of whose rows are rejected."""
    folder = tmp_path / "customers"
    folder.mkdir()
    customers["income"] = customers["income"].mask(np.arange(len(customers)) % 50 == 7)
    for i in range(8):
        part = customers.iloc[i * 75 : (i + 1) * 75]
        part.to_parquet(folder / f"part-{i}.parquet")
    return folder


EXPLORING = {"exploration": {"share": 0.1}}
LIMITED = EXPLORING | {"limits": [{"name": "water", "messages": ["water"], "at_most": 100}]}


@pytest.mark.parametrize("sending", [EXPLORING, LIMITED], ids=["free", "limited"])
def test_killed_again_and_again_the_files_are_those_of_an_undisturbed_run(
    saved_engine: Path, many: Path, tmp_path: Path, sending: dict[str, Any]
) -> None:
    _, seconds = score(saved_engine, many, tmp_path / "calm", sending, 0, 0)
    killed, _ = score(saved_engine, many, tmp_path / "killed", sending, 8, seconds)
    assert killed >= 3
    assert len(files(tmp_path / "calm")) == (16 if sending is EXPLORING else 25)
    assert files(tmp_path / "killed") == files(tmp_path / "calm")


def reported(folder: Path) -> dict[str, Any]:
    """The report of a run, but for what an interruption may change."""
    report: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return {name: value for name, value in report.items() if name not in OF_THE_RUN}


@pytest.mark.end_to_end
@pytest.mark.parametrize(
    ("sending", "before"),
    [(EXPLORING, LIMITED), (LIMITED, LIMITED)],
    ids=["free", "limited"],
)
def test_killed_at_any_step_the_files_are_those_of_an_undisturbed_run(
    saved_engine: Path,
    customers: pd.DataFrame,
    tmp_path: Path,
    sending: dict[str, Any],
    before: dict[str, Any],
) -> None:
    """Over what a run of another campaign left, which in between never looks like this run."""
    many = pd.concat([customers] * 2, ignore_index=True)
    many["customer_id"] = [f"M{i:04d}" for i in range(len(many))]
    many["income"] = many["income"].mask(many.index % 49 == 7)
    (tmp_path / "customers").mkdir()
    for i in range(2):
        many.iloc[i::2].to_parquet(tmp_path / "customers" / f"{i}.parquet")
    place = tmp_path / "place"
    place.mkdir()
    stated = [json.dumps(sending), json.dumps(before)]
    arguments = [str(KILLED), str(saved_engine), str(tmp_path / "customers"), str(place), *stated]
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr

    steps = json.loads((place / "steps.json").read_text())
    names = [name for name, _ in steps]
    parts = [f"{kind}/{i}.parquet" for kind in ("decisions", "rejected") for i in range(2)]
    changes = [f"unlink {part}" for part in parts]
    if sending is LIMITED:
        parts += [f"scores/{i}.parquet" for i in range(2)]
        pricing = ("segments", "sample", "within_limits", "nearest", "dual")
        assert {f"before {step}" for step in pricing} < set(names)
        changes.append("replace prices.json")
    changes += [f"unlink scores/{i}.parquet" for i in range(2)]
    changes += [f"replace {part}" for part in (*parts, "run.json")]
    assert {f"{at} {what}" for what in changes for at in ("before", "after")} < set(names)
    assert {f"within {part}" for part in parts} < set(names)

    finished = [name for name, looks_finished in steps if looks_finished]
    assert finished == ["before unlink run.json", "after replace run.json"]
    calm = files(place / "calm")
    for i, name in enumerate(names):
        assert files(place / str(i)) == calm, name
        assert reported(place / str(i)) == reported(place / "calm"), name
