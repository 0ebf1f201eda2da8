"""The project's context: parameters that are wrong are explained before the first node."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext

from pentathlon.errors import ParameterError

_RUNTIME_REFERENCE = re.compile(r"\$\{runtime_params:\s*([\w-]+)")


class ProjectContext(KedroContext):
    """Kedro's context, with errors that say which parameter, what was given, what is expected.

    Kedro holds parameters against the types of the nodes that take them, and passes what
    Pydantic then says on as text. Here it becomes one line for each mistake. A runtime
    parameter that nothing reads is a mistake as well: Kedro would take it in silence.
    """

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the project, validated.

        Raises
        ------
        ParameterError
            If a parameter is missing, misspelled, of the wrong type or out of range.
        """
        from kedro.validation.exceptions import ParameterValidationError  # noqa: PLC0415

        self._check_runtime_names()
        try:
            return super().params
        except ParameterValidationError as error:
            mistakes = self._mistakes()
            if not mistakes:
                raise
            raise ParameterError(_listed("Wrong parameters", mistakes)) from error

    def _pipelines(self) -> dict[str, Any]:
        """Pick the pipelines whose parameters Kedro validates in this run."""
        from kedro.framework.project import pipelines  # noqa: PLC0415

        scope = self._pipelines_to_validate
        return {name: pipelines[name] for name in (pipelines if scope is None else scope)}

    def _mistakes(self) -> list[str]:
        """Repeat the validation that failed, keeping what Pydantic says in full."""
        from kedro.validation.type_extractor import TypeExtractor  # noqa: PLC0415
        from kedro.validation.utils import resolve_nested_dict_path  # noqa: PLC0415
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

        from pentathlon.hooks.parameter_errors import describe  # noqa: PLC0415

        raw = self.config_loader["parameters"]
        absent = resolve_nested_dict_path({}, "absent")
        lines: list[str] = []
        required = TypeExtractor(self._pipelines()).extract_types_from_pipelines()
        for path, kind in sorted(required.items()):
            value = resolve_nested_dict_path(raw, path)
            if value is absent:
                continue
            try:
                TypeAdapter(kind).validate_python(value)
            except ValidationError as error:
                lines += describe(error, path, kind)
        return list(dict.fromkeys(lines))

    def _check_runtime_names(self) -> None:
        """Refuse runtime parameters that neither parameters, globals nor a node know."""
        from pentathlon.hooks.parameter_errors import closest  # noqa: PLC0415

        given = set(self._runtime_params or {})
        if not given:
            return
        known = self._known_names()
        lines = [f"{name}: not a parameter. {closest(name, known)}" for name in given - known]
        # A block of which nodes read parts (training.<model>) has no parts but those.
        parts = {name for name in known if "." in name}
        for block, second in _second_levels(self._runtime_params or {}):
            siblings = {name.split(".")[1] for name in parts if name.startswith(f"{block}.")}
            if siblings and block not in self._read_whole() and second not in siblings:
                lines.append(f"{block}.{second}: not a parameter. {closest(second, siblings)}")
        if lines:
            lines = sorted(line.strip() for line in lines)
            raise ParameterError(_listed("Unknown runtime parameters (--params)", lines))

    def _read_whole(self) -> set[str]:
        """Names of the parameters that some node reads as they are."""
        inputs = set().union(*(pipeline.inputs() for pipeline in self._pipelines().values()))
        return {name.removeprefix("params:") for name in inputs if name.startswith("params:")}

    def _known_names(self) -> set[str]:
        """First parts of the names of all parameters that something reads."""
        known = self._read_whole()
        loader: Any = self.config_loader
        source = Path(str(loader.conf_source))
        if not source.is_dir():  # an archive or a bucket: references in it cannot be found
            return known.union(self._runtime_params or {})
        runtime, loader.runtime_params = loader.runtime_params, {}
        try:
            known.update(loader["parameters"])
        except Exception:
            # Some parameter has no value without the runtime: then all of them are known.
            known.update(runtime or {})
        finally:
            loader.runtime_params = runtime
        for file in source.glob("*/**/*.y*ml"):
            known.update(_RUNTIME_REFERENCE.findall(file.read_text(encoding="utf-8")))
        return {name.split(".")[0] for name in known} | known


def _second_levels(given: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(block, str(part)) for block, v in given.items() if isinstance(v, dict) for part in v]


def _listed(title: str, lines: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"  - {line}" for line in lines)])
