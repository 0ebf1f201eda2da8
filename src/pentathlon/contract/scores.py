"""Score tables: one column per message, and the fold that the scoring model never saw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.errors import DataError


def scores_table(
    observations: pd.DataFrame, scores: NDArray[np.float32], messages: MessageSet
) -> pd.DataFrame:
    """Table of scores with their provenance.

    Parameters
    ----------
    observations : DataFrame, n rows
        With ``customer_id`` and ``fold``.
    scores : ndarray of float32, shape (n, n_messages)
        Each row by a model fitted without its fold; test rows (fold -1) by the final model.
    messages : MessageSet

    Returns
    -------
    DataFrame
        ``customer_id``, ``fold`` and one float32 column per message.

    Raises
    ------
    DataError
        When a score is missing: a row that no model scored.
    """
    unscored = int(np.isnan(scores).any(axis=1).sum())
    if unscored:
        raise DataError(f"{unscored} of {len(scores)} rows have no score; no fold covers them.")
    table = pd.DataFrame(
        {
            "customer_id": observations["customer_id"].to_numpy(),
            "fold": observations["fold"].to_numpy(),
        }
    )
    for column, name in enumerate(messages):
        table[name] = scores[:, column]
    return table


def scores_array(table: pd.DataFrame, messages: MessageSet) -> NDArray[np.float32]:
    """Scores of a table as ``(n, n_messages)``, columns in the order of the messages."""
    missing = [m for m in messages if m not in table.columns]
    if missing:
        raise DataError(
            f"The scores have no columns for the messages {missing}; they were made with other "
            "messages. Run the pipeline that makes them again."
        )
    return np.ascontiguousarray(table[list(messages)].to_numpy(dtype=np.float32))
