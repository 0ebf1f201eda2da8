"""What rules say about every customer, as arrays and as a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.errors import DataError

_REMOVED, _SCOPE = "removed__", "scope__"


@dataclass(frozen=True)
class Screen:
    """What rules say about every customer.

    Attributes
    ----------
    customer_id : ndarray of object, shape (n,)
    rules : tuple of str
        Names of rules that removed something; ``removed_by`` counts from 1 in it.
    removed_by : ndarray of int8, shape (n, n_messages)
        0 where a message may be sent.
    mandatory : ndarray of int8, shape (n,)
        Column of the message that a customer must get; -1 for most.
    contact_cost : ndarray of float32, shape (n,)
        Expected cost of one more e-mail beside the message's own, in currency.
    complaint : ndarray of float32, shape (n,)
        Probability of a complaint about one more e-mail.
    scopes : dict of str to ndarray of bool, shape (n,)
        Customers whom each limit with conditions concerns.
    """

    customer_id: NDArray[np.object_]
    rules: tuple[str, ...]
    removed_by: NDArray[np.int8]
    mandatory: NDArray[np.int8]
    contact_cost: NDArray[np.float32]
    complaint: NDArray[np.float32]
    scopes: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.customer_id)

    @classmethod
    def open(cls, customer_id: NDArray[np.object_], n_messages: int) -> Screen:
        """No rule removes anything."""
        n = len(customer_id)
        return cls(
            customer_id,
            (),
            np.zeros((n, n_messages), dtype=np.int8),
            np.full(n, -1, dtype=np.int8),
            np.zeros(n, dtype=np.float32),
            np.zeros(n, dtype=np.float32),
        )

    def take(self, rows: NDArray[np.int64]) -> Screen:
        """Some of the customers, in the given order."""
        return Screen(
            self.customer_id[rows],
            self.rules,
            self.removed_by[rows],
            self.mandatory[rows],
            self.contact_cost[rows],
            self.complaint[rows],
            {name: scope[rows] for name, scope in self.scopes.items()},
        )

    def of(self, customer_id: NDArray[np.object_]) -> Screen:
        """The screen of the given customers, in their order.

        Raises
        ------
        DataError
            When a customer was not screened.
        """
        if len(customer_id) == len(self) and (customer_id == self.customer_id).all():
            return self
        rows = pd.Index(self.customer_id).get_indexer(pd.Index(customer_id))
        lost = np.flatnonzero(rows < 0)
        if len(lost):
            raise DataError(
                f"{len(lost)} customers were not screened by the rules, for example "
                f"{customer_id[lost[0]]!r}. Screen the same customers that are decided."
            )
        return self.take(rows)

    def to_table(self, messages: MessageSet) -> pd.DataFrame:
        """One row per customer: what removed each message, and what must be sent."""
        names = ["", *self.rules]
        with_none = pd.array([*messages.names, ""], dtype="str")
        columns: dict[str, Any] = {"customer_id": pd.array(self.customer_id, dtype="str")}
        for k, message in enumerate(messages):
            columns[f"{_REMOVED}{message}"] = pd.Categorical.from_codes(
                self.removed_by[:, k], categories=pd.Index(names)
            )
        columns["mandatory"] = with_none[self.mandatory]
        columns |= {"contact_cost": self.contact_cost, "complaint_probability": self.complaint}
        columns |= {f"{_SCOPE}{name}": scope for name, scope in self.scopes.items()}
        return pd.DataFrame(columns)

    @classmethod
    def from_table(cls, table: pd.DataFrame, messages: MessageSet) -> Screen:
        """Read back what :meth:`to_table` made."""
        lost = [m for m in messages if f"{_REMOVED}{m}" not in table.columns]
        if lost:
            raise DataError(f"screened customers lack {lost}: screen them with these messages.")
        columns = [table[f"{_REMOVED}{m}"].astype("str") for m in messages]
        rules = tuple(dict.fromkeys(n for c in columns for n in c.unique().tolist() if n))
        codes = pd.Index(["", *rules])
        mandatory = pd.Index(messages.names).get_indexer(pd.Index(table["mandatory"]))
        return cls(
            table["customer_id"].astype("str").to_numpy(dtype=object),
            rules,
            np.column_stack([codes.get_indexer(pd.Index(c)) for c in columns]).astype(np.int8),
            mandatory.astype(np.int8),
            table["contact_cost"].to_numpy(dtype=np.float32),
            table["complaint_probability"].to_numpy(dtype=np.float32),
            {
                str(c).removeprefix(_SCOPE): table[c].to_numpy(dtype=np.bool_)
                for c in table.columns
                if str(c).startswith(_SCOPE)
            },
        )
