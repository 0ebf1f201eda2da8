"""Deciding one batch of customers: a pure function of Arrow record batches, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pentathlon.decision import DecisionEngine
from pentathlon.decision.decisions import Prediction, decisions_table
from pentathlon.decision.plan import Wishes, make_wishes
from pentathlon.decision.rules import NO_SOURCES, Sources, screen_customers
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import ParameterError
from pentathlon.features import build_features
from pentathlon.scoring.cleaning import CleanBatch, clean_batch
from pentathlon.scoring.parts import as_batch
from pentathlon.scoring.prices import Prices
from pentathlon.scoring.spill import segment_keys, spilled, unspilled
from pentathlon.scoring.statistics import Counts, count

_TEXT = ("customer_id", "message", "runner_up", "policy", "decided_by", "preferred", "removed")
_NUMBERS = {
    "purchase_probability": pa.float32(),
    "expected_order_value": pa.float32(),
    "expected_profit": pa.float32(),
    "expected_profit_of_control": pa.float32(),
    "runner_up_expected_profit": pa.float32(),
    "lead": pa.float32(),
    "propensity": pa.float64(),
}
_ORDER = (
    *("customer_id", "message", "purchase_probability", "expected_order_value"),
    *("expected_profit", "expected_profit_of_control", "runner_up", "runner_up_expected_profit"),
    *("lead", "policy", "decided_by", "preferred", "removed", "propensity"),
)
DECISIONS = pa.schema([(name, _NUMBERS.get(name, pa.string())) for name in _ORDER])
"""Columns of decisions; see :func:`pentathlon.decision.decisions.decisions_table`."""


@dataclass(frozen=True)
class DecidedBatch:
    """Decisions of a batch.

    Attributes
    ----------
    decisions : RecordBatch
        Of the schema ``DECISIONS``.
    rejected : DataFrame
        See :class:`pentathlon.scoring.cleaning.CleanBatch`.
    counts : Counts
    """

    decisions: pa.RecordBatch
    rejected: pd.DataFrame
    counts: Counts


@dataclass(frozen=True)
class BatchDecider:
    """All that a batch needs to be decided.

    Attributes
    ----------
    engine : DecisionEngine
        Compiled (:meth:`pentathlon.decision.DecisionEngine.compiled`), so that a customer's
        decision does not depend on the batch.
    settings : SendingSettings
    campaign : str
    on : date, optional
    sources : Sources
    edges : mapping of str to sequence of float
        Of the bins in which scores are counted.
    prices : Prices, optional
        Of the limits that bind all customers together; they must be known before anybody is
        decided.
    fill : mapping of str to float or str
        What missing values stand for, by column; as they did in training.
    """

    engine: DecisionEngine
    settings: SendingSettings
    campaign: str = ""
    on: date | None = None
    sources: Sources = NO_SOURCES
    edges: Mapping[str, Sequence[float]] | None = None
    prices: Prices | None = None
    fill: Mapping[str, float | str] | None = None

    def __post_init__(self) -> None:
        shares = [limit.name for limit in self.settings.limits if limit.of == "share_of_emails"]
        if self.settings.top_departments is not None or shares:
            what = f"limits {shares} on shares" if shares else "top_departments"
            raise ParameterError(
                f"decision: scoring in batches does not know {what} of the e-mails; give limits in "
                "customers, share or cost instead."
            )
        exploration = self.settings.exploration
        if self.limited and exploration.share > 0 and exploration.among == "top_two":
            raise ParameterError(
                "decision.exploration.among: top_two draws between what limits leave best, which "
                "scoring in batches cannot know beforehand; use eligible where there are limits."
            )

    @property
    def limited(self) -> bool:
        """Whether limits bind all customers together."""
        pressure = self.settings.rules.pressure
        rate = None if pressure is None else pressure.max_complaint_rate
        return bool(self.settings.limits) or rate is not None

    def decide(
        self,
        batch: pa.RecordBatch,
        rows: NDArray[np.int64] | None = None,
        repeated: NDArray[np.bool_] | None = None,
        partition: str = "",
        scores: pa.RecordBatch | None = None,
    ) -> DecidedBatch:
        """Decide a batch.

        Parameters
        ----------
        batch, rows, repeated
            See :func:`pentathlon.scoring.cleaning.clean_batch`.
        partition : str
            Whose prices may know exceptions.
        scores : RecordBatch, optional
            What :meth:`spill` made of the same batch; predicted again without.

        Raises
        ------
        ParameterError
            When there are limits and no prices.
        """
        if self.limited and self.prices is None:
            raise ParameterError(
                "decision.limits bind all customers together; find their prices before a batch is "
                "decided."
            )
        engine = self.engine
        clean = clean_batch(batch, engine.columns, rows, repeated, self.fill)
        prediction = self._predicted(clean, scores)
        wishes = self._wishes(clean, prediction)
        choice = wishes.best
        if self.prices is not None:
            choice = self.prices.choose(partition, clean.rows, segment_keys(wishes), wishes.ranked)
        plan = wishes.planned(choice, wishes.ranked)
        ids = wishes.screen.customer_id
        table = decisions_table(ids, prediction, plan, engine.messages, engine.policy)
        return DecidedBatch(
            as_batch(table, DECISIONS),
            clean.rejected,
            count(table, prediction, plan, self.edges or {}, clean.reasons, clean.filled),
        )

    def spill(
        self,
        batch: pa.RecordBatch,
        rows: NDArray[np.int64] | None = None,
        repeated: NDArray[np.bool_] | None = None,
    ) -> DecidedBatch:
        """Predict for a batch and keep what prices are made of, as a batch of the spill."""
        clean = clean_batch(batch, self.engine.columns, rows, repeated, self.fill)
        prediction = self._predicted(clean, None)
        kept = spilled(
            clean.rows, prediction, self._wishes(clean, prediction), self.engine.messages
        )
        counts = Counts(decided=len(clean.rows), rejected=len(clean.rejected))
        return DecidedBatch(kept, clean.rejected.iloc[:0], counts)

    def _predicted(self, clean: CleanBatch, scores: pa.RecordBatch | None) -> Prediction:
        if scores is not None:
            kept = unspilled(scores, self.engine.messages)
            if self.engine.router is None:
                return kept
            features = build_features(clean.customers, self.engine.columns)
            return replace(kept, group=self.engine.router.route(features))
        return self.engine.predict(build_features(clean.customers, self.engine.columns))

    def _wishes(self, clean: CleanBatch, prediction: Prediction) -> Wishes:
        engine, settings = self.engine, self.settings
        screen = screen_customers(
            clean.customers,
            engine.messages,
            settings.rules,
            settings.limits,
            self.sources,
            self.on,
            in_part=True,
        )
        return make_wishes(
            engine.worth(prediction),
            engine.choose(prediction),
            screen,
            settings,
            engine.messages,
            self.campaign,
        )

    def decide_all(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Decisions of batch after batch, rejected rows left out: what ``mapInArrow`` calls."""
        for batch in batches:
            yield self.decide(batch).decisions
