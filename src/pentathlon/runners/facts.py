"""What the result of a node depends on, as digests that can be compared and explained."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from kedro.io import AbstractDataset
from kedro.pipeline.node import Node

from pentathlon.runners.content import (
    Contents,
    UnknownContentError,
    is_ignored,
    is_memory,
    load_version,
    unwrap,
)
from pentathlon.runners.libraries import Libraries
from pentathlon.runners.reach import ProjectCode
from pentathlon.runners.source import analyse
from pentathlon.runners.state import Facts, State, Success
from pentathlon.runners.values import NoDigestError, digest, leaves
from pentathlon.runners.walk import WHOLE, Reached

_LENGTH = 20
_SECRET = "credentials"
_PICKLE = re.compile(r"pickle|joblib|dill", re.IGNORECASE)


def is_parameter(name: str) -> bool:
    """Whether a dataset's name is that of parameters."""
    return name == "parameters" or name.startswith("params:")


def bare(name: str) -> str:
    """Name of a dataset without the suffix that says how to read it (``@pandas``)."""
    return name.partition("@")[0]


def fingerprint(facts: Facts) -> str:
    """Digest of all that a result depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


@dataclass
class KnownFacts:
    """What is known about a node before it runs.

    Attributes
    ----------
    facts : dict
        Everything but what its inputs hold.
    paths : dict of Path to str
        Files of its code, with a mark that changes when they do.
    obstacles : list of str
        Why it can never be skipped.
    """

    facts: Facts = field(default_factory=dict)
    paths: dict[Path, str] = field(default_factory=dict)
    obstacles: list[str] = field(default_factory=list)


def mark_of(path: Path) -> str:
    """What changes when a file does."""
    try:
        found = path.stat()
    except OSError:
        return "gone"
    return f"{found.st_mtime_ns} {found.st_ctime_ns} {found.st_size}"


class Inquiry:
    """Finds out what results of nodes depend on.

    Parameters
    ----------
    catalog
        The run's catalog.
    state : State
    packages : iterable of str
        Packages whose code is the project's wherever it is installed.
    """

    def __init__(self, catalog: Any, state: State, packages: set[str]) -> None:
        self._catalog = catalog
        self._state = state
        self._packages = packages
        self.contents = Contents(state)
        self._code = ProjectCode(state.kept, packages)
        self._libraries = Libraries(state.kept)
        self._made: dict[str, tuple[str, str]] = {}
        self._datasets: dict[str, tuple[dict[str, str], Reached, list[str]]] = {}

    def made(self, success: Success) -> None:
        """Take note of what a success wrote."""
        for name, output in success.outputs.items():
            key = output["path"] or f"dataset {bare(name)}"
            self._made[key] = (output["digest"], success.fingerprint)

    def dataset(self, name: str) -> AbstractDataset[Any, Any]:
        """Get a dataset of the catalog."""
        found: AbstractDataset[Any, Any] = self._catalog.get(name, fallback_to_runtime_pattern=True)
        return found

    def known(self, node: Node) -> KnownFacts:
        """Find out all but what the inputs hold."""
        known = KnownFacts()
        wiring = {
            "inputs": _text(node._inputs),
            "outputs": _text(node._outputs),
        }
        known.facts["wiring"] = wiring
        symbols, libraries = set(), set()
        values: dict[str, Any] = {}
        for name in filter(is_parameter, node.inputs):
            for leaf, value in leaves(self._catalog.load(name)).items():
                values[f"{name} {leaf}".strip()] = value
                if hasattr(type(value), "model_fields"):
                    values[f"{name} {leaf} (type)"] = type(value)
        parameters = known.facts["parameters"] = {}
        for name, value in {"function": node.func, **values}.items():
            try:
                found = digest(value, self._code)
            except NoDigestError as error:
                known.obstacles.append(f"{name} cannot be compared: {error}")
                continue
            (wiring if name == "function" else parameters)[name] = found.digest[:_LENGTH]
            symbols |= found.symbols
            libraries |= found.libraries
        catalog = known.facts["catalog"] = {}
        beside = Reached()
        for name in sorted({*node.inputs, *node.outputs}):
            if not is_parameter(name):
                config, reached, obstacles = self._described(name)
                catalog.update(config)
                beside.add(reached)
                known.obstacles += obstacles
        if any(_PICKLE.search(text) for text in self._types(node)):
            symbols |= self._all_code(node)
        reached = self._code.search(symbols)
        versions = self._libraries.versions(reached.libraries | libraries, needs=True)
        versions |= self._libraries.versions(beside.libraries, needs=False)
        reached.add(beside)
        known.facts["code"] = reached.code
        known.facts["libraries"] = versions | {"python": sys.version.split()[0]}
        known.facts["variables"] = {
            name: _short(os.environ.get(name)) for name in sorted(reached.variables)
        }
        known.paths = {path: mark_of(path) for path in reached.paths}
        return known

    def inputs(self, node: Node, made_here: Mapping[str, str]) -> dict[str, str]:
        """Find out what a node's inputs hold.

        Parameters
        ----------
        node : Node
        made_here : mapping of str to str
            For datasets in memory that a node of this run makes: that node's fingerprint.

        Returns
        -------
        dict
            By dataset: the digest of its content, and the fingerprint of the node that wrote it
            if that is on record. A pickle may hold the same bytes and yet mean something else
            after the code of its class has changed: the fingerprint tells.

        Raises
        ------
        UnknownContentError, NoDigestError
            If some content cannot be compared.
        """
        found: dict[str, str] = {}
        for name in node.inputs:
            if is_parameter(name):
                continue
            dataset = self.dataset(name)
            if is_memory(dataset):
                maker = made_here.get(bare(name))
                content = maker if maker is not None else self._in_memory(name, dataset)
                found[name] = f"memory {content[:_LENGTH]}"
                continue
            held = self.contents.held(dataset, load_version(dataset))
            key = self.placed(held.path) or f"dataset {bare(name)}"
            content, maker = self._made.get(key, ("", ""))
            by = maker[:_LENGTH] if content == held.digest else "-"
            found[name] = f"{held.digest[:_LENGTH]} {by}"
        return found

    def placed(self, path: str) -> str:
        """Write a path below the folder of the state so that the folder can be moved."""
        home = self._state.path.parent
        text = path.replace(os.sep, "/")
        for folder in {home.as_posix(), home.resolve().as_posix()}:
            if text.startswith(f"{folder}/"):
                return "{here}" + text[len(folder) :]
        return text

    def _in_memory(self, name: str, dataset: AbstractDataset[Any, Any]) -> str:
        if not dataset.exists():
            return "empty"
        return digest(self._catalog.load(name), self._code).digest

    def _types(self, node: Node) -> list[str]:
        """Classes of a node's inputs, with what says how they store."""
        found = []
        for name in node.inputs:
            if not is_parameter(name):
                dataset = unwrap(self.dataset(name))
                if not is_memory(dataset):
                    found.append(f"{type(dataset).__name__} {getattr(dataset, '_backend', '')}")
        return found

    def _all_code(self, node: Node) -> set[tuple[str, str]]:
        """All of the project's code: a pickle may hold objects of any class."""
        module = str(getattr(node.func, "__module__", None) or "")
        tops = {module.partition(".")[0], *self._packages}
        return {
            (name, WHOLE)
            for top in tops
            if self._code.is_project(top)
            for name in self._code.all_modules(top)
        }

    def _described(self, name: str) -> tuple[dict[str, str], Reached, list[str]]:
        """Digests of a catalog entry, the code behind it, and what stands in the way."""
        if name not in self._datasets:
            self._datasets[name] = self._describe(name)
        return self._datasets[name]

    def _describe(self, name: str) -> tuple[dict[str, str], Reached, list[str]]:
        dataset = self.dataset(name)
        config: dict[str, Any] = {"type": _class_name(type(dataset))}
        if not is_memory(dataset):
            config = dict(dataset._init_config())
            config["versioned"] = bool(config.get("versioned", False))
        validator = getattr(self._catalog, "validators", {}).get(name)
        if validator is not None:
            enabled = getattr(self._catalog, "_is_validation_enabled", lambda: True)()
            config["validator"] = {"spec": validator, "enabled": enabled}
        described: dict[str, str] = {}
        symbols = set()
        obstacles = []
        texts = []
        for leaf, value in leaves(_plain(config)).items():
            if isinstance(value, str) and leaf != "type":
                texts.append(value)
            placed = self.placed(str(value)) if isinstance(value, str | PurePath) else value
            try:
                found = digest(placed, self._code)
            except NoDigestError as error:
                obstacles.append(f"catalog entry {name}: {leaf} cannot be compared: {error}")
                continue
            described[f"{name}: {leaf}"] = found.digest[:_LENGTH]
            symbols |= found.symbols
        named = {target for text in texts for target in self._code.named(text)}
        reached = self._code.search(named | symbols)
        kinds = {type(dataset), type(unwrap(dataset))}
        own = {(k.__module__, k.__qualname__.partition(".")[0]) for k in kinds}
        # What the entry names is what its class will look for.
        reached.add(self._code.search(filter(self._is_ours, own), excused=bool(named)))
        for kind in kinds:
            if not self._code.is_project(kind.__module__):
                reached.libraries |= self._imports_of(kind)
        return described, reached, obstacles

    def _is_ours(self, symbol: tuple[str, str]) -> bool:
        return self._code.is_project(symbol[0])

    def _imports_of(self, kind: type) -> set[str]:
        """First parts of what the module of a class outside the project imports."""
        module = sys.modules.get(kind.__module__)
        file = getattr(module, "__file__", None)
        found = {kind.__module__.partition(".")[0]}
        if file is not None and file.endswith(".py"):
            source = Path(file).read_bytes()
            mark = hashlib.sha256(source).hexdigest()
            facts = self._state.kept(
                f"imports {kind.__module__} {mark}",
                lambda: analyse(source, kind.__module__, file.endswith("__init__.py"))["imported"],
            )
            found |= {name.partition(".")[0] for name in facts}
        return found


def check_contents(inquiry: Inquiry, node: Node) -> list[str]:
    """Say of which inputs and outputs nobody can tell whether they have changed."""
    found = []
    for name in dict.fromkeys((*node.inputs, *node.outputs)):
        if is_parameter(name):
            continue
        dataset = inquiry.dataset(name)
        if is_memory(dataset) or is_ignored(dataset):
            continue
        try:
            Contents._path(unwrap(dataset), None)
        except UnknownContentError as error:
            inner = unwrap(dataset)
            if not (hasattr(inner, "content_fingerprint") or hasattr(inner, "content_files")):
                found.append(f"{name}: {error}")
    return found


def _plain(value: Any) -> Any:
    """A catalog entry without what is secret and what is for people."""
    if isinstance(value, AbstractDataset):
        return _plain(value._init_config())
    if isinstance(value, Mapping):
        return {
            str(key): _plain(item)
            for key, item in value.items()
            if key not in {_SECRET, "metadata", "version"}
        }
    return value


def _class_name(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _text(wired: Any) -> str:
    return json.dumps(wired)


def _short(value: str | None) -> str:
    return "unset" if value is None else hashlib.sha256(value.encode()).hexdigest()[:_LENGTH]
