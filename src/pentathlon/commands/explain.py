"""What `kedro run --explain` says: which nodes would run, and why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline

from pentathlon.runners import FreshRunner

_FILTERS = (
    "tags",
    "from_nodes",
    "to_nodes",
    "node_names",
    "from_inputs",
    "to_outputs",
)


def explain_run(
    *,
    env: str | None = None,
    conf_source: str | None = None,
    params: Mapping[str, Any] | None = None,
    pipeline: str | None = None,
    pipelines: Iterable[str] = (),
    namespaces: Iterable[str] = (),
    load_versions: Mapping[str, str] | None = None,
    runner_params: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Print, for every node that a command selects, whether `FreshRunner` would run it.

    Nothing runs, no hook of a run fires, and no record of a run is left.

    Parameters
    ----------
    env, conf_source, params, pipeline, pipelines, namespaces, load_versions, runner_params
        As `kedro run` has them.
    **options
        Its other options; those that select nodes are heeded.
    """
    names = [pipeline] if pipeline else sorted(set(pipelines)) or ["__default__"]
    selected = {name: options.get(name) or None for name in _FILTERS}
    state = (runner_params or {}).get("state")
    opened: Any = KedroSession.create(
        env=env, conf_source=conf_source, runtime_params=dict(params or {})
    )
    with opened as session:
        context = session.load_context()
        chosen = sum((_named(name) for name in names), Pipeline([]))
        chosen = chosen.filter(**selected, node_namespaces=list(namespaces) or None)
        if "__default__" not in names:
            context._pipelines_to_validate = names
        catalog = context._get_catalog(
            save_version=session.session_id, load_versions=load_versions or None
        )
        for name in chosen.datasets():
            catalog.get(name, fallback_to_runtime_pattern=True)
        for line in FreshRunner(state=state).plan(chosen, catalog).lines():
            click.echo(line)


def _named(name: str) -> Pipeline:
    try:
        found: Pipeline = pipelines[name]
    except KeyError as error:
        known = ", ".join(sorted(pipelines))
        raise ValueError(
            f"Failed to find the pipeline named '{name}'. There are: {known}."
        ) from error
    return found
