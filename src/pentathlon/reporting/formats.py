"""Numbers and lists as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

NBSP = "\u00a0"
MINUS = "\u2212"
ABSENT = "–"

_SCALES = ((1e9, "billion"), (1e6, "million"))


def is_number(value: Any) -> TypeGuard[float]:
    """Whether there is a finite number."""
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError):  # also pandas' missing integer
        return False


def number(value: Any, decimals: int = 0, *, signed: bool = False) -> str:
    """A number with thousands separators and a true minus sign.

    Examples
    --------
    >>> number(-1234.5, 1)
    '−1,234.5'
    >>> number(None)
    '–'
    """
    if not is_number(value):
        return ABSENT
    rounded = round(float(value), decimals) + 0.0  # + 0.0 turns -0.0 into 0.0
    sign = MINUS if rounded < 0 else "+" if signed and rounded > 0 else ""
    return f"{sign}{abs(rounded):,.{decimals}f}"


def percent(share: Any, decimals: int = 1, *, signed: bool = False) -> str:
    """A share (0.034) as per cent (3.4 %)."""
    if not is_number(share):
        return ABSENT
    return f"{number(100 * float(share), decimals, signed=signed)}{NBSP}%"


def interval(lower: str, upper: str) -> str:
    """Two formatted numbers as an interval that no line break splits."""
    return f"{lower}{NBSP}to{NBSP}{upper}"


def number_interval(lower: Any, upper: Any, decimals: int, *, signed: bool = False) -> str:
    """An interval of plain numbers."""
    return interval(number(lower, decimals, signed=signed), number(upper, decimals, signed=signed))


def p_value(value: Any) -> str:
    """A p-value, never printed as zero."""
    if not is_number(value):
        return ABSENT
    return "below 0.001" if float(value) < 0.001 else f"{float(value):.3f}"


def about(value: Any) -> str:
    """A count to two significant digits: more would pretend to know."""
    if not is_number(value):
        return ABSENT
    count = float(value)
    if count < 100:
        return number(count)
    step = 10 ** (math.floor(math.log10(count)) - 1)
    return number(round(count / step) * step)


def listing(items: Sequence[str], last: str = "and") -> str:
    """Items as a phrase: a, b and c."""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 row, 2 rows."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def shares(by_name: Mapping[str, float], lowest: float = 0.0005) -> str:
    """Shares in words, the largest first, those that round to nothing left out."""
    order = sorted(by_name.items(), key=lambda item: -item[1])
    return listing([f"{percent(share)} {name}" for name, share in order if share >= lowest])


class Money:
    """Amounts in one currency, with digits that suit their size.

    Parameters
    ----------
    currency : str
        A code ("EUR") follows the amount, a symbol ("$") precedes it; empty for bare amounts.
    """

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self._symbol = len(currency) == 1 and not currency.isalpha()

    def _dress(self, amount: str) -> str:
        if not self._symbol:
            return f"{amount}{NBSP}{self.currency}".rstrip(NBSP)
        sign = amount[:1] if amount[:1] in {MINUS, "+"} else ""
        return f"{sign}{self.currency}{amount[len(sign) :]}"

    @staticmethod
    def _decimals(largest: float) -> int:
        return 3 if largest < 10 else 2 if largest < 1000 else 0

    def each(self, value: Any, *, signed: bool = False) -> str:
        """An amount per customer."""
        if not is_number(value):
            return ABSENT
        return self._dress(number(value, self._decimals(abs(float(value))), signed=signed))

    def each_interval(self, lower: Any, upper: Any, *, signed: bool = False) -> str:
        """An interval of amounts per customer; both ends with the same digits."""
        if not (is_number(lower) and is_number(upper)):
            return ABSENT
        decimals = self._decimals(max(abs(float(lower)), abs(float(upper))))
        return self._dress(number_interval(lower, upper, decimals, signed=signed))

    def total(self, value: Any, lower: Any, upper: Any, *, signed: bool = False) -> str:
        """A campaign's total, on the scale of its interval: more digits would pretend to know."""
        return self._total([value], [value, lower, upper], signed)

    def total_interval(self, value: Any, lower: Any, upper: Any, *, signed: bool = False) -> str:
        """The interval of a total, on the same scale as the total."""
        return self._total([lower, upper], [value, lower, upper], signed)

    def _total(self, shown: Sequence[Any], scaled_by: Sequence[Any], signed: bool) -> str:
        if not all(is_number(v) for v in scaled_by):
            return ABSENT
        amounts = [float(v) for v in shown]
        largest = max(abs(float(v)) for v in scaled_by)
        scale, word = next((s for s in _SCALES if largest >= s[0]), (1.0, ""))
        decimals = 2 if word or largest < 100 else 0
        parts = [number(a / scale, decimals, signed=signed) for a in amounts]
        joined = parts[0] if len(parts) == 1 else interval(*parts)
        if self._symbol:
            return f"{self._dress(joined)}{NBSP}{word}".rstrip(NBSP)
        return self._dress(f"{joined}{NBSP}{word}" if word else joined)
