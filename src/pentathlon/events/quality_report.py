"""The data-quality report: one page for whoever has to repair an export."""

from __future__ import annotations

from html import escape
from typing import Any

from pentathlon.events.quality import excesses, quality_table

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1d2a30}table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}"
    "th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d6dde0}"
    "td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.over{background:#fde8e4}"
    ".verdict{padding:.6rem 1rem;border-left:4px solid #2a7f62;background:#eef6f2}"
    ".verdict.bad{border-color:#c0392b;background:#fde8e4}"
)


def quality_report(quality: dict[str, Any]) -> str:
    """Draw the report.

    Parameters
    ----------
    quality : dict
        See `pentathlon.events.CheckedEvents`.

    Returns
    -------
    str
        A self-contained page of HTML.
    """
    over = excesses(quality_table(quality))
    verdict = "<br>".join(map(escape, over)) or "Every share of unusable rows is within its limit."
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Data quality</title>",
        f"<style>{_STYLE}</style></head><body><h1>Data quality</h1>",
        f"<p>Tables exported at {escape(quality['as_of'])} UTC. Rows read are rows used plus rows "
        "quarantined; a row is counted once, for the first reason found.</p>",
        f"<p class='verdict{' bad' if over else ''}'>{verdict}</p>",
        _overview(quality),
        *(_table(name, table) for name, table in quality["tables"].items()),
        f"<p>{quality['suppressed_customers']:,} customers have not consented or have opted out: "
        "they get no e-mail and no prediction.</p>",
    ]
    if quality.get("spilled_mib"):
        parts.append(
            f"<p>The work did not fit its memory: up to {quality['spilled_mib']:,.0f} MiB were "
            "spilled to disk.</p>"
        )
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _overview(quality: dict[str, Any]) -> str:
    rows = []
    for name, table in quality["tables"].items():
        numbers = (table["rows_read"], table["rows_used"], table["rows_quarantined"])
        cells = "".join(f"<td class='n'>{number:,}</td>" for number in numbers)
        unused = escape(", ".join(table["unused_columns"])) or "none"
        rows.append(f"<tr><td>{escape(name)}</td>{cells}<td>{unused}</td></tr>")
    return (
        "<table><tr><th>table</th><th class='n'>read</th><th class='n'>used</th>"
        "<th class='n'>quarantined</th><th>columns that nothing reads</th></tr>"
        f"{''.join(rows)}</table>"
    )


def _table(name: str, table: dict[str, Any]) -> str:
    parts = [f"<h2>{escape(name)}</h2>"]
    if table["reasons"]:
        parts.append(_reasons("reason", table["reasons"]))
    else:
        parts.append("<p>Nothing was found against any row.</p>")
    if table["warnings"]:
        parts.append("<p>Rows that are used all the same:</p>")
        parts.append(_reasons("warning", table["warnings"]))
    if table["constants"]:
        said = ", ".join(f"{column} = {value}" for column, value in table["constants"].items())
        parts.append(
            f"<p>Not in the file, but said of every row in the parameters: {escape(said)}.</p>"
        )
    return "".join(parts)


def _reasons(what: str, found: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr{' class=over' if r['share'] > r['limit'] else ''}><td>{escape(r['reason'])}</td>"
        f"<td class='n'>{r['rows']:,}</td><td class='n'>{r['share']:.3%}</td>"
        f"<td class='n'>{r['limit']:.3%}</td><td>{escape(r['example'])}</td></tr>"
        for r in found
    )
    return (
        f"<table><tr><th>{what}</th><th class='n'>rows</th>"
        "<th class='n'>share</th><th class='n'>limit</th><th>for example</th></tr>"
        f"{rows}</table>"
    )
