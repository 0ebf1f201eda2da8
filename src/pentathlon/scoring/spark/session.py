"""The Spark session: started when a run needs it, from typed settings."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from pentathlon.errors import ParameterError, PentathlonError

logger = logging.getLogger(__name__)


class MissingSparkError(PentathlonError):
    """Something that Spark needs is not on this machine."""


class SparkSettings(BaseModel):
    """How the session is started: the file ``spark.yml`` of an environment.

    Whoever starts the run by ``spark-submit`` or on Databricks says all of that there, and
    nothing of it counts.

    Attributes
    ----------
    master : str or None
        Where tasks run, such as ``local[2]`` or ``spark://host:7077``.
    app_name : str
        Name of the application in Spark's own pages.
    options : dict
        Options of Spark by their names; see Spark's own documentation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    master: Annotated[str, Field(min_length=1)] | None = None
    app_name: Annotated[str, Field(min_length=1)] = "pentathlon"
    options: dict[Annotated[str, Field(pattern=r"^spark\.")], bool | int | float | str] = {}


def start_session(settings: SparkSettings) -> Any:
    """Start a session, or take the one that is there.

    Parameters
    ----------
    settings : SparkSettings

    Returns
    -------
    pyspark.sql.SparkSession

    Raises
    ------
    MissingSparkError
        Without pyspark, or without Java where it is this process that starts it.
    ParameterError
        When nobody says where tasks are to run.
    """
    check_installed()
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession()
    if running is not None:
        return running
    builder = SparkSession.builder.appName(settings.app_name)
    if launched_from_outside():
        return builder.getOrCreate()
    if settings.master is None:
        raise ParameterError(
            "spark.yml states no master; state one, such as local[*], or start the run with "
            "spark-submit."
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    logger.info("starting Spark on %s", settings.master)
    for name, value in options_of(settings).items():
        builder = builder.config(name, value)
    return builder.master(settings.master).getOrCreate()


def options_of(settings: SparkSettings) -> dict[str, str]:
    """Options as Spark takes them: in local mode nothing outside this machine can connect."""
    local = {"spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
    stated: dict[str, object] = {**settings.options}
    if settings.master is not None and settings.master.startswith("local"):
        stated = {**local, **stated}
    return {n: str(v).lower() if isinstance(v, bool) else str(v) for n, v in stated.items()}


def launched_from_outside() -> bool:
    """Whether ``spark-submit`` or Databricks started this process and its Java."""
    return bool({"PYSPARK_GATEWAY_PORT", "DATABRICKS_RUNTIME_VERSION"} & set(os.environ))


def check_installed() -> None:
    """Refuse to go on without what Spark needs.

    Raises
    ------
    MissingSparkError
    """
    if find_spec("pyspark") is None:
        raise MissingSparkError(
            "Spark is asked for and pyspark is not installed; run pip install "
            "'pentathlon[spark]', or score without --env spark."
        )
    if not launched_from_outside() and java() is None:
        raise MissingSparkError(
            "Spark is asked for and there is no Java; install Java 17 or later and set JAVA_HOME "
            "or PATH, or score without --env spark."
        )


def java() -> str | None:
    """Where Java is, as Spark looks for it."""
    home = os.environ.get("JAVA_HOME")
    if home:
        return shutil.which("java", path=str(Path(home) / "bin"))
    return shutil.which("java")


@contextmanager
def configured(session: Any, batch_rows: int) -> Iterator[None]:
    """Set what scoring relies on for as long as it lasts.

    Names of columns are told apart by case, times are UTC, and a batch has as many customers
    as in any other run.
    """
    wanted = {
        "spark.sql.caseSensitive": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(batch_rows),
    }
    before = {name: session.conf.get(name) for name in wanted}
    try:
        for name, value in wanted.items():
            session.conf.set(name, value)
        yield
    finally:
        for name, value in before.items():
            session.conf.set(name, value)
