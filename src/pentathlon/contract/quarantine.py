"""Rows that cannot be used, each with its reason; nothing disappears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pentathlon.contract.parse import show
from pentathlon.errors import DataError


class Quarantine:
    """Collects the rows of a file that did not make it.

    A row is listed once, under the first reason found.

    Parameters
    ----------
    raw : DataFrame, n rows
        The file as read.
    source : str
        What to call the file in messages.
    """

    def __init__(self, raw: pd.DataFrame, source: str) -> None:
        self._raw = raw
        self._source = source
        self._rules: list[tuple[str, str | None, Callable[[int], str] | None]] = []
        self._rule = np.full(len(raw), -1, dtype=np.int64)

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Rows without a reason against them, shape ``(n,)``."""
        return self._rule < 0

    @property
    def by_kind(self) -> dict[str, int]:
        """Rows by kind of reason, most frequent first."""
        counts: Counter[str] = Counter()
        for rule, count in zip(*np.unique(self._rule, return_counts=True), strict=True):
            if rule >= 0:
                counts[self._rules[rule][0]] += int(count)
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))

    def reject(
        self,
        rows: NDArray[np.bool_],
        kind: str,
        column: str | None = None,
        detail: Callable[[int], str] | None = None,
    ) -> None:
        """Quarantine rows that are not quarantined yet.

        Parameters
        ----------
        rows : ndarray of bool, shape (n,)
        kind : str
            The reason, alike for all such rows.
        column : str, optional
            Column of the file whose value is shown with the reason.
        detail : callable, optional
            From a row's position to what to add to its reason.
        """
        self._rule[rows & self.kept] = len(self._rules)
        self._rules.append((kind, column, detail))

    def _reason(self, i: int) -> str:
        # Worded on demand: a file that is all wrong needs a few examples, not n sentences.
        kind, column, detail = self._rules[self._rule[i]]
        parts = []
        if column is not None:
            parts.append(f'column "{column}" holds {show(self._raw[column].iloc[i])}')
        if detail is not None:
            parts.append(detail(i))
        return f"{kind}: {'; '.join(parts)}" if parts else kind

    def check_share(self, max_share: float) -> None:
        """Refuse a file of which too much is unusable.

        Parameters
        ----------
        max_share : float
            Largest share of quarantined rows.

        Raises
        ------
        DataError
            With the reasons, their counts and an example of each.
        """
        n, rejected = len(self._raw), int((~self.kept).sum())
        if rejected <= max_share * n:
            return
        lines = []
        for kind, count in list(self.by_kind.items())[:8]:
            rules = [number for number, rule in enumerate(self._rules) if rule[0] == kind]
            i = int(np.flatnonzero(np.isin(self._rule, rules))[0])
            lines.append(f"  {count} rows, for example row {i + 1}: {self._reason(i)}")
        raise DataError(
            f"{self._source}: {rejected} of {n} rows ({rejected / n:.1%}) cannot be used, more "
            f"than data_processing.max_rejected_share ({max_share:.1%}) allows:\n"
            + "\n".join(lines)
            + "\nCorrect the file or the settings that read it (data_processing.columns, "
            "message_values, response_values, category_values, valid_ranges)."
        )

    def table(self) -> pd.DataFrame:
        """Quarantined rows.

        Returns
        -------
        DataFrame
            ``row`` (number of the data row in the file, from 1), ``reason``, and the file's
            columns as text. A column of the file called ``row`` or ``reason`` gets the
            suffix ``_in_file``.
        """
        positions = np.flatnonzero(~self.kept)
        raw = self._raw.iloc[positions]
        values = {
            (f"{name}_in_file" if name in ("row", "reason") else name): raw[name].astype("str")
            for name in raw.columns
        }
        table = pd.DataFrame(
            {
                "row": positions.astype(np.int64) + 1,
                "reason": pd.array([self._reason(int(i)) for i in positions], dtype="str"),
                **{name: column.to_numpy() for name, column in values.items()},
            }
        )
        return table.astype(dict.fromkeys(values, "str"))
