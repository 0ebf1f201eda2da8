"""What is in the repository as a whole: layering, words that must not be there, the lock."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
# Put together from pieces, or this file would be the first to fail.
FORBIDDEN = {
    "/wo" + "rk/": "a path of one machine",
    "/home/" + "runner": "a path of one machine",
    "pypi" + ".org": "an address of a package index",
    "python" + "hosted": "an address of a package index",
    "TO" + "DO": "unfinished work",
    "FIX" + "ME": "unfinished work",
}
ALLOWED = {
    # Documents that state the rule quote the word.
    "CONTRIBUTING.md": {"TO" + "DO"},
}


def files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git working tree")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_imports_run_one_way():
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); "
            "from importlinter.cli import lint_imports; sys.exit(lint_imports(cache_dir=None))",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def test_no_words_that_must_not_be_published():
    found = []
    for path in files():
        data = path.read_bytes()
        if b"\0" in data[:8192]:
            continue
        text = data.decode("utf-8", errors="replace")
        name = path.relative_to(ROOT).as_posix()
        for word, why in FORBIDDEN.items():
            whole = rf"\b{word}\b" if word.isalpha() else re.escape(word)
            if word not in ALLOWED.get(name, ()) and (match := re.search(whole, text)):
                line = text.count("\n", 0, match.start()) + 1
                found.append(f"{name}:{line}: {word} ({why})")
    assert not found, "\n".join(found)


def test_no_results_data_or_pickles_are_committed():
    names = [path.relative_to(ROOT).as_posix() for path in files()]
    bad = (".pkl", ".pickle", ".joblib", ".db", ".parquet", ".keras", ".ubj", ".csv.gz")
    assert not [n for n in names if n.endswith(bad)]
    assert not [n for n in names if n.startswith("data/") and not n.endswith(".gitkeep")]


def test_telemetry_is_off():
    assert "consent: false" in (ROOT / ".telemetry").read_text(encoding="utf-8")


def locked() -> dict[str, list[Requirement]]:
    found: dict[str, list[Requirement]] = {}
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        text = line.split("#")[0].strip()
        if text:
            requirement = Requirement(text)
            found.setdefault(canonicalize_name(requirement.name), []).append(requirement)
    return found


def test_the_lock_pins_everything_and_names_no_address():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text, flags=re.MULTILINE), "no options, no editable installs"
    for name, requirements in locked().items():
        for requirement in requirements:
            assert re.fullmatch(r"==[\w.!+]+", str(requirement.specifier)), name


def test_the_lock_has_every_direct_dependency_at_a_version_that_is_allowed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    pins = locked()
    environment = default_environment()
    for text in direct:
        wanted = Requirement(text)
        applicable = [
            r
            for r in pins.get(canonicalize_name(wanted.name), [])
            if r.marker is None or r.marker.evaluate(environment)
        ]
        assert len(applicable) == 1, f"{wanted.name} is not pinned exactly once"
        version = str(applicable[0].specifier).removeprefix("==")
        assert wanted.specifier.contains(version), f"{wanted.name} {version}"
        bounds = {s.operator for s in wanted.specifier}
        assert {">=", "<"} <= bounds, f"{wanted.name} is not bounded on both sides"
