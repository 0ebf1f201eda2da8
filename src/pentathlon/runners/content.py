"""What datasets hold: which files in which version, and their digests."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractDataset, AbstractVersionedDataset
from kedro.io.core import Version, VersionNotFoundError

from pentathlon.runners.state import State

ABSENT = "absent"
IGNORED = "ignored"

_LOCAL = {"", "file", "local"}
_UNRELIABLE = {"http", "https"}  # fsspec takes what is there for unchanging
_RACY_NS = 2 * 10**9
_CHUNK = 1 << 20
# Their `_filepath` is that of a query, or of nothing that holds the data.
_ELSEWHERE = re.compile(r"SQL|Query|GBQ|JDBC|Hive|Snowflake|API|Mlflow|MLflow")


class UnknownContentError(Exception):
    """A dataset of which nobody can say whether it has changed."""


@dataclass(frozen=True)
class Held:
    """What a dataset holds.

    Attributes
    ----------
    version : str or None
    path : str
    digest : str
    """

    version: str | None
    path: str
    digest: str


def unwrap(dataset: AbstractDataset[Any, Any]) -> AbstractDataset[Any, Any]:
    """Look behind a cache."""
    inner = getattr(dataset, "_dataset", None)
    return unwrap(inner) if isinstance(inner, AbstractDataset) else dataset


def is_memory(dataset: AbstractDataset[Any, Any]) -> bool:
    """Whether a dataset is gone when the run ends."""
    return bool(getattr(unwrap(dataset), "_EPHEMERAL", False))


def is_versioned(dataset: AbstractDataset[Any, Any]) -> bool:
    """Whether each run saves a version of its own."""
    inner = unwrap(dataset)
    return isinstance(inner, AbstractVersionedDataset) and bool(inner._version)


def is_ignored(dataset: AbstractDataset[Any, Any]) -> bool:
    """Whether the catalog says that the content does not count.

    A dataset that a node works in, rather than reads, says so in its catalog entry:
    ``metadata: {fresh: {content: ignore}}``.
    """
    for part in (dataset, unwrap(dataset)):
        metadata = getattr(part, "metadata", None) or {}
        fresh = metadata.get("fresh") if isinstance(metadata, dict) else None
        if isinstance(fresh, dict) and fresh.get("content") == "ignore":
            return True
    return False


def latest(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Newest version that there is, whichever will be loaded; None without any."""
    inner = unwrap(dataset)
    assert isinstance(inner, AbstractVersionedDataset)
    try:
        paths = inner._get_versions()
    except VersionNotFoundError:
        return None
    return PurePosixPath(paths[0]).parent.name if paths else None


def load_version(dataset: AbstractDataset[Any, Any]) -> str | None:
    """Version that will be loaded: the one asked for, else the newest."""
    inner = unwrap(dataset)
    if not is_versioned(dataset):
        return None
    return inner._version.load or latest(dataset)  # type: ignore[attr-defined]


def pin(dataset: AbstractDataset[Any, Any], version: str | None) -> None:
    """Have a version loaded that another run's later one cannot take the place of."""
    inner = unwrap(dataset)
    if version is None or not isinstance(inner, AbstractVersionedDataset):
        return
    if inner._version and inner._version.load is None:
        inner._version = Version(version, inner._version.save)
        inner._cached_load_version = None


class Contents:
    """Digests of what datasets hold.

    The content decides. That a file need not be read again is concluded from its size, its
    times of modification and of change, and its number in the file system: who sets back the
    time of modification cannot set back that of change. Where there is no such time (Windows),
    and for files of the last two seconds, files are read.

    Parameters
    ----------
    state : State
        Keeps digests of files.
    """

    def __init__(self, state: State) -> None:
        self._state = state

    def held(self, dataset: AbstractDataset[Any, Any], version: str | None) -> Held:
        """Take the digest of what a dataset holds.

        Parameters
        ----------
        dataset : AbstractDataset
        version : str or None
            Version to look at; None for a dataset without versions.

        Returns
        -------
        Held
            With the digest ``absent`` if nothing is there.

        Raises
        ------
        UnknownContentError
            If the content can be told neither by files nor by the dataset itself.
        """
        if is_ignored(dataset):
            return Held(None, "", IGNORED)
        inner: Any = unwrap(dataset)
        if hasattr(inner, "content_fingerprint"):
            return Held(None, "", f"says {inner.content_fingerprint()}")
        if hasattr(inner, "content_files"):
            paths = [Path(path) for path in inner.content_files()]
            return Held(None, "", self._several(paths))
        if is_versioned(dataset) and version is None:
            return Held(None, "", ABSENT)
        path = self._path(inner, version)
        protocol = str(getattr(inner, "_protocol", None) or "")
        if protocol in _LOCAL and "://" not in path:
            return Held(version, path, self._local(Path(path)))
        system = getattr(inner, "_fs", None) or getattr(inner, "_filesystem", None)
        if system is None:
            raise UnknownContentError(f"{type(inner).__name__} does not say where its data is")
        return Held(version, path, self._remote(system, path, protocol))

    @staticmethod
    def _path(dataset: Any, version: str | None) -> str:
        name = type(dataset).__name__
        path = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
        if path is None or _ELSEWHERE.search(name):
            raise UnknownContentError(f"the data of a {name} is in no file that can be compared")
        if version is not None:
            path = dataset._get_versioned_path(version)
        return str(path)

    def _several(self, paths: Iterable[Path]) -> str:
        digests = [f"{position} {self._local(path)}" for position, path in enumerate(paths)]
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def _local(self, path: Path) -> str:
        if path.is_file():
            return self._file(path)
        if not path.is_dir():
            return ABSENT
        digest = hashlib.sha256()
        for below in _files(path):
            digest.update(f"{below.relative_to(path).as_posix()}\0{self._file(below)}\n".encode())
        return digest.hexdigest()

    def _file(self, path: Path) -> str:
        before = path.stat()
        name = os.path.abspath(path)  # noqa: PTH100  # links must stay what they are
        signature = (
            f"{before.st_size} {before.st_mtime_ns} {before.st_ctime_ns} "
            f"{before.st_ino} {before.st_dev}"
        )
        known = self._state.known_file(name, signature) if os.name == "posix" else None
        if known is not None:
            return known
        now = time.time_ns()
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        # A file could still change within the tick of its clock, and show nothing of it.
        if now - max(before.st_ctime_ns, before.st_mtime_ns) > _RACY_NS:
            self._state.keep_file(name, signature, digest.hexdigest())
        return digest.hexdigest()

    def _remote(self, system: Any, path: str, protocol: str) -> str:
        if protocol in _UNRELIABLE:
            return self._read(system, f"{protocol}://{path}")
        system.invalidate_cache()
        if not system.exists(path):
            return ABSENT
        names = sorted(system.find(path)) if system.isdir(path) else [path]
        digest = hashlib.sha256()
        for name in names:
            mark, key = str(system.ukey(name)), f"{protocol}://{name}"
            known = self._state.known_file(key, mark)
            if known is None:
                known = self._read(system, name)
                if protocol != "memory":
                    self._state.keep_file(key, mark, known)
            digest.update(f"{name.removeprefix(path)}\0{known}\n".encode())
        return digest.hexdigest()

    @staticmethod
    def _read(system: Any, path: str) -> str:
        digest = hashlib.sha256()
        with system.open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
        return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for place, below, names in os.walk(folder, followlinks=True):
        below.sort()
        for name in sorted(names):
            yield Path(place) / name
