"""Nodes of the pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pentathlon.events.folders import TableFolder
from pentathlon.events.intake import RawEvents, check_events, suppressed_customers
from pentathlon.events.quality import enforce_limits, quality_table
from pentathlon.events.quality_report import quality_report
from pentathlon.pipelines.intake.params import IntakeParams
from pentathlon.pipelines.params import MessagesParams

CLEAN = ("customers", "transactions", "sessions", "email_log", "products")
"""Tables in the order of the outputs of `accept`."""


def check(
    raw: RawEvents, params: IntakeParams, messages: MessagesParams
) -> tuple[TableFolder, TableFolder, dict[str, Any]]:
    """Read, check, divide and pseudonymise the raw tables.

    Returns
    -------
    checked_events, quarantined_events : TableFolder
    event_quality : dict
        See :class:`pentathlon.events.intake.CheckedEvents`.
    """
    checked = check_events(raw, params, list(messages))
    return checked.tables, checked.quarantine, checked.quality


def describe(quality: dict[str, Any]) -> tuple[pd.DataFrame, str]:
    """Say how much could not be used and why.

    Returns
    -------
    event_quality_table : DataFrame
    event_quality_report : str
        A page of HTML.
    """
    return quality_table(quality), quality_report(quality)


def accept(
    checked: TableFolder, table: pd.DataFrame
) -> tuple[TableFolder, TableFolder, TableFolder, TableFolder, TableFolder, pd.DataFrame]:
    """Pass the clean tables on, unless too much of them is unusable.

    Returns
    -------
    clean_customers, clean_transactions, clean_sessions, clean_email_log, clean_products : \
TableFolder
    suppressed_customers : DataFrame

    Raises
    ------
    DataError
        When a limit is exceeded.
    """
    enforce_limits(table)
    customers, transactions, sessions, email_log, products = (checked / name for name in CLEAN)
    return customers, transactions, sessions, email_log, products, suppressed_customers(checked)
