"""Limits of a campaign: what all decisions together may use, at least and at most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pentathlon.errors import ParameterError


@dataclass(frozen=True)
class Limit:
    """One limit over all customers: ``minimum <= total use <= maximum``.

    Attributes
    ----------
    name : str
        In words, for reports and errors.
    use : tuple of float, length n_messages
        What one customer's message uses of it: 1 per customer, or currency.
    minimum, maximum : float
        Of the total; infinite where there is none.
    segments : tuple of int, optional
        Codes of the segments that it concerns; ``None`` for every customer.
    per_segment : tuple of float, optional
        Factor of the use in each segment, where it differs between them.
    """

    name: str
    use: tuple[float, ...]
    minimum: float = -np.inf
    maximum: float = np.inf
    segments: tuple[int, ...] | None = None
    per_segment: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.use).all() or not any(self.use):
            raise ParameterError(
                f"{self.name}: a limit needs finite uses of the messages, one of them not 0; "
                f"got {list(self.use)}."
            )
        if np.isnan(self.minimum) or np.isnan(self.maximum) or self.minimum > self.maximum:
            raise ParameterError(
                f"{self.name}: the minimum {self.minimum} is above the maximum {self.maximum}."
            )


@dataclass(frozen=True)
class LimitSystem:
    """Limits as arrays, over segments and messages.

    Attributes
    ----------
    limits : tuple of Limit
    use : ndarray of float64, shape (n_limits, n_segments, n_messages)
        0 for segments that a limit does not concern.
    minimum, maximum : ndarray of float64, shape (n_limits,)
    """

    limits: tuple[Limit, ...]
    use: NDArray[np.float64]
    minimum: NDArray[np.float64]
    maximum: NDArray[np.float64]

    @classmethod
    def of(cls, limits: Sequence[Limit], n_segments: int, n_messages: int) -> LimitSystem:
        """Arrange limits as arrays.

        Raises
        ------
        ParameterError
            When a limit names a message or a segment that is not there.
        """
        use = np.zeros((len(limits), n_segments, n_messages))
        for row, limit in enumerate(limits):
            if len(limit.use) != n_messages:
                raise ParameterError(
                    f"{limit.name}: {len(limit.use)} uses for {n_messages} messages."
                )
            concerned = range(n_segments) if limit.segments is None else limit.segments
            if any(not 0 <= s < n_segments for s in concerned):
                raise ParameterError(
                    f"{limit.name}: segments {list(concerned)}, but there are {n_segments}."
                )
            use[row, list(concerned)] = limit.use
            if limit.per_segment is not None:
                if len(limit.per_segment) != n_segments:
                    raise ParameterError(
                        f"{limit.name}: {len(limit.per_segment)} factors for {n_segments} segments."
                    )
                use[row] *= np.array(limit.per_segment)[:, None]
        return cls(
            tuple(limits),
            use,
            np.array([limit.minimum for limit in limits], dtype=np.float64),
            np.array([limit.maximum for limit in limits], dtype=np.float64),
        )

    def __len__(self) -> int:
        return len(self.limits)

    def price_table(self, prices: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each message costs a customer of each segment, ``(n_segments, n_messages)``."""
        table: NDArray[np.float64] = np.einsum("r,rsk->sk", prices, self.use)
        return table

    def used(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Use of each limit by customers counted by segment and message, ``(n_limits,)``."""
        total: NDArray[np.float64] = np.einsum("rsk,sk->r", self.use, counts)
        return total

    def violation(self, used: NDArray[np.float64]) -> NDArray[np.float64]:
        """By how much each limit is broken, ``(n_limits,)``; 0 where it holds."""
        outside: NDArray[np.float64] = np.maximum(self.minimum - used, used - self.maximum)
        return outside.clip(min=0.0)

    def bound(self, prices: NDArray[np.float64]) -> float:
        """What the limits add to the dual: prices times what they allow."""
        with np.errstate(invalid="ignore"):
            above = np.where(prices > 0, prices * self.maximum, 0.0)
            below = np.where(prices < 0, prices * self.minimum, 0.0)
        return float(above.sum() + below.sum())

    def scaled(self, share: float) -> LimitSystem:
        """The same limits for a sample that holds this share of the customers."""
        return LimitSystem(self.limits, self.use, self.minimum * share, self.maximum * share)

    def relaxed(self, slack: NDArray[np.float64]) -> LimitSystem:
        """The same limits, widened at both ends by ``slack``, shape (n_limits,)."""
        return LimitSystem(self.limits, self.use, self.minimum - slack, self.maximum + slack)

    def remaining(self, used: NDArray[np.float64]) -> LimitSystem:
        """What the limits leave to some customers when the others use ``used``."""
        return LimitSystem(self.limits, self.use, self.minimum - used, self.maximum - used)

    def only(self, rows: Sequence[int]) -> LimitSystem:
        """Some of the limits."""
        keep = list(rows)
        return LimitSystem(
            tuple(self.limits[r] for r in keep),
            self.use[keep],
            self.minimum[keep],
            self.maximum[keep],
        )
