"""Where modules of the project, and files that belong to them, lie."""

from __future__ import annotations

import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import cache
from pathlib import Path

_FOREIGN = {"site-packages", "dist-packages"}


def find_top(name: str, *, always: bool) -> tuple[list[Path], Path | None] | None:
    """Find the folders and the file of a top-level module, if it is the project's.

    Parameters
    ----------
    name : str
    always : bool
        Whether it is the project's even where installed packages lie.
    """
    if name in sys.stdlib_module_names or not name.isidentifier():
        return None
    try:
        spec = importlib.util.find_spec(name)
    except (ValueError, ImportError):  # __main__, or a module made by hand
        return None
    if spec is None:
        return None
    folders = [Path(place) for place in spec.submodule_search_locations or ()]
    has_file = spec.origin is not None and spec.origin.endswith(".py")
    file = Path(str(spec.origin)) if has_file else None
    places = [*folders, *([file] if file else [])]
    foreign = any(is_foreign(place) for place in places)
    return (folders, file) if places and (always or not foreign) else None


@cache
def _foreign_places() -> tuple[Path, ...]:
    names = ("purelib", "platlib", "stdlib", "platstdlib")
    return tuple(Path(sysconfig.get_paths()[name]).resolve() for name in names)


def is_foreign(place: Path) -> bool:
    """Whether a place is one of installed packages or of the standard library."""
    resolved = place.resolve()
    if _FOREIGN & set(resolved.parts):
        return True
    return any(resolved.is_relative_to(folder) for folder in _foreign_places())


def locate(name: str, folders: list[Path], file: Path | None) -> tuple[Path | None, bool]:
    """Find the source of a module below its top-level one, and whether it is a package."""
    parts = name.split(".")[1:]
    if not parts:
        return file, file is not None and file.name == "__init__.py"
    for folder in folders:
        place = folder.joinpath(*parts)
        for path, is_package in ((place / "__init__.py", True), (place.with_suffix(".py"), False)):
            if path.is_file():
                return path, is_package
    return None, False


def data_files(folder: Path) -> Iterator[Path]:
    """Files below a package that are no Python source, without the packages below it."""
    for place, below, names in os.walk(folder):
        here = Path(place)
        if here != folder and "__init__.py" in names:
            below.clear()
            continue
        below[:] = sorted(n for n in below if n != "__pycache__" and not n.startswith("."))
        for name in sorted(names):
            if not name.startswith(".") and not name.endswith((".py", ".pyc", ".pyi")):
                yield here / name
