"""From declarations to single features, each with a name, a unit and a kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pentathlon.errors import ParameterError
from pentathlon.moments.settings import FeatureDeclaration
from pentathlon.moments.sources import SOURCES

Kind = Literal["number", "label"]
_LABELS = {"label", "last"}
_NO_UNIT = {"share", "consent", "calendar", "distinct"}


@dataclass(frozen=True)
class Feature:
    """One feature.

    Attributes
    ----------
    name : str
    declaration : str
        Name of the declaration that it comes from.
    aggregation : str
    source : str or None
    column, by, value : str or None
        ``value`` is the department or message that it is about.
    among : tuple of str
        What ``distinct`` and ``last`` range over.
    window : int or None
        Days; ``None`` for all.
    half_life : int or None
        Days.
    where : tuple of (str, tuple of str)
    of, over : Feature or None
        What a share divides.
    empty : float, str or None
    """

    name: str
    declaration: str
    aggregation: str
    source: str | None = None
    column: str | None = None
    by: str | None = None
    value: str | None = None
    among: tuple[str, ...] = ()
    window: int | None = None
    half_life: int | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    of: Feature | None = None
    over: Feature | None = None
    empty: float | str | None = None

    @property
    def kind(self) -> Kind:
        """Whether its values are numbers or labels."""
        if self.aggregation == "calendar":
            return "label" if self.column == "season" else "number"
        return "label" if self.aggregation in _LABELS else "number"

    @property
    def unit(self) -> str:
        """Unit of its values, empty where there is none."""
        if self.kind == "label" or self.aggregation in _NO_UNIT:
            return {"distinct": f"{self.by}s"}.get(self.aggregation, "")
        if self.aggregation in {"recency", "cadence", "days_since"}:
            return "days"
        if self.aggregation == "age":
            return "years"
        if self.column is None:
            return str(self.source).replace("_", " ")
        return SOURCES[str(self.source)].columns[self.column].unit


def expand_declarations(
    declarations: Mapping[str, FeatureDeclaration],
    departments: Sequence[str],
    messages: Sequence[str],
) -> list[Feature]:
    """Expand declarations over departments, messages, windows and half-lives.

    Parameters
    ----------
    declarations : mapping of str to FeatureDeclaration
    departments, messages : sequence of str
        What ``by`` ranges over; ``messages`` without ``control``, which is no e-mail.

    Returns
    -------
    list of Feature
        In the order of the declarations. Names are the declaration's, then the department or
        message, then ``h<half-life>``, then the window as ``<days>d``; all events have none.

    Raises
    ------
    ParameterError
        When two features would have one name.
    """
    ranges = {"department": tuple(departments), "message": tuple(messages)}
    features = [
        feature
        for name, declaration in declarations.items()
        for feature in _expand(name, declaration, declarations, ranges)
    ]
    names = [feature.name for feature in features]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ParameterError(
            f"moments.features: two features are called {repeated}. Rename a declaration."
        )
    return features


def _expand(
    name: str,
    declaration: FeatureDeclaration,
    declarations: Mapping[str, FeatureDeclaration],
    ranges: Mapping[str, tuple[str, ...]],
) -> Iterator[Feature]:
    of_all = declaration.aggregation in {"distinct", "last"}
    values: tuple[str | None, ...] = (None,)
    if declaration.by is not None and not of_all:
        values = ranges[declaration.by]
    for value in values:
        for half_life in (*declaration.half_lives,) or (None,):
            for window in declaration.windows:
                days = None if window == "all" else window
                parts = [name, value, half_life and f"h{half_life}", days and f"{days}d"]
                feature = Feature(
                    name="_".join(part for part in parts if part),
                    declaration=name,
                    aggregation=declaration.aggregation,
                    source=declaration.source,
                    column=declaration.column,
                    by=declaration.by,
                    value=value,
                    among=ranges[declaration.by] if of_all and declaration.by else (),
                    window=days,
                    half_life=half_life,
                    where=tuple((k, tuple(v)) for k, v in sorted(declaration.where.items())),
                    empty=declaration.empty,
                )
                if declaration.aggregation == "share":
                    feature = _with_parts(feature, declaration, declarations)
                yield feature


def _with_parts(
    share: Feature,
    declaration: FeatureDeclaration,
    declarations: Mapping[str, FeatureDeclaration],
) -> Feature:
    def part(name: str) -> Feature:
        other = declarations[name]
        return Feature(
            name=name,
            declaration=name,
            aggregation=other.aggregation,
            source=other.source,
            column=other.column,
            by=share.by,
            value=share.value,
            window=share.window,
            where=tuple((k, tuple(v)) for k, v in sorted(other.where.items())),
        )

    return replace(share, of=part(str(declaration.of)), over=part(str(declaration.over)))
