"""Where the Optuna studies of a model live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from pentathlon.errors import ParameterError
from pentathlon.models.tuning import StudyStore


class StudyStoreDataset(AbstractDataset[StudyStore, StudyStore]):
    """Hands a node the file in which its studies are kept, so that they can be continued.

    Trials must be written while a node runs, or an interruption would lose them; this is the one
    dataset whose content a node changes.

    Parameters
    ----------
    filepath : str
        SQLite file; made when the first trial is written.
    metadata : dict, optional
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> StudyStore:
        """Hand out the store."""
        return StudyStore(self._filepath)

    def save(self, data: StudyStore) -> None:
        """Refuse: trials are written by tuning itself."""
        raise ParameterError("A study store is read by tuning, which writes its trials itself.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}
