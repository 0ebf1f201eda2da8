"""What spark-submit and Databricks start: ``kedro run`` with the arguments that follow.

    spark-submit deploy/kedro_run.py --env spark --pipelines scoring

Runs in the folder of the project, wherever it is started from.
"""

import os
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def run(arguments: list[str]) -> None:
    """Run pipelines of the project."""
    os.chdir(PROJECT)
    sys.path.insert(0, str(PROJECT / "src"))
    from pentathlon.__main__ import main

    main(["run", *arguments])


if __name__ == "__main__":
    run(sys.argv[1:])
