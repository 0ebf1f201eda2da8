"""Which features moved a choice over its runner-up, in currency."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.messages import MessageSet
from pentathlon.decision.engine import CHUNK_ROWS, DecisionEngine
from pentathlon.decision.exploration import BY_CHANCE, BY_HOLDOUT
from pentathlon.decision.plan import BY_MANDATE
from pentathlon.decision.policies import POLICY_TREE, constant_name
from pentathlon.decision.settings import ExplainSettings
from pentathlon.errors import DataError

NOT_BY_FEATURES = (BY_CHANCE, BY_HOLDOUT, BY_MANDATE)
"""Who decides without looking at what a message earns."""
KINDS = {
    "customer_id": "str",
    "rank": "int8",
    "feature": "str",
    "value": "str",
    "reference": "str",
    "amount": "float32",
    "lead": "float32",
}


Reference = Mapping[str, float | str]


def feature_reference(customers: pd.DataFrame, columns: FeatureColumns) -> dict[str, float | str]:
    """What is usual: the value of every raw feature that attributions compare with.

    Parameters
    ----------
    customers : DataFrame
        Training customers, with the raw feature columns.
    columns : FeatureColumns

    Returns
    -------
    dict of str to float or str
        The median of numbers (the lower one of two, so that a count stays a count), the mode of
        labels.
    """
    numbers = [*columns.numeric, *columns.counts.values()]
    found: dict[str, float | str] = {
        name: float(customers[name].quantile(0.5, interpolation="lower")) for name in numbers
    }
    for name in columns.categorical:
        found[name] = str(customers[name].astype(str).mode().iloc[0])
    return {name: found[name] for name in columns.columns}


def attribute(
    engine: DecisionEngine,
    customers: pd.DataFrame,
    message: NDArray[np.integer],
    runner_up: NDArray[np.integer],
    reference: Reference,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""Amount by which every raw feature moved the lead of one message over another.

    With ``D(x)`` the engine's expected profit of the message minus that of its runner-up, the
    amount of feature f is

    .. math:: D(x) - D(x \text{ with } f \text{ at its reference})

    and everything that is derived from f (logarithms, shares, match features, crosses) moves
    with it. Amounts do not add up to the lead where features interact: two that only work
    together are both credited with all of it. Cost: one prediction per feature and customer.

    Parameters
    ----------
    engine : DecisionEngine
    customers : DataFrame, n rows
        ``customer_id`` and the raw feature columns.
    message, runner_up : ndarray of int, shape (n,)
        Columns of messages.
    reference : dict of str to float or str

    Returns
    -------
    amounts : ndarray of float64, shape (n, n_features)
        In currency, in the order of ``engine.columns.columns``.
    lead : ndarray of float64, shape (n,)
        ``D(x)``.

    Raises
    ------
    DataError
        When the reference lacks a feature.

    References
    ----------
    Covert, Lundberg, Lee (2021), "Explaining by removing: a unified framework for model
    explanation".
    """
    features = engine.columns.columns
    lost = sorted(set(features) - set(reference))
    if lost:
        raise DataError(f"feature_reference lacks {lost}; decide again to make it anew.")
    amounts = np.empty((len(customers), len(features)))
    leads = np.empty(len(customers))
    for start in range(0, len(customers), CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        part = customers.iloc[rows]
        leads[rows] = lead = _lead(engine, part, message[rows], runner_up[rows])
        for k, name in enumerate(features):
            usual = part.assign(**{name: reference[name]})
            amounts[rows, k] = lead - _lead(engine, usual, message[rows], runner_up[rows])
    return amounts, leads


def _lead(
    engine: DecisionEngine,
    customers: pd.DataFrame,
    message: NDArray[np.integer],
    runner_up: NDArray[np.integer],
) -> NDArray[np.float64]:
    profit = engine.expect(customers).expected_profit.astype(np.float64)
    rows = np.arange(len(profit))
    difference: NDArray[np.float64] = profit[rows, message] - profit[rows, runner_up]
    return difference


def explain_decisions(
    engine: DecisionEngine,
    customers: pd.DataFrame,
    decisions: pd.DataFrame,
    reference: Reference,
    settings: ExplainSettings,
) -> pd.DataFrame:
    """Name the features that moved decisions most.

    Parameters
    ----------
    engine : DecisionEngine
    customers, decisions : DataFrame, n rows
        Of the same customers, in any order.
    reference : dict of str to float or str
    settings : ExplainSettings

    Returns
    -------
    DataFrame
        A row per explained customer and feature, largest amounts first: customer_id, rank (from
        1), feature, value, reference, amount (in currency, above 0 where it spoke for the
        message), lead (of the message over its runner-up). None for decisions by chance, holdout
        or mandate, none without a runner-up, and none where a constant policy ships (then no
        feature moved the choice) or a policy tree (then its questions did).

    Raises
    ------
    DataError
        When a named customer was not decided.
    """
    nothing = pd.DataFrame(columns=list(KINDS)).astype(KINDS)
    if same_for_all(engine):
        return nothing
    asked = _asked(decisions, settings)
    chosen = decisions.iloc[asked]
    chosen = chosen[
        chosen["runner_up"].notna().to_numpy()
        & ~chosen["decided_by"].isin(NOT_BY_FEATURES).to_numpy()
    ]
    if chosen.empty:
        return nothing
    ids = chosen["customer_id"].astype(str)
    at = pd.Index(customers["customer_id"].astype(str)).get_indexer(pd.Index(ids))
    people = customers.iloc[at]
    messages: MessageSet = engine.messages
    amounts, lead = attribute(
        engine,
        people,
        messages.codes(chosen["message"].tolist()),
        messages.codes(chosen["runner_up"].tolist()),
        reference,
    )
    names = np.array(engine.columns.columns, dtype=object)
    top = np.argsort(-np.abs(amounts), axis=1, kind="stable")[:, : settings.features]
    row = np.repeat(np.arange(len(chosen)), top.shape[1])
    column = top.ravel()
    values = people[names.tolist()].astype(str).to_numpy(dtype=object)
    usual = np.array([_as_text(people[name], reference[name]) for name in names], dtype=object)
    table = pd.DataFrame(
        {
            "customer_id": ids.to_numpy()[row],
            "rank": np.tile(np.arange(1, top.shape[1] + 1), len(chosen)),
            "feature": names[column],
            "value": values[row, column],
            "reference": usual[column],
            "amount": amounts[row, column],
            "lead": lead[row],
        }
    )
    # A feature without any part in the lead moved nothing.
    return table[table["amount"] != 0].reset_index(drop=True).astype(KINDS)


def same_for_all(engine: DecisionEngine) -> bool:
    """Whether no expected profit moves a choice: one message for everyone, or for each group."""
    constants = {constant_name(message) for message in engine.messages}
    return engine.policy in constants | {POLICY_TREE}


def _asked(decisions: pd.DataFrame, settings: ExplainSettings) -> NDArray[np.int64]:
    """Positions of the decisions to explain."""
    n = len(decisions)
    spaced = np.linspace(0, n - 1, min(settings.customers, n)).astype(np.int64)
    ids = pd.Index(decisions["customer_id"].astype(str))
    named = ids.get_indexer(pd.Index(settings.customer_ids, dtype="str"))
    lost = [c for c, at in zip(settings.customer_ids, named, strict=True) if at < 0]
    if lost:
        raise DataError(
            f"decision.explain.customer_ids: {lost} are not among the {n:,} customers decided."
        )
    return np.unique(np.concatenate([spaced, named.astype(np.int64)]))


def _as_text(column: pd.Series, value: float | str) -> str:
    """A reference written as the column's values are."""
    whole = pd.api.types.is_integer_dtype(column) and isinstance(value, float)
    return str(int(value)) if whole else str(value)
