"""Deciding one batch of customers: a pure function of Arrow record batches, wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pentathlon.decision import DecisionEngine
from pentathlon.decision.decisions import decisions_table
from pentathlon.decision.plan import make_plan
from pentathlon.decision.rules import NO_SOURCES, Sources, screen_customers
from pentathlon.decision.settings import SendingSettings
from pentathlon.errors import ParameterError
from pentathlon.features import build_features
from pentathlon.scoring.cleaning import clean_batch
from pentathlon.scoring.parts import as_batch
from pentathlon.scoring.statistics import Counts, count

_TEXT = ("customer_id", "message", "runner_up", "policy", "decided_by", "preferred", "removed")
_NUMBERS = {
    "purchase_probability": pa.float32(),
    "expected_order_value": pa.float32(),
    "expected_profit": pa.float32(),
    "expected_profit_of_control": pa.float32(),
    "runner_up_expected_profit": pa.float32(),
    "propensity": pa.float64(),
}
_ORDER = (
    *("customer_id", "message", "purchase_probability", "expected_order_value"),
    *("expected_profit", "expected_profit_of_control", "runner_up", "runner_up_expected_profit"),
    *("policy", "decided_by", "preferred", "removed", "propensity"),
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
        Without limits; those couple all customers.
    campaign : str
    on : date, optional
    sources : Sources
    edges : mapping of str to sequence of float
        Of the bins in which scores are counted.
    """

    engine: DecisionEngine
    settings: SendingSettings
    campaign: str = ""
    on: date | None = None
    sources: Sources = NO_SOURCES
    edges: Mapping[str, Sequence[float]] | None = None

    def __post_init__(self) -> None:
        pressure = self.settings.rules.pressure
        if self.settings.limits or (pressure and pressure.max_complaint_rate is not None):
            raise ParameterError(
                "A batch cannot keep decision.limits or a complaint rate, which bind all customers "
                "together."
            )

    def decide(
        self,
        batch: pa.RecordBatch,
        first_row: int = 0,
        repeated: NDArray[np.int64] | None = None,
    ) -> DecidedBatch:
        """Decide a batch; see :func:`pentathlon.scoring.cleaning.clean_batch` for the rest."""
        engine = self.engine
        clean = clean_batch(batch, engine.columns, first_row, repeated)
        customers = clean.customers
        prediction = engine.predict(build_features(customers, engine.columns))
        profit = prediction.expected_profit
        screen = screen_customers(
            customers, engine.messages, self.settings.rules, (), self.sources, self.on
        )
        plan = make_plan(
            engine.worth(profit),
            engine.choose(profit),
            screen,
            self.settings,
            engine.messages,
            campaign=self.campaign,
        )
        ids = screen.customer_id
        table = decisions_table(ids, prediction, plan, engine.messages, engine.policy)
        return DecidedBatch(
            as_batch(table, DECISIONS),
            clean.rejected,
            count(table, prediction, plan, self.edges or {}, clean.reasons),
        )

    def decide_all(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Decisions of batch after batch, rejected rows left out: what ``mapInArrow`` calls."""
        for batch in batches:
            yield self.decide(batch).decisions
