"""Which code of the project a function reaches, found in sources without running anything.

Names are followed from statement to statement: a function to the helpers that it calls, to the
constants that they use, to the modules from which those come. Where code is found by a name
that the source does not show (``import_module(name)``), strings that name modules of the project
are followed instead, and where there are none, all of the project's code counts.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pentathlon.runners.libraries import Kept
from pentathlon.runners.source import EFFECTS, Unit, analyse
from pentathlon.runners.walk import WHOLE, CodeSearch, Edges, Module, Reached, Symbol
from pentathlon.runners.where import data_files, find_top, locate

_NOTHING: Unit = {
    "digest": "", "names": [], "texts": [], "imports": [], "eager": [], "variables": [],
    "dynamic": False,
}  # fmt: skip


class ProjectCode:
    """The modules of the project, read as they are reached.

    Parameters
    ----------
    kept
        Keeps what is found out about a source, under a digest of the source.
    packages : iterable of str
        Packages that are the project's wherever they are installed.
    """

    def __init__(self, kept: Kept, packages: Iterable[str] = ()) -> None:
        self._kept = kept
        self._always = set(packages)
        self._modules: dict[str, Module | None] = {}
        self._tops: dict[str, tuple[list[Path], Path | None] | None] = {}
        self._edges: dict[Symbol, Edges] = {}
        self._ours: dict[str, bool] = {}
        self._searched: dict[tuple[frozenset[Symbol], bool], Reached] = {}
        self._acting: dict[str, tuple[list[Symbol], list[str]]] = {}
        self._folders: dict[Path, dict[str, tuple[Path, str]]] = {}

    def is_project(self, module: str | None) -> bool:
        """Whether a module's code is followed."""
        known = self._ours.get(module or "")
        if known is None:
            known = bool(module) and self._top(str(module).partition(".")[0]) is not None
            self._ours[module or ""] = known
        return known

    def module(self, name: str) -> Module | None:
        """Read a module of the project; None for any other."""
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def defines(self, module: str, name: str) -> bool:
        """Whether a module's source binds a name."""
        found = self.module(module)
        return found is not None and name in found.facts["units"]

    def search(self, roots: Iterable[Symbol], *, excused: bool = False) -> Reached:
        """Follow names from symbols.

        Parameters
        ----------
        roots : iterable of (module, name)
        excused : bool
            Whether code that finds other code by name is no reason to count all code: what it
            will find is known and among the roots.

        Returns
        -------
        Reached
        """
        start = frozenset(roots)
        if (start, excused) not in self._searched:
            walk = CodeSearch(self)
            walk.symbols(start)
            if walk.dynamic and not excused:
                for top in sorted({module.partition(".")[0] for module in walk.dynamic}):
                    walk.symbols((name, WHOLE) for name in self.all_modules(top))
            self._searched[start, excused] = walk.result()
        found = Reached()
        found.add(self._searched[start, excused])
        return found

    def all_modules(self, top: str) -> Iterator[str]:
        """Names of all modules of a package of the project."""
        found = self._top(top)
        if found is None:
            return
        folders, file = found
        if file is not None:
            yield top
        for folder in folders:
            for path in sorted(folder.rglob("*.py")):
                parts = path.relative_to(folder).with_suffix("").parts
                name = [top, *(parts[:-1] if parts[-1] == "__init__" else parts)]
                if all(part.isidentifier() for part in name):
                    yield ".".join(name)

    def edges(self, symbol: Symbol) -> Edges:
        """Where a symbol leads."""
        if symbol not in self._edges:
            self._edges[symbol] = self._find_edges(symbol)
        return self._edges[symbol]

    def unit(self, symbol: Symbol) -> Unit:
        """What a symbol's source says."""
        module = self.module(symbol[0])
        unit: Unit = module.facts["units"].get(symbol[1], _NOTHING) if module else _NOTHING
        return unit

    def on_import(self, name: str) -> tuple[list[Symbol], list[str]]:
        """What counts once a module is imported, and what it imports in turn.

        What counts are statements that do more than bind a name, and what is decorated, or
        made, by a function of the project: it may have been put on a list.

        Returns
        -------
        symbols : list of (module, name)
        modules : list of str
            Modules of the project, the package above among them.
        """
        if name not in self._acting:
            self._acting[name] = self._find_acting(name)
        return self._acting[name]

    def _find_acting(self, name: str) -> tuple[list[Symbol], list[str]]:
        above = name.rpartition(".")[0]
        modules = [above] if above and self.is_project(above) else []
        module = self.module(name)
        if module is None:
            return [], modules
        acting = [(name, EFFECTS)] if EFFECTS in module.facts["units"] else []
        for bound, unit in module.facts["units"].items():
            for called in unit["eager"] if bound != EFFECTS else ():
                if self._resolve(name, called)[0]:
                    acting.append((name, bound))
                    break
        return acting, modules + [t for t in module.facts["imported"] if self.is_project(t)]

    def package_files(self, module: Module) -> dict[str, tuple[Path, str]]:
        """Files beside a package's sources: templates, tables, compiled extensions."""
        folder = module.path.parent
        if folder not in self._folders:
            found = {}
            if (folder / "__init__.py").is_file():
                package = module.name if module.is_package else module.name.rpartition(".")[0]
                for path in data_files(folder):
                    key = f"{package}/{path.relative_to(folder).as_posix()}"
                    found[key] = (path, hashlib.sha256(path.read_bytes()).hexdigest()[:20])
            self._folders[folder] = found
        return self._folders[folder]

    def _top(self, name: str) -> tuple[list[Path], Path | None] | None:
        """Folders and file of a top-level module of the project."""
        if name not in self._tops:
            self._tops[name] = find_top(name, always=name in self._always)
        return self._tops[name]

    def _read(self, name: str) -> Module | None:
        found = self._top(name.partition(".")[0])
        if found is None:
            return None
        folders, file = found
        path, is_package = locate(name, folders, file)
        if path is None:
            return None
        source = path.read_bytes()
        digest = hashlib.sha256(source).hexdigest()
        version = ".".join(map(str, sys.version_info[:2]))
        try:
            facts = self._kept(
                f"source {name} {is_package} {version} {digest}",
                lambda: analyse(source, name, is_package),
            )
        except (SyntaxError, ValueError):  # it cannot be imported either; its text stands for it
            facts = {
                "units": {EFFECTS: {**_NOTHING, "digest": digest[:20], "dynamic": True}},
                "imports": {}, "stars": [], "imported": [],
            }  # fmt: skip
        return Module(name, path, is_package, facts, digest)

    def _find_edges(self, symbol: Symbol) -> Edges:
        module, name = symbol
        unit = self.unit(symbol)
        symbols: set[Symbol] = set()
        modules: set[str] = set()
        libraries: set[str] = set()
        local = {alias: (target, attribute) for target, attribute, alias in unit["imports"]}
        for target, attribute, alias in unit["imports"]:
            modules.add(target)
            if not self.is_project(target):
                libraries.add(target.partition(".")[0])
            elif attribute == "*" or not alias:
                symbols.add((target, WHOLE))
        for used in unit["names"]:
            found, outside = self._resolve(module, used, local)
            symbols |= found
            libraries |= outside
        strings_lead = False
        for text in unit["texts"]:
            named = self.named(text)
            symbols |= named
            strings_lead |= bool(named)
            if text.isidentifier() and text != name and self.defines(module, text):
                symbols.add((module, text))
        symbols.discard(symbol)
        return Edges(frozenset(symbols), frozenset(modules), frozenset(libraries), strings_lead)

    def _resolve(
        self, module: str, dotted: str, local: dict[str, tuple[str, str | None]] | None = None
    ) -> tuple[set[Symbol], set[str]]:
        """Find what a dotted name stands for in a module: symbols, or libraries outside."""
        first, *rest = dotted.split(".")
        found: set[Symbol] = set()
        outside: set[str] = set()
        facts = self.module(module)
        if facts is None:
            return found, outside
        if first in facts.facts["units"]:
            found.add((module, first))
        imported = [i for i in ((local or {}).get(first), facts.facts["imports"].get(first)) if i]
        for target, attribute in imported:
            if not self.is_project(target):
                outside.add(str(target).partition(".")[0])
                continue
            path = [*([attribute] if attribute else []), *rest]
            found |= self.member(str(target), path)
        if not found and not imported:
            for star in facts.facts["stars"]:
                if not self.is_project(star):
                    outside.add(star.partition(".")[0])
                elif self._has(star, first):
                    found |= self.member(star, [first, *rest])
        return found, outside

    def _has(self, module: str, name: str) -> bool:
        facts = self.module(module)
        return facts is not None and (
            name in facts.facts["units"]
            or name in facts.facts["imports"]
            or any(self._has(star, name) for star in facts.facts["stars"] if star != module)
        )

    def member(self, module: str, path: list[str], depth: int = 0) -> set[Symbol]:
        """Find what `module.a.b` stands for; the whole module where that cannot be told."""
        facts = self.module(module)
        if facts is None or depth > 50:
            return {(module, WHOLE)} if facts is not None else set()
        if not path:
            return {(module, WHOLE)}
        name = path[0]
        found: set[Symbol] = set()
        if name in facts.facts["units"]:
            found.add((module, name))
        if name in facts.facts["imports"]:
            target, attribute = facts.facts["imports"][name]
            # The module that passes a name on is part of the way.
            found.add((module, EFFECTS))
            if self.is_project(target):
                further = [*([attribute] if attribute else []), *path[1:]]
                if (target, further[:1]) != (module, path[:1]):
                    found |= self.member(target, further, depth + 1)
        if self.module(f"{module}.{name}") is not None and (
            not found or found == {(module, EFFECTS)}
        ):
            return found | self.member(f"{module}.{name}", path[1:], depth + 1)
        for star in facts.facts["stars"] if not found else ():
            if self._has(star, name):
                found |= self.member(star, path, depth + 1)
        # A module may make its names when they are asked for.
        return found or {(module, WHOLE)}

    def named(self, text: str) -> set[Symbol]:
        """What a string like ``package.module.Class`` names, if it is code of the project."""
        top = text.partition(".")[0].partition(":")[0]
        if top == text or not self.is_project(top):
            return set()
        if text.endswith((".", ":")):  # the beginning of a name: everything below counts
            stem = text[:-1]
            if self.module(stem) is None:
                return set()
            names = (n for n in self.all_modules(top) if n == stem or n.startswith(f"{stem}."))
            return {(name, WHOLE) for name in names}
        parts = text.replace(":", ".").split(".")
        for length in range(len(parts), 0, -1):
            module = ".".join(parts[:length])
            if self.module(module) is not None:
                if length == 1 and not self._has(module, parts[1]):
                    return set()
                return self.member(module, parts[length:])
        return set()
