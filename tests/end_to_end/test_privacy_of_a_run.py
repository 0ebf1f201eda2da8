"""What a finished run from raw tables holds of persons, and a person erased from all of it."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner
from kedro.io import CatalogConfigResolver

from pentathlon.cli import cli
from pentathlon.events import IntakeSettings, PseudonymKey, personal_columns
from pentathlon.models.registry import MODEL_NAMES
from pentathlon.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

ROOT = Path(__file__).parents[2]
CONF = ROOT / "conf"
ENV = "events"
LATER = 3  # layers from here on: 03_primary
# Columns that are called as a personal one is, and hold no person's name.
OTHERS = {("limit_outcomes", "name"): "of a limit"}
# What models and their trials are saved as holds no rows; the commands say that they pass it by.
NO_TABLES = {".db", ".keras", ".skops", ".ubj"}


def load(env: str, kind: str, root: Path) -> dict[str, Any]:
    loader = CONFIG_LOADER_CLASS(
        conf_source=str(CONF),
        env=env,
        runtime_params={"data_root": str(root)},
        **CONFIG_LOADER_ARGS,
    )
    return dict(loader[kind])


def environments() -> list[str]:
    local = CONFIG_LOADER_ARGS["default_run_env"]
    return sorted(p.name for p in CONF.iterdir() if p.is_dir() and p.name != local)


def later_datasets(env: str, root: Path) -> dict[str, Path]:
    """Places of an environment's datasets of layer 03 or later."""
    config = load(env, "catalog", root)
    resolver = CatalogConfigResolver(config, default_runtime_patterns={"{any}": {}})
    models = {n.format(model=m) for n in config if resolver.is_pattern(n) for m in MODEL_NAMES}
    names = models | {n for n in config if not resolver.is_pattern(n)}
    paths = {name: Path(resolver.resolve_pattern(name)["filepath"]) for name in names}
    return {n: p for n, p in paths.items() if int(p.relative_to(root).parts[0][:2]) >= LATER}


def personal_names(root: Path) -> set[str]:
    """Names of personal columns, of every environment's contracts, and of their hashes."""
    names: set[str] = set()
    for env in environments():
        settings = IntakeSettings.model_validate(load(env, "parameters", root)["intake"])
        names |= {column for _, column in personal_columns(settings.contracts().values())}
    return names | {f"{name}_hash" for name in names}


def files_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())


def column_names(kind: pa.DataType | pa.Schema) -> Iterator[str]:
    """Names of columns, and of fields of records in them."""
    for field in kind:
        yield field.name
        inner = field.type
        while pa.types.is_list(inner) or pa.types.is_large_list(inner):
            inner = inner.value_type
        if pa.types.is_struct(inner):
            yield from column_names(inner)


def keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        value = list(value.values())
    for inner in value if isinstance(value, list) else ():
        yield from keys(inner)


@pytest.fixture(scope="module")
def taken(run_all, tmp_path_factory) -> Path:
    """A run from raw tables to decisions and to files for an e-mail provider. Do not touch."""
    folder = tmp_path_factory.mktemp("privacy")
    conf, root = folder / "conf", folder / "data"
    for name in ("base", ENV):
        shutil.copytree(CONF / name, conf / name)
    (conf / "local").mkdir()
    shutil.copy(CONF / "logging.yml", conf)
    for name in ("training", "order_value"):  # models that are small enough for a test
        shutil.copy(CONF / "test" / f"parameters_{name}.yml", conf / ENV)
    params = f"data_root={root},randomness.threads=1"
    runs = run_all(
        f"--pipelines simulate_events --env test --params {params}",
        f"--pipelines from_events --env {ENV} --conf-source {conf} --params {params},"
        f"raw_events={root}/01_raw/simulated/events,intake.privacy.personal.email=hash",
    )
    for run in runs:
        run.checked()
    exported = CliRunner().invoke(cli, ["export", "--to", "braze", "--data-root", str(root)])
    assert exported.exit_code == 0, exported.output
    return root


# --- personal columns


def test_no_dataset_of_a_later_layer_has_a_personal_column(taken):
    places, personal = later_datasets(ENV, taken), personal_names(taken)
    assert {"name", "email", "phone", "address", "email_hash"} <= personal
    for env in environments():
        assert set(later_datasets(env, taken)) == set(places), env
    seen: set[tuple[str, str]] = set()
    for name, place in places.items():
        files = files_of(place)
        assert files, f"{name}: the run has not written it, so nobody has looked at it"
        for file in files:
            if file.suffix == ".parquet":
                found = set(column_names(pq.read_schema(file)))
            elif file.suffix == ".json":
                # A figure's lines and a model's parts have names.
                found = set(keys(json.loads(file.read_text(encoding="utf-8")))) - {"name"}
            else:
                assert file.suffix in {*NO_TABLES, ".html", ".md"}, file
                continue
            seen |= {(name, column) for column in found & personal}
    assert seen == set(OTHERS)


def test_the_scan_would_see_the_columns_that_raw_and_clean_tables_have(taken):
    personal = personal_names(taken)
    raw = taken / "01_raw/simulated/events/customers/part-00000.parquet"
    assert {"name", "email"} <= personal & set(column_names(pq.read_schema(raw)))
    (clean,) = (taken / "02_intermediate/clean_customers").rglob("*.parquet")
    assert set(column_names(pq.read_schema(clean))) & personal == {"email_hash"}


def test_nothing_that_a_run_writes_has_a_name_an_address_or_an_identifier(taken):
    people = pd.read_parquet(taken / "01_raw/simulated/events/customers")
    (clean,) = (taken / "02_intermediate/clean_customers").rglob("*.parquet")
    hashes = set(pd.read_parquet(clean)["email_hash"].dropna())
    secrets = {*people["customer_id"].dropna(), *people["email"], *people["name"].dropna()}
    assert len(hashes) > 1000
    for file in files_of(taken):
        layer = int(file.relative_to(taken).parts[0][:2])
        if layer < LATER - 1:
            continue
        if file.suffix != ".parquet":
            content = file.read_bytes()
            assert b"@shop.example" not in content, file
            assert not any(hash_.encode() in content for hash_ in sorted(hashes)[:100]), file
            continue
        frame = pd.read_parquet(file)
        for column in frame.select_dtypes(["object", "string", "category"]):
            values = set(frame[column].dropna().astype(str))
            assert not values & secrets, f"{file}: {column}"
            assert not any("@shop.example" in value for value in values), f"{file}: {column}"
            assert layer < LATER or not values & hashes, f"{file}: {column}"


# --- a request


def rows_of(frame: pd.DataFrame, names: set[str]) -> pd.Series:
    """Rows with one of the names in any column."""
    texts = frame.select_dtypes(["object", "string", "category"])
    return texts.apply(lambda column: column.astype("str").isin(names)).any(axis=1)


def read(path: Path) -> pd.DataFrame:
    return (
        pd.read_csv(path, dtype="str") if path.suffix == ".csv" else pq.read_table(path).to_pandas()
    )


def tables(root: Path) -> dict[str, pd.DataFrame]:
    paths = (path for path in files_of(root) if path.suffix in {".parquet", ".csv"})
    return {path.relative_to(root).as_posix(): read(path) for path in paths}


def ask(action: str, customer: str, root: Path, *more: str) -> Any:
    command = ["privacy", action, "--customer", customer, "--env", ENV, "--data-root", str(root)]
    return CliRunner().invoke(cli, [*command, *more], catch_exceptions=False)


def test_a_person_is_erased_from_every_layer_of_a_run_and_nobody_else(taken, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(taken, root)
    entry = yaml.safe_load((CONF / "base/credentials.yml").read_text("utf-8"))["pseudonyms"]
    key = PseudonymKey.from_credentials(entry)
    before = tables(root)
    (observed,) = (v for k, v in before.items() if k.endswith("/observations.parquet"))
    own = before["01_raw/simulated/events/customers/part-00000.parquet"]["customer_id"].dropna()
    known = {key.pseudonym(name): name for name in own}
    pseudonym = observed["customer_id"].astype("str").iloc[7]
    customer = known[pseudonym]
    names = {pseudonym, customer}
    mine = {name: rows_of(frame, names) for name, frame in before.items()}
    expected = {name: int(rows.sum()) for name, rows in mine.items() if rows.any()}
    in_layers = {name[:2] for name in expected}
    assert in_layers == {"01", "02", "03", "05", "07", "08"}
    assert {path.name[:2] for path in root.iterdir()} == {*in_layers, "06"}

    held = json.loads(ask("export", customer, root).stdout)
    missed = held.pop("not_searched")
    assert {name: len(rows) for name, rows in held.items()} == expected
    assert {Path(name).suffix for name in missed} == NO_TABLES
    assert all(name.startswith("06_models/") for name in missed)

    bytes_before = {path: path.read_bytes() for path in files_of(root)}
    erased = ask("erase", customer, root, "--yes")
    assert erased.exit_code == 0
    assert f"Erased {sum(expected.values())} rows from {len(expected)} files" in erased.stdout
    after = tables(root)
    assert after.keys() == before.keys()
    for name, frame in after.items():
        assert not rows_of(frame, names).any(), name
        left = before[name][~mine[name]].reset_index(drop=True)
        pd.testing.assert_frame_equal(frame.reset_index(drop=True), left, obj=name)
    runs = root / "08_reporting/runs"
    touched = {path for path in bytes_before if path.read_bytes() != bytes_before[path]}
    changed = {path.relative_to(root).as_posix() for path in touched if path.parent != runs}
    assert changed == {*expected, "privacy_audit.jsonl"}

    audit = [json.loads(x) for x in (root / "privacy_audit.jsonl").read_text().splitlines()]
    assert [record["action"] for record in audit] == ["export", "erase"]
    assert audit[1]["not_searched"] == sorted(missed)
    assert pseudonym not in (root / "privacy_audit.jsonl").read_text()
    assert set(json.loads(ask("export", customer, root).stdout)) == {"not_searched"}
