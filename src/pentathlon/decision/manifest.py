"""The manifest of a saved engine: what it says, and whether the files are still those it lists."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pentathlon.errors import ArtifactError

FORMAT = 5
NO_BLEND, NO_LEADS = 3, 4
"""Formats that knew no blend of contrasts, and no leads: they decide as if there were none."""
MANIFEST = "manifest.json"
LIBRARIES = {
    "pentathlon": ("pentathlon",),
    "scikit-learn": ("scikit-learn",),
    "xgboost": ("xgboost-cpu", "xgboost"),
    "keras": ("keras",),
    "numpy": ("numpy",),
}
"""Libraries that an engine's files depend on, and the distributions that may provide them."""


def library_versions() -> dict[str, str]:
    """Versions of the libraries that an engine's files depend on."""
    found = {}
    for library, distributions in LIBRARIES.items():
        for distribution in distributions:
            try:
                found[library] = version(distribution)
                break
            except PackageNotFoundError:
                continue
    return found


def folder_hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder but its manifest, by relative POSIX path."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / MANIFEST
    }


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest's content, its own digest left out."""
    content = {key: value for key, value in manifest.items() if key != "digest"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a manifest, refusing one that is missing, incomplete, changed or of another format."""
    path = folder / MANIFEST
    if not path.is_file():
        raise ArtifactError(f"{folder.name} is not a decision engine: it has no {MANIFEST}.")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"The engine's {MANIFEST} is not valid JSON: {error}.") from error
    if not isinstance(manifest, dict):
        raise ArtifactError(f"The engine's {MANIFEST} is not valid: it is no JSON object.")
    if manifest.get("format") not in (NO_BLEND, NO_LEADS, FORMAT):
        raise ArtifactError(
            f"The engine has format {manifest.get('format')}, this version reads formats "
            f"{NO_BLEND} to {FORMAT}. "
            "Load it with the version of Pentathlon that saved it, or train it again."
        )
    required = {
        *("policy", "messages", "features", "design", "shrinkage", "models", "sha256", "digest"),
    }
    if manifest["format"] > NO_BLEND:
        required.add("blend")
    if manifest["format"] > NO_LEADS:
        required.add("leads")
    missing = sorted(required - set(manifest))
    if missing:
        raise ArtifactError(f"The engine's {MANIFEST} lacks {missing}; it is incomplete.")
    if manifest["digest"] != manifest_digest(manifest):
        raise ArtifactError(
            f"The engine was changed after it was saved: its {MANIFEST} is not the one that was "
            "written. Do not use it; copy it again from where it was made, or train it again."
        )
    return manifest


def check_hashes(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a folder whose files are not those of the manifest."""
    found, expected = folder_hashes(folder), manifest["sha256"]
    missing = sorted(set(expected) - set(found))
    extra = sorted(set(found) - set(expected))
    altered = sorted(p for p in set(found) & set(expected) if found[p] != expected[p])
    for what, paths in (("missing", missing), ("unexpected", extra), ("altered", altered)):
        if paths:
            raise ArtifactError(
                f"The engine was changed after it was saved: {what} files {paths}. "
                "Do not use it; copy it again from where it was made, or train it again."
            )


def check_versions(manifest: Mapping[str, Any]) -> None:
    """Minor releases of model libraries change file formats; patches do not."""
    here = library_versions()
    clashes = [
        f"{library} {saved} (here {here.get(library, 'not installed')})"
        for library, saved in manifest.get("versions", {}).items()
        if library not in {"pentathlon", "numpy"}
        and here.get(library, "").split(".")[:2] != saved.split(".")[:2]
    ]
    if clashes:
        raise ArtifactError(
            f"The engine was saved with {', '.join(clashes)}. Install those versions, or train "
            "it again with the ones installed."
        )
