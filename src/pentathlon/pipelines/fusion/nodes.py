"""Nodes of the pipeline."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd

from pentathlon.contract.scores import scores_array, scores_table
from pentathlon.evaluation import (
    check_expected_observed,
    check_fold_provenance,
    expected_observed,
)
from pentathlon.fusion import FusionModel, choose_fusion
from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.fusion.params import FusionParams
from pentathlon.pipelines.params import MessagesParams

logger = logging.getLogger(__name__)


def fuse(
    observations: pd.DataFrame,
    messages: MessagesParams,
    settings: FusionParams,
    *scores: pd.DataFrame,
) -> tuple[FusionModel, pd.DataFrame, pd.DataFrame]:
    """Calibrate, pool, choose by cross-validated log loss, calibrate again.

    Parameters
    ----------
    observations : DataFrame, n rows
    messages : MessagesParams
    settings : FusionParams
    *scores : DataFrame, n rows
        In the order of :data:`pentathlon.models.registry.MODEL_NAMES`.

    Returns
    -------
    fusion_model : FusionModel
    fused_scores : DataFrame, n rows
        Training rows by a fusion fitted without their fold, test rows by the final one.
    fusion_table : DataFrame
        Candidates with log loss and Brier score; the weights of the winner.
    """
    message_set = messages.message_set()
    for table in scores:
        check_fold_provenance(observations, table)
    arrays = {
        name: scores_array(table, message_set)
        for name, table in zip(MODEL_NAMES, scores, strict=True)
    }
    train = (observations["split"] == "train").to_numpy()
    rows = observations[train]
    result = choose_fusion(
        {name: array[train] for name, array in arrays.items()},
        message_set.codes(rows["message"].to_numpy()),  # type: ignore[arg-type]
        rows["response"].to_numpy(),
        rows["sampling_weight"].to_numpy(dtype=np.float64),
        rows["fold"].to_numpy(),
        methods=settings.methods,
        stacking_penalty=settings.stacking_penalty,
    )
    fused = np.empty((len(observations), len(message_set)), dtype=np.float32)
    fused[train] = result.scores
    if not train.all():
        fused[~train] = result.model.predict({n: a[~train] for n, a in arrays.items()})
    weights = dict(zip(result.model.models, result.model.weights, strict=True))
    logger.info(
        "fusion: %s chosen, weights %s",
        result.model.method,
        ", ".join(f"{name} {weight:.2f}" for name, weight in weights.items()),
    )
    table = result.table.assign(weight=result.table["candidate"].map(weights))
    return result.model, scores_table(observations, fused, message_set), table


def check_calibration(
    observations: pd.DataFrame,
    fused_scores: pd.DataFrame,
    messages: MessagesParams,
    settings: FusionParams,
) -> pd.DataFrame:
    """Compare expected with observed responses; fail where they disagree beyond chance.

    Natural-rate rows are used where the file has any, else all rows with their weights; training
    rows are scored without their fold, test rows by the final models.

    Returns
    -------
    DataFrame
        Expected and observed responses with Poisson intervals by message, decile, message and
        decile, and in the top per cent, for training and test rows.

    Raises
    ------
    CalibrationError
        When the training rows' responses fall outside the interval of
        ``fusion.calibration_confidence``.
    """
    message_set = messages.message_set()
    scores = scores_array(fused_scores, message_set)
    code = message_set.codes(observations["message"].to_numpy())  # type: ignore[arg-type]
    logged = scores[np.arange(len(scores)), code]
    tables = []
    for split in ("train", "test"):
        rows = (observations["split"] == split).to_numpy()
        natural = rows & observations["natural_rate"].to_numpy()
        rows = natural if natural.any() else rows
        if not rows.any():
            continue
        part = observations[rows]
        response = part["response"].to_numpy()
        weight = None if natural.any() else part["sampling_weight"].to_numpy(dtype=np.float64)
        if split == "train":
            check_expected_observed(
                response,
                logged[rows],
                sampling_weight=weight,
                message=code[rows],
                names=message_set.names,
                confidence=settings.calibration_confidence,
                source="The fused probabilities of the training rows",
            )
        table = expected_observed(
            response,
            logged[rows],
            sampling_weight=weight,
            message=code[rows],
            names=message_set.names,
        )
        tables.append(table.assign(split=split))
    return pd.concat(tables, ignore_index=True)
