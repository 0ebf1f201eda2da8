"""What is published about the Pentathlon case, edition A, and the constants fitted to it."""

import json
from functools import lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
"""Array of 64-bit floats, the working precision of the simulation."""

DEPARTMENTS: Final = ("endurance", "strength", "water", "team", "backcountry", "racquet")
"""Departments of the retailer, in the order of the file's ``freq_`` columns."""

MESSAGES: Final = ("control", *DEPARTMENTS)
"""Messages a customer can get; ``control`` is no e-mail."""

AGES: Final = ("< 30", "30 to 44", "45 to 59", ">= 60")
"""Spellings of the age groups, youngest first."""

NUMERIC: Final = ("income", "education", "children", *(f"freq_{d}" for d in DEPARTMENTS))
"""Numeric features, in the order of the file."""


def _load(name: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@lru_cache(maxsize=1)
def published_statistics() -> dict[str, Any]:
    """Get the statistics of the case that public solutions print.

    Returns
    -------
    dict
        Content of ``published_statistics.json``; its ``source`` entry says where from.
    """
    return _load("published_statistics.json")


@lru_cache(maxsize=1)
def fitted() -> dict[str, Any]:
    """Constants of the simulation that ``calibration.py`` fits to the published statistics.

    Returns
    -------
    dict
        Content of ``fitted_constants.json``.
    """
    return _load("fitted_constants.json")


@lru_cache(maxsize=1)
def arm_shares() -> FloatArray:
    """Share of customers in each arm of the published file.

    Returns
    -------
    ndarray of shape (7,)
        Shares in the order of `MESSAGES`; they sum to 1.
    """
    sizes = arm_statistic("customers")
    shares: FloatArray = sizes / sizes.sum()
    return shares


def arm_statistic(name: str) -> FloatArray:
    """One published statistic for every arm.

    Parameters
    ----------
    name : {"customers", "buyer_rate", "mean_order_value"}
        Customers, share of buyers, or mean order value of buyers in currency.

    Returns
    -------
    ndarray of shape (7,)
        In the order of `MESSAGES`.
    """
    return np.array([published_statistics()["arms"][m][name] for m in MESSAGES], dtype=np.float64)


def logit_coefficients() -> tuple[float, FloatArray, FloatArray]:
    """Get the published main-effects logit: intercept, message and feature coefficients.

    Returns
    -------
    intercept : float
        For the reference: backcountry e-mail, youngest age group, woman.
    messages : ndarray of shape (7,)
        In the order of `MESSAGES`; 0 for backcountry.
    features : ndarray of shape (13,)
        In the order of the columns of `Customers.features`.
    """
    table = published_statistics()["logit_main"]
    messages = np.array([table.get(f"message[{m}]", 0.0) for m in MESSAGES])
    names = [*NUMERIC, *(f"age[{a}]" for a in AGES[1:]), "female[no]"]
    return table["Intercept"], messages, np.array([table[name] for name in names])


def interaction_coefficients() -> FloatArray:
    """Get the published message-by-feature coefficients of the logit with all interactions.

    Returns
    -------
    ndarray of shape (13, 7)
        Features in the order of `Customers.features`, messages in that of `MESSAGES`;
        0 for backcountry, the reference.
    """
    table = published_statistics()["logit_interactions"]
    names = [*NUMERIC, *(f"age[{a}]" for a in AGES[1:]), "female[no]"]
    return np.array([[table.get(f"{n}:message[{m}]", 0.0) for m in MESSAGES] for n in names])


def log_order_coefficients() -> FloatArray:
    """Get the published coefficients of the regression of log order value on the features.

    Returns
    -------
    ndarray of shape (13,)
        In the order of the columns of `Customers.features`.
    """
    table = published_statistics()["log_order_value"]
    names = [*NUMERIC, *(f"age[{a}]" for a in AGES[1:]), "female[no]"]
    return np.array([table[name] for name in names])
