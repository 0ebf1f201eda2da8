"""What a module's source says about each of its names: a digest, and what the name refers to."""

from __future__ import annotations

import ast
import hashlib
import re
import threading
from collections.abc import Iterator
from typing import Any

EFFECTS = ""
"""Name under which a module keeps what runs when it is imported."""

_MAY_NAME_CODE = re.compile(r"[A-Za-z_]\w*(?:[.:][A-Za-z_]\w*)*[.:]?")
_LONGEST_TEXT = 200
# Calls that find code by a name which the source does not show.
_BARE_DYNAMIC = {"__import__", "eval", "exec", "globals"}
_DYNAMIC = {
    "import_module", "load_obj", "entry_points", "iter_modules", "walk_packages", "run_module",
    "run_path", "spec_from_file_location", "__subclasses__", "__init_subclass__",
}  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
_COMPOUND = (ast.If, ast.Try, ast.For, ast.While, ast.With, ast.Match)

# Up to Python 3.12, trees that are made in two threads at once upset each other's depth counter
# (SystemError: AST constructor recursion depth mismatch; CPython issue 106905).
_ONE_TREE_AT_A_TIME = threading.Lock()

Unit = dict[str, Any]
"""What stands behind one name; plain data, so that it can be kept as JSON.

`digest`, `names` (dotted names that it refers to), `texts` (strings that may name code),
`imports` (`[module, attribute or None, local name]` of imports inside functions), `eager` (names
that are called when the module is imported), `variables` (of the environment), `dynamic`
(whether it finds code by name).
"""
ModuleFacts = dict[str, Any]
"""`units` by name, `imports` by local name, `stars`, and the modules `imported` at import."""


def analyse(source: bytes, module: str, is_package: bool) -> ModuleFacts:
    """Take a module apart into the names that it binds.

    Parameters
    ----------
    source : bytes
    module : str
        Dotted name, against which relative imports are resolved.
    is_package : bool
        Whether the source is that of an ``__init__.py``.

    Returns
    -------
    dict
        See `ModuleFacts`. Comments, layout and docstrings leave no trace in it.

    Raises
    ------
    SyntaxError
        If the source is not Python.
    """
    with _ONE_TREE_AT_A_TIME:
        tree = ast.parse(source)
    if b"__doc__" not in source:
        _drop_texts(tree)
    reader = _Reader(module, is_package)
    for statement in _executed(tree.body):
        reader.read(statement)
    return reader.facts()


def _drop_texts(tree: ast.AST) -> None:
    """Take out strings that stand alone: docstrings."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [statement for statement in body if not _is_text(statement)]
            if len(kept) < len(body):
                node.body = kept or [ast.Pass()]  # type: ignore[attr-defined]


def _is_text(statement: ast.AST) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _executed(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Leave out what only type checkers see."""
    for statement in body:
        if isinstance(statement, ast.If) and _chain(statement.test) in {
            "TYPE_CHECKING",
            "typing.TYPE_CHECKING",
        }:
            yield from _executed(statement.orelse)
        elif not isinstance(statement, ast.Pass):
            yield statement


def _chain(node: ast.AST) -> str | None:
    """Dotted name of `a.b.c`; None for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else None


class _Reader:
    """Collects what the statements of one module bind and refer to."""

    def __init__(self, module: str, is_package: bool) -> None:
        self._package = module if is_package else module.rpartition(".")[0]
        self._bound: dict[str, list[ast.stmt]] = {EFFECTS: []}
        self._imports: dict[str, list[Any]] = {}
        self._stars: list[str] = []
        self._imported: list[str] = []

    def read(self, statement: ast.stmt) -> None:
        """Take in one statement of the module's own level."""
        names, acts = _binds(statement)
        for name in names:
            self._bound.setdefault(name, []).append(statement)
        if acts:
            self._bound[EFFECTS].append(statement)
        for node in _own_level(statement):
            for module, attribute, local in self._imports_of(node):
                self._imported.append(module)
                if attribute == "*":
                    self._stars.append(module)
                else:
                    self._imports[local] = [module, attribute]
                    if attribute is not None:
                        self._imported.append(f"{module}.{attribute}")

    def facts(self) -> ModuleFacts:
        """Sum up."""
        return {
            "units": {name: self._unit(body) for name, body in self._bound.items() if body},
            "imports": self._imports,
            "stars": self._stars,
            "imported": list(dict.fromkeys(self._imported)),
        }

    def _unit(self, statements: list[ast.stmt]) -> Unit:
        digest = hashlib.sha256()
        names: set[str] = set()
        texts: set[str] = set()
        imports: list[list[Any]] = []
        variables: set[str] = set()
        dynamic = 0
        for statement in statements:
            digest.update(ast.dump(statement, annotate_fields=False).encode())
            for node in _parts(statement):
                name = _chain(node)
                if name is not None:
                    names.add(name)
                    dynamic += name in _BARE_DYNAMIC or name.rpartition(".")[2] in _DYNAMIC
                elif module := _imported_by_call(node):
                    # It shows what it finds, so the name of the call counts for nothing.
                    imports.append([module, None, ""])
                    dynamic -= 1
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    if len(node.value) <= _LONGEST_TEXT and _MAY_NAME_CODE.fullmatch(node.value):
                        texts.add(node.value)
                elif isinstance(node, ast.Import | ast.ImportFrom):
                    imports += [list(found) for found in self._imports_of(node)]
                elif isinstance(node, _FUNCTIONS):
                    dynamic += node.name == "__init_subclass__"
                variables.update(_variable(node))
        return {
            "digest": digest.hexdigest()[:20],
            "names": sorted(names),
            "texts": sorted(texts),
            "imports": imports,
            "eager": sorted({n for statement in statements for n in _eager(statement)}),
            "variables": sorted(variables),
            "dynamic": dynamic > 0,
        }

    def _imports_of(self, node: ast.AST) -> Iterator[tuple[str, str | None, str]]:
        """Module, attribute and local name of what an import binds."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds `a`; `import a.b as c` binds the module a.b.
                top = alias.name.partition(".")[0]
                yield alias.name, None, alias.asname or top
                if alias.asname is None and top != alias.name:
                    yield top, None, top
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                above = self._package.split(".")
                kept = above[: len(above) - node.level + 1]
                module = ".".join([*kept, *([module] if module else [])])
            for alias in node.names:
                yield module, alias.name, alias.asname or alias.name


def _own_level(statement: ast.stmt) -> Iterator[ast.AST]:
    """Walk a statement without entering functions and classes."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        yield node
        if not isinstance(node, _SCOPES):
            stack.extend(ast.iter_child_nodes(node))


def _binds(statement: ast.stmt) -> tuple[set[str], bool]:
    """Names that a statement binds, and whether it does more than to bind them."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return {statement.name}, False
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return set(), False
    names: set[str] = set()
    acts = isinstance(statement, (ast.Expr, ast.Delete, ast.Assert, ast.Raise, *_COMPOUND))
    for node in _own_level(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            acts = True  # changes what another name stands for
    return names, acts


def _parts(statement: ast.stmt) -> Iterator[ast.AST]:
    """Walk a statement, giving dotted names as wholes."""
    stack: list[ast.AST] = [statement]
    while stack:
        node = stack.pop()
        yield node
        if not (isinstance(node, ast.Attribute) and _chain(node) is not None):
            stack.extend(ast.iter_child_nodes(node))


def _eager(statement: ast.stmt) -> Iterator[str]:
    """Names of what is called when the statement is executed: decorators, calls in assignments."""
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        found = [d.func if isinstance(d, ast.Call) else d for d in statement.decorator_list]
    else:
        found = [node.func for node in _own_level(statement) if isinstance(node, ast.Call)]
    for node in found:
        name = _chain(node)
        if name is not None:
            yield name


def _imported_by_call(node: ast.AST) -> str | None:
    """Module that `import_module("a.b")` imports, where the source says which."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    called = (_chain(node.func) or "").rpartition(".")[2]
    first = node.args[0]
    if called in {"import_module", "__import__"} and isinstance(first, ast.Constant):
        module = first.value
        return module if isinstance(module, str) and not module.startswith(".") else None
    return None


def _variable(node: ast.AST) -> Iterator[str]:
    """Name of the environment variable that an expression reads."""
    key: ast.AST | None = None
    if isinstance(node, ast.Subscript) and (_chain(node.value) or "").endswith("environ"):
        key = node.slice
    elif isinstance(node, ast.Call) and node.args:
        called = _chain(node.func) or ""
        if called.endswith(("getenv", "environ.get")):
            key = node.args[0]
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        yield key.value
