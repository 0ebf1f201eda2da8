"""Which columns of a customer are features, and of what kind."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, model_validator


class FeatureColumns(BaseModel):
    """Feature columns of the ``customers`` table by kind.

    Attributes
    ----------
    numeric : list of str
        Quantities (income, age in years, recency).
    categorical : list of str
        Labels, kept as text.
    counts : dict of str to str
        Per-department counts: department to column.
    log : list of str
        Numeric columns that also enter as ``log1p``; they must be non-negative.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    numeric: list[str] = []
    categorical: list[str] = []
    counts: dict[str, str] = {}
    log: list[str] = []

    @model_validator(mode="after")
    def _check(self) -> FeatureColumns:
        columns = self.columns
        repeated = sorted({c for c in columns if columns.count(c) > 1})
        if repeated:
            raise ValueError(f"columns named under two kinds of feature: {repeated}")
        if not columns:
            raise ValueError("name at least one feature column")
        stray = sorted(set(self.log) - set(self.numeric))
        if stray:
            raise ValueError(f"log: {stray} must also be listed under numeric")
        return self

    @property
    def columns(self) -> list[str]:
        """Every feature column: numeric, then categorical, then counts."""
        return [*self.numeric, *self.categorical, *self.counts.values()]
