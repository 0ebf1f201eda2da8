"""A manifest of every run: what ran on what, with what, and what came out.

The manifest of a run is `<data_root>/08_reporting/runs/<id>.json`, where the id is the version
under which the run saves its datasets. It holds no absolute paths and no names of machines or
users, so that it can be published with the results.
"""

from __future__ import annotations

import atexit
import functools
import json
import logging
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from kedro.framework import project as kedro_project
from kedro.framework.hooks import hook_impl

from pentathlon.hooks import fragments, provenance
from pentathlon.hooks.explain import find_cause
from pentathlon.hooks.places import PARTS_FOLDER, Places

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext
    from kedro.pipeline import Pipeline
    from kedro.pipeline.node import Node

logger = logging.getLogger(__name__)
P = ParamSpec("P")

_MARK = "_pentathlon_run"
_LONGEST_MESSAGE = 4000
_FILTERS = (
    "tags",
    "from_nodes",
    "to_nodes",
    "node_names",
    "from_inputs",
    "to_outputs",
    "namespaces",
    "load_versions",
    "only_missing_outputs",
)
_SKIPPING_RUNNERS = {"FreshRunner"}
"""Runners that complete a run without running all of its nodes."""
_INTERRUPTED = {
    "type": "Interrupted",
    "message": "The run stopped before it could say why: interrupted, killed, or out of memory.",
    "node": None,
}


def _never_break(hook: Callable[P, None]) -> Callable[P, None]:
    """Turn whatever goes wrong in a hook into a warning: bookkeeping must not stop a run."""

    @functools.wraps(hook)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            hook(*args, **kwargs)
        except Exception as error:
            logger.warning(
                "The run manifest may be incomplete: %s: %s", type(error).__name__, error
            )
            logger.debug("Failure in %s", hook.__name__, exc_info=True)

    return guarded


@dataclass(frozen=True)
class _Mark:
    """What a node of a recorded run carries, as the attribute `_MARK`.

    Every hook about a node or a dataset is given the node, and a node travels to the process
    that runs it, however that process was started: so the node says where to write.
    """

    project: Path
    data_root: Path
    parts: Path
    package: str | None

    def __reduce__(self) -> tuple[Any, ...]:
        return _arrive, (self.project, self.data_root, self.parts, self.package)


def _arrive(project: Path, data_root: Path, parts: Path, package: str | None) -> _Mark:
    """Unpack a mark, making sure that the process it comes to knows the project's settings.

    Spawned workers (the default outside Linux) start without them, and Kedro 1.7 would run
    nodes there without hooks. A task is unpacked before it runs: here is the place to tell
    them. The package's name stays unset: with it, Kedro configures logging with itself before
    a worker's second task and recurses without end.
    """
    with suppress(Exception):
        known = kedro_project.LOGGING.get("loggers", {})
        if package is not None and kedro_project.PACKAGE_NAME is None and package not in known:
            kedro_project.settings.configure(f"{package}.settings")
            kedro_project.LOGGING.set_project_logging(package)
    return _Mark(project, data_root, parts, package)


@dataclass
class _Run:
    """The run under way, as the process that started it sees it."""

    id: str
    places: Places
    nodes: list[str]
    started: float
    facts: dict[str, Any] = field(default_factory=dict)
    skips: bool = False
    kept: dict[str, Any] = field(default_factory=dict)
    headline: dict[str, Any] = field(default_factory=dict)

    @property
    def parts(self) -> Path:
        return self.places.parts(self.id)

    @property
    def manifest(self) -> Path:
        return self.places.runs / f"{self.id}.json"


class RunManifestHook:
    """Write the manifest of each run, whatever becomes of the run and whoever runs it.

    Works under `SequentialRunner`, `ThreadRunner` and `ParallelRunner`. A manifest is there
    from the first moment of a run and says `failed` until the run has completed: a run that
    is killed leaves the truth behind. One process runs one pipeline at a time.

    Parameters
    ----------
    headline
        Dataset that holds the headline numbers: a flat mapping from name to number. If a run
        saves it, its content becomes part of the manifest.
    report
        Dataset that holds the report. If a run saves it, the log ends with its path.
    """

    def __init__(self, headline: str = "headline", report: str = "report") -> None:
        self._headline = headline
        self._report = report
        self._context: KedroContext | None = None
        self._parameters: Any = {}
        self._run: _Run | None = None

    @hook_impl
    @_never_break
    def after_context_created(self, context: KedroContext) -> None:
        """Keep the context: the data root and the default environment are in it."""
        self._context = context

    @hook_impl
    @_never_break
    def after_catalog_created(self, parameters: dict[str, Any]) -> None:
        """Keep the resolved parameters."""
        self._parameters = parameters.get("parameters", {})

    @hook_impl
    @_never_break
    def before_pipeline_run(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: Any
    ) -> None:
        """Write a first manifest and tell the nodes where their events go."""
        self._close_interrupted()
        project = Path(run_params["project_path"])
        run = _Run(
            id=run_params["run_id"],
            places=Places.of(project, self._data_root(run_params)),
            nodes=[node.name for node in pipeline.nodes],
            started=time.time(),
        )
        fragments.remove_stale(run.places.runs / PARTS_FOLDER)
        fragments.start(run.parts)
        mark = _Mark(project, run.places.data_root, run.parts, kedro_project.PACKAGE_NAME)
        for node in pipeline.nodes:
            setattr(node, _MARK, mark)
        self._run = run
        atexit.register(self._close_interrupted, os.getpid())
        run.facts = self._facts(run, run_params)
        skipping = run.facts["runner"] in _SKIPPING_RUNNERS
        run.skips = skipping or bool(run_params.get("only_missing_outputs"))
        _write(run.manifest, self._manifest(run, "failed", _INTERRUPTED))
        # Last, because it reads whole files and a catalog that may be wrong.
        run.facts["inputs"] = provenance.hash_inputs(pipeline.inputs(), catalog, run.places)

    @hook_impl
    @_never_break
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Record that a load began."""
        _record(node, "load", dataset=dataset_name)

    @hook_impl
    @_never_break
    def after_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Record that a load ended."""
        _record(node, "loaded", dataset=dataset_name)

    @hook_impl
    @_never_break
    def before_node_run(self, node: Node, catalog: Any) -> None:
        """Record that a function was called, and which versions it was given."""
        _record(node, "called", reads=_describe(node, node.inputs, catalog, save=False))

    @hook_impl
    @_never_break
    def after_node_run(self, node: Node, catalog: Any) -> None:
        """Record that a function returned, and where its outputs will go."""
        _record(
            node,
            "returned",
            outputs=list(node.outputs),
            writes=_describe(node, node.outputs, catalog, save=True),
            rss_mib=provenance.peak_rss_mib(),
        )

    @hook_impl
    @_never_break
    def on_node_error(self, node: Node) -> None:
        """Record that a function raised."""
        _record(node, "failed", rss_mib=provenance.peak_rss_mib())

    @hook_impl
    @_never_break
    def before_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Record that a save began."""
        _record(node, "save", dataset=dataset_name)

    @hook_impl
    @_never_break
    def after_dataset_saved(self, dataset_name: str, data: Any, node: Node) -> None:
        """Record that a save ended, with the headline numbers if it was these."""
        facts = {"headline": _numbers(data)} if dataset_name == self._headline else {}
        _record(node, "saved", dataset=dataset_name, **facts)

    @hook_impl
    @_never_break
    def after_pipeline_run(self, pipeline: Pipeline, catalog: Any) -> None:
        """Complete the manifest and say where the results are."""
        if self._run is not None and self._run.skips:
            self._keep(self._run, pipeline, catalog)
        self._close("completed", None)

    @hook_impl
    @_never_break
    def on_pipeline_error(self, error: Exception) -> None:
        """Complete the manifest of a run that failed, and name the node in the error."""
        if self._run is None:
            return
        failed = fragments.merge(self._run.parts).failed_nodes()
        node = ", ".join(failed) or None
        if node is not None:
            error.add_note(f"Node: {node}")
        kind, message = find_cause(error) or (type(error).__name__, str(error))
        message = self._run.places.scrub(message)[:_LONGEST_MESSAGE]
        self._close("failed", {"type": kind, "message": message, "node": node})

    def _keep(self, run: _Run, pipeline: Pipeline, catalog: Any) -> None:
        """Note which earlier versions stand as results of the nodes that were skipped."""
        nodes = fragments.merge(run.parts).nodes
        for node in pipeline.nodes:
            if node.name not in nodes:
                run.kept |= _describe(node, node.outputs, catalog, save=False)
        if self._headline in run.kept:
            run.headline = _numbers(catalog.load(self._headline))

    def _close_interrupted(self, owner: int | None = None) -> None:
        """Complete the manifest of a run that neither completed nor failed."""
        # A forked worker inherits this handler, but not the run.
        if self._run is not None and owner in {None, os.getpid()}:
            with suppress(OSError):
                self._close("failed", _INTERRUPTED)

    def _close(self, status: str, error: dict[str, Any] | None) -> None:
        run, self._run = self._run, None
        if run is None:
            return
        manifest = self._manifest(run, status, error)
        _write(run.manifest, manifest)
        fragments.remove(run.parts)
        report = (run.kept | manifest["datasets"]["written"]).get(self._report)
        if report is not None:
            logger.info("Report: %s", run.places.locate(report["path"]))
        record = run.places.locate(run.places.relative(run.manifest))
        logger.info("Run %s %s; its record: %s", run.id, status, record)

    def _data_root(self, run_params: Mapping[str, Any]) -> str:
        """Find the data root as the catalog does: runtime parameters, else globals."""
        root = (run_params.get("runtime_params") or {}).get("data_root")
        if root is None and self._context is not None:
            # A project without globals, or a loader that knows none, has the default.
            with suppress(Exception):
                root = self._context.config_loader["globals"].get("data_root")
        return str(root or "data")

    def _facts(self, run: _Run, run_params: Mapping[str, Any]) -> dict[str, Any]:
        """Everything about a run that is known before it starts."""
        loader = getattr(self._context, "config_loader", None)
        runner = re.search(r"(\w+)(?: object at|$)", str(run_params.get("runner") or ""))
        return {
            "id": run.id,
            "pipelines": list(run_params.get("pipeline_names") or ["__default__"]),
            "env": run_params.get("env") or getattr(loader, "default_run_env", None),
            "runner": runner[1] if runner and runner[1] != "None" else "SequentialRunner",
            "filters": run.places.plain({k: run_params[k] for k in _FILTERS if run_params.get(k)}),
            "runtime_params": run.places.plain(run_params.get("runtime_params") or {}),
            "parameters": run.places.plain(self._parameters),
            "git": provenance.git_state(run.places.project),
            "packages": provenance.package_versions(),
            "machine": provenance.machine(),
            "inputs": {},
        }

    def _manifest(self, run: _Run, status: str, error: dict[str, Any] | None) -> dict[str, Any]:
        merged = fragments.merge(run.parts)
        failed = merged.failed_nodes() if status == "failed" else []
        if status == "completed" and not run.skips:
            done = set(run.nodes)
        else:
            done = {name for name, node in merged.nodes.items() if node.complete} - set(failed)
        ended = time.time()
        return {
            **run.facts,
            "status": status,
            "error": error and {**error, "node": error["node"] or ", ".join(failed) or None},
            "started_at": _iso(run.started),
            "ended_at": _iso(ended),
            "duration_s": round(ended - run.started, 3),
            "peak_rss_mib": max(merged.peak_rss_mib, provenance.peak_rss_mib()),
            "nodes": {
                "run": [name for name in run.nodes if name in done],
                "failed": failed,
                "skipped": [name for name in run.nodes if name not in done.union(failed)],
            },
            "timings": {
                name: merged.nodes[name].durations() for name in run.nodes if name in merged.nodes
            },
            "datasets": {
                "read": dict(sorted(merged.read.items())),
                "written": dict(sorted(merged.written.items())),
                "kept": dict(sorted(run.kept.items())),
            },
            "headline": merged.headline or run.headline,
        }


def _record(node: Node, event: str, **facts: Any) -> None:
    """Write down an event of a node, if the node is part of a recorded run."""
    mark: _Mark | None = getattr(node, _MARK, None)
    if mark is not None and mark.parts.is_dir():
        fragments.record(mark.parts, event, node.name, **facts)


def _describe(node: Node, names: list[str], catalog: Any, *, save: bool) -> dict[str, Any]:
    """Versions and paths of those of a node's datasets that are kept somewhere."""
    mark: _Mark | None = getattr(node, _MARK, None)
    if mark is None:
        return {}
    places = Places(mark.project, mark.data_root)
    found: dict[str, Any] = {}
    for name in filter(provenance.is_data, names):
        described = provenance.describe_dataset(catalog.get(name), places, save=save)
        if described is not None:
            found[name] = described
    return found


def _numbers(data: Any) -> dict[str, Any]:
    """Keep the numbers of a flat mapping; anything else has no place beside them."""
    if not isinstance(data, Mapping):
        return {}
    kept: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, bool | str):
            kept[str(name)] = value
        elif isinstance(value, Real) and math.isfinite(value):
            kept[str(name)] = int(value) if isinstance(value, int) else float(value)
    return kept


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds")


def _write(path: Path, manifest: dict[str, Any]) -> None:
    """Replace a manifest in one step: a reader never sees half of one."""
    text = json.dumps(manifest, indent=2, allow_nan=False, ensure_ascii=False)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text + "\n", encoding="utf-8")
    draft.replace(path)
