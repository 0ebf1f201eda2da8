"""Customers and what each message is worth to them, swept in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Candidates:
    """What may be sent to whom, and what it earns.

    Attributes
    ----------
    profit : ndarray of float32, shape (n, n_messages)
        Expected profit in currency; minus infinity where a message is not eligible. Every row
        has at least one eligible message.
    segment : ndarray of int, shape (n,)
        Code of each customer's segment.
    n_segments : int
    """

    profit: NDArray[np.float32]
    segment: NDArray[np.integer]
    n_segments: int

    @classmethod
    def of(
        cls,
        profit: NDArray[np.floating],
        segment: NDArray[np.integer] | None = None,
        eligible: NDArray[np.bool_] | None = None,
        n_segments: int | None = None,
    ) -> Candidates:
        """Arrange profits; ``segment`` is all zero and everything eligible unless given."""
        table = np.asarray(profit, dtype=np.float32)
        if eligible is not None:
            table = np.where(eligible, table, np.float32(-np.inf))
        codes = np.zeros(len(table), dtype=np.int8) if segment is None else segment
        return cls(table, codes, n_segments or int(codes.max(initial=0)) + 1)

    def __len__(self) -> int:
        return len(self.profit)

    @property
    def n_messages(self) -> int:
        """Number of messages."""
        return int(self.profit.shape[1])

    def take(self, rows: NDArray[np.int64]) -> Candidates:
        """Some of the customers."""
        return Candidates(self.profit[rows], self.segment[rows], self.n_segments)

    def reduced(self, table: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """Profit minus price, block by block, a row per message so that sweeps are vector code.

        Parameters
        ----------
        table : ndarray of float64, shape (n_segments, n_messages)
            Price of each message for a customer of each segment.

        Yields
        ------
        rows : slice
        reduced : ndarray of float64, shape (n_messages, rows)
        """
        prices = np.ascontiguousarray(table.T)
        for start in range(0, len(self), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(self)))
            reduced = self.profit[rows].T.astype(np.float64, order="C")
            reduced -= prices if self.n_segments == 1 else prices[:, self.segment[rows]]
            yield rows, reduced

    def choose(self, table: NDArray[np.float64]) -> NDArray[np.int8]:
        """Most profitable message after prices, shape ``(n,)``; the first of equals."""
        choice = np.zeros(len(self), dtype=np.int8)
        for rows, reduced in self.reduced(table):
            mine, best = choice[rows], reduced[0].copy()
            for k in range(1, self.n_messages):
                better = reduced[k] > best
                mine[better] = k
                np.maximum(best, reduced[k], out=best)
        return choice

    def counts(self, choice: NDArray[np.integer]) -> NDArray[np.float64]:
        """Customers by segment and chosen message, ``(n_segments, n_messages)``."""
        cell = self.segment * np.int64(self.n_messages) + choice
        counts = np.bincount(cell, minlength=self.n_segments * self.n_messages)
        return counts.reshape(self.n_segments, self.n_messages).astype(np.float64)

    def value(self, choice: NDArray[np.integer]) -> float:
        """Total expected profit of the chosen messages, in currency."""
        total = 0.0
        for start in range(0, len(self), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, len(self)))
            chosen = np.take_along_axis(
                self.profit[rows], choice[rows, None].astype(np.int64), axis=1
            )
            total += float(chosen.sum(dtype=np.float64))
        return total

    def best_total(self, table: NDArray[np.float64]) -> float:
        """Sum over customers of their best profit after prices, in currency."""
        return sum(float(reduced.max(axis=0).sum()) for _, reduced in self.reduced(table))

    def smoothed(
        self, table: NDArray[np.float64], temperature: float
    ) -> tuple[float, NDArray[np.float64]]:
        """Smoothed :meth:`best_total` and how often each message is chosen.

        ``temperature * log(sum(exp(reduced / temperature)))`` bounds the maximum from above, by
        at most ``temperature * log(n_messages)`` a customer (Nesterov 2005).

        Returns
        -------
        total : float
        counts : ndarray of float64, shape (n_segments, n_messages)
            Expected customers of each segment per message.
        """
        total = 0.0
        counts = np.zeros((self.n_segments, self.n_messages))
        for rows, reduced in self.reduced(table):
            top = reduced.max(axis=0)
            total += float(top.sum())
            share = np.exp((reduced - top) / temperature)
            norm = share.sum(axis=0)
            total += temperature * float(np.log(norm).sum())
            share /= norm
            if self.n_segments == 1:
                counts[0] += share.sum(axis=1)
                continue
            for k in range(self.n_messages):
                counts[:, k] += np.bincount(
                    self.segment[rows], weights=share[k], minlength=self.n_segments
                )
        return total, counts

    def margin(self, table: NDArray[np.float64]) -> NDArray[np.float32]:
        """By how much the best message beats the second, after prices, shape ``(n,)``.

        Infinite for customers with a single eligible message.
        """
        gap = np.full(len(self), np.inf, dtype=np.float32)
        for rows, reduced in self.reduced(table):
            best, second = reduced[0].copy(), np.full(reduced.shape[1], -np.inf)
            for k in range(1, self.n_messages):
                np.maximum(second, np.minimum(best, reduced[k]), out=second)
                np.maximum(best, reduced[k], out=best)
            gap[rows] = best - second
        return gap
