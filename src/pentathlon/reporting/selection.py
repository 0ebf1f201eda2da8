"""Which features each model was told, and why not the others."""

from __future__ import annotations

import pandas as pd

from pentathlon.reporting import labels
from pentathlon.reporting.formats import is_number, listing, number, plural
from pentathlon.reporting.results import Results
from pentathlon.reporting.section import Section
from pentathlon.reporting.tables import Table

ALL_ROWS = -1
METHODS = {
    "permutation": "permutation importance",
    "drop_column": "drop-column importance",
    "recursive": "recursive elimination",
    "l1_path": "an L1 path",
}


def selection_section(results: Results) -> list[Section]:
    """The section, where any model selected its features."""
    selected = {
        model: table
        for model, table in results.selections.items()
        if (table["method"] != "none").any()
    }
    if not selected:
        return []
    return [
        Section(
            "feature-selection",
            "Feature selection",
            [
                "Models were told only the features whose loss was seen on customers that they "
                "had not been fitted on. The selection is made anew without each fold, so scores "
                "of training customers owe nothing to their own outcomes. Log loss is nearly all "
                "about who buys: a feature that only decides which message moves whom, faintly, "
                "may be among the dropped.",
            ],
            points=[_finding(model, table) for model, table in selected.items()],
            tables=[_table(model, table) for model, table in selected.items()],
        )
    ]


def _finding(model: str, table: pd.DataFrame) -> str:
    final = table[table["without_fold"] == ALL_ROWS]
    dropped = [labels.plain(str(f)) for f in final.loc[~final["kept"], "feature"]]
    method = METHODS.get(str(final["method"].iloc[0]), str(final["method"].iloc[0]))
    what = f"drops {listing(dropped)}" if dropped else "drops nothing"
    return (
        f"{labels.model(model)}: {method} keeps {number(int(final['kept'].sum()))} of "
        f"{plural(len(final), 'feature')} and {what}."
    )


def _table(model: str, table: pd.DataFrame) -> Table:
    final = table[table["without_fold"] == ALL_ROWS]
    folds = table[table["without_fold"] != ALL_ROWS]
    count = folds["without_fold"].nunique()
    stayed = folds.groupby("feature")["kept"].sum()
    by_coefficient = (final["method"] == "l1_path").all()
    unit = "sum of coefficients, SD" if by_coefficient else "thousandths of a nat of log loss"
    scale = 1.0 if by_coefficient else 1_000.0
    rows = [
        [
            labels.plain(str(row["feature"])),
            "kept" if row["kept"] else "dropped",
            labels.plain(str(row["reason"])),
            number(row["importance"] * scale, 3),
            number(row["standard_error"] * scale, 3) if is_number(row["standard_error"]) else "",
            f"{int(stayed.get(row['feature'], 0))} of {count}",
        ]
        for row in final.to_dict("records")
    ]
    kept = int(final["kept"].sum())
    return Table(
        f"{labels.model(model)} is told {kept} of {len(final)} features",
        ["Feature", "Verdict", "Reason", f"Importance ({unit})", "Standard error", "Kept in folds"],
        rows,
        text_columns=3,
        marked=[i for i, row in enumerate(rows) if row[1] == "dropped"],
    )
