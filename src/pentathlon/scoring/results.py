"""What a scoring run came to, and whether anything of it may be sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from pentathlon.scoring.job import DECIDED, RUN
from pentathlon.scoring.parts import partitions_in, stamp_of, stamps_in
from pentathlon.scoring.reference import Reference
from pentathlon.scoring.settings import ScoringSettings
from pentathlon.scoring.statistics import Counts


class Scored(Protocol):
    """What a scoring run wrote, wherever it did."""

    @property
    def run(self) -> dict[str, Any]:
        """Time, speed and rejected partitions of the run."""

    def parts(self) -> Iterator[tuple[str, Counts]]:
        """Name and counts of every part."""

    def problems(self) -> list[str]:
        """Why the decisions that lie there are not those of the run, in words; usually empty."""


@dataclass(frozen=True)
class ScoredFolder:
    """The folder that a scoring run wrote.

    Attributes
    ----------
    folder : Path
    """

    folder: Path

    @property
    def run(self) -> dict[str, Any]:
        """Time, speed and rejected partitions of the last run."""
        return {name: value for name, value in self._account().items() if name != "parts"}

    def _account(self) -> dict[str, Any]:
        account: dict[str, Any] = json.loads((self.folder / RUN).read_text(encoding="utf-8"))
        return account

    def parts(self) -> Iterator[tuple[str, Counts]]:
        """Name and counts of every part."""
        for name, stamp in stamps_in(self.folder / DECIDED):
            yield name, stamp.counts

    def problems(self) -> list[str]:
        """Partitions without the part that the run made of them, and files of something else."""
        made: dict[str, str] = self._account().get("parts", {})
        paths = partitions_in(self.folder / DECIDED)
        there = {name: stamp_of(path) for name, path in paths.items()}
        right = {
            name
            for name, stamp in there.items()
            if stamp is not None and stamp.fingerprint == made.get(name)
        }
        found = []
        if lost := [name for name in made if name not in right]:
            found.append(
                f"{len(lost)} partitions have no decisions of this run, for example {lost[0]}. "
                "Run the pipeline scoring again; it keeps what is finished."
            )
        if strangers := [name for name in there if name not in made]:
            found.append(
                f"{len(strangers)} files of decisions/ are not of this run, for example "
                f"{strangers[0]}. Run the pipeline scoring again; it removes them."
            )
        return found

    def decisions(self) -> Iterator[pd.DataFrame]:
        """Decisions part by part."""
        for path in partitions_in(self.folder / DECIDED).values():
            yield pd.read_parquet(path)


def partitions_table(scored: Scored) -> pd.DataFrame:
    """One row per partition.

    Returns
    -------
    DataFrame
        partition, decided, rejected, expected_profit (in currency), reason (why it was left out
        as a whole; empty for the others).
    """
    rows = [
        {
            "partition": name,
            "decided": counts.decided,
            "rejected": counts.rejected,
            "expected_profit": counts.expected_profit,
            "reason": "",
        }
        for name, counts in scored.parts()
    ]
    rows += [
        {"partition": n, "decided": 0, "rejected": 0, "expected_profit": 0.0, "reason": reason}
        for n, reason in scored.run["rejected_partitions"].items()
    ]
    return pd.DataFrame(rows).astype({"partition": "str", "reason": "str"})


def summarise(scored: Scored, reference: Reference, settings: ScoringSettings) -> dict[str, Any]:
    """Counts, profit, messages, rules and timings, and whether the decisions may be sent.

    Parameters
    ----------
    scored : Scored
    reference : Reference
        Scores of the training data.
    settings : ScoringSettings
    """
    total = Counts()
    for _, counts in scored.parts():
        total.add(counts)
    run = scored.run
    shift = reference.shift(total.histograms) if total.histograms else {}
    problems = scored.problems()
    problems += _problems(total, shift, run["rejected_partitions"], settings)
    control = total.expected_profit_of_control
    return {
        "customers": total.decided,
        "rejected_rows": total.rejected,
        "rejected_rows_by_reason": dict(total.reasons.most_common()),
        "filled_values_by_column": dict(total.filled.most_common()),
        "messages": dict(total.messages.most_common()),
        "decided_by": dict(total.deciders.most_common()),
        "customers_by_rule": dict(total.rules.most_common()),
        "expected_profit": total.expected_profit,
        "expected_profit_of_control": None if isnan(control) else control,
        "score_shift": shift,
        "may_be_sent": not problems,
        "problems": problems,
        "run": run,
    }


def _problems(
    total: Counts, shift: dict[str, float], bad: dict[str, str], settings: ScoringSettings
) -> list[str]:
    """Why nothing may be sent, in words; empty where it may."""
    found = []
    rows = total.decided + total.rejected
    if total.rejected > settings.max_rejected_share * rows:
        found.append(
            f"{total.rejected:,} of {rows:,} customers cannot be used, more than "
            f"scoring.max_rejected_share ({settings.max_rejected_share:.1%}) allows. Look into "
            "rejected/ and correct the customers."
        )
    found += [
        f"The {score.replace('_', ' ')} is not distributed as in the training data: its "
        f"population stability index is {value:.2f}, more than scoring.max_shift "
        f"({settings.max_shift:g}) allows. Check the customers' columns, or train again."
        for score, value in shift.items()
        if value > settings.max_shift
    ]
    if bad:
        found.append(f"{len(bad)} partitions were left out, for example {next(iter(bad))}.")
    if not total.decided:
        found.append("No customer was decided.")
    return found
