"""A runner that runs only what has changed since it last succeeded."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework import project as kedro_project
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task

from pentathlon.runners.content import (
    UnknownContentError,
    is_memory,
    is_versioned,
    pin,
    unwrap,
)
from pentathlon.runners.facts import Inquiry, bare, fingerprint, is_parameter, mark_of
from pentathlon.runners.place import find_place
from pentathlon.runners.plan import NodeDecision, RunPlan, plan_run
from pentathlon.runners.state import Facts, State, Success
from pentathlon.runners.values import NoDigestError

if TYPE_CHECKING:
    from pluggy import PluginManager

logger = logging.getLogger(__name__)


def session_started() -> float:
    """Seconds since the epoch at which this process had hardly begun."""
    # Logging notes when it is imported, and Kedro imports it before anything of a project.
    record = logging.makeLogRecord({})
    return record.created - record.relativeCreated / 1000


class FreshRunner(SequentialRunner):
    """Skips every node whose code, parameters and inputs are those of its last success.

    The first run runs everything and keeps, for each node that succeeds, digests of all that
    its result depends on and of what it wrote. Later runs skip a node as long as all of them
    hold. What a node depends on is in `docs/how-to/rerun-what-changed.md`.

    Parameters
    ----------
    is_async : bool
        As for Kedro's runners.
    explain : bool
        Say for every node whether it would run, and why, and run nothing.
    state : str, optional
        File that keeps the successes. The default is ``.fresh.sqlite`` in the folder that holds
        the files of the catalog, so that every environment has its own.

    Examples
    --------
    On the command line::

        kedro run --runner pentathlon.runners.FreshRunner
        kedro run --runner pentathlon.runners.FreshRunner --runner-params explain=True
    """

    def __init__(
        self, is_async: bool = False, *, explain: bool = False, state: str | None = None
    ) -> None:
        super().__init__(is_async=is_async)
        self._explain = explain
        self._state = state

    def plan(self, pipeline: Pipeline, catalog: CatalogProtocol[Any, Any]) -> RunPlan:
        """Decide which nodes would run, and run none.

        Parameters
        ----------
        pipeline : Pipeline
        catalog : DataCatalog
            The versions that were looked at are those that it loads from now on.

        Returns
        -------
        RunPlan
            Its ``lines()`` are for people.
        """
        with self._opened(catalog) as state:
            return plan_run(pipeline, self._inquiry(catalog, state), state)

    def _run(
        self,
        pipeline: Pipeline,
        catalog: CatalogProtocol[Any, Any],
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        with self._opened(catalog) as state:
            inquiry = self._inquiry(catalog, state)
            plan = plan_run(pipeline, inquiry, state)
            state.flush()
            if self._explain:
                for line in plan.lines():
                    logger.info("%s", line)
                return
            self._say(plan, state)
            work = _Work(plan, inquiry, state)
            running = Pipeline([decision.node for decision in plan.to_run])
            loads = Counter(chain.from_iterable(node.inputs for node in running.nodes))
            done: list[Node] = []
            for decision in plan.to_run:
                node = decision.node
                task = Task(
                    node=node,
                    catalog=catalog,
                    hook_manager=hook_manager,
                    is_async=self._is_async,
                    run_id=run_id,
                )
                try:
                    work.do(decision, task)
                except Exception:
                    logger.warning(
                        "%d nodes have not run. The same command resumes there: what has "
                        "succeeded is skipped.",
                        len(plan.to_run) - len(done),
                    )
                    raise
                done.append(node)
                logger.info("Completed %d out of %d tasks", len(done), len(plan.to_run))
                self._release_datasets(node, catalog, loads, running)

    @staticmethod
    def _say(plan: RunPlan, state: State) -> None:
        for decision in plan.to_run:
            logger.info("%s runs: %s.", decision.node.name, decision.reasons[0])
        logger.info(
            "%d of %d nodes run; the others are as they would be (%s).",
            len(plan.to_run),
            len(plan.decisions),
            state.path,
        )

    @contextmanager
    def _opened(self, catalog: CatalogProtocol[Any, Any]) -> Iterator[State]:
        state = State(Path(self._state) if self._state else find_place(catalog))
        try:
            yield state
        finally:
            state.close()

    @staticmethod
    def _inquiry(catalog: CatalogProtocol[Any, Any], state: State) -> Inquiry:
        package = kedro_project.PACKAGE_NAME
        return Inquiry(catalog, state, {package} if package else set())


class _Work:
    """Runs nodes and keeps their successes."""

    def __init__(self, plan: RunPlan, inquiry: Inquiry, state: State) -> None:
        self._inquiry = inquiry
        self._state = state
        self._in_memory = {
            bare(name): decision.fingerprint
            for decision in plan.decisions
            for name in decision.node.outputs
            if is_memory(inquiry.dataset(name))
        }
        self._names = {
            name
            for decision in plan.decisions
            for name in (*decision.node.inputs, *decision.node.outputs)
            if not is_parameter(name)
        }

    def do(self, decision: NodeDecision, task: Task) -> None:
        """Run a node, and keep its success if it is one that can be told again."""
        node = decision.node
        unversioned = any(self._is_unversioned(name) for name in node.outputs)
        with self._state.alone() if unversioned else nullcontext():
            before = self._inputs(node)
            task.execute()
            outputs = self._outputs(node)
        mark = fingerprint({**decision.known.facts, "inputs": before or {}})
        for name in node.outputs:
            if is_memory(self._inquiry.dataset(name)):
                self._in_memory[bare(name)] = mark
        doubt = self._doubt(decision, before, outputs)
        if doubt is not None:
            logger.warning("%s will run again next time: %s.", node.name, doubt)
            self._state.forget(node.name)
            return
        facts: Facts = {**decision.known.facts, "inputs": before or {}}
        success = Success(node.name, _version(outputs or {}), mark, facts, outputs or {})
        self._state.record(success)
        self._inquiry.made(success)

    def _doubt(
        self,
        decision: NodeDecision,
        before: dict[str, str] | None,
        outputs: dict[str, dict[str, Any]] | None,
    ) -> str | None:
        """Why a success cannot be relied on; None if it can."""
        if before is None or outputs is None:
            return "what it read or wrote cannot be compared"
        if self._inputs(decision.node) != before:
            return "its inputs changed while it ran"
        for path, mark in decision.known.paths.items():
            if mark_of(path) != mark:
                return f"{path.name} changed while it ran"
        started = session_started()
        loaded = {str(getattr(m, "__file__", None)) for m in list(sys.modules.values())}
        for path in decision.known.paths:
            if str(path) in loaded:
                stat = path.stat()
                if max(stat.st_mtime, stat.st_ctime) > started:
                    return f"{path.name} is newer than this process, which may not have read it"
        return None

    def _inputs(self, node: Node) -> dict[str, str] | None:
        try:
            return self._inquiry.inputs(node, self._in_memory)
        except (UnknownContentError, NoDigestError):
            return None

    def _outputs(self, node: Node) -> dict[str, dict[str, Any]] | None:
        """Find out what a node has written, and have just that loaded by what follows."""
        found: dict[str, dict[str, Any]] = {}
        for name in node.outputs:
            dataset = self._inquiry.dataset(name)
            if is_memory(dataset):
                continue
            inner: Any = unwrap(dataset)
            version = inner.resolve_save_version() if is_versioned(dataset) else None
            try:
                held = self._inquiry.contents.held(dataset, version)
            except UnknownContentError:
                return None
            path = self._inquiry.placed(held.path)
            found[name] = {"version": version, "path": path, "digest": held.digest}
            for other in self._names:
                if bare(other) == bare(name):
                    pin(self._inquiry.dataset(other), version)
        return found

    def _is_unversioned(self, name: str) -> bool:
        dataset = self._inquiry.dataset(name)
        return not is_memory(dataset) and not is_versioned(dataset)


def _version(outputs: dict[str, dict[str, Any]]) -> str:
    """The version of what was saved; all datasets of a run have the same."""
    return max((str(o["version"]) for o in outputs.values() if o["version"]), default="")
