"""A scoring run on Spark: a table of customers in, a table of decisions out."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from threadpoolctl import threadpool_limits

import pentathlon.errors
from pentathlon.errors import DataError, PentathlonError
from pentathlon.scoring.batch import DECISIONS, BatchDecider
from pentathlon.scoring.cleaning import columns_asked
from pentathlon.scoring.prices import Prices, find_prices
from pentathlon.scoring.settings import ScoringSettings
from pentathlon.scoring.spark import outcomes as out
from pentathlon.scoring.spark import scored
from pentathlon.scoring.spark.files import PART, Files, Source, SparkTable, joined
from pentathlon.scoring.spark.session import configured
from pentathlon.scoring.spark.sweeps import SparkSweeps, spark_schema
from pentathlon.scoring.spark.work import BROKEN, Shipment, deciding, spilled_schema, spilling
from pentathlon.scoring.statistics import Counts

logger = logging.getLogger(__name__)

UNREAD = "FAILED_READ_FILE"
"""What Spark calls files whose rows it cannot read."""


@dataclass(frozen=True)
class SparkScoringJob:
    """Customers, how to decide them, and how to go about it.

    Attributes
    ----------
    customers : pyspark.sql.DataFrame
        Of Parquet files; each is then read with the types that it has.
    decider : BatchDecider
        Executors get it once.
    settings : ScoringSettings
    """

    customers: SparkTable
    decider: BatchDecider
    settings: ScoringSettings = field(default_factory=ScoringSettings)

    def write_to(self, store: scored.Store) -> None:
        """Score everybody.

        Parameters
        ----------
        store : Store
            Gets the tables ``decisions``, ``rejected`` and, last, ``run``; until then it says
            that nothing was scored.

        Raises
        ------
        DataError
            Without a partition, or when none can be used.
        InfeasibleError
            When limits cannot hold together.
        """
        started = time.monotonic()
        session = self.customers.sparkSession
        files = Files.of(self.customers.inputFiles())
        if not files.names:
            raise DataError("There is no Parquet file among the customers to score.")
        scored.save_account(store, session, {})
        with configured(session, self.settings.batch_rows):
            features = self.decider.engine.columns
            source = Source.open(
                session,
                files,
                ("customer_id", *features.columns),
                columns_asked(features, self.decider.settings),
            )
            _check_some(source)
            with broadcast(session, Shipment.of(self.decider, files.names)) as shipped:
                night = self._attempt(source, store, shipped)
        scored.save_account(store, session, self._account(night, time.monotonic() - started))

    def _attempt(self, source: Source, store: scored.Store, shipped: Any) -> _Night:
        """Decide all partitions that can be read, in a second attempt if need be."""
        try:
            return self._decide_all(source, store, shipped)
        except PentathlonError:
            raise
        except Exception as error:
            broken = source.broken() if UNREAD in str(error) else {}
            if not broken:
                own = as_own(error)
                if own is None:
                    raise
                raise own from error
            return self._decide_all(source.without(broken), store, shipped)

    def _decide_all(self, source: Source, store: scored.Store, shipped: Any) -> _Night:
        """Make one attempt at all partitions that can be read, and save what comes of it."""
        with ExitStack() as kept:

            def keep(table: Any) -> Any:
                from pyspark import StorageLevel

                table.persist(StorageLevel.DISK_ONLY)
                kept.callback(table.unpersist)
                return table

            night = _Night(source, self.decider, shipped, keep, kept)
            night.decide(self.settings.limit_customers)
            night.save(store)
            return night

    def _account(self, night: _Night, seconds: float) -> dict[str, Any]:
        counts = night.counts
        rows = sum(c.decided + c.rejected for c in counts.values())
        bad = dict(sorted(night.source.bad.items()))
        return {
            "run": {
                "seconds": seconds,
                "customers_scored": rows,
                "customers_a_second": rows / max(seconds, 1e-9),
                "partitions": len(night.source.files.names),
                "partitions_scored_before": 0,
                "rejected_partitions": bad,
                "limits": None if night.prices is None else night.prices.to_dict(),
            },
            "parts": {name: c.to_json() for name, c in counts.items()},
        }


@dataclass
class _Night:
    """One attempt at all partitions.

    Attributes
    ----------
    source : Source
    decider : BatchDecider
    shipped : pyspark.Broadcast of Shipment
    keep : callable
        Keeps a table on the executors' disks until the attempt is over.
    """

    source: Source
    decider: BatchDecider
    shipped: Any
    keep: Any
    kept: ExitStack
    prices: Prices | None = None
    outcomes: Any = None
    counts: dict[str, Counts] = field(default_factory=dict)

    def decide(self, limit_customers: int) -> None:
        """Decide everybody, at the prices of the limits where there are any."""
        _check_some(self.source)
        tables = [self.source.customers(group, self.keep) for group in self.source.groups]
        prices = None
        if self.decider.limited:
            tables = [self._spilled(table) for table in tables]
            self._leave_out(joined([_broken(table) for table in tables]))
            tables = [table.where(~table[PART].isin(self._bad_parts())) for table in tables]
            self.prices = self._found_prices(tables, limit_customers)
            prices = self.kept.enter_context(broadcast(self.source.session, self.prices))
        work, schema = deciding(self.shipped, prices), spark_schema(out.OUTCOMES)
        self.outcomes = self.keep(joined([table.mapInArrow(work, schema) for table in tables]))
        failed = self.outcomes.where(f"{out.KIND} = '{out.FAILED}'")
        self._leave_out(failed.select(PART, "__reason"))
        self.counts = self._counted()

    def save(self, store: scored.Store) -> None:
        """Write decisions and rejected rows."""
        from pyspark.sql import functions as sf

        good = self.outcomes.where(~sf.col(PART).isin(self._bad_parts()))
        decided = good.where(f"{out.KIND} = '{out.DECIDED}'").select(*DECISIONS.names)
        store.save(scored.DECISIONS, decided)
        rejected = good.where(f"{out.KIND} = '{out.REJECTED}'")
        names = _names_of(self.source)
        fields = [sf.col("__fields")[name].alias(name) for name in names]
        place = [sf.col("__row").alias("row"), sf.col("__reason").alias("reason")]
        partitions = sf.broadcast(self._named_parts())
        named = rejected.join(partitions, PART).select("partition", *place, *fields)
        together = named.repartition("partition").sortWithinPartitions("partition", "row")
        store.save(scored.REJECTED, together)

    def _spilled(self, customers: Any) -> Any:
        """Customers with their scores and wishes, once for all that follows."""
        from pyspark.sql.types import StructType

        own = spark_schema(spilled_schema(self.decider.engine.messages))
        schema = StructType([*customers.schema.fields, *own.fields])
        return self.keep(customers.mapInArrow(spilling(self.shipped), schema))

    def _found_prices(self, tables: list[Any], limit_customers: int) -> Prices:
        messages = self.decider.engine.messages
        logger.info("finding the prices of limits")
        own = [PART, "__row", *spilled_schema(messages).names]
        spilled = joined([table.select(*own) for table in tables])
        sweeps = SparkSweeps(spilled, self.source.files.names, len(messages))
        with threadpool_limits(1):  # as the embedded run does: sums in one order
            return find_prices(sweeps, self.decider.settings, messages, limit_customers)

    def _leave_out(self, failed: Any) -> None:
        """Leave out partitions that a rule or a value made impossible; the rest goes on."""
        from pyspark.sql import functions as sf

        reasons = failed.groupBy(PART).agg(sf.min("__reason").alias("reason")).collect()
        names = self.source.files.names
        bad = {names[row[PART]]: row["reason"] for row in reasons}
        for name, reason in bad.items():
            logger.warning("%s is left out: %s", name, reason)
        self.source = self.source.without(bad)
        _check_some(self.source)

    def _bad_parts(self) -> list[int]:
        return [p for p, name in enumerate(self.source.files.names) if name in self.source.bad]

    def _named_parts(self) -> Any:
        import pyarrow as pa

        names = self.source.files.names
        positions = pa.array(range(len(names)), pa.int32())
        table = pa.table({PART: positions, "partition": list(names)})
        return self.source.session.createDataFrame(table)

    def _counted(self) -> dict[str, Counts]:
        """Counts of every good partition, added up by Spark."""
        from pyspark.sql import functions as sf

        counted = self.outcomes.where(f"{out.KIND} = '{out.COUNTED}'")
        sums = counted.groupBy(PART, "__what", "__key").agg(sf.sum("__n").alias("n")).collect()
        figures: dict[str, list[tuple[str, str, float]]] = {n: [] for n in self.source.good}
        for part, what, key, n in sums:
            figures.get(self.source.files.names[part], []).append((what, key, n))
        edges = self.decider.edges or {}
        return {name: out.counts_of_figures(found, edges) for name, found in figures.items()}


@contextmanager
def broadcast(session: Any, value: object) -> Iterator[Any]:
    """A value on every executor, for as long as it is needed."""
    shared = session.sparkContext.broadcast(value)
    try:
        yield shared
    finally:
        shared.unpersist()


def _check_some(source: Source) -> None:
    if not source.groups:
        name, reason = next(iter(source.bad.items()))
        raise DataError(f"No partition can be used, for example {name}: {reason}")


def _broken(spilled: Any) -> Any:
    """Partitions in which some batch cannot be scored, and why."""
    return spilled.where(spilled[BROKEN].isNotNull()).select(
        PART, spilled[BROKEN].alias("__reason")
    )


def _names_of(source: Source) -> list[str]:
    """Columns of rejected rows: all that some partition has."""
    names = (name for group in source.groups for name in group.schema.names)
    suffixed = (f"{n}_in_file" if n in ("row", "reason") else n for n in names)
    return list(dict.fromkeys(suffixed))


def as_own(error: Exception) -> PentathlonError | None:
    """The error of ours that an executor's traceback ends with."""
    found = re.findall(r"^pentathlon\.errors\.(\w+): (.+)$", str(error), flags=re.M)
    if not found:
        return None
    name, message = found[-1]
    kind = getattr(pentathlon.errors, name)
    own = kind.__new__(kind)
    own.args = (message,)
    assert isinstance(own, PentathlonError)
    return own
