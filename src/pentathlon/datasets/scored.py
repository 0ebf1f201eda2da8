"""Datasets of scoring: folders of Parquet files that are never in memory as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from pentathlon.scoring import ScoredFolder, ScoringJob


class ParquetFolderDataset(AbstractDataset[NoReturn, Path]):
    """The place of a folder of Parquet files; who loads it reads them one by one.

    Parameters
    ----------
    filepath : str
        Folder on the local file system.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> Path:
        """Path of the folder."""
        if not self._exists():
            raise DatasetError(
                f"There is no folder {self._filepath}. Put the customers to score there, as "
                "Parquet files with customer_id and the features."
            )
        return self._filepath

    def save(self, data: NoReturn) -> None:
        """Refuse: the folder is the user's."""
        raise DatasetError("The customers to score are read only.")

    def _exists(self) -> bool:
        return self._filepath.is_dir()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}


class ScoredDataset(AbstractDataset["ScoringJob", "ScoredFolder"]):
    """Decisions in partitions: saving them is scoring them, part by part.

    What is there already and still true is kept, so an interrupted run goes on where it was. Until
    a run has come to its end there is nothing to load.

    Parameters
    ----------
    filepath : str
        Folder on the local file system.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> ScoredFolder:
        """The folder, to be read part by part."""
        from pentathlon.scoring import ScoredFolder  # noqa: PLC0415

        if not self._exists():
            raise DatasetError(
                f"Nothing was scored into {self._filepath}, or not to the end; run the pipeline "
                "scoring again, which keeps what is finished."
            )
        return ScoredFolder(self._filepath)

    def save(self, data: ScoringJob) -> None:
        """Score into the folder."""
        data.write_to(self._filepath)

    def _exists(self) -> bool:
        return (self._filepath / "run.json").is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
