"""What a perfect policy would earn on a simulated retailer."""

import numpy as np
import pandas as pd

from pentathlon.simulation.published import MESSAGES


def attainable_gain(truth: pd.DataFrame, margin: float = 0.4) -> dict[str, float | str]:
    """Value of the best possible policy and of its simple rivals, from the truth.

    Values are expected profit per customer in currency, before any cost of sending.

    Parameters
    ----------
    truth : DataFrame
        `SimulatedRetailer.truth`, or any subset of its rows.
    margin : float
        Profit per unit of revenue, above 0 and at most 1.

    Returns
    -------
    dict
        ``best_constant_message`` (str); ``best_constant_value``, ``oracle_value``,
        ``random_value`` (each message with equal probability) and ``control_value`` (no
        e-mail to anyone); ``oracle_gain`` over the best constant, in currency, and
        ``oracle_gain_share``, the same relative to the best constant; and
        ``value_<message>`` for every constant policy.

    Raises
    ------
    ValueError
        If the margin is out of range, or the truth is empty or lacks a column.
    """
    if not 0 < margin <= 1:
        raise ValueError(f"margin must be above 0 and at most 1, got {margin}")
    needed = [
        f"{what}_{m}" for what in ("purchase_probability", "expected_order_value") for m in MESSAGES
    ]
    missing = [name for name in needed if name not in truth.columns]
    if missing:
        raise ValueError(
            f"truth lacks {len(missing)} columns, e.g. {missing[0]}: pass SimulatedRetailer.truth"
        )
    if truth.empty:
        raise ValueError("truth has no rows: a value is a mean over customers")
    half = len(MESSAGES)
    probability = truth[needed[:half]].to_numpy(dtype=np.float64)
    order_value = truth[needed[half:]].to_numpy(dtype=np.float64)
    profit = margin * probability * order_value
    constants = profit.mean(axis=0)
    best = int(constants.argmax())
    oracle = float(profit.max(axis=1).mean())
    gain = oracle - float(constants[best])
    return {
        "best_constant_message": MESSAGES[best],
        "best_constant_value": float(constants[best]),
        "oracle_value": oracle,
        "random_value": float(constants.mean()),
        "control_value": float(constants[MESSAGES.index("control")]),
        "oracle_gain": gain,
        "oracle_gain_share": gain / float(constants[best]),
        **{f"value_{m}": float(v) for m, v in zip(MESSAGES, constants, strict=True)},
    }
