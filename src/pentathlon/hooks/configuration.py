"""The project's configuration: runtime parameters change what they name, and nothing beside it."""

from __future__ import annotations

from typing import Any

from kedro.config import OmegaConfigLoader
from omegaconf import OmegaConf


class ProjectConfigLoader(OmegaConfigLoader):
    """Kedro's loader, with runtime parameters that reach into an environment's inheritance.

    Kedro merges ``--params training.xgboost.n_trials=50`` with the parameters of the
    environment before the environment's blocks replace those of base. A block that the
    environment inherits would then consist of the runtime parameter alone. Here the inherited
    block comes first and the runtime parameter changes it.
    """

    def _read_raw_config(self, key: str) -> Any:
        base, env, *places = super()._read_raw_config(key)
        if key == "parameters" and self.runtime_params:
            stated = {str(name) for config in env.values() for name in config}
            inherited = set(self.runtime_params) - stated
            for path, config in base.items():
                if names := [name for name in config if name in inherited]:
                    env[path] = OmegaConf.masked_copy(config, names)
        return base, env, *places
