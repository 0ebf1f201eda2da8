"""Folders of Parquet files that pass between the steps of a run without being loaded."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TableFolder:
    """A folder of files that can be saved elsewhere without copying what is on the same disk.

    Attributes
    ----------
    path : Path
    temporary : bool
        Whether the files may be taken from here when they are saved.
    """

    path: Path
    temporary: bool = False

    @classmethod
    def load(cls, folder: Path) -> TableFolder:
        """Take a folder as it is."""
        return cls(folder)

    def __truediv__(self, name: str) -> TableFolder:
        """One of the folders in it."""
        return TableFolder(self.path / name)

    @property
    def parts(self) -> list[Path]:
        """Its Parquet files, in order."""
        return sorted(self.path.rglob("*.parquet"))

    def save(self, folder: Path) -> None:
        """Put the files into another folder.

        Parameters
        ----------
        folder : Path
            Existing and empty. Files become links where the file system can, so that a table
            that two datasets share takes its space once.
        """
        for file in sorted(p for p in self.path.rglob("*") if p.is_file()):
            target = folder / file.relative_to(self.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            if self.temporary:
                shutil.move(file, target)
                continue
            try:
                os.link(file, target)
            except OSError:  # another disk, or a file system without links
                shutil.copy2(file, target)
        if self.temporary:
            shutil.rmtree(self.path, ignore_errors=True)
