"""Pentathlon as a command: `python -m pentathlon`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from pentathlon.cli import cli


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command of Pentathlon; without one, show what there is.

    Parameters
    ----------
    arguments
        Words after the command's name. The default is those of the command line.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["run"]:
        _configure()
    cli.main(args=words or ["--help"], prog_name="python -m pentathlon")


def _configure() -> None:
    """Tell Kedro about the project: the one around the current folder, or the installed one."""
    from kedro.framework.project import configure_project  # noqa: PLC0415
    from kedro.framework.startup import bootstrap_project  # noqa: PLC0415
    from kedro.utils import find_kedro_project  # noqa: PLC0415

    project = find_kedro_project(Path.cwd())
    if project is None:
        configure_project("pentathlon")
    else:
        bootstrap_project(project)


if __name__ == "__main__":
    main()
