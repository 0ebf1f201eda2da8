"""Start Spark before the first run that has something on it, and never otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline import Pipeline

ENTRY = "spark"
"""Name of the settings' file in an environment, without its ending."""


class SparkSessionHook:
    """Start a session as the environment's ``spark.yml`` says, if datasets of the run need one."""

    def __init__(self) -> None:
        self._loader: Any = None
        self._on_spark: frozenset[str] = frozenset()

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Remember where settings come from."""
        self._loader = context.config_loader

    @hook_impl
    def after_catalog_created(self, conf_catalog: Mapping[str, Any]) -> None:
        """Remember which datasets are Spark's; their classes cannot be imported without it."""
        self._on_spark = on_spark(conf_catalog)

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, pipeline: Pipeline) -> None:
        """Start Spark, or say in one sentence what it lacks.

        Raises
        ------
        MissingSparkError
            Without pyspark or Java.
        """
        if not self._on_spark & pipeline.datasets():
            return
        from pentathlon.scoring.spark.session import (  # noqa: PLC0415
            check_installed,
            start_session,
        )

        check_installed()
        start_session(settings_in(self._loader))


def on_spark(conf_catalog: Mapping[str, Any]) -> frozenset[str]:
    """Names of the datasets of a catalog that Spark reads or writes."""
    kinds = {name: str(entry.get("type", "")) for name, entry in conf_catalog.items()}
    return frozenset(name for name, kind in kinds.items() if "Spark" in kind.rpartition(".")[2])


def settings_in(loader: Any) -> Any:
    """Settings of an environment; those of Spark itself where it states none."""
    from kedro.config import MissingConfigException  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    from pentathlon.errors import ParameterError  # noqa: PLC0415
    from pentathlon.hooks.parameter_errors import describe  # noqa: PLC0415
    from pentathlon.scoring.spark.session import SparkSettings  # noqa: PLC0415

    try:
        stated = loader[ENTRY]
    except MissingConfigException:
        stated = {}
    try:
        return SparkSettings.model_validate(stated)
    except ValidationError as error:
        lines = "\n".join(f"  - {line}" for line in describe(error, ENTRY, SparkSettings))
        raise ParameterError(f"Wrong settings in {ENTRY}.yml:\n{lines}") from error
