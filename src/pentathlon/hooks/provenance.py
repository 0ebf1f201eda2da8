"""Where numbers come from: the code, the packages, the machine and the input files."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any

import pentathlon
from pentathlon.hooks.places import Places

PACKAGES = (
    "kedro",
    "kedro-datasets",
    "pandas",
    "numpy",
    "scikit-learn",
    "xgboost-cpu",
    "xgboost",
    "keras",
    "jax",
    "optuna",
)
_CHUNK = 1 << 20


def git_state(project: Path) -> dict[str, Any]:
    """Revision of the code and whether files differ from it; empty without git.

    Returns
    -------
    dict
        `revision` (full hash) and `dirty`, or nothing where there is no git, no repository
        or no commit.
    """

    def ask(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(project), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=10,
            # A status must not wait for, or leave, a lock on the index.
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        ).stdout.strip()

    try:
        return {
            "revision": ask("rev-parse", "HEAD"),
            "dirty": bool(ask("status", "--porcelain", "--", ".")),
        }
    except (OSError, subprocess.SubprocessError):
        return {}


def package_versions(names: Iterable[str] = PACKAGES) -> dict[str, str]:
    """Versions of the packages that shape the numbers, as far as they are installed.

    Read from the metadata of the distributions: importing the packages would take seconds.
    """
    found = {"pentathlon": pentathlon.__version__}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Python and the kind of machine, without names of hosts or users."""
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "cpus": os.cpu_count(),
    }


def peak_rss_mib() -> float:
    """Largest resident memory of this process so far, in MiB; 0 where it cannot be had."""
    try:
        import resource  # noqa: PLC0415  # absent on Windows
    except ImportError:
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 1 if sys.platform == "darwin" else 1024
    return round(peak * unit / 2**20, 1)


def sha256(path: Path) -> str:
    """Hash of a file, read in chunks so that its size does not matter."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def is_data(name: str) -> bool:
    """Whether a dataset's name is that of data, not of parameters."""
    return name != "parameters" and not name.startswith("params:")


def _unwrap(dataset: Any) -> Any:
    """Look behind a cache."""
    return getattr(dataset, "_dataset", dataset)


def describe_dataset(dataset: Any, places: Places, *, save: bool) -> dict[str, Any] | None:
    """Version and path with which a dataset is loaded or saved in this run.

    Returns
    -------
    dict or None
        `version` (None if the dataset has none) and `path`, or None for data in memory.
    """
    dataset = _unwrap(dataset)
    path = getattr(dataset, "_filepath", None) or getattr(dataset, "_path", None)
    if path is None:
        return None
    resolve = getattr(dataset, "resolve_save_version" if save else "resolve_load_version", None)
    number = resolve() if resolve is not None else None
    if number is not None:
        path = PurePosixPath(path) / number / PurePosixPath(path).name
    protocol = getattr(dataset, "_protocol", None) or "file"
    shown = places.relative(path) if protocol in {"file", "local"} else f"{protocol}://{path}"
    return {"version": number, "path": shown}


def hash_inputs(names: Iterable[str], catalog: Any, places: Places) -> dict[str, Any]:
    """Hash the input files that have no version to be known by.

    Parameters
    ----------
    names
        Datasets that the run reads and no node of it writes.
    catalog
        The run's catalog.
    places
        Where the project is.

    Returns
    -------
    dict
        Per dataset its `path`, `sha256` and `bytes`. Only for datasets that are one local
        file each.
    """
    hashes: dict[str, Any] = {}
    for name in sorted(filter(is_data, names)):
        dataset = _unwrap(catalog.get(name))
        path = getattr(dataset, "_filepath", None)
        if path is None or getattr(dataset, "_version", None) is not None:
            continue
        file = Path(path)
        if getattr(dataset, "_protocol", "file") == "file" and file.is_file():
            hashes[name] = {
                "path": places.relative(file),
                "sha256": sha256(file),
                "bytes": file.stat().st_size,
            }
    return hashes
