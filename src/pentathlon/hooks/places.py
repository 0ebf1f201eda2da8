"""Paths as a manifest may show them: relative, without machine or user names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

RUNS_FOLDER = "08_reporting/runs"
"""Folder of the manifests, below the data root."""

PARTS_FOLDER = ".parts"
"""Folder, below the manifests, of what processes have written about runs under way."""

# Two or more path components that do not continue a word, a URL or a relative path.
_ABSOLUTE = re.compile(
    r"""(?<![\w.~}/:-])(?:[A-Za-z]:[\\/]|/)(?:[^\s/\\'"<>|,;:)\]}]+[\\/])+([^\s/\\'"<>|,;:)\]}]+)"""
)


@dataclass(frozen=True)
class Places:
    """The project folder and the data root, and how to write paths below them.

    Parameters
    ----------
    project
        Absolute path of the project.
    data_root
        Absolute path of the folder that holds `01_raw` to `08_reporting`.
    """

    project: Path
    data_root: Path

    @classmethod
    def of(cls, project: Path, data_root: str) -> Places:
        """Resolve a data root against the project, as Kedro resolves the paths of datasets."""
        # Manifests are local files: with data in a bucket they stay with the project.
        local = "data" if "://" in data_root else data_root
        return cls(project, project / Path(local).expanduser())

    @property
    def runs(self) -> Path:
        """The folder of the manifests."""
        return self.data_root / RUNS_FOLDER

    def parts(self, run_id: str) -> Path:
        """Folder of the fragments of one run."""
        return self.runs / PARTS_FOLDER / run_id

    def relative(self, path: str | PurePath) -> str:
        """Write a path relative to the project, else to the data root, else as a bare name."""
        pure = PurePath(path)
        if not pure.is_absolute():
            return pure.as_posix()
        if pure.is_relative_to(self.project):
            return pure.relative_to(self.project).as_posix()
        if pure.is_relative_to(self.data_root):
            return f"{{data_root}}/{pure.relative_to(self.data_root).as_posix()}"
        return f".../{pure.name}"

    def locate(self, path: str) -> str:
        """Turn a path that `relative` wrote into one that a user can open from the project."""
        return path.replace("{data_root}", self.data_root.as_posix())

    def scrub(self, text: str) -> str:
        """Take absolute paths out of a text, for instance out of an error's message."""
        roots = ((self.project, "."), (self.data_root, "{data_root}"), (Path.home(), "~"))
        for root, name in roots:
            text = text.replace(f"{root.as_posix()}/", f"{name}/".removeprefix("./"))
            text = re.sub(rf"{re.escape(root.as_posix())}(?![\w.-])", name, text)
        return _ABSOLUTE.sub(r".../\1", text)

    def plain(self, value: Any) -> Any:
        """Turn parameters into what JSON can hold, with absolute paths taken out.

        Pydantic models and dataclasses become mappings; numbers that are not finite become
        text, because JSON has no word for them.
        """
        if hasattr(value, "model_dump"):
            value = value.model_dump()
        elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
            value = {name: getattr(value, name) for name in value.__dataclass_fields__}
        if isinstance(value, Mapping):
            return {str(key): self.plain(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.plain(item) for item in value]
        if isinstance(value, set | frozenset):
            return sorted((self.plain(item) for item in value), key=str)
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if value is None or isinstance(value, bool | int):
            return value
        return self.scrub(str(value))
