"""Which error in a chain speaks to the person who must act, and what it says."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from pentathlon.errors import PentathlonError

# The last line of a formatted traceback: a dotted class name, a colon, the message.
_REMOTE_ERROR = re.compile(r"^((?:\w+\.)+\w+): (.*)\Z", re.MULTILINE | re.DOTALL)
_BAD_SELECTIONS = ("Failed to find the pipeline named", "Pipeline contains no nodes")
_REMOTE_CHAIN = re.compile(
    r"\n\n(?:The above exception was the direct cause of the following exception:"
    r"|During handling of the above exception, another exception occurred:)\n\n"
)


def chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error to its causes, as Python would print them, the last one first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        hidden = current.__suppress_context__
        current = current.__cause__ or (None if hidden else current.__context__)


def explain(error: BaseException) -> str | None:
    """Find the message meant for people in a chain of errors; see `find_cause`."""
    cause = find_cause(error)
    return cause[1] if cause is not None else None


def find_cause(error: BaseException) -> tuple[str, str] | None:
    """Find the error meant for people in a chain of errors.

    Kedro wraps what goes wrong in a dataset in errors of its own, and an error that comes
    from another process has lost its causes except as text: both are looked through.

    Parameters
    ----------
    error
        The error that reached the surface.

    Returns
    -------
    tuple of str, or None
        The class and the message of the outermost error made for people: a
        `PentathlonError`, a failed data or parameter validation, a file that is not there, a
        pipeline that does not exist. None where a traceback is the better explanation.
    """
    links = list(chain(error))
    for link in links:
        if isinstance(link, PentathlonError):
            return type(link).__name__, str(link)
        remote = _from_remote(link)
        if remote is not None:
            return remote
    for position, link in enumerate(links):
        message = _from_kedro(link, links[position + 1 :])
        if message is not None:
            return type(link).__name__, message
    return None


def _from_remote(error: BaseException) -> tuple[str, str] | None:
    """Class and message of a `PentathlonError` in the printed traceback of another process."""
    printed = getattr(error, "tb", None)
    if type(error).__name__ != "_RemoteTraceback" or not isinstance(printed, str):
        return None
    for part in reversed(_REMOTE_CHAIN.split(printed.strip().strip('"').strip())):
        found = _REMOTE_ERROR.search(part)
        if found is None:
            continue
        module, _, name = found[1].rpartition(".")
        kind = getattr(sys.modules.get(module), name, None)
        if isinstance(kind, type) and issubclass(kind, PentathlonError):
            return name, found[2].strip()
    return None


def _from_kedro(error: BaseException, causes: list[BaseException]) -> str | None:
    """Message of an error of Kedro or Pydantic that needs no traceback.

    Classes are told by name: importing their modules to compare would cost the command line
    time in every run that goes well.
    """
    name = type(error).__name__
    text = str(error)
    if name == "ValidationError" and type(error).__module__.startswith("pydantic"):
        from pentathlon.hooks.parameter_errors import describe  # noqa: PLC0415

        title = getattr(error, "title", "parameters")
        return "\n".join([f"Invalid values for {title}:", *(f"  - {x}" for x in describe(error))])
    if name in {"DataValidationError", "ParameterValidationError", "VersionNotFoundError"}:
        return text
    if name == "DatasetError" and any(isinstance(cause, FileNotFoundError) for cause in causes):
        return text
    if name == "ValueError" and text.startswith(_BAD_SELECTIONS):
        return text.strip()
    return None
