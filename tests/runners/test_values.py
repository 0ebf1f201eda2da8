"""What a value is known by: what it holds and what it does, and nothing else."""

import functools
import json
import math
import random
import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from pentathlon.runners.values import Digested, NoDigestError, digest, leaves


class Code:
    """A project whose code is that of one module."""

    def __init__(self, module: str = "mine", names: tuple[str, ...] = ()) -> None:
        self.mine, self.names = module, names

    def is_project(self, module: str | None) -> bool:
        return module == self.mine

    def defines(self, module: str, name: str) -> bool:
        return module == self.mine and name in self.names


def known(value: Any, code: Code | None = None) -> Digested:
    return digest(value, code or Code())


def same(one: Any, other: Any) -> bool:
    return known(one).digest == known(other).digest


class Settings(BaseModel):
    share: float = 0.1
    names: list[str] = []


def cycle(length: int) -> list[Any]:
    made: list[Any] = []
    inner = made
    for _ in range(length - 1):
        inner.append([])
        inner = inner[0]
    inner.append(made)
    return made


def written(source: str, name: str, module: str) -> Callable[..., Any]:
    """A function of a module that lies in no file."""
    space: dict[str, Any] = {"__name__": module, "json": json, "FACTOR": 2, "helper": len}
    exec(source, space)
    return space[name]


@pytest.mark.parametrize(
    ("one", "equal", "other"),
    [
        ({1, 2, 3}, {3, 2, 1}, {1, 2}),
        (frozenset("ab"), frozenset("ba"), frozenset("abc")),
        (PurePosixPath("a/b"), PurePosixPath("a") / "b", PurePosixPath("a/c")),
        (Settings(share=0.2), Settings(share=0.2), Settings(share=0.3)),
        (np.arange(4), np.arange(4), np.arange(4.0)),
        (np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((3, 2))),
        (
            np.array([{"a": 1}, None], dtype=object),
            np.array([{"a": 1}, None], dtype=object),
            np.array([{"a": 2}, None], dtype=object),
        ),
        (functools.partial(int, base=2), functools.partial(int, base=2), functools.partial(int)),
        (cycle(2), cycle(2), cycle(3)),
        ([1, "1"], [1, "1"], (1, "1")),
        (math.sqrt, math.sqrt, math.cos),
        ("a".join, "a".join, "b".join),
        (random.Random, random.Random, threading.Thread),
        (json, json, math),
        (lambda x: x + 1, lambda x: x + 1, lambda x: x + 2),
        (compile("1 + x", "", "eval"), compile("1 + x", "", "eval"), compile("2 + x", "", "eval")),
    ],
)
def test_equal_contents_are_known_as_the_same(one: Any, equal: Any, other: Any) -> None:
    assert same(one, equal)
    assert not same(one, other)


def test_a_set_and_its_frozen_twin_differ() -> None:
    assert not same({1}, frozenset({1}))


def test_what_lives_on_has_no_content() -> None:
    for value in (threading.Lock(), (x for x in range(3))):
        with pytest.raises(NoDigestError, match="has no lasting content"):
            known(value)
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(NoDigestError, match="nested too deeply"):
        known(deep)


def test_a_cached_function_is_known_by_the_function_in_it() -> None:
    def double(x: int) -> int:
        return 2 * x

    def triple(x: int) -> int:
        return 3 * x

    assert same(functools.cache(double), functools.cache(double))
    assert not same(functools.cache(double), functools.cache(triple))
    assert not same(functools.cache(double), double)
    assert same(staticmethod(double), staticmethod(double))
    assert not same(staticmethod(double), classmethod(double))


def test_functions_of_a_library_are_known_by_name_and_named() -> None:
    found = known(json.dumps)
    assert found.libraries == {"json"}
    assert not found.symbols
    assert not same(json.dumps, json.loads)


def test_what_the_source_says_is_left_to_the_source() -> None:
    code = Code(__name__, names=("Settings",))
    found = known(Settings(share=0.5), code)
    assert (__name__, "Settings") in found.symbols
    # A class that the source does not say is known by what is in it.
    one, other = (type("Made", (), {"of": n}) for n in (1, 2))
    assert known(one, Code(__name__)).digest != known(other, Code(__name__)).digest


def test_globals_of_a_function_without_a_file_are_followed() -> None:
    source = "def f(x):\n    import math\n    return helper(x) * FACTOR\n"
    f = written(source, "f", "mine")
    found = known(f)
    assert "math" in found.libraries
    changed = written(source, "f", "mine")
    changed.__globals__["FACTOR"] = 3
    assert known(changed).digest != found.digest
    # What the module's source defines is the source's to tell.
    told = known(f, Code("mine", names=("FACTOR",)))
    assert ("mine", "FACTOR") in told.symbols
    assert known(changed, Code("mine", names=("FACTOR",))).digest == told.digest
    own = written("def g():\n    import mine\n    return mine\n", "g", "mine")
    assert any(module == "mine" for module, _ in known(own).symbols)


def test_a_docstring_is_no_behaviour_and_a_text_in_use_is() -> None:
    one, other = (written(f'def f():\n    "{t}"\n    return 1\n', "f", "mine") for t in "ab")
    assert same(one, other)
    one, other = (written(f'def f():\n    return "{t}"\n', "f", "mine") for t in "ab")
    assert not same(one, other)


def test_an_empty_cell_is_no_reason_to_fail() -> None:
    def outer() -> Callable[[], Any]:
        def inner() -> Any:
            return later

        if inner is None:
            later = 1
        return inner

    assert same(outer(), outer())


def test_leaves_of_settings_have_dotted_paths_and_say_their_type_and_order() -> None:
    found = leaves({"a": Settings(share=0.2), "b": {"c": 1}, "d": {}})
    assert found["a.share"] == 0.2
    assert found["a (type)"].endswith("Settings")
    assert found["b.c"] == 1
    assert found["d"] == {}
    assert found["(keys)"] == ["a", "b", "d"]
    assert found["a (keys)"] == ["share", "names"]


def test_a_path_of_this_machine_is_a_path(tmp_path: Path) -> None:
    assert same(tmp_path, Path(str(tmp_path)))


def test_a_docstring_that_is_also_returned_counts() -> None:
    one, other = (written(f'def f():\n    "{t}"\n    return "{t}"\n', "f", "mine") for t in "ab")
    assert not same(one, other)


def test_an_object_of_which_there_is_one_is_known_by_its_name() -> None:
    class Only:
        def __init__(self, name: str) -> None:
            self.name = name

        def __reduce__(self) -> str:
            return self.name

    assert same(Only("NORTH"), Only("NORTH"))
    assert not same(Only("NORTH"), Only("SOUTH"))
