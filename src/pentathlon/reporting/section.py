"""A section of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pentathlon.reporting.tables import Table


@dataclass(frozen=True)
class Section:
    """A section of the report.

    Attributes
    ----------
    anchor, title : str
    paragraphs, points : sequence of str
    figures : sequence of str
        Names of figures.
    tables, details : sequence of Table
        Shown, and folded away.
    """

    anchor: str
    title: str
    paragraphs: Sequence[str] = ()
    figures: Sequence[str] = ()
    tables: Sequence[Table] = ()
    details: Sequence[Table] = ()
    points: Sequence[str] = field(default_factory=tuple)
