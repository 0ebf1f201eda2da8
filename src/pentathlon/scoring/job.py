"""A scoring run: partitions of customers in, partitions of decisions out."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from pentathlon.decision.manifest import library_versions
from pentathlon.errors import DataError, ParameterError
from pentathlon.scoring.batch import DECISIONS, BatchDecider, DecidedBatch
from pentathlon.scoring.cleaning import columns_asked
from pentathlon.scoring.parts import (
    content_hash,
    fingerprint,
    partitions_in,
    remove_for_good,
    remove_incomplete,
    remove_strangers,
    write_whole,
)
from pentathlon.scoring.passes import UNREADABLE, BatchWork, Columns, Partition, Task
from pentathlon.scoring.prices import Prices, find_prices
from pentathlon.scoring.settings import ScoringSettings
from pentathlon.scoring.spill import SpilledParts, spill_schema
from pentathlon.scoring.stream import Progress

logger = logging.getLogger(__name__)

FORMAT = 3
RUN, PRICES = "run.json", "prices.json"
DECIDED, REJECTED, SPILLED = "decisions", "rejected", "scores"


@dataclass(frozen=True)
class ScoringJob:
    """Customers, how to decide them, and how to go about it.

    Attributes
    ----------
    customers : Path
        Folder of Parquet files.
    decider : BatchDecider
        Its engine was loaded from where it was saved.
    settings : ScoringSettings
    threads : int
        Of the whole run.
    """

    customers: Path
    decider: BatchDecider
    settings: ScoringSettings = field(default_factory=ScoringSettings)
    threads: int = 1

    def write_to(self, folder: Path) -> None:
        """Score what is not scored yet, and leave nothing that is out of date.

        Parameters
        ----------
        folder : Path
            Gets ``decisions/`` and ``rejected/``, a file for each partition; with limits also
            ``scores/``, what the first pass found, and ``prices.json``. Last comes ``run.json``,
            which names every part: as long as it is not there, nothing was scored.

        Raises
        ------
        DataError
            Without a partition, or when none can be used.
        InfeasibleError
            When limits cannot hold together.
        """
        started = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)
        remove_for_good(folder / RUN)
        remove_incomplete(folder)
        paths = partitions_in(self.customers)
        if not paths:
            raise DataError(f"There is no Parquet file in {self.customers}.")
        for kind in (DECIDED, REJECTED, SPILLED):
            (folder / kind).mkdir(exist_ok=True)
            remove_strangers(folder / kind, paths)
        sizes, bad = _sizes(paths)
        common = self.fingerprint()
        partitions = [
            Partition(name, paths[name], fingerprint(common=common, rows=content_hash(paths[name])))
            for name in sizes
        ]
        with threadpool_limits(1):
            if self.decider.limited:
                fresh, before, made = self._twice(folder, partitions, sizes, bad)
            else:
                (folder / PRICES).unlink(missing_ok=True)
                remove_strangers(folder / SPILLED, {})
                fresh, before = self._run(self._deciding(folder), partitions, sizes, bad)
                made = partitions
        for name in bad:
            self._deciding(folder).remove(name)
            (folder / SPILLED / name).unlink(missing_ok=True)
        if len(bad) == len(paths):
            name, reason = next(iter(bad.items()))
            raise DataError(f"No partition can be used, for example {name}: {reason}")
        seconds = time.monotonic() - started
        report = {
            "seconds": seconds,
            "customers_scored": fresh,
            "customers_a_second": fresh / max(seconds, 1e-9),
            "partitions": len(paths),
            "partitions_scored_before": before,
            "rejected_partitions": bad,
            "limits": _account(folder) if self.decider.limited else None,
            "parts": {p.name: p.fingerprint for p in made if p.name not in bad},
        }
        write_whole(folder / RUN, json.dumps(report, indent=1))

    def _run(
        self,
        work: BatchWork,
        partitions: list[Partition],
        sizes: Mapping[str, int],
        bad: dict[str, str],
    ) -> tuple[int, int]:
        """Make a pass over what it has not done yet; rows done now, and parts done before."""
        todo = work.to_do(partitions)
        due, total = sum(sizes[p.name] for p in todo), sum(sizes[p.name] for p in partitions)
        before = len(partitions) - len(todo)
        if before:
            logger.info("%d of %d partitions are there already", before, len(partitions))
        progress = Progress(total, total - due, self.settings.progress_seconds)
        bad |= work.run(todo, progress)
        return sum(sizes[p.name] for p in todo if p.name not in bad), before

    def _twice(
        self,
        folder: Path,
        partitions: list[Partition],
        sizes: Mapping[str, int],
        bad: dict[str, str],
    ) -> tuple[int, int, list[Partition]]:
        """Score everybody, find the prices of the limits, decide everybody at them.

        Returns
        -------
        fresh, before : int
            See :meth:`_run`.
        priced : list of Partition
            Those that can be used; their decisions follow from the prices, too.
        """
        known, asked = _known_prices(folder), _mark(partitions)
        if known is None or asked not in known.marks:
            self._forget_decisions(folder, partitions)
        fresh, before = self._run(self._spilling(folder), partitions, sizes, bad)
        good = [p for p in partitions if p.name not in bad]
        prices = self._prices(folder, known, asked, good) if good else None
        at_prices = fingerprint(prices=None if prices is None else prices.to_state())
        priced = [
            replace(p, fingerprint=fingerprint(part=p.fingerprint, prices=at_prices)) for p in good
        ]
        decider = replace(self.decider, prices=prices)
        work = replace(self, decider=decider)._deciding(folder, folder / SPILLED)
        self._run(work, priced, sizes, bad)
        return fresh, before, priced

    def _prices(
        self, folder: Path, known: _KnownPrices | None, asked: str, good: list[Partition]
    ) -> Prices:
        """Prices of the partitions that can be used: those of the run before, or new ones."""
        mark = _mark(good)
        if known is not None and known.mark == mark:
            prices = known.prices
        else:
            self._forget_decisions(folder, good)
            messages = self.decider.engine.messages
            logger.info("finding the prices of limits")
            prices = find_prices(
                SpilledParts([(p.name, folder / SPILLED / p.name) for p in good], len(messages)),
                self.decider.settings,
                messages,
                self.settings.limit_customers,
            )
        marks = {"asked": asked, "fingerprint": mark}
        write_whole(folder / PRICES, json.dumps(marks | prices.to_state(), sort_keys=True))
        return prices

    def _forget_decisions(self, folder: Path, partitions: list[Partition]) -> None:
        """Remove what was decided at other prices."""
        for partition in partitions:
            self._deciding(folder).remove(partition.name)

    def _deciding(self, folder: Path, spill: Path | None = None) -> BatchWork:
        def decide(task: Task) -> DecidedBatch:
            assert task.batch is not None
            return self.decider.decide(
                task.batch, task.rows, task.again, task.partition.name, task.scores
            )

        return BatchWork(
            folder / DECIDED,
            folder / REJECTED,
            spill,
            DECISIONS,
            self._columns(),
            decide,
            self.settings,
            self.threads,
        )

    def _spilling(self, folder: Path) -> BatchWork:
        def spill(task: Task) -> DecidedBatch:
            assert task.batch is not None
            return self.decider.spill(task.batch, task.rows, task.again)

        schema = spill_schema(self.decider.engine.messages)
        columns = self._columns()
        return BatchWork(
            folder / SPILLED, None, None, schema, columns, spill, self.settings, self.threads
        )

    def _columns(self) -> Columns:
        features = self.decider.engine.columns
        return Columns(
            tuple(features.columns), tuple(columns_asked(features, self.decider.settings))
        )

    def fingerprint(self) -> str:
        """SHA-256 of everything but the customers that decisions follow from."""
        decider, engine = self.decider, self.decider.engine
        if not engine.digest:
            raise ParameterError(
                "Only an engine that was saved and loaded again can be told from others; save "
                "this one, load it, and score with that."
            )
        sources = {
            name: None if table is None else fingerprint(rows=table.to_csv(index=False))
            for name, table in vars(decider.sources).items()
        }
        return fingerprint(
            format=FORMAT,
            engine=engine.digest,
            policy=[engine.policy, engine.constant_worth, engine.shrinkage.to_dict()],
            blend=engine.blend.to_dict(),
            leads=list(engine.leads.factors),
            router=None if engine.router is None else engine.router.to_dict(),
            fusion=engine.fusion.to_dict(),
            messages=engine.messages.to_dict(),
            settings=decider.settings.model_dump(mode="json"),
            campaign=[decider.campaign, decider.on],
            sources=sources,
            edges=decider.edges,
            fill=decider.fill,
            batch_rows=self.settings.batch_rows,
            limit_customers=self.settings.limit_customers,
            versions=[library_versions(), pa.__version__],
        )


def _sizes(partitions: Mapping[str, Path]) -> tuple[dict[str, int], dict[str, str]]:
    """Rows of every partition that can be opened, and what is wrong with the others."""
    sizes, bad = {}, {}
    for name, path in partitions.items():
        try:
            sizes[name] = int(pq.read_metadata(path).num_rows)
        except UNREADABLE as error:
            bad[name] = f"it is no Parquet file: {error}"
            logger.warning("%s is left out: %s", name, bad[name])
    return sizes, bad


def _mark(partitions: list[Partition]) -> str:
    return fingerprint(**{p.name: p.fingerprint for p in partitions})


@dataclass(frozen=True)
class _KnownPrices:
    """Prices of the run before.

    Attributes
    ----------
    asked : str
        Mark of all partitions that there were to score.
    mark : str
        Mark of those that could be used, whose prices these are.
    prices : Prices
    """

    asked: str
    mark: str
    prices: Prices

    @property
    def marks(self) -> tuple[str, str]:
        """Marks of partitions that will probably have these prices again."""
        return self.asked, self.mark


def _known_prices(folder: Path) -> _KnownPrices | None:
    try:
        state = json.loads((folder / PRICES).read_text(encoding="utf-8"))
        return _KnownPrices(state["asked"], state["fingerprint"], Prices.from_state(state))
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _account(folder: Path) -> object:
    state = json.loads((folder / PRICES).read_text(encoding="utf-8"))
    return Prices.from_state(state).to_dict()
