"""A dataset for objects that know how to save themselves into a folder."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version


def _is_folder(path: str) -> bool:
    # Not a lambda: ParallelRunner sends datasets to other processes.
    return Path(path).is_dir()


class ArtifactDataset(AbstractVersionedDataset[Any, Any]):
    """Saves through ``object.save(folder)`` and loads through ``Class.load(folder)``.

    Models keep their own native formats this way; nothing is pickled.

    Parameters
    ----------
    filepath : str
        Folder on the local file system.
    artifact : str
        Import path of the class, ``package.module.Class``. It is imported only when loading.
    version : Version, optional
    metadata : dict, optional
        For plugins such as Kedro-Viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        artifact: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.artifact = artifact
        self.metadata = metadata
        super().__init__(
            filepath=PurePosixPath(filepath),
            version=version,
            exists_function=_is_folder,
        )

    def load(self) -> Any:
        """Load the object from its folder."""
        module, name = self.artifact.rsplit(".", 1)
        return getattr(importlib.import_module(module), name).load(Path(self._get_load_path()))

    def save(self, data: Any) -> None:
        """Save the object; the folder appears only when it is complete."""
        target = Path(self._get_save_path())
        target.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(dir=target.parent, prefix=".incomplete-"))
        try:
            data.save(staging)
            if target.exists():
                shutil.rmtree(target)
            staging.chmod(0o755)
            staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _exists(self) -> bool:
        try:
            return Path(self._get_load_path()).is_dir()
        except Exception:  # a version that cannot be found is a dataset that does not exist
            return False

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "artifact": self.artifact, "version": self._version}
