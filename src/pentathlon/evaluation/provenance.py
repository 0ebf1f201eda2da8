"""Proof that the scores of a row come from a model that did not see it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pentathlon.errors import EvaluationError

TEST_FOLD = -1
"""Fold of the rows that no model was fitted on."""


def check_fold_provenance(observations: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Refuse scores that cannot be traced to a model fitted without the row.

    Parameters
    ----------
    observations : DataFrame
        With ``customer_id`` and ``fold``: the fold the row belongs to, `TEST_FOLD` for test rows.
    scores : DataFrame
        With ``customer_id`` and ``fold``: the fold that the scoring model was fitted without,
        `TEST_FOLD` where it is the model fitted on all folds. Same customers in the same order.

    Raises
    ------
    EvaluationError
        When a column is missing, the rows differ in number or order, or the fold of a score is
        missing or not that of its row. The message counts the rows and shows one.
    """
    for name, table in (("observations", observations), ("scores", scores)):
        missing = [c for c in ("customer_id", "fold") if c not in table.columns]
        if missing:
            raise EvaluationError(
                f"{name}: column {', '.join(missing)} is missing; without it nobody can tell "
                "whether the scoring model saw the row."
            )
    if len(observations) != len(scores):
        raise EvaluationError(
            f"scores: {len(scores)} rows for {len(observations)} observations; score every "
            "observation once, in the same order."
        )
    ids = observations["customer_id"].to_numpy(dtype=object)
    score_ids = scores["customer_id"].to_numpy(dtype=object)
    _refuse_rows(
        ids != score_ids,
        "scores: {count} of {n} rows belong to another customer than the observation in the same "
        "place, for example row {row}: {first!r} scored, {second!r} observed. Keep the order of "
        "the observations.",
        score_ids,
        ids,
    )
    for name, table in (("observations", observations), ("scores", scores)):
        unknown = table["fold"].isna().to_numpy(dtype=bool)
        _refuse_rows(
            unknown,
            f"{name}: " + "{count} of {n} rows have no fold, for example row {row} (customer "
            "{first!r}).",
            ids,
            ids,
        )
    folds = observations["fold"].to_numpy(dtype=np.int64)
    score_folds = scores["fold"].to_numpy(dtype=np.int64)
    _refuse_rows(
        folds != score_folds,
        "scores: {count} of {n} rows were scored by a model that may have been fitted on them, "
        "for example row {row}: the row is in fold {second}, its score comes from the model "
        "fitted without fold {first}. Score out of fold.",
        score_folds,
        folds,
    )


def _refuse_rows(wrong: np.ndarray, message: str, first: np.ndarray, second: np.ndarray) -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise EvaluationError(
            message.format(
                count=int(wrong.sum()), n=len(wrong), row=row, first=first[row], second=second[row]
            )
        )
