"""What was read, kept, rejected and repaired, for the report and for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.contract.propensity import ChiSquare, arm_size_balance, covariate_balance
from pentathlon.contract.source import FileContract

ALARM = 0.001
"""p-value under which an assumption about the assignment is reported as refuted."""


def describe_quality(
    *,
    rows_read: int,
    observations: pd.DataFrame,
    distinct_rows: int,
    n_customers: int,
    rejected_by_reason: Mapping[str, int],
    repairs: Mapping[str, int],
    columns: Mapping[str, str],
    unused: Sequence[str],
    X: NDArray[np.float32],
    message_code: NDArray[np.int64],
    messages: MessageSet,
    contract: FileContract,
) -> dict[str, Any]:
    """Summarise a processed file.

    Parameters
    ----------
    rows_read : int
        Rows of the file.
    observations : DataFrame, n rows
    distinct_rows : int
        Distinct pairs of customer and features among the observations.
    n_customers : int
    rejected_by_reason, repairs : mapping of str to int
        Rows by what was wrong with them, or done to them.
    columns : mapping of str to str
        Column of the file by role and by feature.
    unused : sequence of str
        Columns of the file that nothing reads.
    X : ndarray of float32, shape (n, p)
        Standardised features.
    message_code : ndarray of int64, shape (n,)
    messages : MessageSet
    contract : FileContract

    Returns
    -------
    dict
        Of plain numbers, texts, lists and dictionaries.
    """
    natural = observations["natural_rate"].to_numpy(dtype=np.bool_)
    # A sample drawn on the outcome has unequal arms wherever messages work, so only rows at
    # the population's rate can test how the messages were assigned.
    tested = natural if natural.any() else np.ones(len(natural), dtype=np.bool_)
    sizes = arm_size_balance(message_code[tested], len(messages))
    covariates = covariate_balance(X[tested], message_code[tested], len(messages))
    propensity = observations["propensity"].to_numpy()
    floored = int((propensity <= contract.propensity_floor).sum())
    estimated = contract.propensity == "estimated"
    return {
        "rows_read": rows_read,
        "rows_kept": len(observations),
        "rows_rejected": rows_read - len(observations),
        "rejected_by_reason": dict(rejected_by_reason),
        "repairs": dict(repairs),
        "customers": n_customers,
        "columns": dict(columns),
        "unused_columns": list(unused),
        "arms": {
            name: _outcomes(observations.loc[message_code == code])
            for code, name in enumerate(messages)
        },
        "splits": {
            str(split): _outcomes(rows) for split, rows in observations.groupby("split", sort=False)
        },
        "population_rate": contract.sampling.population_rate,
        "natural_rate_rows": int(natural.sum()),
        "propensity": {
            "source": contract.propensity,
            "lowest": float(propensity.min()),
            "highest": float(propensity.max()),
            "at_floor": floored if estimated else 0,
            "balance": {
                "rows": int(tested.sum()),
                "arm_sizes": sizes,
                "covariates": covariates,
            },
        },
        "warnings": [
            *(_propensity_warnings(contract, sizes, covariates)),
            *(_floor_warning(floored, len(observations), contract) if estimated else []),
            *_feature_warning(distinct_rows - n_customers),
        ],
    }


def _outcomes(rows: pd.DataFrame) -> dict[str, float | int]:
    weight, response = rows["sampling_weight"].to_numpy(), rows["response"].to_numpy()
    responses = int(response.sum())
    return {
        "observations": len(rows),
        "responses": responses,
        "response_rate": float(np.average(response, weights=weight)),
        "mean_order_value": float(rows["order_value"].sum() / responses) if responses else 0.0,
    }


def _propensity_warnings(
    contract: FileContract, sizes: ChiSquare, covariates: ChiSquare
) -> list[str]:
    if contract.propensity != "uniform":
        return []
    found = []
    for test, what in ((sizes, "the messages' sizes differ"), (covariates, "features differ")):
        if test["p_value"] < ALARM:
            found.append(
                f"propensity: uniform does not fit this file: {what} more than chance allows "
                f"(chi-square {test['chi2']:.0f} on {test['df']} degrees of freedom). "
                "Use logged propensities, or propensity: estimated."
            )
    return found


def _floor_warning(floored: int, n: int, contract: FileContract) -> list[str]:
    if floored <= 0.01 * n:
        return []
    return [
        f"{floored} of {n} estimated propensities lie at the floor of "
        f"{contract.propensity_floor:g}: some messages hardly reach some customers, and what "
        "these customers would do under them cannot be estimated."
    ]


def _feature_warning(changed: int) -> list[str]:
    if changed <= 0:
        return []
    return [
        f"{changed} rows repeat a customer with other feature values; the customers table "
        "holds those of the customer's first row in the file."
    ]
