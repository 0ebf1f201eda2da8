"""From clean tables to the observations and the customers that the engine reads."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pentathlon.contract import CONTROL, MessageSet
from pentathlon.errors import DataError
from pentathlon.moments.database import Database, open_database
from pentathlon.moments.events import microseconds
from pentathlon.moments.expand import Feature, expand_declarations
from pentathlon.moments.outcomes import (
    LEAST,
    TIMES,
    check_costs,
    end_of_events,
    horizon,
    with_outcomes,
)
from pentathlon.moments.settings import MomentSettings
from pentathlon.moments.splits import judging_start

if TYPE_CHECKING:
    import ibis.expr.types as ir

logger = logging.getLogger(__name__)

OBSERVATION = ("assignment_id", "customer_id", "assigned_at", "message", "propensity")
"""Columns of an observation before its outcome, its split and its features."""


@dataclass(frozen=True)
class Assembled:
    """A table of features on disk.

    Attributes
    ----------
    folder : Path
        Parquet part files.
    summary : dict
        What was counted on the way; fit for JSON.
    """

    folder: Path
    summary: dict[str, Any]


def declared_features(settings: MomentSettings, messages: MessageSet) -> list[Feature]:
    """Features of the settings, over the departments and the messages of the campaign."""
    mailed = [name for name in messages if name != CONTROL]
    departments = settings.departments
    if departments is None:
        departments = list(dict.fromkeys(d for d in messages.departments if d is not None))
    return expand_declarations(settings.features, departments, mailed)


def scratch_folder(settings: MomentSettings, name: str) -> Path:
    """Empty folder for work in progress."""
    folder = Path(settings.database.scratch) / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def load_parts(folder: Path) -> pd.DataFrame:
    """Load part files as one table and remove them."""
    parts = sorted(folder.glob("*.parquet"))
    table = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    shutil.rmtree(folder)
    return table


def assemble_observations(
    folders: Mapping[str, Path],
    features: Sequence[Feature],
    settings: MomentSettings,
    scratch: Path,
) -> Assembled:
    """Observations: assignments with their outcome, their split and features as of then.

    Parameters
    ----------
    folders : mapping of str to Path
        Folders of the clean tables.
    features : sequence of Feature
    settings : MomentSettings
    scratch : Path
        For the result and for what does not fit in memory.

    Returns
    -------
    Assembled
        A row per observation: ``assignment_id``, ``customer_id``, ``assigned_at``, ``message``,
        ``propensity``, ``response``, ``order_value``, ``split`` (``train``, ``test``; without a
        temporal division empty), and the features.

    Raises
    ------
    DataError
        When no assignment has a complete window, or the log is too short to be divided.
    """
    with open_database(settings.database, scratch / "spill") as database:
        tables = database.read(folders)
        now = _now(tables, settings)
        if settings.outcome.value == "margin":
            check_costs(tables)
        rows, counts = _chosen(database, tables, settings, now)
        rows = with_outcomes(tables, rows, settings.outcome)
        rows = database.keep("observations", rows)
        if settings.outcome.value == "margin":
            counts["at_a_loss"] = int(rows.filter(rows.order_value == LEAST).count().execute())
        target = scratch / "observations"
        effort = database.write_features(
            _until(tables, now), rows, features, target, finish=_as_observations
        )
    summary = {"now": now.isoformat(), **counts, "effort": asdict(effort)}
    logger.info(
        "%s of %s assignments are observations; %s had no complete window yet.",
        f"{counts['observations']:,}",
        f"{counts['assignments']:,}",
        f"{counts['incomplete']:,}",
    )
    return Assembled(target, summary)


def assemble_customers(
    folders: Mapping[str, Path],
    features: Sequence[Feature],
    settings: MomentSettings,
    scratch: Path,
    left_out: pd.Series | None = None,
) -> Assembled:
    """Features of customers as they stand now.

    Other parameters, and errors, are those of :func:`assemble_observations`.

    Parameters
    ----------
    left_out : Series of str, optional
        Customers for whom nothing is computed: who did not consent, or opted out.

    Returns
    -------
    Assembled
        A row per customer: ``customer_id`` and the features.

    Raises
    ------
    DataError
        When nobody is left.
    """
    import ibis

    with open_database(settings.database, scratch / "spill") as database:
        tables = database.read(folders)
        now = _now(tables, settings)
        people = tables["customers"].select("customer_id")
        if left_out is not None and len(left_out):
            unwanted = database.known("left_out", pd.DataFrame({"customer_id": left_out}))
            people = people.anti_join(unwanted, "customer_id")
            logger.info("%s customers may not be mailed and are left out.", f"{len(left_out):,}")
        rows = people.mutate(
            # What happened at this very time has happened.
            moment=ibis.timestamp(now) + ibis.interval(microseconds=1),
            row_id=ibis.row_number().over(order_by=people.customer_id),
        )
        everyone = database.keep("everyone", rows)
        if not int(everyone.count().execute()):
            raise DataError("Of no customer there is consent: nobody may be scored or mailed.")
        target = scratch / "customers"
        effort = database.write_features(
            tables,
            everyone,
            features,
            target,
            finish=lambda table: table.drop("row_id", "moment"),
        )
    return Assembled(target, {"now": now.isoformat(), "effort": asdict(effort)})


def _now(tables: Mapping[str, ir.Table], settings: MomentSettings) -> datetime:
    return settings.now if settings.now is not None else end_of_events(tables)


def _until(tables: Mapping[str, ir.Table], now: datetime) -> dict[str, ir.Table]:
    """Tables without events after now."""
    return {
        name: table.filter(table[TIMES[name]] <= now) if name in TIMES else table
        for name, table in tables.items()
    }


def _chosen(
    database: Database, tables: Mapping[str, ir.Table], settings: MomentSettings, now: datetime
) -> tuple[ir.Table, dict[str, Any]]:
    """Assignments that become observations, numbered, and how many were left out and why."""
    import ibis

    log = tables["email_log"]
    log = log.select(*OBSERVATION, at=microseconds(log.assigned_at, "duckdb"))
    log = database.keep("assignments", log)
    assignments = int(log.count().execute())
    known = np.datetime64(now, "us").astype(np.int64).item()
    wait = horizon(settings.outcome)
    complete = log.filter(log["at"] + wait <= known)
    n_complete = int(complete.count().execute())
    if not n_complete:
        raise DataError(
            f"None of {assignments} assignments has a complete outcome window of "
            f"{wait / 86_400_000_000:g} days before {now:%Y-%m-%d}. Bring a longer log, or shorten "
            "moments.outcome."
        )
    drawn = complete
    if settings.observations.per_customer == "one":
        # A keyed digest: the same draw whatever the order of the log.
        key = (ibis.literal(f"{settings.observations.seed}:") + complete.assignment_id).hexdigest(
            "md5"
        )
        place = ibis.row_number().over(
            group_by=complete.customer_id, order_by=[key, complete.assignment_id]
        )
        drawn = complete.mutate(place=place).filter(ibis._.place == 0).drop("place")
    drawn = database.keep("drawn", drawn)
    n_drawn = int(drawn.count().execute())
    divided = _divided(drawn, settings, wait)
    divided = divided.mutate(
        row_id=ibis.row_number().over(
            order_by=[divided.customer_id, divided["at"], divided.assignment_id]
        ),
        moment=divided.assigned_at,
    ).drop("at")
    divided = database.keep("divided", divided)
    n = int(divided.count().execute())
    counts = {
        "assignments": assignments,
        "incomplete": assignments - n_complete,
        "not_drawn": n_complete - n_drawn,
        "in_the_gap": n_drawn - n,
        "observations": n,
    }
    return divided, counts


def _divided(drawn: ir.Table, settings: MomentSettings, wait: int) -> ir.Table:
    import ibis

    if settings.division.scheme == "none":
        return drawn.mutate(split=ibis.literal(""))
    moments = drawn["at"].to_pyarrow().to_numpy()
    start = judging_start(moments.astype(np.int64), settings.division.test_share, wait)
    split = ibis.cases(
        (drawn["at"] >= start, "test"), (drawn["at"] + wait <= start, "train"), else_="gap"
    )
    divided = drawn.mutate(split=split)
    return divided.filter(divided.split != "gap")


def _as_observations(table: ir.Table) -> ir.Table:
    first = [*OBSERVATION, "response", "order_value", "split"]
    rest = [name for name in table.columns if name not in {*first, "row_id", "moment"}]
    return table.select(*first, *rest)
