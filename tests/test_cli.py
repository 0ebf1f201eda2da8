import subprocess
import sys
from concurrent.futures.process import _RemoteTraceback
from itertools import pairwise
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pentathlon import cli as project_cli
from pentathlon.__main__ import main
from pentathlon.cli import cli, readable
from pentathlon.errors import DataError, ParameterError
from pentathlon.hooks.explain import explain, find_cause

SOURCE = Path(__file__).parents[1] / "src"


def chained(*errors: Exception) -> Exception:
    """The last error, raised from the one before it, and so on."""
    for cause, error in pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        ([DataError("bad row")], "bad row"),
        ([KeyError("x"), DataError("bad row"), RuntimeError("wrapped")], "bad row"),
        ([DataError("inner"), ParameterError("outer")], "outer"),
        ([RuntimeError("unexpected")], None),
        ([ValueError("Failed to find the pipeline named 'x'. ")], None),
    ],
)
def test_explain_finds_the_message_for_people(errors, message):
    expected = message if "pipeline named" not in str(errors[0]) else str(errors[0]).strip()
    assert explain(chained(*errors)) == expected


def test_explain_reads_through_suppressed_context_and_loops():
    error = RuntimeError("a")
    error.__context__ = DataError("hidden")
    assert explain(error) == "hidden"
    error.__suppress_context__ = True
    assert explain(error) is None
    error.__cause__ = error
    assert explain(error) is None


def test_explain_reads_the_traceback_of_another_process():
    text = (
        '\n"""\nTraceback (most recent call last):\n  File "a.py", line 1, in f\n'
        "pentathlon.errors.DataError: Column x is missing.\n  Found: y, z\n\n"
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "b.py", line 2, in g\n'
        'kedro.io.core.DatasetError: Failed while loading\n"""'
    )
    error = chained(_RemoteTraceback(text), RuntimeError("Failed while loading"))
    assert find_cause(error) == ("DataError", "Column x is missing.\n  Found: y, z")
    assert explain(chained(_RemoteTraceback("odd"), RuntimeError("x"))) is None


def command_that(error: BaseException) -> click.Command:
    def fail() -> None:
        raise error

    return click.command()(readable(fail))


def test_readable_errors_show_message_and_node(monkeypatch):
    monkeypatch.delenv("PENTATHLON_TRACEBACK", raising=False)
    error = chained(DataError("bad row"), RuntimeError("wrapped"))
    error.add_note("Node: clean")
    error.add_note("something else")
    result = CliRunner().invoke(command_that(error))
    assert (result.exit_code, result.output) == (1, "Error: bad row\nNode: clean\n")
    monkeypatch.setenv("PENTATHLON_TRACEBACK", "1")
    assert CliRunner().invoke(command_that(error)).exception is error


def test_other_errors_pass_unchanged(monkeypatch):
    monkeypatch.delenv("PENTATHLON_TRACEBACK", raising=False)
    error = RuntimeError("unexpected")
    assert CliRunner().invoke(command_that(error)).exception is error
    assert CliRunner().invoke(command_that(click.UsageError("usage"))).exit_code == 2


def test_run_has_every_option_of_kedro_and_leaves_kedros_own_alone():
    from kedro.framework.cli.project import run as kedro_run

    options = {option for parameter in project_cli.run.params for option in parameter.opts}
    kedros = {option for parameter in kedro_run.params for option in parameter.opts}
    assert options == kedros | {"--traceback", "--explain"}
    assert cli.get_command(click.Context(cli), "run") is project_cli.run
    assert "--traceback" not in kedros
    with pytest.raises(AttributeError):
        _ = project_cli.walk


def test_without_a_command_there_is_help(capsys):
    with pytest.raises(SystemExit) as stopped:
        main([])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert "runs" in shown
    assert "Usage: python -m pentathlon" in shown


def test_unknown_commands_are_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["walk"])
    assert stopped.value.code == 2
    assert "No such command 'walk'" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["pentathlon.commands.runs", "pentathlon.__main__"])
def test_commands_start_without_heavy_imports(module):
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import {module}; "
        "print(*{'kedro', 'pandas', 'numpy', 'pydantic', 'keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_settings_start_without_heavy_imports():
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import pentathlon.settings; "
        "print(*{'pandas', 'numpy', 'sklearn', 'xgboost', 'keras'} & set(sys.modules), sep='')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == ""  # Kedro has logged before
