"""A table that may be absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset


class OptionalTableDataset(AbstractDataset[pd.DataFrame, pd.DataFrame | None]):
    """A Parquet table that loads as ``None`` where there is no file.

    The truth of a simulated retailer is such a table: real retailers have none.

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
        return pd.read_parquet(self._filepath) if self._filepath.is_file() else None

    def save(self, data: pd.DataFrame) -> None:
        """Write the table."""
        self._filepath.parent.mkdir(parents=True, exist_ok=True)
        data.to_parquet(self._filepath, index=False)

    def _exists(self) -> bool:
        return self._filepath.is_file()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
