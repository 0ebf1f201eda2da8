"""A retailer's raw tables: where they lie, and the key that their customers are hashed with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pentathlon.datasets.artifact import ArtifactDataset
from pentathlon.errors import DataError
from pentathlon.events.intake import RawEvents
from pentathlon.events.pseudonyms import PseudonymKey


class RawEventsDataset(ArtifactDataset):
    """Hands a node the folder of the raw tables; the node reads them piece by piece.

    Parameters
    ----------
    filepath : str
        Folder on the local file system.
    scratch : str
        Folder for work in progress; emptied whenever work begins.
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(
        self, *, filepath: str, scratch: str, metadata: dict[str, Any] | None = None
    ) -> None:
        super().__init__(
            filepath=filepath,
            artifact="pentathlon.events.folders.TableFolder",
            metadata=metadata,
        )
        self._scratch = Path(scratch)
        self._credentials: dict[str, Any] | None = None

    def use_credentials(self, credentials: Mapping[str, Any] | None) -> None:
        """Take the entry ``pseudonyms`` of the project's credentials.

        The catalog does not name it: Kedro would refuse to make any catalog without it, also
        for runs that read no raw table.
        """
        self._credentials = dict(credentials) if credentials else None

    def load(self) -> RawEvents:
        """Hand out the folder and the key."""
        folder = Path(self._get_load_path())
        if not folder.is_dir():
            raise DataError(
                f"There is no folder {folder} with raw tables. Put them there, or name another "
                "folder with --params raw_events=path/to/folder."
            )
        key = PseudonymKey.from_credentials(self._credentials) if self._credentials else None
        return RawEvents(folder, self._scratch, key)
