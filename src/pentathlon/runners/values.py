"""Digests of values: the same for equal values in every process, whatever they are made of."""

from __future__ import annotations

import functools
import hashlib
import inspect
import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Protocol

from pentathlon.runners.walk import WHOLE, Symbol

_CONSTANTS = (type(None), bool, int, float, complex, str, bytes, type(...), type(NotImplemented))
_BUILTIN = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)


class NoDigestError(Exception):
    """A value of which no digest can be made that would last."""


class Code(Protocol):
    """What must be known of the project's code; see `ProjectCode`."""

    def is_project(self, module: str | None) -> bool:
        """Whether a module is the project's."""

    def defines(self, module: str, name: str) -> bool:
        """Whether a module's source binds a name."""


@dataclass
class Digested:
    """Digest of a value, and the code that lives in it.

    Attributes
    ----------
    digest : str
    symbols : set of (module, name)
        Functions and classes of the project.
    libraries : set of str
        Top-level modules of other functions and classes.
    """

    digest: str = ""
    symbols: set[Symbol] = field(default_factory=set)
    libraries: set[str] = field(default_factory=set)


def digest(value: Any, code: Code) -> Digested:
    """Take the digest of a value.

    Functions and classes of modules are known by their names: their code is for the caller to
    follow. Functions that have no place in a module (lambdas, closures) are known by what they
    are made of: instructions, constants, defaults, what they enclose, the globals that they use.

    Parameters
    ----------
    value : object
    code : Code

    Returns
    -------
    Digested

    Raises
    ------
    NoDigestError
        For what has no lasting content: generators, locks, connections.
    """
    walk = _Walk(code)
    try:
        found = walk.value(value)
    except RecursionError as error:
        raise NoDigestError(f"a {type(value).__name__} is nested too deeply") from error
    return Digested(found, walk.symbols, walk.libraries)


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Take nested mappings and Pydantic models apart, with dotted paths as keys.

    The order of keys is a leaf, too: it is the order of columns as often as not.
    """
    plain = _fields(value) if not isinstance(value, Mapping) else value
    if plain is None or not plain:
        return {path: value}
    found: dict[str, Any] = {f"{path} (keys)".strip(): [str(key) for key in plain]}
    if not isinstance(value, Mapping):
        found[f"{path} (type)".strip()] = f"{type(value).__module__}.{type(value).__qualname__}"
    for key, item in plain.items():
        found.update(leaves(item, f"{path}.{key}" if path else str(key)))
    return found


def _fields(value: Any) -> dict[str, Any] | None:
    """Fields of a Pydantic model."""
    if isinstance(value, type) or not hasattr(type(value), "model_fields"):
        return None
    fields = {name: getattr(value, name) for name in type(value).model_fields}
    fields.update(getattr(value, "__pydantic_extra__", None) or {})
    private = getattr(value, "__pydantic_private__", None) or {}
    return fields | {name: item for name, item in private.items() if item is not None}


def _hash(kind: str, *parts: str | bytes) -> str:
    made = hashlib.sha256(kind.encode())
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        made.update(len(data).to_bytes(8, "little"))
        made.update(data)
    return made.hexdigest()


class _Walk:
    """One digest under way."""

    def __init__(self, code: Code) -> None:
        self._code = code
        self._done: dict[int, str] = {}
        self._open: dict[int, int] = {}
        self._alive: list[Any] = []
        self.symbols: set[Symbol] = set()
        self.libraries: set[str] = set()

    def value(self, value: Any) -> str:
        """Digest any value."""
        if isinstance(value, _CONSTANTS) and type(value) in _CONSTANTS:
            return _hash(type(value).__name__, repr(value))
        mark = id(value)
        if mark in self._done:
            return self._done[mark]
        if mark in self._open:  # a cycle: known by how far up it leads
            return _hash("cycle", str(len(self._open) - self._open[mark]))
        self._open[mark] = len(self._open)
        self._alive.append(value)  # or its id could come again
        try:
            made = self._made(value)
        finally:
            del self._open[mark]
        self._done[mark] = made
        return made

    def _all(self, kind: str, values: Iterable[Any]) -> str:
        return _hash(kind, *(self.value(value) for value in values))

    def _made(self, value: Any) -> str:
        kind = type(value)
        if kind in (list, tuple):
            made: str | None = self._all(kind.__name__, value)
        elif kind is dict:
            made = self._all("dict", (part for item in value.items() for part in item))
        elif kind in (set, frozenset):
            made = _hash(kind.__name__, *sorted(self.value(item) for item in value))
        elif isinstance(value, PurePath):
            made = _hash("path", value.as_posix())
        else:
            made = self._code_in(value)
        if made is not None:
            return made
        fields = _fields(value)
        if fields is not None:
            return _hash("model", self._named("class", kind), self.value(fields))
        return self._object(value)

    def _code_in(self, value: Any) -> str | None:
        """Digest a class, a module, a function; None for what is none of them."""
        if isinstance(value, type):
            return self._named("class", value)
        if isinstance(value, types.ModuleType):
            return self._module(value)
        if isinstance(value, types.CodeType):
            return self._instructions(value)
        if callable(value) or isinstance(value, staticmethod | classmethod):
            return self._callable(value)
        return None

    def _module(self, module: types.ModuleType) -> str:
        name = module.__name__
        if self._code.is_project(name):
            self.symbols.add((name, WHOLE))
        else:
            self.libraries.add(name.partition(".")[0])
        return _hash("module", name)

    def _named(self, kind: str, thing: Any) -> str:
        """Know a class or a function by its name, and leave its code to the caller."""
        module, name = str(thing.__module__), str(thing.__qualname__)
        top = name.partition(".")[0]
        if self._code.is_project(module) and self._code.defines(module, top):
            self.symbols.add((module, top))
            if "<locals>" not in name:
                return _hash(kind, module, name)
        elif not self._code.is_project(module) and module != "__main__":
            self.libraries.add(module.partition(".")[0])
            if "<locals>" not in name or isinstance(thing, type):
                return _hash(kind, module, name)
        if isinstance(thing, type):  # made by a function, or by hand: known by its members
            members = {
                key: member
                for key, member in vars(thing).items()
                if not isinstance(member, types.GetSetDescriptorType | types.MemberDescriptorType)
                and key not in {"__doc__", "__module__", "__firstlineno__", "__static_attributes__"}
            }
            return _hash(kind, name, self.value(members), self.value(thing.__bases__))
        return _hash(kind, module, name)

    def _callable(self, value: Any) -> str | None:
        """Digest a function in any of its guises; None for an object that can be called."""
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, types.MethodType):
            return _hash("method", self.value(value.__func__), self.value(value.__self__))
        if isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            return self._all("partial", parts)
        if isinstance(value, _BUILTIN):
            return self._builtin(value)
        for name in ("__func__", "__wrapped__"):  # static methods, functools.cache and its like
            inner = getattr(value, name, None)
            if callable(inner) and not isinstance(inner, type):
                return _hash("wrapped", type(value).__qualname__, self.value(inner))
        return None

    def _builtin(self, value: Any) -> str:
        owner = getattr(value, "__self__", None)
        module = str(getattr(value, "__module__", None) or "builtins")
        self.libraries.add(module.partition(".")[0])
        bound = "" if isinstance(owner, types.ModuleType) else self.value(owner)
        return _hash("builtin", module, value.__qualname__, bound)

    def _function(self, function: types.FunctionType) -> str:
        module, name = str(function.__module__), function.__qualname__
        if "<" not in name and self._is_what_the_source_says(function):
            return self._named("function", function)
        if not self._code.is_project(module) and module not in {"__main__", "None"}:
            self.libraries.add(module.partition(".")[0])
            if "<" not in name and _attribute(function) is function:
                return _hash("function", module, name)
        parts = [self._instructions(function.__code__)]
        parts.append(self.value(function.__defaults__))
        parts.append(self.value(function.__kwdefaults__))
        for cell in function.__closure__ or ():
            try:
                parts.append(self.value(cell.cell_contents))
            except ValueError:  # a cell that is still empty
                parts.append("empty")
        inner = getattr(function, "__wrapped__", None)
        parts.append(self.value(inner) if inner is not None else "")
        parts += self._globals(function)
        return _hash("function", *parts)

    def _is_what_the_source_says(self, function: types.FunctionType) -> bool:
        """Whether the function can be followed in the source of its module."""
        module, top = str(function.__module__), function.__qualname__.partition(".")[0]
        if not self._code.is_project(module) or not self._code.defines(module, top):
            return False
        found = _attribute(function)
        return found is function or getattr(found, "__func__", None) is function

    def _globals(self, function: types.FunctionType) -> list[str]:
        """Digest the globals that a function without a place in a module uses."""
        module = str(function.__module__)
        known = self._code.is_project(module)
        parts = []
        for name in sorted(_names(function.__code__)):
            if name not in function.__globals__:
                continue
            if known and self._code.defines(module, name):
                self.symbols.add((module, name))
                parts.append(name)
            else:
                parts += [name, self.value(function.__globals__[name])]
        for imported in sorted(_imports(function.__code__)):
            if self._code.is_project(imported):
                self.symbols.add((imported, WHOLE))
            elif imported:
                self.libraries.add(imported.partition(".")[0])
        return parts

    def _instructions(self, code: types.CodeType) -> str:
        constants = code.co_consts
        if constants and isinstance(constants[0], str) and inspect.CO_NEWLOCALS & code.co_flags:
            constants = (None, *constants[1:])  # most likely the docstring; its place counts
            if code.co_consts[0] in _texts_in_use(code):
                constants = code.co_consts
        facts = (code.co_name, code.co_flags, code.co_argcount, code.co_posonlyargcount)
        names = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
        exceptions = getattr(code, "co_exceptiontable", b"")
        return self._all(
            "code",
            (facts, code.co_kwonlyargcount, code.co_code, names, exceptions, tuple(constants)),
        )

    def _object(self, value: Any) -> str:
        kind = self._named("class", type(value))
        dtype = getattr(value, "dtype", None)
        if type(value).__module__ == "numpy" and hasattr(value, "tobytes"):
            if getattr(dtype, "hasobject", False):
                return _hash("array", kind, str(dtype), self.value(value.tolist()))
            shape = str(getattr(value, "shape", ()))
            return _hash("array", kind, str(dtype), shape, value.tobytes())
        try:
            reduced = value.__reduce_ex__(4)
        except Exception as error:
            raise NoDigestError(f"a {type(value).__qualname__} has no lasting content") from error
        if isinstance(reduced, str):
            return _hash("global", kind, reduced)
        make, arguments, *rest = reduced
        parts = [kind, self.value(make), self.value(arguments)]
        for position, part in enumerate(rest):
            # The third and fourth are iterators over items of lists and dicts.
            parts.append(self.value(list(part) if position in {1, 2} and part else part))
        return _hash("object", *parts)


def _attribute(function: types.FunctionType) -> Any:
    """What the function's module has under the function's name."""
    import sys  # noqa: PLC0415

    found: Any = sys.modules.get(str(function.__module__))
    for part in function.__qualname__.split("."):
        found = vars(found).get(part) if hasattr(found, "__dict__") else None
    return found


def _nested(code: types.CodeType) -> Iterable[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _names(code: types.CodeType) -> set[str]:
    return {name for part in _nested(code) for name in part.co_names}


def _imports(code: types.CodeType) -> set[str]:
    import dis  # noqa: PLC0415

    return {
        str(step.argval)
        for part in _nested(code)
        for step in dis.get_instructions(part)
        if step.opname == "IMPORT_NAME"
    }


def _texts_in_use(code: types.CodeType) -> set[str]:
    """Strings that instructions load: a docstring is none of them."""
    import dis  # noqa: PLC0415

    return {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname.startswith(("LOAD_CONST", "RETURN_CONST", "KW_NAMES"))
        and isinstance(step.argval, str)
    }
