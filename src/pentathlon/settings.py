"""Settings of the project, read by Kedro at start-up: nothing heavy is imported here."""

from pentathlon.hooks.configuration import ProjectConfigLoader
from pentathlon.hooks.context import ProjectContext
from pentathlon.hooks.pseudonym_key import PseudonymKeyHook
from pentathlon.hooks.run_manifest import RunManifestHook
from pentathlon.hooks.spark_session import SparkSessionHook

CONTEXT_CLASS = ProjectContext

HOOKS = (
    RunManifestHook(headline="headline", report="report"),
    PseudonymKeyHook(),
    SparkSessionHook(),
)

CONFIG_LOADER_CLASS = ProjectConfigLoader
# `local` is for what belongs to one machine: credentials and overrides that are not shared.
# The folder must exist, though it may be empty.
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {"spark": ["spark*"]},
}
