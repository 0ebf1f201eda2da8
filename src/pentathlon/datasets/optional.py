"""A table that may be absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset


class OptionalTableDataset(AbstractDataset[pd.DataFrame, pd.DataFrame | None]):
    """A table that loads as ``None`` where there is no file.

    It is a Parquet file, or a CSV file of the same name that ends in ``.csv``. The truth of a
    simulated retailer is such a table: real retailers have none.

    Parameters
    ----------
    filepath : str
    metadata : dict, optional
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> pd.DataFrame | None:
        """Load the table, or ``None``."""
        if self._filepath.is_file():
            return pd.read_parquet(self._filepath)
        if self._as_csv.is_file():
            return pd.read_csv(self._as_csv, dtype={"customer_id": "str"})
        return None

    def save(self, data: pd.DataFrame) -> None:
        """Write the table."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        data.to_parquet(self._filepath, index=False)

    def content_files(self) -> list[Path]:
        """Files that hold the table, for what must know whether it has changed."""
        return [self._filepath, self._as_csv]

    def _exists(self) -> bool:
        return self._filepath.is_file() or self._as_csv.is_file()

    @property
    def _as_csv(self) -> Path:
        return self._filepath.with_suffix(".csv")

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
