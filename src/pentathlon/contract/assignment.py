"""Training rows, test rows and folds that do not depend on the order of the file."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
from numpy.typing import NDArray


def keyed_order(
    customer_id: pd.Series, stratum: NDArray[np.int64], seed: int, purpose: str
) -> NDArray[np.int64]:
    """Order of rows by stratum, random but reproducible within it.

    Within a stratum rows are ordered by a keyed hash (SipHash, 64 bits) of the customer's
    identifier, so the order depends on who the customers are and on the seed, not on where
    they stand in the file.

    Parameters
    ----------
    customer_id : Series of str, length n
        Distinct identifiers.
    stratum : ndarray of int64, shape (n,)
    seed : int
    purpose : str
        Makes the draws for different purposes independent.

    Returns
    -------
    ndarray of int64, shape (n,)
        Positions of the rows in that order.
    """
    key = hashlib.sha256(f"{purpose}:{seed}".encode()).hexdigest()[:16]
    ids = customer_id.to_numpy(dtype=object)
    hashes = pd.util.hash_array(ids, hash_key=key, categorize=False)
    order = np.lexsort((hashes, stratum))
    tied = (np.diff(hashes[order]) == 0) & (np.diff(stratum[order]) == 0)
    if tied.any():
        order = np.lexsort((ids.astype(str), hashes, stratum))
    return order.astype(np.int64)


def draw_test(
    customer_id: pd.Series, stratum: NDArray[np.int64], test_share: float, seed: int
) -> NDArray[np.bool_]:
    """Draw the customers that test, evenly over the strata.

    Parameters
    ----------
    customer_id : Series of str, length n
        Distinct identifiers.
    stratum : ndarray of int64, shape (n,)
    test_share : float
        In [0, 1).
    seed : int

    Returns
    -------
    ndarray of bool, shape (n,)
        Exactly ``floor(n * test_share)`` are true; each stratum's share is met within one.
    """
    order = keyed_order(customer_id, stratum, seed, "split")
    # Systematic sampling down the ordered list; the tiny addend keeps 10 * 0.3 at 3.
    steps = np.floor(np.arange(len(order) + 1) * test_share + 1e-9)
    test = np.zeros(len(order), dtype=np.bool_)
    test[order] = np.diff(steps) > 0
    return test


def draw_folds(
    customer_id: pd.Series, stratum: NDArray[np.int64], n_folds: int, seed: int
) -> NDArray[np.int8]:
    """Deal customers to folds, round robin over the strata.

    Parameters
    ----------
    customer_id : Series of str, length n
        Distinct identifiers.
    stratum : ndarray of int64, shape (n,)
    n_folds : int
    seed : int

    Returns
    -------
    ndarray of int8, shape (n,)
        Fold sizes differ by at most one, within every stratum and overall.
    """
    order = keyed_order(customer_id, stratum, seed, "folds")
    fold = np.empty(len(order), dtype=np.int8)
    fold[order] = np.arange(len(order)) % n_folds
    return fold


def assign_rows(
    rows: pd.DataFrame,
    message_code: NDArray[np.int64],
    *,
    n_messages: int,
    test_share: float,
    n_folds: int,
    seed: int,
) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Split and fold of every row; a customer's rows stay together.

    Parameters
    ----------
    rows : DataFrame, n rows
        ``customer_id``, ``response`` and ``split`` (``train``, ``test`` or empty where the
        file does not say).
    message_code : ndarray of int64, shape (n,)
    n_messages : int
    test_share : float
    n_folds : int
    seed : int

    Returns
    -------
    test : ndarray of bool, shape (n,)
    fold : ndarray of int8, shape (n,)
        -1 on test rows.
    """
    # A customer with several rows belongs to the stratum of "bought at all" and the first
    # of the messages received, which are the same whatever the order of the rows.
    keyed = rows[["customer_id", "response", "split"]].assign(message=message_code)
    if keyed["customer_id"].is_unique:
        customers = keyed.reset_index(drop=True)
        position = np.arange(len(keyed), dtype=np.int64)
    else:
        grouped = keyed.groupby("customer_id", sort=False)
        customers = grouped.agg(
            response=("response", "max"), split=("split", "first"), message=("message", "min")
        ).reset_index()
        position = np.asarray(grouped.ngroup(), dtype=np.int64)
    stratum = customers["response"].to_numpy(dtype=np.int64) * n_messages + customers[
        "message"
    ].to_numpy(dtype=np.int64)
    said = customers["split"].to_numpy(dtype=object)
    test = np.asarray(said == "test", dtype=np.bool_)
    undecided = np.flatnonzero(said == "")
    test[undecided] = draw_test(
        customers["customer_id"].iloc[undecided], stratum[undecided], test_share, seed
    )
    fold = np.full(len(customers), -1, dtype=np.int8)
    train = np.flatnonzero(~test)
    fold[train] = draw_folds(customers["customer_id"].iloc[train], stratum[train], n_folds, seed)
    return test[position], fold[position]


def outcome_weights(
    response: NDArray[np.int8], test: NDArray[np.bool_], population_rate: float | None
) -> NDArray[np.float64]:
    """Weights that restore the population's response rate, with mean 1 in each split.

    Post-stratification on the outcome: within a split, buyers weigh
    ``rate / share of buyers`` and the others ``(1 - rate) / share of the others``
    (Manski and Lerman, 1977, The estimation of choice probabilities from choice based
    samples).

    Parameters
    ----------
    response : ndarray of int8, shape (n,)
        With both outcomes in each split.
    test : ndarray of bool, shape (n,)
    population_rate : float or None
        ``None`` leaves all weights at 1.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    weights = np.ones(len(response))
    if population_rate is None:
        return weights
    for split in (~test, test):
        if not split.any():
            continue
        share = float(response[split].mean())
        weights[split] = np.where(
            response[split] == 1, population_rate / share, (1 - population_rate) / (1 - share)
        )
    return weights
