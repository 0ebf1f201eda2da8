"""The project's configuration and pipelines, as Kedro would load them, without a session."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.io import CatalogConfigResolver
from kedro.pipeline import Pipeline

from pentathlon.pipeline_registry import register_pipelines
from pentathlon.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
COMBINED = ("__default__", "engine", "events", "from_events")


def environments() -> list[str]:
    """The environments that belong to the project: all but the machine's own."""
    local = CONFIG_LOADER_ARGS["default_run_env"]
    return sorted(p.name for p in CONF.iterdir() if p.is_dir() and p.name != local)


def load(env: str, **runtime_params: Any) -> CONFIG_LOADER_CLASS:
    return CONFIG_LOADER_CLASS(
        conf_source=str(CONF), env=env, runtime_params=runtime_params, **CONFIG_LOADER_ARGS
    )


def entries(config: dict[str, Any], pipelines: dict[str, Pipeline]) -> dict[str, Any]:
    """Entries of a catalog, with those that its patterns give for the pipelines' datasets."""
    resolver = CatalogConfigResolver(config, default_runtime_patterns={"{any}": {}})
    found = {name: entry for name, entry in config.items() if not resolver.is_pattern(name)}
    for pipeline in pipelines.values():
        for name in pipeline.datasets():
            if name not in found and resolver.match_dataset_pattern(name):
                found[name] = resolver.resolve_pattern(name)
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "env" in metafunc.fixturenames:
        metafunc.parametrize("env", environments())


@pytest.fixture(scope="session")
def conf(registry: dict[str, Pipeline]) -> SimpleNamespace:
    def catalog(env: str, **runtime_params: Any) -> dict[str, Any]:
        return entries(dict(load(env, **runtime_params)["catalog"]), registry)

    return SimpleNamespace(
        root=ROOT,
        folder=CONF,
        environments=environments(),
        load=load,
        catalog=catalog,
        entries=entries,
    )


@pytest.fixture(scope="session")
def catalogs(conf: SimpleNamespace) -> dict[str, dict[str, Any]]:
    return {env: conf.catalog(env) for env in environments()}


@pytest.fixture(scope="session")
def registry() -> dict[str, Pipeline]:
    return register_pipelines()


@pytest.fixture(scope="session")
def stages(registry: dict[str, Pipeline]) -> dict[str, Pipeline]:
    """The pipelines that are not put together from others."""
    return {name: p for name, p in registry.items() if name not in COMBINED}
