"""Code that changes: what it changes runs, and what follows."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from pentathlon.runners.source import analyse

EVERYTHING = ["clean", "fit", "judge"]


def test_the_first_run_runs_all_and_the_second_nothing(shop):
    assert shop.run() == EVERYTHING
    saved = {name: shop.newest(name) for name in ("cleaned", "model", "report")}
    assert shop.run() == []
    assert {name: shop.newest(name) for name in saved} == saved
    assert shop.catalog.load("report") == {"gain": 9.0}


CHANGES = {
    "a helper two imports away": ("deep.py", "value * RATE", "value * RATE * 1", EVERYTHING),
    "a constant three imports away": ("constants.py", "RATE = 2", "RATE = 3", EVERYTHING),
    "a method": ("helpers.py", "value + self.amount", "value + 2 * self.amount", EVERYTHING),
    "the constructor of a class": (
        "helpers.py", "self.amount = amount", "self.amount = amount + 1", EVERYTHING,
    ),
    "an argument inside a function": ("helpers.py", "Adder(1)", "Adder(2)", EVERYTHING),
    "the node's own function": ("nodes.py", "- raw[0]", "- raw[1]", ["judge"]),
    "a statement that acts on import": (
        "deep.py", "def beside", "scale.__defaults__ = None\n\ndef beside", EVERYTHING,
    ),
    "an import of the package": ("__init__.py", "", "print('hello')\n", EVERYTHING),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_runs_what_reaches_it_and_what_follows(shop, name):
    file, old, new, expected = CHANGES[name]
    shop.run()
    shop.change(file, old, new)
    assert shop.run() == expected
    assert shop.run() == []


def test_results_are_those_of_the_changed_code(shop):
    shop.run()
    shop.change("constants.py", "RATE = 2", "RATE = 5")
    shop.run()
    assert shop.catalog.load("cleaned") == [6, 11, 16]
    assert shop.catalog.load("report") == {"gain": 21.0}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("constants.py", "UNUSED = 1", "UNUSED = 2"),
        ("deep.py", "return values", "return list(values)"),
        ("deep.py", "def scale(values):", '# why\ndef scale(values):\n    """Say what."""'),
        ("nodes.py", "def fit(cleaned, settings):\n", "def fit(cleaned,\n        settings):\n\n"),
        ("pipe.py", "def create():", "def create():\n    unused = 1"),
    ],
)
def test_what_no_node_reaches_and_what_only_people_read_runs_nothing(shop, file, old, new):
    shop.run()
    shop.change(file, old, new)
    assert shop.run() == []


def test_a_changed_back_constant_runs_again_because_the_last_success_was_another(shop):
    shop.run()
    shop.change("constants.py", "RATE = 2", "RATE = 3")
    shop.run()
    shop.change("constants.py", "RATE = 3", "RATE = 2")
    assert shop.run() == EVERYTHING
    assert shop.catalog.load("cleaned") == [3, 5, 7]


FUNCTIONS = {
    "a lambda": ("lambda raw: [x + 1 for x in raw]", "x + 1", "x + 2"),
    "a lambda's global": ("lambda raw: deep.scale(raw)", "", ""),
    "a partial's argument": ("partial(shift, by=1)", "by=1", "by=2"),
    "a partial's function": ("partial(shift, by=1)", "x + by", "x - by"),
    "what a closure encloses": ("make(1)", "make(1)", "make(2)"),
    "a closure's body": ("make(1)", "x * amount", "x * amount + 1"),
    "a bound method's object": ("helpers.Adder(1).add", "Adder(1)", "Adder(3)"),
    "a bound method's class": ("helpers.Adder(1).add", "", ""),
    "an object that is called": ("Caller(1)", "Caller(1)", "Caller(2)"),
    "the class of an object that is called": ("Caller(1)", "x - self.by", "x + self.by"),
    "a decorator": ("decorated", "function(raw) + [0]", "function(raw) + [1]"),
    "a default": ("with_default", "by=5", "by=6"),
    "a lambda's default": ("lambda raw, by=[1]: raw + by", "by=[1]", "by=[2]"),
    "a generator": ("generate", "yield raw[:2]", "yield raw[:1]"),
    "a class as a function": ("Made", "items + [9]", "items + [8]"),
}
ALL_KINDS = """
    from functools import partial, wraps

    from kedro.pipeline import Node, Pipeline

    from shop import deep, helpers

    def shift(raw, by):
        return [x + by for x in raw]

    def make(amount):
        def inner(raw):
            return [x * amount for x in raw]
        return inner

    class Caller:
        def __init__(self, by):
            self.by = by
        def __call__(self, raw):
            return [x - self.by for x in raw]

    class Made(list):
        def __init__(self, items):
            super().__init__(items + [9])

    def decorate(function):
        @wraps(function)
        def around(raw):
            return function(raw) + [0]
        return around

    @decorate
    def decorated(raw):
        return raw

    def with_default(raw, by=5):
        return [x + by for x in raw]

    def generate(raw):
        yield raw[:2]

    def create():
        return Pipeline([Node(FUNCTION, "raw", "cleaned", name="only")])
    """


@pytest.mark.parametrize("kind", FUNCTIONS)
def test_every_kind_of_function_is_followed(shop, kind):
    function, old, new = FUNCTIONS[kind]
    shop.write("pipe.py", ALL_KINDS.replace("FUNCTION", function))
    assert shop.run() == ["only"]
    assert shop.run() == []
    if old:
        shop.change("pipe.py", old, new)
    else:
        shop.change("deep.py", "value * RATE", "RATE * value")
        shop.change("helpers.py", "value + self.amount", "self.amount + value")
    assert shop.run() == ["only"]
    assert shop.run() == []


def test_moving_a_lambda_is_no_change(shop):
    shop.write("pipe.py", ALL_KINDS.replace("FUNCTION", "lambda raw: [x + 1 for x in raw]"))
    shop.run()
    shop.change("pipe.py", "def create():", "UNUSED = 3\n\n\ndef create():")
    assert shop.run() == []


FOUND_BY_NAME = {
    "a registry of names": (
        "MODELS = {'a': 'shop.deep:scale'}\n"
        "def clean(raw):\n"
        "    module, name = MODELS['a'].split(':')\n"
        "    return getattr(importlib.import_module(module), name)(raw)\n"
    ),
    "a name put together": (
        "def clean(raw):\n    return importlib.import_module('shop.' + 'de' + 'ep').scale(raw)\n"
    ),
    "a beginning of a name": (
        "def clean(raw):\n    return importlib.import_module(f'shop.{'deep'}').scale(raw)\n"
    ).replace("{'deep'}", '{"deep"}'),
    "an attribute by name": "from shop import deep\ndef clean(raw):\n"
    "    return getattr(deep, 'sc' + 'ale')(raw)\n",
    "an import inside": "def clean(raw):\n    from shop.deep import scale\n    return scale(raw)\n",
    "a module under another name": "import shop.deep as d\n"
    "def clean(raw):\n    return d.scale(raw)\n",
    "a full name": "import shop.deep\ndef clean(raw):\n    return shop.deep.scale(raw)\n",
    "a star": "from shop.deep import *\ndef clean(raw):\n    return scale(raw)\n",
    "a relative import": "from .deep import scale as s\ndef clean(raw):\n    return s(raw)\n",
    "passed on by a package": "from shop.passing import scale\ndef clean(raw):\n"
    "    return scale(raw)\n",
    "one of two imports": "try:\n    from shop.deep import scale\nexcept ImportError:\n"
    "    scale = None\ndef clean(raw):\n    return scale(raw)\n",
    "put on a list by a decorator": "from shop.listed import LISTED\nimport shop.putting\n"
    "def clean(raw):\n    return LISTED[0](raw)\n",
    "a method of a base class": "from shop.bases import Child\n"
    "def clean(raw):\n    return Child().work(raw)\n",
    "a class that only its base knows": "import shop.bases\nfrom shop.bases import Base\n"
    "def clean(raw):\n    return Base.__subclasses__()[0]().work(raw)\n",
    "a table of functions": "from shop import deep\nTABLE = {'a': deep.scale}\n"
    "def clean(raw):\n    return TABLE['a'](raw)\n",
    "a value computed on import": "from shop import deep\nTWICE = deep.scale([1])[0]\n"
    "def clean(raw):\n    return [TWICE * x for x in raw]\n",
    "a package that finds its names late": "import shop.late\n"
    "def clean(raw):\n    return shop.late.scale(raw)\n",
    "a name assigned to another": "from shop.deep import scale\nother = scale\n"
    "def clean(raw):\n    return (lambda values: other(values))(raw)\n",
    "an attribute set from outside": "import shop.setting\nfrom shop.listed import holder\n"
    "def clean(raw):\n    return holder.scale(raw)\n",
    "a default argument": "from shop import deep\ndef clean(raw, how=deep.scale):\n"
    "    return how(raw)\n",
}


@pytest.mark.parametrize("way", FOUND_BY_NAME)
def test_code_is_found_whichever_way_it_is_imported(shop, way):
    shop.write("passing/__init__.py", "from shop.passing.on import scale\n")
    shop.write("passing/on.py", "from ..deep import scale\n")
    shop.write(
        "listed.py",
        "LISTED = []\ndef put(f):\n    LISTED.append(f)\n    return f\ndef holder():\n    pass\n",
    )
    shop.write("setting.py", "from shop import deep, listed\nlisted.holder.scale = deep.scale\n")
    shop.write(
        "bases.py",
        """
        from shop import deep
        class Base:
            def work(self, raw):
                return deep.scale(raw)
        class Child(Base):
            pass
        """,
    )
    shop.write(
        "late.py",
        """
        def __getattr__(name):
            from shop import deep
            return getattr(deep, name)
        """,
    )
    shop.write(
        "putting.py",
        """
        from shop.deep import scale
        from shop.listed import put
        @put
        def listed(raw):
            return scale(raw)
        """,
    )
    shop.write("found.py", "import importlib\n" + FOUND_BY_NAME[way])
    shop.change("pipe.py", "nodes.clean", "found.clean")
    shop.change("pipe.py", "import nodes", "import found, nodes")
    assert shop.run() == EVERYTHING
    assert shop.run() == []
    shop.change("deep.py", "value * RATE", "value * RATE + 1")
    assert shop.run() == EVERYTHING


def test_files_of_a_package_are_part_of_it(shop):
    shop.write("table.json", "[1]")
    shop.run()
    shop.write("table.json", "[2]")
    assert shop.run() == EVERYTHING


def test_environment_variables_that_code_reads_are_part_of_it(shop, monkeypatch):
    shop.change("constants.py", "RATE = 2", "import os\nRATE = int(os.environ.get('RATE', 2))")
    shop.run()
    assert shop.run() == []
    monkeypatch.setenv("RATE", "7")
    assert shop.run() == EVERYTHING
    assert shop.catalog.load("cleaned") == [8, 15, 22]


def test_a_library_that_is_imported_counts_with_what_it_needs(shop, monkeypatch):
    from pentathlon.runners import libraries, where

    shop.change("constants.py", "RATE", "import somelib\nRATE")
    (shop.root / "src/somelib.py").write_text("x = 1")
    installed = {"versions": {"somelib": "1.0", "below": "1.0", "other": "1.0"},
                 "needs": {"somelib": ["below"]},
                 "modules": {"somelib": ["somelib"], "other": ["other"]}}  # fmt: skip
    foreign = where.is_foreign
    monkeypatch.setattr(where, "is_foreign", lambda p: "somelib" in str(p) or foreign(p))
    monkeypatch.setattr(libraries, "_listing", lambda: [str(installed)])
    monkeypatch.setattr(libraries, "_installed", lambda: installed)
    shop.run()
    installed["versions"]["other"] = "2.0"
    assert shop.run() == []
    installed["versions"]["below"] = "2.0"
    assert "below was 1.0 and is 2.0" in shop.plan()["clean"]
    assert shop.run() == EVERYTHING


def test_code_that_changes_while_it_runs_is_not_taken_for_done(shop):
    path = shop.root / "src/shop/deep.py"
    shop.change(
        "nodes.py",
        "    return prepare(raw)",
        f"    with open({str(path)!r}, 'a') as file:\n        file.write('LATER = 1')\n"
        "    return prepare(raw)",
    )
    shop.run()
    assert "it has no success on record" in shop.plan()["clean"]


def test_code_newer_than_the_session_is_not_taken_for_done(shop, monkeypatch):
    from pentathlon.runners import fresh

    monkeypatch.setattr(fresh, "session_started", lambda: 0.0)
    assert shop.run() == EVERYTHING
    assert shop.run() == EVERYTHING


def test_modules_can_be_taken_apart_in_many_threads():
    """Python 3.11 upsets its own depth counter when two threads make trees at once."""
    source = b"\n".join(b"f%d = (a + (b * [c, {d: e(g)}]))" % i for i in range(200))

    def another_threads_turn(phase, info):
        time.sleep(0)

    threshold = gc.get_threshold()
    gc.callbacks.append(another_threads_turn)
    gc.set_threshold(20)
    try:
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _: analyse(source, "sums", False), range(12)))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(another_threads_turn)
    assert all(facts == found[0] for facts in found)
