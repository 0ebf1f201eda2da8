"""Nodes of the pipeline."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pentathlon.contract import MessageSet
from pentathlon.errors import ParameterError
from pentathlon.events.folders import TableFolder
from pentathlon.moments.assemble import (
    assemble_customers,
    assemble_observations,
    declared_features,
    load_parts,
    scratch_folder,
)
from pentathlon.moments.dictionary import dictionary_page, feature_dictionary
from pentathlon.pipelines.moments.params import MomentsParams
from pentathlon.pipelines.params import MessagesParams

NAMES = ("customers", "transactions", "sessions", "email_log")


def make_observations(
    customers: TableFolder,
    transactions: TableFolder,
    sessions: TableFolder,
    email_log: TableFolder,
    products: TableFolder,
    messages: MessagesParams,
    params: MomentsParams,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Put assignments together with their outcomes and the features of then.

    Returns
    -------
    moment_observations : DataFrame
    moment_summary : dict
        See :func:`pentathlon.moments.assemble.assemble_observations`.

    Raises
    ------
    ParameterError
        When both order values and messages say what a margin is.
    """
    tables = (customers, transactions, sessions, email_log)
    folders = {name: table.path for name, table in zip(NAMES, tables, strict=True)}
    if params.outcome.value == "margin":
        _check_margins(messages.message_set())
        if products.parts:
            folders["products"] = products.path
    features = declared_features(params, messages.message_set())
    made = assemble_observations(folders, features, params, scratch_folder(params, "observations"))
    return load_parts(made.folder), made.summary


def _check_margins(messages: MessageSet) -> None:
    twice = [name for name, margin in zip(messages, messages.margins, strict=True) if margin != 1]
    if twice:
        raise ParameterError(
            "moments.outcome.value is margin, so order values have the cost of goods taken off "
            f"already; messages {twice} would take it off again. Set their margin to 1."
        )


def make_customers(
    customers: TableFolder,
    transactions: TableFolder,
    sessions: TableFolder,
    email_log: TableFolder,
    suppressed_customers: pd.DataFrame,
    messages: MessagesParams,
    params: MomentsParams,
) -> TableFolder:
    """Compute the features, as they stand now, of customers who may be mailed.

    Returns
    -------
    TableFolder
        A row per customer who has consented and has not opted out: nobody else can be scored.
        The files are moved from the scratch folder.
    """
    tables = (customers, transactions, sessions, email_log)
    folders = {name: table.path for name, table in zip(NAMES, tables, strict=True)}
    features = declared_features(params, messages.message_set())
    left_out = suppressed_customers["customer_id"]
    scratch = scratch_folder(params, "customers")
    made = assemble_customers(folders, features, params, scratch, left_out)
    return TableFolder(made.folder, temporary=True)


def list_unmailable(
    suppressed_customers: pd.DataFrame, suppression_list: pd.DataFrame | None
) -> pd.DataFrame:
    """Join customers without consent and those on the retailer's own suppression list.

    Parameters
    ----------
    suppressed_customers : DataFrame
        ``customer_id`` and ``reason``.
    suppression_list : DataFrame or None
        ``customer_id``, pseudonyms as the clean tables have them; other columns are left out.

    Returns
    -------
    DataFrame
        ``customer_id`` (once each) and ``reason``.
    """
    if suppression_list is None:
        return suppressed_customers
    listed = pd.DataFrame({"customer_id": suppression_list["customer_id"].astype("str")})
    both = pd.concat([suppressed_customers, listed.assign(reason="suppression list")])
    return both.drop_duplicates("customer_id").reset_index(drop=True)


def describe_features(
    customers: TableFolder, messages: MessagesParams, params: MomentsParams
) -> tuple[pd.DataFrame, str]:
    """Write the feature dictionary.

    Returns
    -------
    feature_dictionary : DataFrame
    feature_dictionary_page : str
        Markdown.
    """
    features = declared_features(params, messages.message_set())
    described = feature_dictionary(features, customers.path, params.database)
    return described, dictionary_page(described)
