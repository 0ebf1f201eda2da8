"""Small retailers: a simulated one, and tables made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pentathlon.events import CheckedEvents, IntakeSettings, PseudonymKey, RawEvents, check_events
from pentathlon.simulation import MESSAGES
from pentathlon.simulation.events_settings import EventsConfig
from pentathlon.simulation.events_write import SimulatedEvents

KEY = PseudonymKey("dev", "a key for tests, and for nothing else")
NAMES = ("customers", "transactions", "sessions", "email_log", "products")
CONFIG = EventsConfig(customers=600, dirty_rate=0.01, customers_per_file=1)


def settings(**changes: Any) -> IntakeSettings:
    plain = {
        "tables": {name: {"path": name} for name in NAMES},
        "as_of": CONFIG.exported_at,
        "privacy": {"allow_development_key": True},
        "database": {"memory_gib": 0.5, "threads": 1},
    }
    return IntakeSettings.model_validate({**plain, **changes})


def checked(folder: Path, scratch: Path, **changes: Any) -> CheckedEvents:
    return check_events(RawEvents(folder, scratch, KEY), settings(**changes), list(MESSAGES))


@pytest.fixture(scope="session")
def key() -> PseudonymKey:
    return KEY


@pytest.fixture(scope="session")
def check() -> Callable[..., CheckedEvents]:
    return checked


@pytest.fixture(scope="session")
def configured() -> Callable[..., IntakeSettings]:
    return settings


@pytest.fixture(scope="session")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retailer")
    SimulatedEvents(CONFIG).save(folder)
    return folder


@pytest.fixture(scope="session")
def simulated(retailer: Path, tmp_path_factory: pytest.TempPathFactory) -> CheckedEvents:
    return checked(retailer, tmp_path_factory.mktemp("scratch"))


@pytest.fixture
def intake(tmp_path: Path) -> Callable[..., tuple[dict[str, pd.DataFrame], dict[str, Any]]]:
    """Check tables that are given as text of CSV, by name."""

    def run(
        tables: dict[str, str | bytes], sources: dict[str, Any] | None = None, **changes: Any
    ) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
        folder = tmp_path / "raw"
        folder.mkdir(exist_ok=True)
        for name, text in tables.items():
            content = text if isinstance(text, bytes) else text.encode()
            (folder / f"{name}.csv").write_bytes(content)
        given = {name: {"path": f"{name}.csv"} for name in tables}
        for name, extra in (sources or {}).items():
            given[name] = {**given.get(name, {}), **extra}
        result = checked(folder, tmp_path / "scratch", tables=given, **changes)
        found = {
            path.name: pd.read_parquet(path)
            for path in result.tables.path.iterdir()
            if path.is_dir()
        }
        found["quarantine"] = pd.read_parquet(result.quarantine.path)
        return found, result.quality

    return run
