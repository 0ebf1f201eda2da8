"""Presets: well-known e-mail policies, declared as the rules and limits that they amount to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.contract.messages import CONTROL, MessageSet
from pentathlon.decision.rules.settings import LimitSettings, TopDepartments
from pentathlon.errors import ParameterError

NOT_A_TOP_DEPARTMENT = "not a top department"


@dataclass(frozen=True)
class Preset:
    """What a preset amounts to.

    Attributes
    ----------
    kept : ndarray of bool, shape (n_messages,)
        Messages that its rule leaves; ``control`` among them.
    limits : tuple of LimitSettings
        Shares of the e-mails, least and most alike.
    """

    kept: NDArray[np.bool_]
    limits: tuple[LimitSettings, ...]


def top_departments(
    settings: TopDepartments,
    worth: NDArray[np.float32],
    supported: Sequence[float],
    messages: MessageSet,
) -> Preset:
    """Leave the e-mails to the departments that earn most, in shares.

    The published policy of the Pentathlon case gives half of the e-mails to each of two
    departments. Here they are the same two for everyone, who gets which is solved to the best
    there is, and ``control`` stays possible.

    Parameters
    ----------
    settings : TopDepartments
    worth : ndarray of float32, shape (n, n_messages)
        What the policy expects of each message, in currency.
    supported : sequence of float, length n_messages
        What outcomes support of sending each message to everyone, in any unit.
    messages : MessageSet
        A department is worth what its best message is; an e-mail without a department stands for
        itself.

    Returns
    -------
    Preset

    Raises
    ------
    ParameterError
        When there are fewer departments, nothing supported is known, or shares cannot be in
        proportion because a profit is not above 0.
    """
    value = _profit_of_everyone(settings, worth, supported, messages)
    groups: dict[str, list[int]] = {}
    for column, message in enumerate(messages):
        if message != CONTROL:
            groups.setdefault(messages.departments[column] or message, []).append(column)
    if settings.departments > len(groups):
        raise ParameterError(
            f"decision.top_departments: {settings.departments} departments are asked for, but "
            f"messages has {len(groups)}: {sorted(groups)}."
        )
    best = {name: float(value[columns].max()) for name, columns in groups.items()}
    chosen = sorted(groups, key=lambda name: -best[name])[: settings.departments]
    shares = _shares(settings, [best[name] for name in chosen], value, messages)
    kept = np.array([m == CONTROL for m in messages])
    for name in chosen:
        kept[groups[name]] = True
    limits = [
        LimitSettings(
            name=f"{name}: share of the e-mails",
            of="share_of_emails",
            messages=tuple(messages.names[k] for k in groups[name]),
            at_least=share,
            at_most=share,
        )
        for name, share in zip(chosen, shares, strict=True)
    ]
    return Preset(kept, tuple(limits) if len(limits) > 1 else ())


def _profit_of_everyone(
    settings: TopDepartments,
    worth: NDArray[np.float32],
    supported: Sequence[float],
    messages: MessageSet,
) -> NDArray[np.float64]:
    if settings.by == "expected":
        mean: NDArray[np.float64] = worth.mean(axis=0, dtype=np.float64)
        return mean
    if len(supported) != len(messages):
        raise ParameterError(
            "decision.top_departments: this engine does not know what outcomes support of sending "
            "each message to everyone; train it again, or set by to expected."
        )
    return np.asarray(supported, dtype=np.float64)


def _shares(
    settings: TopDepartments,
    profit: list[float],
    value: NDArray[np.float64],
    messages: MessageSet,
) -> list[float]:
    if settings.shares == "equal":
        return [1 / len(profit)] * len(profit)
    base = 0.0
    if settings.shares == "gain":
        if messages.control is None:
            raise ParameterError(
                "decision.top_departments.shares: gain is above control, which messages lacks; "
                "set it to profit or equal."
            )
        base = float(value[messages.control])
    weight = np.array(profit) - base
    if (weight <= 0).any():
        raise ParameterError(
            f"decision.top_departments.shares: not every one of the {len(profit)} departments has "
            f"a {settings.shares} above 0 to share in proportion to; ask for fewer departments, "
            "or set it to equal."
        )
    return [float(share) for share in weight / weight.sum()]
