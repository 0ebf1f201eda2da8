"""Tables divided into passes once, so that no pass reads the events of another's customers.

Moments are computed in passes of as many as the memory allows. Reading every table anew in every
pass would compare every event's customer with the customers of the pass; at millions of customers
that would be most of the work. Instead, each table is read once: events get the number of their
customer in place of the identifier, and lie on disk by pass. Where there is one pass they stay in
the database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pentathlon.moments.engine import Keep
from pentathlon.moments.events import COLUMNS_READ
from pentathlon.moments.expand import Feature
from pentathlon.moments.finish import partials_of
from pentathlon.moments.sources import SOURCES

if TYPE_CHECKING:
    import ibis.expr.types as ir

Scatter = Callable[["ir.Table", Path], None]


class Pass(NamedTuple):
    """What one pass computes, and from what.

    Attributes
    ----------
    tables : dict of str to Table
        Clean tables of the pass's customers; ``customer_id`` is the customer's number.
    rows : Table
        The moments, with the number as ``customer_id`` and the identifier as ``person``.
    """

    tables: dict[str, ir.Table]
    rows: ir.Table


class Passes:
    """Moments in passes, and the tables that go with each.

    Parameters
    ----------
    tables : mapping of str to Table
        Clean tables by name.
    rows : Table
        ``row_id`` (from 0 on without gaps), ``customer_id``, ``moment``.
    features : sequence of Feature
    size, n_passes : int
        Moments of a pass, and how many passes they make.
    keep : callable
        Computes and keeps a table under a name.
    scatter : callable
        Writes a table into a folder of Parquet files, divided by its column ``pass``.
    folder : Path
        Where tables are divided, when there are several passes.
    """

    def __init__(
        self,
        tables: Mapping[str, ir.Table],
        rows: ir.Table,
        features: Sequence[Feature],
        *,
        size: int,
        n_passes: int,
        keep: Keep,
        scatter: Scatter,
        folder: Path,
    ) -> None:
        import ibis

        self._rows, self._size, self._keep = rows, size, keep
        people = rows.select("customer_id", **{"pass": rows.row_id // size}).distinct()
        number = ibis.row_number().over(group_by=people["pass"], order_by=people.customer_id)
        self._people = keep("walk_people", people.mutate(number=number))
        self._tables: dict[str, Callable[[int], ir.Table]] = {}
        for name, table in _needed(tables, features).items():
            numbered = table.join(self._people, "customer_id").drop("customer_id")
            numbered = numbered.rename(customer_id="number")
            if n_passes == 1:
                kept = keep(f"walk_{name}", numbered.drop("pass"))
                self._tables[name] = _same(kept)
            else:
                scatter(numbered, folder / name)
                self._tables[name] = _reader(numbered.drop("pass"), folder / name)

    def __getitem__(self, i: int) -> Pass:
        """Pass ``i``, from 0 on."""
        first = i * self._size
        rows = self._rows.filter(self._rows.row_id >= first, self._rows.row_id < first + self._size)
        people = self._people.filter(self._people["pass"] == i).drop("pass")
        rows = rows.join(people, "customer_id").rename(person="customer_id", customer_id="number")
        rows = self._keep("walk_moments", rows)
        return Pass({name: table(i) for name, table in self._tables.items()}, rows)


def _needed(tables: Mapping[str, ir.Table], features: Sequence[Feature]) -> dict[str, ir.Table]:
    """Tables that the features need, without columns that they do not look at."""
    partials = {partial for feature in features for partial in partials_of(feature)}
    sources = {partial.source for partial in partials}
    labels = {label for partial in partials for label, _ in partial.selection.where}
    needed = {}
    for source in sorted(sources):
        table = tables.get(SOURCES[source].table)
        if table is not None:
            wanted = [c for c in COLUMNS_READ[SOURCES[source].table] if c in table.columns]
            needed[SOURCES[source].table] = table.select(
                *(c for c in wanted if c != "product_id" or c in labels)
            )
    if "customers" in tables and any(f.source == "customers" for f in features):
        needed["customers"] = tables["customers"]
    return needed


def _same(table: ir.Table) -> Callable[[int], ir.Table]:
    return lambda _: table


def _reader(like: ir.Table, folder: Path) -> Callable[[int], ir.Table]:
    def read(i: int) -> ir.Table:
        part = folder / f"pass={i}"
        if not part.is_dir():
            return like.limit(0)
        backend = like.get_backend()
        name = f"{folder.name}_of_pass"
        return backend.read_parquet(str(part / "*.parquet"), table_name=name)

    return read
