"""Short names for people, and the role that each policy plays in a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from pentathlon.contract import CONTROL

Record = dict[str, Any]

SHIPPED = "shipped"
PERSONALISED = "personalised"
BY_SEGMENT = "by_segment"
POLICY_TREE = "policy_tree"
RANDOM = "random"
NO_EMAIL = "no e-mail"
FUSION = "fusion"

_POLICIES = {
    SHIPPED: "What ships",
    PERSONALISED: "Personalised",
    BY_SEGMENT: "Personalised in some segments",
    POLICY_TREE: "Policy tree",
    RANDOM: "Random",
    NO_EMAIL: "No e-mail",
    "two_departments": "Two departments",
}
_MODELS = {
    FUSION: "Fusion",
    "logistic_regression": "Logit",
    "random_forest": "Forest",
    "xgboost": "XGBoost",
    "neural_network": "Network",
}
_CANDIDATES = {
    "equal": "Equal weights",
    "average_probability": "Average of probabilities",
    "average_logit": "Average of logits",
    "stacking": "Stacking",
}
_ROLES = {
    "shipped": "What ships",
    "personalised": "Personalised",
    "status quo": "Random (today)",
    "case's draft": "Two departments (draft)",
    "no e-mail": "No e-mail",
    "constant": "One message for all",
    "single model": "One model alone",
}


def records(table: pd.DataFrame, key: str) -> dict[str, Record]:
    """Rows as dictionaries by the values of a column."""
    return {str(row[key]): {str(k): v for k, v in row.items()} for row in table.to_dict("records")}


def model(name: str) -> str:
    """Name of a model for people."""
    return _MODELS.get(name, plain(name))


def candidate(name: str) -> str:
    """Name of a way to fuse, or of a single model."""
    return _CANDIDATES.get(name) or model(name)


def message(name: str) -> str:
    """Name of a message for people: ``control`` is no e-mail."""
    return NO_EMAIL if name == CONTROL else name


def policy(name: str) -> str:
    """Name of a policy for people."""
    if name in _POLICIES:
        return _POLICIES[name]
    if name.startswith("send "):
        return f"All: {name.removeprefix('send ')}"
    return model(name)


def role(kind: str) -> str:
    """Legend entry of a kind of policy."""
    return _ROLES.get(kind, kind)


def plain(name: str) -> str:
    """A column's or parameter's name with spaces."""
    return name.replace("_", " ").strip()


def distinct_policies(values: pd.DataFrame, ships: str) -> pd.DataFrame:
    """Policies with labels; what ships once, under a label that names it.

    What ships is also one of the candidates. Where both rows hold the same numbers (always,
    unless evaluation refits per fold), the candidate's row would only repeat it.

    Parameters
    ----------
    values : DataFrame
        Policies, with column ``policy``, a value ``aipw`` or ``supported``, and others.
    ships : str
        Name of the policy that ships.

    Returns
    -------
    DataFrame
        With ``label``, fewer rows perhaps, in the same order.
    """
    table = values.assign(label=[policy(name) for name in values["policy"]])
    column = "aipw" if "aipw" in table else "supported"
    value = dict(zip(table["policy"], table[column].to_numpy(dtype=np.float64), strict=True))
    if SHIPPED not in value or ships not in value:
        return table
    if abs(value[SHIPPED] - value[ships]) > 1e-12:
        return table
    table.loc[table["policy"] == SHIPPED, "label"] = f"Ships: {_short(ships)}"
    return table[table["policy"] != ships].reset_index(drop=True)


def _short(ships: str) -> str:
    return policy(ships).removeprefix("All: ").lower() if ships in _POLICIES else ships[5:]


def share_columns(values: pd.DataFrame) -> Sequence[str]:
    """Messages, in order, whose shares a table of policies holds."""
    return [str(c).removeprefix("share_") for c in values if str(c).startswith("share_")]
