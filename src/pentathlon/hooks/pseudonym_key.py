"""Hand the key of pseudonyms from the credentials to the datasets that need it."""

from __future__ import annotations

from typing import Any

from kedro.framework.hooks import hook_impl

DATASETS = ("raw_events", "simulated_events")
"""Datasets with raw tables."""

ENTRY = "pseudonyms"
"""Entry of the credentials."""


class PseudonymKeyHook:
    """Give raw tables the key with which their customers become pseudonymous."""

    @hook_impl
    def after_catalog_created(self, catalog: Any, conf_creds: dict[str, Any]) -> None:
        """Pass the credentials on; a run that reads no raw table never looks at them."""
        for name in DATASETS:
            dataset: Any = catalog.get(name) if name in catalog else None
            if hasattr(dataset, "use_credentials"):  # users may read raw tables in other ways
                dataset.use_credentials((conf_creds or {}).get(ENTRY))
