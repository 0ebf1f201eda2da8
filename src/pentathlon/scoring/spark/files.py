"""Partitions as Spark reads them: each with its own types, every row with its place."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from pathlib import PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote

from pentathlon.errors import DataError

PART, ROW, REPEATED = "__part", "__row", "__repeated"
"""Columns beside the customers': partition, row of it, and whether the customer occurs before."""
FEW = 1_000_000
"""Repeated customers that every executor may hold."""
READERS = 8
"""Files whose footers are read at a time."""


class SparkTable(Protocol):
    """A ``pyspark.sql.DataFrame``, as far as can be said without pyspark."""

    sparkSession: Any  # noqa: N815

    def inputFiles(self) -> list[str]:  # noqa: N802
        """Files that it is read from."""


@dataclass(frozen=True)
class Files:
    """The files of a table, in the order of their names.

    Attributes
    ----------
    names : tuple of str
        Relative to the folder that they have in common.
    uris : tuple of str
        As Spark names them.
    """

    names: tuple[str, ...]
    uris: tuple[str, ...]

    @classmethod
    def of(cls, uris: Sequence[str]) -> Files:
        """Name files after what their addresses do not have in common."""
        if not uris:
            return cls((), ())
        plain = {uri: PurePosixPath(unquote(uri)) for uri in map(_normal, uris)}
        common = os.path.commonpath([path.parent for path in plain.values()])
        names = {path.relative_to(common).as_posix(): uri for uri, path in plain.items()}
        ordered = sorted(names, key=lambda name: PurePosixPath(name).parts)
        return cls(tuple(ordered), tuple(names[name] for name in ordered))


def _normal(uri: str) -> str:
    """Spark writes a local file's address in two ways."""
    return re.sub(r"^file:/+", "file:/", uri)


def _literal(uri: str) -> str:
    """A path that Spark does not take for a pattern."""
    return re.sub(r"([*?{}\[\]\\])", r"\\\1", unquote(uri))


@dataclass(frozen=True)
class Group:
    """Partitions whose columns have the same types.

    Attributes
    ----------
    parts : tuple of int
        Positions among all files.
    schema : pyspark.sql.types.StructType
        Of the columns that are read.
    """

    parts: tuple[int, ...]
    schema: Any


@dataclass(frozen=True)
class Source:
    """Partitions that can be read, and those that cannot.

    Attributes
    ----------
    session : pyspark.sql.SparkSession
    files : Files
    groups : tuple of Group
    bad : dict of str to str
        Names of partitions that are left out, and why.
    """

    session: Any
    files: Files
    groups: tuple[Group, ...]
    bad: dict[str, str] = field(default_factory=dict)

    @classmethod
    def open(
        cls, session: Any, files: Files, needed: Collection[str], asked: Collection[str]
    ) -> Source:
        """Read the footers of all files.

        Parameters
        ----------
        session : pyspark.sql.SparkSession
        files : Files
        needed : collection of str
            Columns that a partition must have.
        asked : collection of str
            Columns that are read where they are.
        """
        from pyspark.sql.types import StructType

        def types_of(uri: str) -> Any:
            try:
                return session.read.parquet(_literal(uri)).schema
            except Exception as error:  # of Java, of whatever reads the file's store
                return f"it is no Parquet file: {reason_of(error)}"

        with ThreadPoolExecutor(READERS) as pool:
            schemas = list(pool.map(types_of, files.uris))
        bad: dict[str, str] = {}
        groups: dict[str, tuple[Any, list[int]]] = {}
        for part, (name, schema) in enumerate(zip(files.names, schemas, strict=True)):
            if isinstance(schema, str):
                bad[name] = schema
                continue
            lost = [c for c in needed if c not in schema.names]
            if lost:
                bad[name] = f"it has no columns {lost}; it has {sorted(schema.names)}."
                continue
            read = StructType([schema[c] for c in asked if c in schema.names])
            groups.setdefault(read.json(), (read, []))[1].append(part)
        found = tuple(Group(tuple(parts), read) for read, parts in groups.values())
        return cls(session, files, found, bad)

    def without(self, bad: Mapping[str, str]) -> Source:
        """The same without partitions that turned out to be bad."""
        names = self.files.names
        groups = [
            Group(tuple(p for p in group.parts if names[p] not in bad), group.schema)
            for group in self.groups
        ]
        return Source(
            self.session, self.files, tuple(g for g in groups if g.parts), self.bad | dict(bad)
        )

    @property
    def good(self) -> list[str]:
        """Names of the partitions that are read."""
        return [self.files.names[p] for p in sorted(p for g in self.groups for p in g.parts)]

    def customers(self, group: Group, keep: Callable[[Any], Any]) -> Any:
        """Customers of a group of partitions, each row with its place.

        Parameters
        ----------
        group : Group
        keep : callable
            Keeps a table until the run is over.

        Returns
        -------
        pyspark.sql.DataFrame
            ``PART``, ``ROW``, ``REPEATED`` and the columns.
        """
        from pyspark.sql import functions as sf

        columns = [_quoted(name) for name in group.schema.names]
        table = self._placed(group).select(PART, ROW, *columns)
        seen = (
            table.groupBy(PART, "customer_id")
            .agg(sf.min(ROW).alias("__first"), sf.count("*").alias("__times"))
            .where("__times > 1")
            .drop("__times")
        )
        first = keep(seen)
        repeated = first.count()
        if not repeated:
            return table.select(PART, ROW, sf.lit(False).alias(REPEATED), *columns)
        again = sf.broadcast(first) if repeated <= FEW else first
        later = sf.coalesce(sf.col(ROW) > sf.col("__first"), sf.lit(False)).alias(REPEATED)
        joined = table.join(again, [PART, "customer_id"], "left")
        return joined.select(PART, ROW, later, *columns)

    def broken(self) -> dict[str, str]:
        """Partitions whose rows cannot all be read: what their footers promise is not there."""
        from pyspark.sql import functions as sf

        found = {}
        for group in self.groups:
            table = self._placed(group, ignoreCorruptFiles="true")
            content = sf.hash(*map(_quoted, group.schema.names))
            read = table.groupBy(PART).agg(sf.count("*").alias("n"), sf.sum(content)).collect()
            promised = table.groupBy(PART).agg(sf.count("*").alias("n")).collect()
            complete = {row[PART]: row["n"] for row in read}
            for part, n in ((row[PART], row["n"]) for row in promised):
                if complete.get(part, 0) < n:
                    found[self.files.names[part]] = (
                        f"only {complete.get(part, 0):,} of its {n:,} rows can be read."
                    )
        return found

    def _placed(self, group: Group, **options: str) -> Any:
        import pyarrow as pa
        from pyspark.sql import functions as sf

        uris = [self.files.uris[p] for p in group.parts]
        # Customers of folders such as day=2 are read as they are, without a column day.
        reader = self.session.read.options(recursiveFileLookup="true", **options)
        table = reader.schema(group.schema).parquet(*map(_literal, uris))
        places = pa.table({"__path": uris, PART: pa.array(group.parts, pa.int32())})
        positions = sf.broadcast(self.session.createDataFrame(places))
        return table.select(
            "*",
            sf.regexp_replace("_metadata.file_path", "^file:/+", "file:/").alias("__path"),
            sf.col("_metadata.row_index").alias(ROW),
        ).join(positions, "__path")


def joined(tables: Sequence[Any]) -> Any:
    """All tables below each other.

    Raises
    ------
    DataError
        Without a table.
    """
    if not tables:
        raise DataError("No partition can be used.")
    return reduce(lambda one, other: one.unionByName(other), tables)


def reason_of(error: Exception) -> str:
    """What Spark says is wrong, without Java's stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    speaking = [line for line in lines if re.search(r"\[[A-Z_.]+\]", line)] or lines
    return re.sub(r"^.*?\[[A-Z_.]+\] ", "", speaking[0]) if speaking else type(error).__name__


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
