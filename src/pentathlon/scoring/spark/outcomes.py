"""What executors make of customers: decisions, rejected rows and counts, in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pentathlon.scoring.batch import DECISIONS, DecidedBatch
from pentathlon.scoring.spark.files import PART
from pentathlon.scoring.statistics import COUNTERS, Counts

DECIDED, REJECTED, COUNTED, FAILED = "decided", "rejected", "counted", "failed"
KIND = "__kind"
OUTCOMES = pa.schema(
    [
        (KIND, pa.string()),
        (PART, pa.int32()),
        *DECISIONS,
        ("__row", pa.int64()),
        ("__reason", pa.string()),
        ("__fields", pa.map_(pa.string(), pa.string())),
        ("__what", pa.string()),
        ("__key", pa.string()),
        ("__n", pa.float64()),
    ]
)
"""One row for each customer, each rejected row, and each figure of a batch."""
_NUMBERS = ("decided", "rejected", "expected_profit", "expected_profit_of_control")


def outcomes_of(part: int, decided: DecidedBatch) -> Iterator[pa.RecordBatch]:
    """A decided batch of one partition, as rows of the table."""
    yield _rows(DECIDED, part, decided.decisions.num_rows, _columns(decided.decisions))
    if len(decided.rejected):
        yield _rows(REJECTED, part, len(decided.rejected), _rejected(decided.rejected))
    figures = list(figures_of(decided.counts))
    what, key, n = zip(*figures, strict=True)
    yield _rows(COUNTED, part, len(figures), {"__what": what, "__key": key, "__n": n})


def failure_of(part: int, reason: str) -> pa.RecordBatch:
    """A partition that is to be left out, as a row of the table."""
    return _rows(FAILED, part, 1, {"__reason": [reason]})


def _columns(batch: pa.RecordBatch) -> dict[str, Any]:
    return dict(zip(batch.schema.names, batch.columns, strict=True))


def _rejected(table: pd.DataFrame) -> dict[str, Any]:
    names = [name for name in table.columns if name not in ("row", "reason")]
    texts = [table[name].astype(object).where(table[name].notna(), None) for name in names]
    return {
        "__row": table["row"].to_numpy(),
        "__reason": table["reason"].tolist(),
        "__fields": [list(zip(names, values, strict=True)) for values in zip(*texts, strict=True)],
    }


def _rows(kind: str, part: int, n: int, columns: Mapping[str, Any]) -> pa.RecordBatch:
    """Rows of a kind; what other kinds have is left empty."""
    known = {KIND: [kind] * n, PART: np.full(n, part, dtype=np.int32), **columns}
    arrays = [
        _array(known[name], kind_) if name in known else pa.nulls(n, kind_)
        for name, kind_ in zip(OUTCOMES.names, OUTCOMES.types, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=OUTCOMES)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, type=kind)


def figures_of(counts: Counts) -> Iterator[tuple[str, str, float]]:
    """Counts as rows that can be summed: what, of which key, how many."""
    for name in _NUMBERS:
        yield name, "", float(getattr(counts, name))
    for name in COUNTERS:
        yield from ((name, key, float(n)) for key, n in getattr(counts, name).items())
    for score, bins in counts.histograms.items():
        yield from ((f"histogram {score}", str(i), float(n)) for i, n in enumerate(bins))


def counts_of_figures(
    figures: Iterable[tuple[str, str, float]], edges: Mapping[str, Sequence[float]]
) -> Counts:
    """Counts of rows that were summed; the inverse of :func:`figures_of`."""
    counts = Counts(histograms={score: [0] * (len(edge) + 1) for score, edge in edges.items()})
    for what, key, n in figures:
        if what.startswith("histogram "):
            counts.histograms[what.removeprefix("histogram ")][int(key)] = int(n)
        elif what in COUNTERS:
            counter: Counter[str] = getattr(counts, what)
            counter[key] = int(n)
        else:
            setattr(counts, what, int(n) if what in ("decided", "rejected") else n)
    return counts
