"""How much of the data could not be used, and when that is too much."""

from __future__ import annotations

from typing import Any

import pandas as pd

from pentathlon.errors import DataError

_COLUMNS = {
    "table": "str",
    "reason": "str",
    "rows": "int64",
    "share": "float64",
    "limit": "float64",
    "exceeded": "bool",
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
        by reason: ``table``, ``reason``, ``rows``, ``share`` (of the table's rows), ``limit``,
        ``exceeded``, ``example`` (a file and a row).
    """
    rows = []
    for name, table in quality["tables"].items():
        read = max(table["rows_read"], 1)
        for what in ("read", "used", "quarantined"):
            count = table[f"rows_{what}"]
            rows.append((name, what, count, count / read, 1.0, False, ""))
        for found in table["reasons"]:
            numbers = (found["rows"], found["share"], found["limit"])
            over = found["share"] > found["limit"]
            rows.append((name, found["reason"], *numbers, over, found["example"]))
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def excesses(quality: dict[str, Any]) -> list[str]:
    """A sentence for each limit that is exceeded, the largest share first."""
    found = [
        (reason["share"], _sentence(table["label"], reason))
        for table in quality["tables"].values()
        for reason in table["reasons"]
        if reason["share"] > reason["limit"]
    ]
    return [sentence for _, sentence in sorted(found, reverse=True)]


def _sentence(label: str, reason: dict[str, Any]) -> str:
    return (
        f"{_percent(reason['share'])} of {label} {reason['phrase']}; "
        f"the limit is {_percent(reason['limit'])}."
    )


def _percent(share: float) -> str:
    """A share with the digits that tell it from its limit."""
    percent = 100 * share
    text = f"{percent:.1f}" if percent >= 0.1 or percent == 0 else f"{percent:.2g}"
    return f"{text.removesuffix('.0')} %"


def enforce_limits(quality: dict[str, Any]) -> None:
    """Stop where more of a table is unusable than the limits allow.

    Raises
    ------
    DataError
        With a sentence for each limit that is exceeded.
    """
    sentences = excesses(quality)
    if sentences:
        raise DataError(
            "\n".join(sentences) + "\nThe rows are in quarantined_events, with an example of "
            "each reason in event_quality_report. Correct the export, or raise intake.limits."
        )
