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
