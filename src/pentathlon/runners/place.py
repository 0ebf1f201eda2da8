"""Where the state is kept: beside the data, so that each environment has its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io.core import get_protocol_and_path

NAME = ".fresh.sqlite"

_MOST = 0.75


def find_place(catalog: Any) -> Path:
    """Find the folder that holds the files of a catalog.

    It is the deepest folder with at least three quarters of them below it: a file that one run
    reads from elsewhere does not move the state. Without files, it is the working folder.

    Parameters
    ----------
    catalog : DataCatalog

    Returns
    -------
    Path
        Of the state in that folder.
    """
    folders: Counter[PurePosixPath] = Counter()
    paths = sorted(set(_paths(catalog)))
    for path in paths:
        folders.update(path.parents)
    enough = [
        folder
        for folder, count in folders.items()
        if count >= _MOST * len(paths) and folder != PurePosixPath(folder.anchor)
    ]
    if not enough:
        return Path.cwd() / NAME
    return Path(max(enough, key=lambda folder: len(folder.parts))) / NAME


def _paths(catalog: Any) -> Iterator[PurePosixPath]:
    """Local files of all entries of a catalog, made or not."""
    for name in catalog.keys():  # noqa: SIM118  # a catalog is no mapping
        dataset = catalog._datasets.get(name)
        if dataset is None:
            lazy = getattr(catalog, "_lazy_datasets", {}).get(name)
            config = getattr(lazy, "config", {})
            path = config.get("filepath") or config.get("path")
        else:
            inner = getattr(dataset, "_dataset", dataset)
            path = getattr(inner, "_filepath", None) or getattr(inner, "_path", None)
            if getattr(inner, "_protocol", None) not in {None, "", "file", "local"}:
                continue
        if path is None:
            continue
        protocol, local = get_protocol_and_path(str(path))
        if protocol == "file":
            yield PurePosixPath(Path(local).absolute().as_posix())
