"""Work on a stream in threads, in order, with no more in memory than was agreed on."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

logger = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(
    work: Callable[[Item], Result], items: Iterable[Item], threads: int, read_ahead: int
) -> Iterator[Result]:
    """Results of ``work`` in the order of the items.

    Parameters
    ----------
    work : callable
    items : iterable
        Read no further than ``threads + read_ahead`` items beyond the last result taken.
    threads, read_ahead : int
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="scoring") as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) >= threads + read_ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class Progress:
    """Logs how far a run is, how fast, and how long it will take.

    Parameters
    ----------
    total, done : int
        Rows altogether, and those of parts that were finished before.
    every : float
        Seconds between two lines.
    """

    def __init__(self, total: int, done: int, every: float) -> None:
        self._total, self._done, self._every = total, done, every
        self._fresh = 0
        self._started = self._last = time.monotonic()

    def advance(self, rows: int) -> None:
        """Count rows, and log when it is time."""
        self._fresh += rows
        now = time.monotonic()
        if now - self._last < self._every:
            return
        self._last = now
        rate = self._fresh / max(now - self._started, 1e-9)
        done = self._done + self._fresh
        logger.info(
            "scored %s of %s customers (%.0f %%), %s a second, about %s left",
            f"{done:,}",
            f"{self._total:,}",
            100 * done / max(self._total, 1),
            f"{rate:,.0f}",
            duration((self._total - done) / max(rate, 1e-9)),
        )


def duration(seconds: float) -> str:
    """Seconds in words."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"
