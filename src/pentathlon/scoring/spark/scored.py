"""What a run on Spark left, and where it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from pentathlon.scoring.statistics import Counts

DECISIONS, REJECTED, RUN = "decisions", "rejected", "run"
"""Tables of a run: what was decided, rows that cannot be used, and an account of it."""


class Store(Protocol):
    """Keeps tables of Spark by name; a table replaces the one that is there."""

    def save(self, name: str, table: Any) -> None:
        """Write a ``pyspark.sql.DataFrame``."""

    def load(self, name: str) -> Any:
        """Read it back."""


def save_account(store: Store, session: Any, account: dict[str, Any]) -> None:
    """Write an account of a run, as text that any store can hold."""
    import pyarrow as pa

    text = pa.table({"value": [json.dumps(account)]})
    store.save(RUN, session.createDataFrame(text).coalesce(1))


@dataclass(frozen=True)
class SparkScored:
    """What was scored on Spark.

    Attributes
    ----------
    store : Store
    account : dict
        What :func:`save_account` wrote.
    """

    store: Store
    account: dict[str, Any]

    @classmethod
    def of(cls, store: Store) -> SparkScored | None:
        """The run that a store holds; ``None`` while there is no finished one."""
        rows = store.load(RUN).collect()  # none where even the note that a run began is half there
        account = json.loads(rows[0]["value"]) if len(rows) == 1 else {}
        return cls(store, account) if account else None

    @property
    def run(self) -> dict[str, Any]:
        """Time, speed and rejected partitions of the run."""
        run: dict[str, Any] = self.account["run"]
        return run

    def parts(self) -> Iterator[tuple[str, Counts]]:
        """Name and counts of every partition that was decided."""
        for name, counts in self.account["parts"].items():
            yield name, Counts.from_json(counts)

    def problems(self) -> list[str]:
        """Whether the table of decisions has other customers than the run decided."""
        made = sum(counts.decided for _, counts in self.parts())
        there = self.decisions.count()
        if there == made:
            return []
        return [
            f"The table of decisions has {there:,} customers and the run decided {made:,}: it is "
            "not, or not only, of this run. Run the pipeline scoring again."
        ]

    @property
    def decisions(self) -> Any:
        """Decisions, as a ``pyspark.sql.DataFrame``."""
        return self.store.load(DECISIONS)

    @property
    def rejected(self) -> Any:
        """Rows that cannot be used, with their partition and reason."""
        return self.store.load(REJECTED)
