"""Spilled customers as limits see them, and what one sweep over them adds up.

Everything here is a pure function of some customers, and what several of them return can be
merged in any order: a process that reads row groups sweeps as a cluster does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from os.path import commonpath, dirname
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pentathlon.decision.limiting import counts_of

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Block:
    """Some customers, as limits see them.

    Attributes
    ----------
    part : ndarray of int32, shape (n,)
        Position of the partition among the spilled parts.
    rows : ndarray of int64, shape (n,)
        Of the partition.
    key : ndarray of int64, shape (n,)
        See :func:`pentathlon.scoring.spill.segment_keys`.
    given : ndarray of int8, shape (n,)
        Message that is given, or -1.
    ranked : ndarray of float32, shape (n, n_messages)
    """

    part: NDArray[np.int32]
    rows: NDArray[np.int64]
    key: NDArray[np.int64]
    given: NDArray[np.int8]
    ranked: NDArray[np.float32]

    def take(self, which: NDArray[np.int64]) -> Block:
        """Some of the customers."""
        return Block(
            self.part[which],
            self.rows[which],
            self.key[which],
            self.given[which],
            self.ranked[which],
        )

    @classmethod
    def joined(cls, blocks: Sequence[Block]) -> Block:
        """The customers of all blocks."""
        return cls(
            np.concatenate([b.part for b in blocks]),
            np.concatenate([b.rows for b in blocks]),
            np.concatenate([b.key for b in blocks]),
            np.concatenate([b.given for b in blocks]),
            np.concatenate([b.ranked for b in blocks]),
        )


@dataclass(frozen=True)
class Lottery:
    """Draws customers by their partition and row alone, whoever asks and in whatever order.

    Attributes
    ----------
    parts : sequence of str
        Names of the partitions; the folder that they have in common does not count.
    seed : int
    """

    parts: Sequence[str]
    seed: int

    @cached_property
    def _streams(self) -> NDArray[np.uint64]:
        common = commonpath([dirname(name) for name in self.parts]) if self.parts else ""  # noqa: PTH120
        own = [name[len(common) :].lstrip("/") for name in self.parts]
        digests = [blake2b(f"{self.seed}:{n}".encode(), digest_size=8).digest() for n in own]
        return np.array([int.from_bytes(d, "little") for d in digests], dtype=np.uint64)

    def numbers(self, part: NDArray[np.integer], rows: NDArray[np.integer]) -> NDArray[np.float64]:
        """A number in [0, 1) for each customer, shape ``(n,)``.

        SplitMix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators"),
        a stream for each partition.
        """
        z = self._streams[part] + (rows.astype(np.uint64) + np.uint64(1)) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        number: NDArray[np.float64] = (z >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return number

    def drawn(self, block: Block, share: float) -> Block:
        """A random share of the customers; all of them for a share of 1."""
        if share >= 1:
            return block
        return block.take(np.flatnonzero(self.numbers(block.part, block.rows) < share))


@dataclass(frozen=True)
class AtPrices:
    """What prices leave of some customers.

    Attributes
    ----------
    margin : ndarray of float64, shape (n,)
        By how much the best message beats the second, in currency; infinite where there is
        nothing to choose.
    counts : ndarray of float64, shape (n_segments, n_messages)
        Customers by what they are sent.
    value : float
        What that is worth.
    """

    margin: NDArray[np.float64]
    counts: NDArray[np.float64]
    value: float


def at_prices(block: Block, keys: NDArray[np.int64], table: NDArray[np.float64]) -> AtPrices:
    """What customers get at prices, and how close to a tie they are."""
    n_messages = table.shape[1]
    segment = np.searchsorted(keys, block.key)
    reduced = block.ranked - table[segment]
    free = block.given < 0
    choice = np.where(free, reduced.argmax(axis=1), block.given).astype(np.int64)
    two = np.partition(reduced, n_messages - 2, axis=1)[:, -2:]
    open_ = free & np.isfinite(two[:, 0])
    margin = np.full(len(choice), np.inf)
    margin[open_] = two[open_, 1] - two[open_, 0]
    value = float(block.ranked[np.arange(len(choice)), choice].sum(dtype=np.float64))
    return AtPrices(margin, counts_like(table, segment, choice), value)


def dual_terms(
    block: Block, keys: NDArray[np.int64], table: NDArray[np.float64]
) -> tuple[float, NDArray[np.float64]]:
    """Customers' share of the dual in currency, and what is given, by segment and message."""
    segment = np.searchsorted(keys, block.key)
    free = block.given < 0
    reduced = (block.ranked - table[segment])[free]
    total = float(reduced.max(axis=1).sum()) if len(reduced) else 0.0
    sent = block.given[~free].astype(np.int64)
    total += float(block.ranked[~free][np.arange(len(sent)), sent].sum(dtype=np.float64))
    return total, counts_like(table, segment[~free], sent)


def counts_like(
    table: NDArray[np.float64], segment: NDArray[np.int64], choice: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Customers by segment and message, in the shape of a table of prices."""
    return counts_of(segment, choice, *table.shape)


class Sweeps(Protocol):
    """All spilled customers, wherever they lie, swept as often as their prices ask."""

    @property
    def names(self) -> Sequence[str]:
        """Names of the partitions."""

    def segments(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Distinct keys, ascending, and how many customers have each."""

    def sample(self, share: float, seed: int) -> Block:
        """A random share of the customers, in the order of parts and rows."""

    def nearest(
        self, keys: NDArray[np.int64], table: NDArray[np.float64], most: int
    ) -> tuple[Block, NDArray[np.float64], float]:
        """The ``most`` customers nearest to a tie at prices, in the order of parts and rows.

        Those as near as the last of them come too. With them come what everybody is sent, by
        segment and message, and what that is worth.
        """

    def dual(
        self, keys: NDArray[np.int64], table: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64]]:
        """Sums of :func:`dual_terms`."""
