"""Decisions that Spark makes, kept wherever Spark can write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset, DatasetError

if TYPE_CHECKING:
    from pentathlon.scoring.spark import SparkScored, SparkScoringJob

_FORMATS = {"run": "text"}


class SparkScoredDataset(AbstractDataset["SparkScoringJob", "SparkScored"]):
    """Decisions of a run on Spark: saving them is scoring them.

    Each table is a :class:`kedro_datasets.spark.SparkDatasetV2` in a folder of its own:
    ``decisions``, ``rejected`` and ``run``.

    Parameters
    ----------
    filepath : str
        Folder, local or of any store that Spark knows, such as ``s3a://bucket/scored``.
    save_args : dict, optional
        Of the tables, such as ``compression``.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    _SINGLE_PROCESS = True

    def __init__(
        self,
        *,
        filepath: str,
        save_args: dict[str, Any] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._filepath = filepath.rstrip("/")
        self._save_args = save_args or {}
        self.metadata = metadata

    def load(self) -> SparkScored:
        """What the last run decided.

        Raises
        ------
        DatasetError
            When no run came to its end.
        """
        found = self._finished()
        if found is None:
            raise DatasetError(
                f"Nothing was scored into {self._filepath}, or not to the end; run the pipeline "
                "scoring again."
            )
        return found

    def save(self, data: SparkScoringJob) -> None:
        """Score into the folder."""
        data.write_to(self._tables())

    def _exists(self) -> bool:
        return self._finished() is not None

    def _finished(self) -> SparkScored | None:
        """The last run if it came to its end."""
        from pentathlon.scoring.spark import SparkScored  # noqa: PLC0415

        tables = self._tables()
        return SparkScored.of(tables) if tables.of("run").exists() else None

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "save_args": self._save_args}

    def _tables(self) -> _Tables:
        return _Tables(self._filepath, self._save_args)


class _Tables:
    """Tables of Spark in folders of one folder."""

    def __init__(self, folder: str, save_args: dict[str, Any]) -> None:
        from pentathlon.scoring.spark.session import check_installed  # noqa: PLC0415

        check_installed()
        self._folder, self._save_args = folder, save_args

    def of(self, name: str) -> Any:
        """The dataset of a table."""
        from kedro_datasets.spark import SparkDatasetV2  # noqa: PLC0415

        kind = _FORMATS.get(name, "parquet")
        save_args = {"mode": "overwrite"} | (self._save_args if kind == "parquet" else {})
        return SparkDatasetV2(
            filepath=f"{self._folder}/{name}", file_format=kind, save_args=save_args
        )

    def save(self, name: str, table: Any) -> None:
        """Write a table in the place of the one that is there."""
        self.of(name).save(table)

    def load(self, name: str) -> Any:
        """Read a table."""
        return self.of(name).load()
