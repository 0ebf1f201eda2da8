"""Rows that were not decided, kept beside the decisions with their reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pentathlon.scoring.parts import PartWriter, Stamp, as_batch


def write_rejected(path: Path, tables: Sequence[pd.DataFrame], stamp: Stamp) -> None:
    """Write a partition's rejected rows, or remove its file where there are none.

    Parameters
    ----------
    path : Path
    tables : sequence of DataFrame
        In the order of the partition.
    stamp : Stamp
    """
    if not tables:
        path.unlink(missing_ok=True)
        return
    batch = as_batch(pd.concat(tables, ignore_index=True))
    with PartWriter(path, batch.schema) as writer:
        writer.write(batch)
        writer.finish(stamp)
