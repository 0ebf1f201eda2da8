"""Two sets of decisions side by side: another rule set, another run, another month."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pentathlon.errors import DataError


@dataclass(frozen=True)
class Difference:
    """What changes between two sets of decisions.

    Attributes
    ----------
    customers : int
        In both.
    changed : int
        Who get another message.
    only_before, only_after : int
        In one of the two only; counted nowhere else.
    expected_profit_before, expected_profit_after : float
        Total by prediction of the customers in both, in currency.
    messages : DataFrame
        By message: customers before and after, and the difference.
    deciders : DataFrame
        By who decided (policy, rule, limit, ...): customers before, after, difference.
    flows : DataFrame
        By message before and after: customers who change, and what their expected profit changes
        by in total, in currency; the largest flow first.
    """

    customers: int
    changed: int
    only_before: int
    only_after: int
    expected_profit_before: float
    expected_profit_after: float
    messages: pd.DataFrame
    deciders: pd.DataFrame
    flows: pd.DataFrame

    @property
    def expected_profit_change(self) -> float:
        """After minus before, in currency."""
        return self.expected_profit_after - self.expected_profit_before


def compare_decisions(before: pd.DataFrame, after: pd.DataFrame) -> Difference:
    """Compare two tables of decisions customer by customer.

    Parameters
    ----------
    before, after : DataFrame
        As the pipeline writes ``decisions``; a customer has one row in each.

    Returns
    -------
    Difference

    Raises
    ------
    DataError
        When a table is no table of decisions, or nobody is in both.
    """
    wanted = ["customer_id", "message", "expected_profit", "decided_by"]
    for name, table in (("first", before), ("second", after)):
        lost = [column for column in wanted if column not in table.columns]
        if lost:
            raise DataError(f"The {name} decisions have no columns {lost}.")
        if table["customer_id"].duplicated().any():
            raise DataError(f"The {name} decisions have several rows of one customer.")
    both = before[wanted].merge(after[wanted], on="customer_id", suffixes=("_before", "_after"))
    if both.empty:
        raise DataError("No customer is in both sets of decisions: there is nothing to compare.")
    both["profit_change"] = both["expected_profit_after"].astype("float64") - both[
        "expected_profit_before"
    ].astype("float64")
    moved = both[both["message_before"] != both["message_after"]]
    flows = (
        moved.groupby(["message_before", "message_after"], as_index=False)
        .agg(customers=("customer_id", "size"), expected_profit_change=("profit_change", "sum"))
        .sort_values(
            ["customers", "message_before", "message_after"], ascending=[False, True, True]
        )
        .reset_index(drop=True)
    )
    return Difference(
        customers=len(both),
        changed=len(moved),
        only_before=len(before) - len(both),
        only_after=len(after) - len(both),
        expected_profit_before=float(both["expected_profit_before"].astype("float64").sum()),
        expected_profit_after=float(both["expected_profit_after"].astype("float64").sum()),
        messages=_counts(both, "message"),
        deciders=_counts(both, "decided_by"),
        flows=flows,
    )


def _counts(both: pd.DataFrame, column: str) -> pd.DataFrame:
    counted = pd.DataFrame(
        {when: both[f"{column}_{when}"].value_counts() for when in ("before", "after")}
    )
    counted = counted.fillna(0).astype("int64")
    counted["difference"] = counted["after"] - counted["before"]
    return counted.sort_index().rename_axis(column).reset_index()
