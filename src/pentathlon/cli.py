"""The project's commands: `kedro run` with readable errors, and `kedro runs`.

Kedro finds the group `cli` and the command `run` in this module, and prefers them to its own.
"""

from __future__ import annotations

import copy
import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click

from pentathlon.hooks.explain import chain, explain

_COMMANDS = {
    "run": ("pentathlon.cli", "Run pipelines, as `kedro run` does."),
    "runs": ("pentathlon.commands.runs", "List runs, show one, or compare several."),
    "diff": ("pentathlon.commands.diff", "Compare the decisions of two runs."),
    "why": ("pentathlon.commands.why", "Tell why a customer gets what was decided."),
    "export": ("pentathlon.commands.export", "Write decisions as files for an e-mail provider."),
    "privacy": (
        "pentathlon.commands.privacy",
        "Erase a person, or export what is held about one.",
    ),
}
_SHOW_ALL = "pentathlon.traceback"
_EXPLAIN = "pentathlon.explain"
_VARIABLE = "PENTATHLON_TRACEBACK"
# Loggers that repeat an error which the command line is about to print.
_ECHOES = ("kedro.pipeline.node", "kedro.validation.parameter_validator")


class _LazyGroup(click.Group):
    """A group that imports a command when it is wanted: `kedro run` is slow to import."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(import_module(_COMMANDS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    name="pentathlon", cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}
)
def cli() -> None:
    """Pentathlon: which promotional e-mail each customer gets next, or none."""


class ReadableError(click.ClickException):
    """An error as the command line shows it: what is wrong, in which node, and no traceback."""

    exit_code = 1

    @classmethod
    def of(cls, error: BaseException, message: str) -> ReadableError:
        """Join an error's message with the node that the run's hook has noted in it."""
        notes = [note for link in chain(error) for note in getattr(link, "__notes__", ())]
        nodes = [note for note in dict.fromkeys(notes) if note.startswith("Node: ")]
        return cls("\n".join([message.rstrip(), *nodes]))


def _wants_traceback(context: click.Context | None) -> bool:
    if os.environ.get(_VARIABLE, "").lower() not in {"", "0", "false", "no"}:
        return True
    return context is not None and bool(context.meta.get(_SHOW_ALL))


def _remember(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_SHOW_ALL] = value


def _remember_to_explain(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.meta[_EXPLAIN] = value


def _or_explain(command: Callable[..., Any]) -> Callable[..., Any]:
    """Have a command say what would run, where that is asked for, and run nothing."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        context = click.get_current_context(silent=True)
        if context is None or not context.meta.get(_EXPLAIN):
            return command(*args, **kwargs)
        from pentathlon.commands.explain import explain_run  # noqa: PLC0415

        return explain_run(**kwargs)

    return wrapped


def _drop_echo(_: logging.LogRecord) -> bool:
    """Let a record pass unless it repeats an error that will be explained anyway."""
    error = sys.exc_info()[1]
    return error is None or (explain(error) is None and "Validation" not in type(error).__name__)


@contextmanager
def _without_echoes() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in _ECHOES]
    for logger in loggers:
        logger.addFilter(_drop_echo)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_drop_echo)


def readable(command: Callable[..., Any]) -> Callable[..., Any]:
    """Make a command end with a message, not a traceback, where a message says it all.

    Parameters
    ----------
    command
        Function behind a command.

    Returns
    -------
    callable
        The same, except that an error which `explain` understands becomes a
        `ReadableError`. `--traceback` and the environment variable PENTATHLON_TRACEBACK
        switch that off.
    """

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        if _wants_traceback(click.get_current_context(silent=True)):
            return command(*args, **kwargs)
        try:
            with _without_echoes():
                return command(*args, **kwargs)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            message = explain(error)
            if message is None:
                raise
            raise ReadableError.of(error, message) from error

    return wrapped


@functools.cache
def _readable_run() -> click.Command:
    """Kedro's own `run`, with all its options, and errors for people."""
    from kedro.framework.cli.project import run as kedro_run  # noqa: PLC0415

    command: click.Command = copy.copy(kedro_run)
    option = click.Option(
        ["--traceback"],
        is_flag=True,
        expose_value=False,
        callback=_remember,
        help=f"Show the whole traceback of an error. Same as setting {_VARIABLE}=1.",
    )
    explaining = click.Option(
        ["--explain"],
        is_flag=True,
        expose_value=False,
        callback=_remember_to_explain,
        help="Say for each node whether FreshRunner would run it, and why; run nothing.",
    )
    command.params = [*kedro_run.params, option, explaining]
    assert kedro_run.callback is not None
    command.callback = readable(_or_explain(kedro_run.callback))
    return command


def __getattr__(name: str) -> Any:
    # Kedro looks `run` up in this module; its import must not slow every other command.
    if name == "run":
        return _readable_run()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
