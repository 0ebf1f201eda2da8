"""Every environment's catalog: it resolves, it stays below its data root, nothing is left over."""

import re
from pathlib import PurePosixPath

import pytest
import yaml
from kedro.io import DataCatalog

from pentathlon.hooks.spark_session import on_spark
from pentathlon.models.registry import MODEL_NAMES
from pentathlon.pipelines.reporting.nodes import FIGURES

# In the order of the folders of data/: 01_raw to 08_reporting.
LAYERS = (
    "raw",
    "intermediate",
    "primary",
    "feature",
    "model_input",
    "models",
    "model_output",
    "reporting",
)
UNVERSIONED = {
    "raw_customers": "the user's file: never written",
    "simulated_customers": "stands for the user's file, and is read where that would be",
    **dict.fromkeys(
        ("customer_attributes", "suppression_list", "contact_history", "purchase_history"),
        "the user's own file, like raw_customers",
    ),
    "customers_to_score": "the user's own folder, like raw_customers",
    "scored_decisions": "continued from run to run",
    "raw_events": "the user's tables: never written",
    "simulated_events": "stands for the user's tables, and is read where those would be",
    "moment_observations": "read as raw_customers where a retailer has events",
    "truth": "belongs to simulated_customers and lies beside it",
    **{f"{model}_study_store": "continued from run to run" for model in MODEL_NAMES},
}
# Read where the simulated retailer wrote, unless a run says otherwise.
FROM_USERS = {"raw_customers", "raw_events"}
# Layers of Kedro-Viz must not run backwards, so what is made of scores belongs behind them.
BEHIND_THEIR_FOLDER = {"fusion_model", "decision_engine"}
BEFORE_THEIR_FOLDER = {"policy_choice"}
# The engine that a run saved is used where it lies, so what it shares with base lies there too.
SHARES_BASE = "spark"
ON_SPARK = {"customers_to_score", "scored_decisions"}


def layer(entry):
    return entry["metadata"]["kedro-viz"]["layer"]


def folder(entry, root):
    return PurePosixPath(entry["filepath"]).relative_to(root).parts[0]


def test_every_environment_is_known(conf):
    # A new one is welcome: give it a data root of its own, and it is tested as the others are.
    assert {"base", "case", "case_b", "hillstrom", "test"} <= set(conf.environments)


def test_datasets_can_be_made(conf, env, tmp_path):
    config = conf.catalog(env, data_root=str(tmp_path))
    if env == SHARES_BASE:  # whether those two are there, only Spark can say
        assert on_spark({name: config.pop(name) for name in ON_SPARK}) == ON_SPARK
    catalog = DataCatalog.from_config(config)
    for name in config:
        assert catalog[name] is not None
        assert catalog.exists(name) in (True, False)


def test_paths_start_at_the_data_root(conf, env, catalogs):
    root = conf.load(env)["globals"]["data_root"]
    for name, entry in catalogs[env].items():
        assert entry["filepath"].startswith(f"{root}/0"), name


@pytest.mark.parametrize("root", ["elsewhere/results", "/mnt/results"])
def test_a_run_can_move_the_data_root(conf, env, catalogs, root):
    own = conf.load(env)["globals"]["data_root"]
    moved = conf.catalog(env, data_root=root)
    assert {name: entry["filepath"] for name, entry in moved.items()} == {
        name: entry["filepath"].replace(own, root, 1) for name, entry in catalogs[env].items()
    }


def test_a_run_can_read_another_raw_file_and_moves_nothing_else(conf, env, catalogs):
    moved = conf.catalog(env, raw_file="mine.csv")
    assert moved["raw_customers"]["filepath"] == "mine.csv"
    rest = {name: e for name, e in moved.items() if name != "raw_customers"}
    assert rest == {name: e for name, e in catalogs[env].items() if name != "raw_customers"}


def test_a_run_can_read_other_raw_tables_and_moves_nothing_else(conf, env, catalogs):
    moved = conf.catalog(env, raw_events="mine")
    assert moved["raw_events"]["filepath"] == "mine"
    rest = {name: e for name, e in moved.items() if name != "raw_events"}
    assert rest == {name: e for name, e in catalogs[env].items() if name != "raw_events"}


def test_no_two_environments_write_into_one_folder(conf, catalogs):
    roots = {env: conf.load(env)["globals"]["data_root"] for env in conf.environments}
    assert roots.pop(SHARES_BASE) == roots["base"]
    assert len(set(roots.values())) == len(roots)
    written: dict[str, str] = {}
    for env, catalog in catalogs.items():
        for name, entry in catalog.items():
            shared = env == SHARES_BASE and name != "scored_decisions"
            if name not in FROM_USERS and not shared:
                place = f"{env}: {name}"
                assert written.setdefault(entry["filepath"], place) == place


def test_no_two_datasets_share_a_file(env, catalogs):
    paths = [e["filepath"] for name, e in catalogs[env].items() if name not in FROM_USERS]
    assert len(set(paths)) == len(paths)


def test_no_absolute_paths_in_the_configuration(conf):
    for path in conf.folder.rglob("*.yml"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"""(?<![\w}.])/[a-z]\w+/|[A-Za-z]:\\|~/|/home/""", text), path


def test_datasets_are_exactly_those_of_the_pipelines(env, catalogs, registry):
    used = set()
    for pipeline in registry.values():
        used |= {name for name in pipeline.datasets() if not name.startswith("params:")}
    assert set(catalogs[env]) == used


def test_what_crosses_a_pipeline_is_persisted(env, catalogs, registry, stages):
    outputs = {name: pipeline.all_outputs() for name, pipeline in stages.items()}
    read = {name: pipeline.inputs() for name, pipeline in stages.items()}
    for stage, made in outputs.items():
        others = set().union(*(names for other, names in read.items() if other != stage))
        crossing = made & (others | registry["__default__"].outputs())
        for name in crossing:
            entry = catalogs[env][name]
            assert "MemoryDataset" not in entry["type"], name
            assert entry["filepath"], name


def test_versions_are_kept_of_everything_but_the_exceptions(env, catalogs):
    unversioned = {name for name, e in catalogs[env].items() if not e.get("versioned", False)}
    assert unversioned == set(UNVERSIONED)


def test_what_nodes_work_in_does_not_count_as_changed_data(env, catalogs):
    # Or tuning, which writes its trials there, would be run again after each of its own runs.
    says = {n: e["metadata"].get("fresh") for n, e in catalogs[env].items()}
    working = {f"{model}_study_store" for model in MODEL_NAMES}
    assert {name for name, fresh in says.items() if fresh == {"content": "ignore"}} == working


def test_layers_are_those_of_the_folders(conf, env, catalogs):
    root = conf.load(env)["globals"]["data_root"]
    for name, entry in catalogs[env].items():
        place = LAYERS[int(folder(entry, root)[:2]) - 1]
        assert folder(entry, root)[3:] == place, name
        if name in BEHIND_THEIR_FOLDER | BEFORE_THEIR_FOLDER:
            assert layer(entry) == "model_output", name
        else:
            assert layer(entry) == place, name


def test_layers_run_one_way_or_kedro_viz_would_show_none(catalogs, registry):
    catalog = catalogs["base"]
    order = {name: LAYERS.index(layer(entry)) for name, entry in catalog.items()}
    for node in registry["__default__"].nodes:
        read = {n: order[n] for n in node.inputs if not n.startswith("params:")}
        for output in node.outputs:
            later = {name for name, position in read.items() if position > order[output]}
            assert not later, f"{node.name} reads {later} and writes {output} into an earlier layer"


def test_no_namespace_reads_a_later_layer_than_it_writes_or_kedro_viz_would_show_none(
    catalogs, registry
):
    """Collapsed, a namespace is one node: what goes in must not lie behind what comes out."""
    catalog = catalogs["base"]
    order = {name: LAYERS.index(layer(entry)) for name, entry in catalog.items()}
    by_namespace: dict[str, list] = {}
    for node in registry["__default__"].nodes:
        if node.namespace:
            by_namespace.setdefault(node.namespace.split(".")[0], []).append(node)
    assert len(by_namespace) > 4
    for namespace, nodes in by_namespace.items():
        made = {name for node in nodes for name in node.outputs}
        read = {name for node in nodes for name in node.inputs} - made
        latest = max((order[n], n) for n in read if n in order)
        earliest = min((order[n], n) for n in made if n in order)
        assert latest[0] <= earliest[0], f"{namespace} reads {latest[1]}, writes {earliest[1]}"


def test_no_pipeline_as_a_whole_writes_before_it_reads(catalogs, stages):
    # Kedro-Viz collapses namespaces: what one of them writes may not lie before what it reads.
    order = {name: LAYERS.index(layer(entry)) for name, entry in catalogs["base"].items()}
    for name, pipeline in stages.items():
        read = [order[n] for n in pipeline.inputs() if not n.startswith("params:")]
        written = [order[n] for n in pipeline.outputs()]
        assert max(read, default=0) <= min(written), name


def test_tables_and_figures_have_previews(catalogs):
    for name, entry in catalogs["base"].items():
        if entry["type"] == "pandas.ParquetDataset" and layer(entry) == "reporting":
            assert entry["metadata"]["kedro-viz"]["preview_args"]["nrows"] > 0, name
    figures = {n for n, entry in catalogs["base"].items() if entry["type"] == "plotly.JSONDataset"}
    assert figures == {f"{name}_figure" for name in FIGURES}


def test_models_are_never_pickled(env, catalogs):
    for name, entry in catalogs[env].items():
        assert "ickle" not in entry["type"], name
        assert not entry["filepath"].endswith((".pkl", ".pickle", ".joblib")), name


def test_tables_at_the_boundary_carry_their_schema(env, catalogs):
    for name in ("observations", "customers"):
        assert f"pentathlon.contract.tables.{name}_schema" in str(catalogs[env][name]["validator"])


def test_base_has_one_catalog_file_and_at_most_one_parameters_file_per_pipeline(conf, stages):
    catalogs = {p.stem.removeprefix("catalog_") for p in (conf.folder / "base").glob("catalog*")}
    assert catalogs == set(stages)
    known = {"parameters", *(f"parameters_{name}" for name in stages)}
    assert {p.stem for p in (conf.folder / "base").glob("parameters*")} <= known


def test_an_environment_holds_only_files_that_base_has(conf, env):
    names = {p.name for p in (conf.folder / "base").iterdir()}
    if env == SHARES_BASE:
        names.add("spark.yml")
    assert {p.name for p in (conf.folder / env).iterdir()} <= names


def test_an_environment_changes_no_dataset_but_the_raw_file(conf, env, catalogs):
    if env == "base":
        return
    base = conf.catalog("base", data_root="x")
    other = conf.catalog(env, data_root="x")
    allowed = ON_SPARK if env == SHARES_BASE else {"raw_customers"}
    assert {name for name in base if base[name] != other[name]} <= allowed


def test_catalog_files_name_what_their_pipeline_makes(conf, stages):
    for name, pipeline in stages.items():
        path = conf.folder / "base" / f"catalog_{name}.yml"
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        names: dict = {n: {"type": "any"} for n in config if n[0] != "_"}
        entries = conf.entries(names, {name: pipeline})
        from_users = {n for n in entries if UNVERSIONED.get(n, "").startswith("the user's")}
        own = pipeline.all_outputs() | from_users
        stores = {n for n in entries if n.endswith("_study_store")}
        assert set(entries) == own | stores, path.name


def test_patterns_are_for_models_and_for_nothing_else(conf, registry):
    patterns = {name for name in conf.load("base")["catalog"] if "{" in name}
    named = {pattern.format(model=model) for pattern in patterns for model in MODEL_NAMES}
    explicit = {name for name in conf.load("base")["catalog"] if "{" not in name}
    datasets = {name for pipeline in registry.values() for name in pipeline.datasets()}
    assert {n for n in datasets - explicit if not n.startswith("params:")} == named
