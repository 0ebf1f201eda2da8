"""One search for what code reaches, from symbol to symbol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pentathlon.runners.source import ModuleFacts, Unit

Symbol = tuple[str, str]
"""A module and a name in it."""

WHOLE = "*"
"""As a symbol's name: all names of the module."""


@dataclass(frozen=True)
class Module:
    """A module of the project: where it is, and what its source says."""

    name: str
    path: Path
    is_package: bool
    facts: ModuleFacts
    digest: str


@dataclass
class Reached:
    """What a search found.

    Attributes
    ----------
    code : dict
        Digest by ``module:name``, and by path for files that belong to packages.
    libraries : set of str
        First parts of the names of modules outside the project.
    variables : set of str
        Variables of the environment that the code reads.
    paths : set of Path
        Files of the code.
    """

    code: dict[str, str] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    variables: set[str] = field(default_factory=set)
    paths: set[Path] = field(default_factory=set)

    def add(self, other: Reached) -> None:
        """Take in what another search found."""
        self.code |= other.code
        self.libraries |= other.libraries
        self.variables |= other.variables
        self.paths |= other.paths


@dataclass(frozen=True)
class Edges:
    """Where one symbol leads."""

    symbols: frozenset[Symbol]
    modules: frozenset[str]
    libraries: frozenset[str]
    strings_lead: bool


class Code(Protocol):
    """What a search must know of the project's code; see `ProjectCode`."""

    def is_project(self, module: str | None) -> bool:
        """Whether a module's code is followed."""

    def module(self, name: str) -> Module | None:
        """Read a module of the project."""

    def edges(self, symbol: Symbol) -> Edges:
        """Where a symbol leads."""

    def unit(self, symbol: Symbol) -> Unit:
        """What a symbol's source says."""

    def on_import(self, name: str) -> tuple[list[Symbol], list[str]]:
        """What counts once a module is imported, and what it imports in turn."""

    def member(self, module: str, path: list[str]) -> set[Symbol]:
        """What `module.a.b` stands for."""

    def package_files(self, module: Module) -> dict[str, tuple[Path, str]]:
        """Files beside a package's sources."""


class CodeSearch:
    """One search."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._seen: set[Symbol] = set()
        self._imported: set[str] = set()
        self._libraries: set[str] = set()
        self.dynamic: set[str] = set()

    def symbols(self, roots: Iterable[Symbol]) -> None:
        """Follow names from further symbols."""
        queue = list(roots)
        dynamic: set[str] = set()
        leading: set[str] = set()
        while queue:
            symbol = queue.pop()
            if symbol in self._seen:
                continue
            self._seen.add(symbol)
            module, name = symbol
            queue += self._import(module)
            if name == WHOLE:
                found = self._code.module(module)
                queue += [(module, bound) for bound in found.facts["units"]] if found else []
                # What it passes on from other modules of the project is part of it.
                queue += self._passed_on(found) if found else []
                continue
            edges = self._code.edges(symbol)
            queue += edges.symbols
            for target in edges.modules:
                queue += self._import(target)
            self._libraries |= edges.libraries
            if edges.strings_lead:
                leading.add(module)
            if self._code.unit(symbol)["dynamic"]:
                dynamic.add(module)
        self.dynamic |= dynamic - leading

    def result(self) -> Reached:
        """Sum up what has been found."""
        reached = Reached(libraries=set(self._libraries))
        for symbol in self._seen:
            unit = self._code.unit(symbol)
            if unit["digest"]:
                module, name = symbol
                reached.code[f"{module}:{name or '(import)'}"] = unit["digest"]
                reached.variables.update(unit["variables"])
        for name in {module for module, _ in self._seen}:
            found = self._code.module(name)
            if found is not None:
                reached.paths.add(found.path)
                for key, (path, digest) in self._code.package_files(found).items():
                    reached.code[key] = digest
                    reached.paths.add(path)
                for target in found.facts["imported"]:
                    if not self._code.is_project(target):
                        reached.libraries.add(target.partition(".")[0])
        return reached

    def _import(self, name: str) -> list[Symbol]:
        """What counts because a module, and with it the packages above it, is imported."""
        acting: list[Symbol] = []
        queue = [name]
        while queue:
            module = queue.pop()
            if module not in self._imported:
                self._imported.add(module)
                symbols, further = self._code.on_import(module)
                acting += symbols
                queue += further
        return acting

    def _passed_on(self, module: Module) -> list[Symbol]:
        passed: list[Symbol] = []
        for target, attribute in module.facts["imports"].values():
            if attribute is not None and self._code.is_project(target):
                passed += [
                    symbol
                    for symbol in self._code.member(target, [attribute])
                    if symbol[1] != WHOLE
                ]
        return passed
