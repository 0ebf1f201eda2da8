"""Messages: what each one earns on an order and what it costs to send.

The order of the messages fixes the columns of every ``(n_customers, n_messages)`` array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from pentathlon.errors import DataError, ParameterError

CONTROL = "control"
"""Name of the message that is no e-mail."""


class Message(BaseModel):
    """What one message earns and costs.

    Attributes
    ----------
    department : str or None
        Department that the e-mail is about; ``None`` for ``control``.
    margin : float
        Share of the order value that remains after the cost of goods, in (0, 1].
    send_cost : float
        Cost of sending one e-mail, in currency.
    unsubscribe_cost : float
        Expected cost of an unsubscribe per e-mail sent (its probability times the value of
        the customer lost), in currency.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    department: str | None = None
    margin: Annotated[float, Field(gt=0, le=1)]
    send_cost: Annotated[float, Field(ge=0)] = 0.0
    unsubscribe_cost: Annotated[float, Field(ge=0)] = 0.0

    @property
    def cost(self) -> float:
        """Expected cost of sending the message once, in currency."""
        return self.send_cost + self.unsubscribe_cost


class MessageSet(Sequence[str]):
    """The ordered messages of a campaign.

    Parameters
    ----------
    messages : mapping of str to Message or mapping
        Messages by name; their order is the order of columns everywhere.

    Raises
    ------
    ParameterError
        With fewer than two messages, or a ``control`` that costs something or has a department.
    """

    def __init__(self, messages: Mapping[str, Message | Mapping[str, object]]) -> None:
        self._messages = {
            str(name): m if isinstance(m, Message) else Message.model_validate(dict(m))
            for name, m in messages.items()
        }
        if len(self._messages) < 2:
            raise ParameterError(
                f"messages: a decision needs at least two messages, got {list(self._messages)}."
            )
        control = self._messages.get(CONTROL)
        if control is not None and (control.cost > 0 or control.department is not None):
            raise ParameterError(
                "messages.control: control is no e-mail; it has no cost and no department."
            )

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[str]:
        return iter(self._messages)

    def __getitem__(self, key: int | slice) -> str | list[str]:  # type: ignore[override]
        return list(self._messages)[key]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageSet) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return f"MessageSet({', '.join(self)})"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names in column order."""
        return tuple(self._messages)

    @cached_property
    def departments(self) -> tuple[str | None, ...]:
        """Department of each message, ``None`` where a message has none."""
        return tuple(m.department for m in self._messages.values())

    @cached_property
    def margins(self) -> NDArray[np.float64]:
        """Margin of each message, shape ``(n_messages,)``."""
        return np.array([m.margin for m in self._messages.values()])

    @cached_property
    def costs(self) -> NDArray[np.float64]:
        """Cost of sending each message once, in currency, shape ``(n_messages,)``."""
        return np.array([m.cost for m in self._messages.values()])

    @property
    def control(self) -> int | None:
        """Column of ``control``, or ``None`` where every customer gets an e-mail."""
        return self.names.index(CONTROL) if CONTROL in self._messages else None

    def codes(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Columns of the given message names.

        Parameters
        ----------
        names : sequence of str, length n

        Returns
        -------
        ndarray of int64, shape (n,)

        Raises
        ------
        DataError
            When a name is not one of the messages.
        """
        codes = pd.Index(self.names).get_indexer(pd.Index(np.asarray(names, dtype=object)))
        if (codes < 0).any():
            unknown = sorted({str(n) for n, c in zip(names, codes, strict=True) if c < 0})
            raise DataError(f"Unknown messages {unknown}; the parameters name {list(self)}.")
        return codes.astype(np.int64)

    def to_dict(self) -> dict[str, dict[str, object]]:
        """Plain dictionary, the inverse of the constructor."""
        return {name: m.model_dump() for name, m in self._messages.items()}
