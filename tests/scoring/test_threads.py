"""What runs at once is what was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

SCRIPT = Path(__file__).parent / "threads.py"
LIMITED = {"limits": [{"name": "water", "messages": ["water"], "at_most": 900}]}


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("sending", [{}, LIMITED], ids=["free", "limited"])
def test_no_more_threads_than_were_asked_for(
    saved_engine: Path,
    customers: pd.DataFrame,
    tmp_path: Path,
    sending: dict[str, Any],
    threads: int,
) -> None:
    """Counted in a process of its own, in which Arrow has started none yet."""
    many = pd.concat([customers] * 10, ignore_index=True)
    many["customer_id"] = [f"M{i:04d}" for i in range(len(many))]
    many["income"] = many["income"].mask(many.index % 100 == 7)
    (tmp_path / "customers").mkdir()
    for i in range(3):
        many.iloc[i::3].to_parquet(tmp_path / "customers" / f"{i}.parquet")
    arguments = [saved_engine, tmp_path / "customers", tmp_path / "out", json.dumps(sending)]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments), str(threads)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    most, stayed = map(int, done.stdout.split())
    assert 1 <= most <= threads
    assert stayed == 0
