"""Nodes of the pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from pentathlon.contract.features import FeatureColumns
from pentathlon.contract.process import process_customer_file
from pentathlon.pipelines.data_processing.params import DataProcessingParams
from pentathlon.pipelines.params import MessagesParams

logger = logging.getLogger(__name__)


def process_file(
    raw: pd.DataFrame,
    messages: MessagesParams,
    features: FeatureColumns,
    params: DataProcessingParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Validate, repair and divide a retailer's file.

    Parameters
    ----------
    raw : DataFrame
        The file as read.
    messages : MessagesParams
    features : FeatureColumns
    params : DataProcessingParams

    Returns
    -------
    observations, customers, rejected_rows : DataFrame
    data_quality : dict
        See `pentathlon.contract.process.ProcessedFile`.

    Raises
    ------
    DataError
        When the file as a whole cannot be used.
    """
    processed = process_customer_file(raw, messages.message_set(), features, params)
    quality = processed.data_quality
    logger.info(
        "Read %s rows: kept %s, rejected %s; %s customers.",
        f"{quality['rows_read']:,}",
        f"{quality['rows_kept']:,}",
        f"{quality['rows_rejected']:,}",
        f"{quality['customers']:,}",
    )
    for warning in quality["warnings"]:
        logger.warning(warning)
    return processed.observations, processed.customers, processed.rejected_rows, quality
