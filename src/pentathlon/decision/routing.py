"""Groups of customers that a person can read, and what each of them gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.messages import MessageSet
from pentathlon.decision.policies import PERSONALISED, level_of, personalised
from pentathlon.errors import DataError


@dataclass(frozen=True)
class Split:
    """A question about one feature.

    Attributes
    ----------
    feature : str
    threshold : float or None
        "Not more than this?" of a number; a missing number is more.
    level : str or None
        "Is it this?" of a text.
    yes, no : int
        Where to go on: another split by its position, or a leaf ``i`` as ``-1 - i``.
    """

    feature: str
    threshold: float | None
    level: str | None
    yes: int
    no: int

    def holds(self, features: pd.DataFrame) -> NDArray[np.bool_]:
        """Answer for each customer, shape ``(n,)``."""
        column = features[self.feature]
        if self.threshold is None:
            return np.asarray(column.astype(str) == self.level, dtype=np.bool_)
        return np.asarray(column.to_numpy(dtype=np.float64) <= self.threshold, dtype=np.bool_)

    def words(self, yes: bool) -> str:
        """The answer in words."""
        if self.threshold is None:
            return f"{self.feature} is {'' if yes else 'not '}{self.level}"
        return f"{self.feature} {'at most' if yes else 'above'} {self.threshold:g}"


@dataclass(frozen=True)
class Leaf:
    """A group of customers.

    Attributes
    ----------
    action : str
        A message that the group gets, or ``personalised``.
    worth : tuple of float, length n_messages
        What each message is worth to a customer of level 1 of the group.
    """

    action: str
    worth: tuple[float, ...]


@dataclass(frozen=True)
class Router:
    """A tree of questions that ends in groups.

    Attributes
    ----------
    splits : tuple of Split
        The first is asked first; none where there is one group.
    leaves : tuple of Leaf
    """

    splits: tuple[Split, ...]
    leaves: tuple[Leaf, ...]

    def route(self, features: pd.DataFrame) -> NDArray[np.int64]:
        """Group of each customer, shape ``(n,)``.

        Raises
        ------
        DataError
            When a feature is missing.
        """
        missing = sorted({s.feature for s in self.splits} - set(features.columns))
        if missing:
            raise DataError(f"The policy asks for features {missing}; customers lack them.")
        place = np.full(len(features), 0 if self.splits else -1, dtype=np.int64)
        # Children stand behind their parent, so one pass over the splits is enough.
        for position, split in enumerate(self.splits):
            here = place == position
            if here.any():
                place[here] = np.where(split.holds(features)[here], split.yes, split.no)
        return np.asarray(-1 - place, dtype=np.int64)

    def choose(
        self, group: NDArray[np.int64], profit: NDArray[np.float32], messages: MessageSet
    ) -> NDArray[np.int64]:
        """Message of each customer, shape ``(n,)``."""
        fixed = np.array(
            [
                -1 if leaf.action == PERSONALISED else messages.names.index(leaf.action)
                for leaf in self.leaves
            ]
        )[group]
        return np.where(fixed < 0, personalised(profit), fixed).astype(np.int64)

    def worth(
        self, group: NDArray[np.int64], profit: NDArray[np.float32], messages: MessageSet
    ) -> NDArray[np.float32]:
        """By what messages compete, shape ``(n, n_messages)``, in currency."""
        relative = np.array([leaf.worth for leaf in self.leaves], dtype=np.float32)
        personal = np.array([leaf.action == PERSONALISED for leaf in self.leaves])
        by_average = level_of(profit, messages)[:, None] * relative[group]
        return np.where(personal[group][:, None], profit, by_average).astype(np.float32)

    def rules(self) -> list[str]:
        """Each group and what it gets, in words."""
        return [
            f"{' and '.join(path) or 'everyone'}: {leaf.action}"
            for path, leaf in zip(self._paths(), self.leaves, strict=True)
        ]

    def _paths(self) -> list[list[str]]:
        paths: list[list[str]] = [[] for _ in self.leaves]
        if not self.splits:
            return paths
        waiting: list[tuple[int, list[str]]] = [(0, [])]
        while waiting:
            place, path = waiting.pop()
            if place < 0:
                paths[-1 - place] = path
                continue
            split = self.splits[place]
            waiting.append((split.yes, [*path, split.words(True)]))
            waiting.append((split.no, [*path, split.words(False)]))
        return paths

    def to_dict(self) -> dict[str, object]:
        """JSON-able form, the inverse of :meth:`from_dict`."""
        return {
            "splits": [asdict(split) for split in self.splits],
            "leaves": [{"action": leaf.action, "worth": list(leaf.worth)} for leaf in self.leaves],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Router:
        """Rebuild from :meth:`to_dict`."""
        return cls(
            tuple(Split(**split) for split in state["splits"]),
            tuple(
                Leaf(str(leaf["action"]), tuple(float(w) for w in leaf["worth"]))
                for leaf in state["leaves"]
            ),
        )


def segments_of(features: pd.DataFrame, column: str, most: int = 12) -> tuple[Split, ...]:
    """Questions that tell the segments of a column apart.

    Parameters
    ----------
    features : DataFrame, n rows
    column : str
        Text: a segment per value. Numbers: their quarters.
    most : int
        Most values that a text may have.

    Returns
    -------
    tuple of Split
        Ending in one leaf per segment.

    Raises
    ------
    DataError
        When there is no such column, or it has too many values or only one.
    """
    if column not in features.columns or column == "customer_id":
        raise DataError(
            f"decision.segments: there is no feature '{column}'; choose from "
            f"{[c for c in features.columns if c != 'customer_id']}."
        )
    values = features[column]
    questions: list[tuple[float | None, str | None]]
    if pd.api.types.is_numeric_dtype(values):
        quarters = np.unique(np.nanquantile(values.to_numpy(dtype=np.float64), [0.25, 0.5, 0.75]))
        questions = [(float(mark), None) for mark in quarters if mark < values.max()]
    else:
        levels = sorted(values.astype(str).unique())
        if len(levels) > most:
            raise DataError(
                f"decision.segments: '{column}' has {len(levels)} values; at most {most} can be "
                "told apart by evidence."
            )
        questions = [(None, level) for level in levels[:-1]]
    if not questions:
        raise DataError(f"decision.segments: '{column}' is the same for everyone.")
    last = len(questions) - 1
    return tuple(
        Split(column, threshold, level, -1 - i, i + 1 if i < last else -2 - i)
        for i, (threshold, level) in enumerate(questions)
    )
