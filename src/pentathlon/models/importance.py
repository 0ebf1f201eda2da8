"""What a model's predictions rest on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pentathlon.features.design import Design, DesignBuilder
from pentathlon.models.metrics import log_loss
from pentathlon.models.protocol import ResponseModel, TrainingRows

MATCH = "match with the message"
MESSAGE = "message"


def permutation_importance(
    model: ResponseModel,
    rows: TrainingRows,
    builder: DesignBuilder,
    *,
    seed: int,
    repeats: int = 1,
    max_rows: int = 50_000,
) -> pd.DataFrame:
    """Loss of log loss when one raw feature is shuffled (Breiman 2001; Fisher et al. 2019).

    All columns made of one raw column are shuffled together, so a feature is not spared by its
    own logarithm; a count's share in the match features counts as ``match with the message``.

    Parameters
    ----------
    model : ResponseModel
        Fitted without these rows.
    rows : TrainingRows
        Natural-rate rows that did not fit the model.
    builder : DesignBuilder
    seed, repeats, max_rows : int

    Returns
    -------
    DataFrame
        Columns feature, log_loss_increase (mean over repeats), spread (standard deviation over
        repeats; 0 for one), sorted by the increase.
    """
    rng = np.random.default_rng(seed)
    if len(rows) > max_rows:
        rows = rows.take(np.sort(rng.choice(len(rows), size=max_rows, replace=False)))
    reference = log_loss(rows.response, model.predict_logged(rows), rows.sampling_weight)
    sources = np.array(builder.sources)
    groups = [*dict.fromkeys(builder.sources), MATCH, MESSAGE]
    records = []
    for group in groups:
        losses = []
        for _ in range(repeats):
            order = rng.permutation(len(rows))
            shuffled = _shuffled(rows, group, sources == group, order)
            p = model.predict_logged(shuffled)
            losses.append(log_loss(rows.response, p, rows.sampling_weight) - reference)
        records.append(
            {
                "feature": group,
                "log_loss_increase": float(np.mean(losses)),
                "spread": float(np.std(losses)),
            }
        )
    table = pd.DataFrame(records)
    return table.sort_values("log_loss_increase", ascending=False, ignore_index=True)


def _shuffled(
    rows: TrainingRows, group: str, columns: np.ndarray, order: np.ndarray
) -> TrainingRows:
    if group == MESSAGE:
        return TrainingRows(rows.design, rows.message[order], rows.response, rows.sampling_weight)
    base, match = rows.design.base, rows.design.match
    if group == MATCH:
        match = match[order]
    else:
        base = base.copy()
        base[:, columns] = base[order][:, columns]
    return TrainingRows(Design(base, match), rows.message, rows.response, rows.sampling_weight)
