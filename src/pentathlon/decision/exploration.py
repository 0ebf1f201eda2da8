"""Leaving a little to chance, so that the next log can be learnt from and judged on.

A policy that always does the same teaches nothing about what it does not do. A few customers get
a random message, some get none at all, and everyone's decision carries the probability with which
it was drawn, so that next week's log is valued like any randomised experiment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pentathlon.errors import ParameterError

BY_POLICY, BY_CHANCE, BY_HOLDOUT = "policy", "exploration", "holdout"
"""Who decided: the policy, the exploration, or the holdout."""


class ExplorationSettings(BaseModel):
    """How much is left to chance.

    Attributes
    ----------
    share : float
        Share of the customers whose message is drawn, in [0, 1]. 0.02 to 0.05 is usual.
    among : {"eligible", "top_two"}
        What it is drawn from: every eligible message with the same probability, or the two of
        highest expected profit. The second costs less and teaches less.
    holdout : float
        Share of the customers who get no e-mail whatever the campaign, in [0, 1). The same ones
        in every campaign that has the same key.
    key : str
        Secret of the draw. The same key, campaign and customer give the same draw, so a campaign
        can be replayed; without it nobody can tell who will be drawn.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: Annotated[float, Field(ge=0, le=1)] = 0.0
    among: Literal["eligible", "top_two"] = "eligible"
    holdout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    key: Annotated[str, Field(min_length=1)] = "pentathlon"

    @model_validator(mode="after")
    def _fits_a_hash(self) -> ExplorationSettings:
        if len(self.key.encode()) > hashlib.blake2b.MAX_KEY_SIZE:
            raise ValueError(
                f"the key has {len(self.key.encode())} bytes; at most "
                f"{hashlib.blake2b.MAX_KEY_SIZE} fit"
            )
        return self

    @property
    def active(self) -> bool:
        """Whether anything is left to chance."""
        return self.share > 0 or self.holdout > 0


NO_EXPLORATION = ExplorationSettings()
"""Nothing is left to chance."""


@dataclass(frozen=True)
class Draw:
    """Decisions after chance had its part.

    Attributes
    ----------
    choice : ndarray of int64, shape (n,)
        Column of the message.
    propensity : ndarray of float64, shape (n, n_messages)
        Probability of every message before the draw; rows add up to 1.
    decided_by : ndarray of object, shape (n,)
        ``policy``, ``exploration`` or ``holdout``.
    """

    choice: NDArray[np.int64]
    propensity: NDArray[np.float64]
    decided_by: NDArray[Any]

    @property
    def of_choice(self) -> NDArray[np.float64]:
        """Probability with which each customer's message was drawn, shape ``(n,)``."""
        chosen: NDArray[np.float64] = self.propensity[np.arange(len(self.choice)), self.choice]
        return chosen


def explore(
    customer_id: Sequence[Any] | NDArray[Any],
    choice: NDArray[np.integer],
    expected_profit: NDArray[np.floating],
    settings: ExplorationSettings,
    *,
    campaign: str,
    control: int | None,
    eligible: NDArray[np.bool_] | None = None,
) -> Draw:
    """Replace the policy's choice by chance for some customers.

    With probability ``holdout`` a customer gets ``control``. Of the others, ``share`` get a
    message drawn with the same probability from what ``among`` names, and the rest what the
    policy chose. A message's propensity adds up all ways to it, so that a drawn message that the
    policy would have sent anyway counts for both.

    Parameters
    ----------
    customer_id : sequence, length n
    choice : ndarray of int, shape (n,)
        What the policy sends, after rules.
    expected_profit : ndarray of float, shape (n, n_messages)
        In currency; ranks messages for ``top_two``.
    settings : ExplorationSettings
    campaign : str
        Name of the campaign; another one draws other customers. The holdout does not depend on it.
    control : int or None
        Column of ``control``.
    eligible : ndarray of bool, shape (n, n_messages), optional
        What rules allow; everything by default. The policy's choice must be among it.

    Returns
    -------
    Draw

    Raises
    ------
    ParameterError
        When a holdout is asked for without a ``control``, or a choice is not eligible.

    References
    ----------
    Bottou and others (2013), "Counterfactual reasoning and learning systems"; Aumasson and others
    (2013), "BLAKE2: simpler, smaller, fast as MD5".
    """
    n, n_messages = expected_profit.shape
    allowed = np.ones((n, n_messages), dtype=bool) if eligible is None else eligible
    rows = np.arange(n)
    if not allowed[rows, choice].all():
        raise ParameterError(
            "decision.exploration: the policy's choice must be eligible for everyone."
        )
    if settings.holdout > 0 and control is None:
        raise ParameterError(
            "decision.exploration.holdout: messages has no control to hold customers out with; "
            "add one, or set the holdout to 0."
        )
    if not settings.active:
        certain = np.zeros((n, n_messages))
        certain[rows, choice] = 1.0
        by_policy = np.full(n, BY_POLICY, dtype=object)
        return Draw(np.asarray(choice, dtype=np.int64), certain, by_policy)
    drawn = allowed
    if settings.among == "top_two":
        ranked = np.where(allowed, expected_profit, -np.inf)
        drawn = np.zeros_like(allowed)
        best = np.argsort(-ranked, axis=1, kind="stable")[:, :2]
        np.put_along_axis(drawn, best, True, axis=1)
        drawn &= allowed
    uniform = drawn / drawn.sum(axis=1, keepdims=True)
    propensity = settings.share * uniform
    propensity[rows, choice] += 1.0 - settings.share
    propensity *= 1.0 - settings.holdout
    if control is not None:
        propensity[:, control] += settings.holdout

    key = settings.key
    held_out = hashed_uniform(customer_id, key, "holdout") < settings.holdout
    explored = ~held_out & (hashed_uniform(customer_id, key, f"{campaign}/who") < settings.share)
    which = hashed_uniform(customer_id, key, f"{campaign}/what")
    # The hash picks one of the equally probable messages, counted from the left.
    position = np.minimum((which * drawn.sum(axis=1)).astype(np.int64), drawn.sum(axis=1) - 1)
    random_choice = np.argmax(np.cumsum(drawn, axis=1) > position[:, None], axis=1)
    final = np.where(explored, random_choice, choice)
    decided_by = np.where(explored, BY_CHANCE, BY_POLICY).astype(object)
    if control is not None:
        final = np.where(held_out, control, final)
        decided_by[held_out] = BY_HOLDOUT
    return Draw(final.astype(np.int64), propensity, decided_by)


def hashed_uniform(
    customer_id: Sequence[Any] | NDArray[Any], key: str, purpose: str
) -> NDArray[np.float64]:
    """Numbers in [0, 1) that only the key foretells, the same whenever they are asked for.

    Parameters
    ----------
    customer_id : sequence, length n
    key : str
    purpose : str
        Another purpose gives other, independent numbers.
    """
    person = hashlib.blake2b(purpose.encode(), digest_size=16).digest()
    secret = key.encode()
    digests = b"".join(
        hashlib.blake2b(str(one).encode(), digest_size=8, key=secret, person=person).digest()
        for one in customer_id
    )
    # 53 bits are what a float64 in [0, 1) can hold.
    return (np.frombuffer(digests, dtype="<u8") >> np.uint64(11)) / float(1 << 53)
