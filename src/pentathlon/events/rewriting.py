"""Taking a file's place with a shorter one, in one step."""

from __future__ import annotations

import csv
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from pentathlon.errors import DataError

BROKEN = (pa.ArrowException, csv.Error, OSError, EOFError, ValueError, zlib.error)
"""What is raised in reading or writing a file that is damaged, or not what its name says."""


class NotSearchedError(DataError):
    """A file in which nobody can be looked for; the message says why."""


class NotErasedError(DataError):
    """A file that holds rows about a person and could not be rewritten without them."""


def first_line(error: Exception) -> str:
    """What an error says first."""
    return (str(error).splitlines() or [type(error).__name__])[0]


@contextmanager
def rewriting(path: Path) -> Iterator[Path]:
    """Offer a place for a file's successor, which takes over when nothing has gone wrong.

    A reader never sees half of a file, and after an error the old one is untouched.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    NotErasedError
        When writing fails.
    """
    draft = path.with_name(f".{path.name}.erasing")
    try:
        yield draft
        draft.chmod(path.stat().st_mode & 0o777)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(path)
    except BROKEN as error:
        raise NotErasedError(f"it cannot be rewritten: {first_line(error)}") from error
    finally:
        draft.unlink(missing_ok=True)
