"""Change the code a little, again and again, and count which changes the tests notice.

    pip install "mutmut>=3.8,<4"
    python benchmarks/mutation.py            # about an hour on two cores

What is mutated, and by which tests it is judged, stands in `pyproject.toml` under `tool.mutmut`:
the estimators, the prior correction, and allocation. Writes ``benchmarks/results/mutation.json``,
a row for each module: changes that failed a test, that ran out of time (a search that does not
end any more), and that no test noticed; of these, how many change nothing but the wording of a
message. `mutmut browse` shows them.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
RESULT = PROJECT / "benchmarks" / "results" / "mutation.json"
SURVIVED, TIMED_OUT = 0, {-24, 24, 36, 152}
QUOTED = re.compile(r'"[^"]*"')


def shown(name: str) -> str:
    """The change, as a unified diff."""
    done = subprocess.run(
        ["mutmut", "show", name], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return done.stdout


def only_words(change: str) -> bool:
    """Whether a change touches the text of a message and nothing else."""
    removed = [line[1:] for line in change.splitlines() if re.match(r"-(?!--)", line)]
    added = [line[1:] for line in change.splitlines() if re.match(r"\+(?!\+\+)", line)]
    if len(removed) != len(added) or not removed:
        return False
    for before, after in zip(removed, added, strict=True):
        if QUOTED.sub('""', before) != QUOTED.sub('""', after):
            return False
        pairs = zip(QUOTED.findall(before), QUOTED.findall(after), strict=True)
        if any(" " not in a and a != b for a, b in pairs):  # a name, such as a method's
            return False
    return True


def summary() -> list[dict[str, Any]]:
    """A row for each module that was mutated."""
    rows = []
    for path in sorted((PROJECT / "mutants").rglob("*.meta")):
        codes = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        if not codes:
            continue
        survivors = [name for name, code in codes.items() if code == SURVIVED]
        timed_out = sum(code in TIMED_OUT for code in codes.values())
        open_ = sum(code is None for code in codes.values())
        rows.append(
            {
                "module": path.relative_to(PROJECT / "mutants" / "src").with_suffix("").as_posix(),
                "changes": len(codes),
                "noticed": len(codes) - len(survivors) - timed_out - open_,
                "timed_out": timed_out,
                "unnoticed": len(survivors),
                "of_these_wording": sum(only_words(shown(name)) for name in survivors),
                "not_tried": open_,
            }
        )
    return rows


def main() -> None:
    """Run the tests on every change, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--summary-only", action="store_true", help="of changes already tried")
    arguments = parser.parse_args()
    if not arguments.summary_only:
        subprocess.run(
            ["mutmut", "run", "--max-children", str(arguments.children)], cwd=PROJECT, check=False
        )
    rows = summary()
    if not rows:
        sys.exit("Nothing was mutated: see what mutmut says.")
    RESULT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
