"""Which installed distribution a module comes from, in which version, and what that needs."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

Kept = Callable[[str, Callable[[], Any]], Any]
"""Gives what is kept under a key, or makes it and keeps it."""


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _listing() -> list[str]:
    """Folders of metadata of everything that is installed; their names have the versions."""
    found: list[str] = []
    for place in dict.fromkeys(sys.path):
        folder = Path(place or ".")
        if folder.is_dir():
            endings = (".dist-info", ".egg-info")
            found += [str(p) for p in sorted(folder.iterdir()) if p.name.endswith(endings)]
    return found


class Libraries:
    """Versions of installed distributions.

    To ask which distribution a module comes from takes half a second for a hundred of them, so
    the answer is kept until a distribution comes, goes or changes its version.

    Parameters
    ----------
    kept
        Where answers are kept.
    """

    def __init__(self, kept: Kept) -> None:
        mark = hashlib.sha256("\n".join(_listing()).encode()).hexdigest()
        facts = kept(f"libraries {mark}", _installed)
        self._versions: dict[str, str] = facts["versions"]
        self._needs: dict[str, list[str]] = facts["needs"]
        self._modules: dict[str, list[str]] = facts["modules"]

    def versions(self, modules: Iterable[str], *, needs: bool) -> dict[str, str]:
        """Versions of the distributions behind modules.

        Parameters
        ----------
        modules : iterable of str
            First parts of modules' names; those of the standard library are left out.
        needs : bool
            Whether what the distributions need counts, too.

        Returns
        -------
        dict
            Version by distribution; ``unknown`` for a module of no distribution.
        """
        found: dict[str, str] = {}
        queue: list[str] = []
        for module in modules:
            if module in sys.stdlib_module_names:
                continue
            names = self._modules.get(module)
            if names:
                queue += names
            else:
                found[module] = "unknown"
        while queue:
            name = queue.pop()
            if name not in found and name in self._versions:
                found[name] = self._versions[name]
                queue += self._needs.get(name, ()) if needs else ()
        return found


def _installed() -> dict[str, Any]:
    versions: dict[str, str] = {}
    needs: dict[str, list[str]] = {}
    for distribution in metadata.distributions():
        name = _canonical(distribution.name)
        if name in versions:  # hidden by one that comes earlier in the path
            continue
        versions[name] = distribution.version
        texts = [text for text in distribution.requires or () if "extra ==" not in text]
        needs[name] = [_canonical(re.split(r"[^\w.-]", text.strip())[0]) for text in texts]
    modules = {
        module: sorted({_canonical(name) for name in names})
        for module, names in metadata.packages_distributions().items()
    }
    return {"versions": versions, "needs": needs, "modules": modules}
