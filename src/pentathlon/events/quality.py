"""How much of the data could not be used, and when that is too much."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pentathlon.errors import DataError

_COLUMNS = {
    "table": "str",
    "label": "str",
    "reason": "str",
    "phrase": "str",
    "rows": "int64",
    "share": "float64",
    "limit": "float64",
    "exceeded": "bool",
    "quarantined": "bool",
    "example": "str",
}


def quality_table(quality: dict[str, Any]) -> pd.DataFrame:
    """The report as a table.

    Parameters
    ----------
    quality : dict
        See `pentathlon.events.CheckedEvents`.

    Returns
    -------
    DataFrame
        For each table the rows ``read``, ``used`` and ``quarantined``, then the quarantined
        by reason, then those with a warning, which are used all the same: ``table``, ``label``
        (what people call its rows), ``reason``, ``phrase`` (what the rows do), ``rows``,
        ``share`` (of the table's rows), ``limit``, ``exceeded``, ``quarantined`` (whether rows
        of this reason are), ``example`` (a file and a row).
    """
    rows = []
    for name, table in quality["tables"].items():
        read = max(table["rows_read"], 1)
        for what in ("read", "used", "quarantined"):
            count = table[f"rows_{what}"]
            rows.append(
                (name, table["label"], what, "", count, count / read, 1.0, False, False, "")
            )
        reasons = [(found, True) for found in table["reasons"]]
        for found, quarantined in [*reasons, *((found, False) for found in table["warnings"])]:
            numbers = (found["rows"], found["share"], found["limit"])
            over = found["share"] > found["limit"]
            words = (name, table["label"], found["reason"], found["phrase"])
            rows.append((*words, *numbers, over, quarantined, found["example"]))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def excesses(table: pd.DataFrame) -> list[str]:
    """A sentence for each limit that is exceeded, the largest share first.

    Parameters
    ----------
    table : DataFrame
        See `quality_table`.
    """
    over = table[table["exceeded"]].sort_values("share", ascending=False, kind="stable")
    return [
        f"{_percent(share)} of {label} {phrase}; the limit is {_percent(limit)}."
        for label, phrase, share, limit in over[["label", "phrase", "share", "limit"]].itertuples(
            index=False
        )
    ]


def _percent(share: float) -> str:
    percent = 100 * share
    text = f"{percent:.1f}" if percent >= 0.1 or percent == 0 else f"{percent:.2g}"
    return f"{text.removesuffix('.0')} %"


def enforce_limits(table: pd.DataFrame) -> None:
    """Stop where more of a table is unusable than the limits allow.

    Parameters
    ----------
    table : DataFrame
        See `quality_table`.

    Raises
    ------
    DataError
        With a sentence for each limit that is exceeded.
    """
    sentences = excesses(table)
    if sentences:
        raise DataError(
            "\n".join(sentences) + "\nRows that cannot be used are in quarantined_events, and "
            "event_quality_report has an example of each reason. Correct the export, or raise "
            "intake.limits."
        )
