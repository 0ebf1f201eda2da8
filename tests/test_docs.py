"""What the documentation shows must work: links, commands, parameters, examples."""

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import click
import pandas as pd
import pytest
import yaml
from kedro.io import CatalogConfigResolver, DataCatalog
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner
from kedro.validation import ParameterValidator

from pentathlon.cli import cli
from pentathlon.contract import MessageSet
from pentathlon.contract.source import FileContract
from pentathlon.decision import SendingSettings
from pentathlon.decision.rules import Condition, LimitSettings, RuleSettings
from pentathlon.decision.rules.settings import (
    ConsentRule,
    CoolDown,
    EligibilityRule,
    FrequencyCap,
    MandatoryMessage,
    MessagePeriod,
    PressureRule,
)
from pentathlon.events import PseudonymKey
from pentathlon.models import MODEL_NAMES, model_class
from pentathlon.models.order_value import LEVEL_MODELS
from pentathlon.pipeline_registry import register_pipelines
from pentathlon.settings import CONFIG_LOADER_ARGS, CONFIG_LOADER_CLASS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
BOOKSHOP = ROOT / "docs" / "how-to" / "own-data.md"
ENVIRONMENTS = {p.name for p in (ROOT / "conf").iterdir() if p.is_dir()}


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    found = re.findall(rf"^([ ]*)```{language}\n(.*?)^\1```", text(page), flags=re.M | re.S)
    return [textwrap.dedent(body).strip("\n") + "\n" for _, body in found]


def prose(page: Path) -> str:
    return re.sub(r"^[ ]*```.*?^[ ]*```", "", text(page), flags=re.M | re.S)


# --- links


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.M)
    plain = (re.sub(r"[^\w\- ]", "", h.lower().replace("\\", "")) for h in headings)
    return {h.strip().replace(" ", "-") for h in plain}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page):
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_can_be_reached_from_the_overview():
    index = ROOT / "docs" / "index.md"
    linked = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)", text(index))
    }
    assert {p for p in PAGES if ROOT / "docs" in p.parents} - {index} <= linked


# --- commands


@pytest.fixture(scope="module")
def registry() -> dict[str, Pipeline]:
    return register_pipelines()


def commands() -> list[tuple[Path, str]]:
    """Every ``kedro run`` and ``python -m pentathlon`` of the pages: blocks and code in prose."""
    found = []
    for page in PAGES:
        lines = [line for body in blocks(page, r"(?:bash|text)") for line in body.splitlines()]
        lines += re.findall(r"`([^`\n]+)`", prose(page))
        for line in lines:
            command = line.split(" #")[0].strip()
            if match := re.fullmatch(r'make run RUN="(.*)"', command):
                command = f"kedro run {match[1]}"
            if command.startswith(("kedro run", "python -m pentathlon")):
                found.append((page, command))
    return list(dict.fromkeys(found))


def loader(env: str | None, conf: Path = ROOT / "conf", **given: Any) -> CONFIG_LOADER_CLASS:
    return CONFIG_LOADER_CLASS(
        conf_source=str(conf), env=env, runtime_params=given, **CONFIG_LOADER_ARGS
    )


def parsed(words: list[str], command: click.Command) -> dict[str, Any]:
    """Options of a command line, by Click's own parser; what it does not know fails."""
    return command.make_context("run", words, resilient_parsing=False).params


def is_path(value: str) -> bool:
    return value.startswith("path/to/")


@pytest.mark.parametrize(
    ("page", "command"), commands(), ids=lambda v: name(v) if isinstance(v, Path) else v
)
def test_commands_use_what_there_is(page, command, registry):
    words = shlex.split(command)
    if words[0] == "python":
        if len(words) > 3:
            command = cli.get_command(click.Context(cli), words[3])
            assert command is not None, words[3]
            parsed(words[4:], command)
        return
    given = parsed(words[2:], cli.get_command(click.Context(cli), "run"))
    env = given["env"]
    assert env is None or env in ENVIRONMENTS | {"bookshop"}, env
    pipelines = given["pipelines"] or ["__default__"]
    assert set(pipelines) <= set(registry)
    assert "engine" in pipelines or env in {None, "test"} or pipelines != ["__default__"]
    pipeline = sum((registry[p] for p in pipelines), Pipeline([]))
    versions = given["load_versions"] or {}
    assert set(versions) <= pipeline.datasets()
    if env != "bookshop":
        check_parameters(env, dict(given["params"] or {}), pipeline)
    filtered = pipeline.filter(
        tags=given["tags"] or None,
        from_nodes=given["from_nodes"] or None,
        to_nodes=given["to_nodes"] or None,
        node_names=given["node_names"] or None,
        from_inputs=given["from_inputs"] or None,
        to_outputs=given["to_outputs"] or None,
        node_namespaces=given["namespaces"] or None,
    )
    assert filtered.nodes
    tags = {tag for node in pipeline.nodes for tag in node.tags}
    assert set(given["tags"] or ()) <= tags
    runner = given["runner"]
    fresh = "pentathlon.runners.FreshRunner"
    assert runner in {None, "SequentialRunner", "ParallelRunner", "ThreadRunner", fresh}


def check_parameters(env: str | None, given: dict[str, Any], pipeline: Pipeline) -> None:
    places = ("data_root", "raw_file", "raw_events", "customers_to_score", "scored_decisions")
    own = {key: given.pop(key) for key in places if key in given}
    assert all(is_path(str(value)) for value in own.values())
    assert given.pop("spark_master", "local").startswith(("local", "spark://"))
    if given:
        parameters = loader(env, **given)["parameters"]
        known = ParameterValidator({"chosen": pipeline}).validate_raw_params(parameters)
        assert set(given) <= set(known)


def test_the_pages_show_commands():
    shown = [command for _, command in commands()]
    for option in ("--params", "--env", "--namespaces", "--tags", "--from-nodes", "--pipelines"):
        assert any(option in command for command in shown), option
    assert any("runs --compare" in command for command in shown)


def test_make_targets_exist():
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), flags=re.M))
    for page in PAGES:
        bodies = "\n".join(blocks(page, "bash")) + "\n".join(
            re.findall(r"`([^`\n]+)`", prose(page))
        )
        used = set(re.findall(r"^make ([a-z-]+)", bodies, flags=re.M))
        assert used <= targets, name(page)


def test_benchmarks_that_are_named_exist():
    for page in PAGES:
        for script in re.findall(r"benchmarks/\w+\.py", text(page)):
            assert (ROOT / script).is_file(), f"{name(page)}: {script}"


# --- the site


def test_the_site_builds_without_a_warning(tmp_path):
    """Links, anchors, the table of contents and every docstring that a page asks for."""
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = (tmp_path / "site" / "reference" / "python" / "engine.html").read_text("utf-8")
    for documented in (
        "decision.DecisionEngine.decide",
        "contract.MessageSet",
        "models.Validation",
    ):
        assert f'id="pentathlon.{documented}"' in built
    front = (tmp_path / "site" / "readme.html").read_text("utf-8")
    assert 'href="tutorials/first-run.html"' in front


# --- reference


def options(command: click.Command) -> set[str]:
    """Long names of the options of a command."""
    named = (p for p in command.params if p.param_type_name == "option")
    return {max(option.opts, key=len) for option in named}


def test_every_command_and_option_is_documented():
    page = text(ROOT / "docs" / "reference" / "commands.md")
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", page, flags=re.M | re.S))
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if name == "run":
            from kedro.framework.cli.project import run as kedro_run

            missing = {
                option
                for option in options(command) - options(kedro_run)
                if f"`{option}`" not in sections["kedro run"]
            }
            assert not missing
            continue
        told = sections[f"python -m pentathlon {name}"]
        parts = command.commands.items() if isinstance(command, click.Group) else [("", command)]
        for part, one in parts:
            assert f"`{name} {part}`" in told or not part
            row = next((r for r in told.splitlines() if f"`{name} {part}`" in r), told)
            assert not {o for o in options(one) if f"`{o}`" not in row}, f"{name} {part}"


def test_every_pipeline_is_documented(registry):
    page = text(ROOT / "docs" / "reference" / "commands.md")
    assert not {name for name in registry if f"`{name}`" not in page}


def keys(value: Any, above: str = "") -> set[str]:
    """Names of all keys of nested parameters, without the names of things that users name."""
    if not isinstance(value, dict):
        return set()
    found = set()
    for key, below in value.items():
        found.add(str(key))
        if above not in {"counts", "aliases", "category_values", "message_values"}:
            found |= keys(below, str(key))
    return found


def test_every_parameter_is_documented():
    parameters: dict[str, Any] = {}
    for path in sorted((ROOT / "conf" / "base").glob("parameters*.yml")):
        parameters |= yaml.safe_load(path.read_text(encoding="utf-8"))
    page = text(ROOT / "docs" / "reference" / "parameters.md")
    documented = set(re.findall(r"`([^`]+)`", page)) | set(re.findall(r"^## (\w+)$", page, re.M))
    known = {word for item in documented for word in re.findall(r"\w+", item)}
    declared = parameters["moments"].pop("features")  # names that users choose
    wanted = {key for one in declared.values() for key in one}
    wanted |= keys(parameters) | set(FileContract.model_fields)
    for model in MODEL_NAMES:
        wanted |= set(model_class(model).hyperparameters.model_fields)
    for level in LEVEL_MODELS.values():
        wanted |= set(level.hyperparameters.model_fields)
    assert not wanted - known


def test_documented_defaults_are_those_of_the_base_environment():
    parameters = dict(loader(None)["parameters"])
    page = text(ROOT / "docs" / "reference" / "parameters.md")
    wrong = []
    for block in (
        *("randomness", "simulation", "simulate_events", "campaign", "fusion", "decision"),
        *("evaluation", "intake"),
    ):
        section = re.search(rf"^## {block}$(.*?)(?=^## |\Z)", page, flags=re.M | re.S)
        assert section, block
        rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section[1], flags=re.M))
        for key, value in parameters[block].items():
            if not isinstance(value, dict | list) and yaml.safe_load(rows[key]) != value:
                wrong.append(f"{block}.{key}: {rows[key]}, but {value} in conf/base")
    assert not wrong


def test_documented_hyperparameters_have_the_models_defaults():
    page = text(ROOT / "docs" / "reference" / "parameters.md")
    for model in MODEL_NAMES:
        section = re.search(rf"^`{model}`$(.*?)(?=^`\w+`$|^## )", page, flags=re.M | re.S)
        assert section, model
        rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", section[1], flags=re.M))
        defaults = model_class(model).hyperparameters().model_dump()
        assert {key: float(value) for key, value in rows.items()} == pytest.approx(defaults)


def test_every_dataset_is_documented(registry):
    page = text(ROOT / "docs" / "reference" / "datasets.md")
    sections = re.findall(r"^### ([^\n]+)\n(.*?)(?=^##|\Z)", page, flags=re.M | re.S)
    entries = {heading.replace("\\", ""): body for heading, body in sections}
    catalog, missing = CatalogConfigResolver(loader(None)["catalog"]), set()
    known = registry["__default__"].datasets() | registry["intake"].datasets()
    for dataset in known | {"raw_customers", "simulated_events"}:
        if dataset.startswith("params:"):
            continue
        general = dataset
        for model in MODEL_NAMES:
            general = re.sub(rf"\b{model}(?=[_.])", "<model>", general)
        if general.endswith("_figure"):
            assert f"`{general.removesuffix('_figure')}`" in page
            general = "<name>_figure"
        folder = catalog.resolve_pattern(dataset)["filepath"].removeprefix("data/").split("/")[0]
        if general not in entries:
            missing.add(dataset)
        elif general not in {"raw_customers", "raw_events"}:
            assert f"`{folder}" in entries[general], f"{dataset} lies in {folder}"
    assert not missing


# --- settings


def settings() -> list[tuple[Path, dict[str, Any]]]:
    """Blocks of parameters that the pages show, the bookshop's and the fifth model's apart."""
    found = []
    for page in PAGES:
        for body in blocks(page, "yaml"):
            shown = yaml.safe_load(body)
            own = page == BOOKSHOP or page.stem == "add-a-model"
            if (
                not own
                and isinstance(shown, dict)
                and set(shown) <= set(loader(None)["parameters"])
            ):
                found.append((page, shown))
    return found


def merged(below: Any, above: Any) -> Any:
    """What is said above put over what is said below."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: merged(below.get(key), value) for key, value in above.items()}}


@pytest.mark.parametrize(
    ("page", "shown"),
    settings(),
    ids=lambda v: name(v) if isinstance(v, Path) else " ".join(v),
)
def test_settings_that_are_shown_are_valid(page, shown, registry):
    parameters = merged(loader(None)["parameters"], shown)
    pipelines = registry["__default__"] + registry["intake"] + registry["moments"]
    ParameterValidator({"chosen": pipelines}).validate_raw_params(parameters)
    # A key that nobody knows must not pass for one that is obeyed.
    block = next(iter(shown))
    unknown = {"no_such_setting": 1}
    if block == "training":
        unknown = {next(iter(shown[block])): unknown}
    wrong = merged(parameters, {block: unknown})
    with pytest.raises(Exception, match="no_such_setting"):
        ParameterValidator({"chosen": pipelines}).validate_raw_params(wrong)


def test_pages_whose_settings_are_read():
    assert {
        "campaign-limits",
        "features-from-events",
        "learn-while-sending",
        "raw-tables",
        "select-features",
    } <= {page.stem for page, _ in settings()}


def test_the_credentials_of_the_privacy_page_are_those_that_are_read():
    first, rotated = (
        yaml.safe_load(body)["pseudonyms"]
        for body in blocks(ROOT / "docs" / "how-to" / "privacy.md", "yaml")
    )
    read = yaml.safe_load(text(ROOT / "conf" / "base" / "credentials.yml"))["pseudonyms"]
    assert set(first) == set(read)
    secret = {"key": "a" * 64}
    rotated["previous"] = dict.fromkeys(rotated["previous"], "b" * 64)
    for key in (first | secret, rotated | secret):
        assert PseudonymKey.from_credentials(key).key_id == key["key_id"]


# --- the bookshop of "Use your own data"


@pytest.fixture(scope="module")
def bookshop(tmp_path_factory) -> Path:
    """A conf source with the page's environment in it, and the file that the page makes."""
    folder = tmp_path_factory.mktemp("bookshop")
    shutil.copytree(ROOT / "conf", folder / "conf")
    for body in blocks(BOOKSHOP, "yaml"):
        path = re.match(r"# (conf/bookshop/\w+\.yml)\n", body)
        assert path, f"say which file it is: {body[:60]!r}"
        (folder / path[1]).parent.mkdir(exist_ok=True)
        (folder / path[1]).write_text(body, encoding="utf-8")
    (source,) = blocks(BOOKSHOP, "python")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(compile(source, name(BOOKSHOP), "exec"), {})
    return folder


@pytest.fixture(scope="module")
def processed(bookshop, registry) -> dict[str, Any]:
    """Results of the first stages on the page's file, under the page's settings."""
    root = (bookshop / "data" / "bookshop").as_posix()
    configuration = loader("bookshop", bookshop / "conf", data_root=root)
    pipeline = registry["data_processing"] + registry["feature_engineering"]
    parameters = ParameterValidator({"engine": registry["engine"]}).validate_raw_params(
        configuration["parameters"]
    )
    used = {k: v for k, v in configuration["catalog"].items() if k in pipeline.datasets()}
    catalog = DataCatalog.from_config(used)
    for key in pipeline.inputs():
        if key.startswith("params:"):
            catalog[key] = parameters[key.removeprefix("params:")]
    SequentialRunner().run(pipeline, catalog)
    return {output: catalog.load(output) for output in pipeline.all_outputs()}


def test_the_bookshop_differs_from_base_as_the_page_says(bookshop):
    configuration = loader("bookshop", bookshop / "conf")
    assert configuration["globals"]["data_root"] == "data/bookshop"
    assert configuration["parameters"]["simulation"]["enabled"] is False
    assert configuration["parameters"]["evaluation"]["scheme"] == "cross_fitted"
    assert list(configuration["parameters"]["messages"]) == [
        *("control", "novels", "cookbooks", "comics")
    ]


def test_the_bookshops_file_meets_the_contract(processed):
    quality, observations = processed["data_quality"], processed["observations"]
    assert quality["rows_read"] == quality["rows_kept"] == 12_000
    assert quality["unused_columns"] == []
    assert quality["warnings"] == []
    assert list(quality["arms"]) == ["control", "novels", "cookbooks", "comics"]
    assert set(observations["propensity"]) == {0.1, 0.3}
    assert (observations["split"] == "test").mean() == pytest.approx(0.3)
    assert set(processed["customers"]["language"]) == {"de", "en", "fr"}


def test_the_bookshops_features_see_the_departments(processed):
    features, builder = processed["model_input"], processed["design_builder"]
    assert {"share_novels", "share_cookbooks", "share_comics"} <= set(features.columns)
    match = builder.transform(features.head(100)).match
    assert (match[:, 0] == 0).all()
    assert (match[:, 1:] != 0).any(axis=(0, 2)).all()


# --- examples in Python


def python_blocks() -> list[tuple[Path, str]]:
    return [(page, body) for page in PAGES for body in blocks(page, "python")]


@pytest.mark.parametrize(
    ("page", "body"), python_blocks(), ids=lambda v: name(v) if isinstance(v, Path) else ""
)
def test_examples_are_python_whose_imports_exist(page, body):
    compile(body, name(page), "exec")
    for line in re.findall(r"^(?:from|import) .+$", body, flags=re.M):
        exec(line, {})


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory) -> Path:
    """A folder that looks like a project after a run, with a small engine of one model."""
    return build_finished_run(tmp_path_factory.mktemp("finished"))


def build_finished_run(folder: Path) -> Path:
    from pentathlon.contract import FeatureColumns, MessageSet
    from pentathlon.contract.process import process_customer_file
    from pentathlon.decision import DecisionSettings
    from pentathlon.features import build_features
    from pentathlon.fusion.settings import FusionSettings
    from pentathlon.judgement.judged import judge_test_rows
    from pentathlon.models.settings import (
        OrderValueSettings,
        RandomnessSettings,
        TrainingSettings,
    )
    from pentathlon.recipe import RecipeSettings, fit_recipe
    from pentathlon.simulation import SimulationConfig, simulate_retailer

    parameters = dict(loader("test")["parameters"])
    messages = MessageSet(parameters["messages"])
    columns = FeatureColumns.model_validate(parameters["features"])
    contract = FileContract.model_validate(parameters["data_processing"])
    file = simulate_retailer(SimulationConfig(rows=4_000, seed=1)).file
    processed = process_customer_file(file, messages, columns, contract)
    features = build_features(
        processed.observations[["customer_id"]].merge(processed.customers), columns
    )
    train = (processed.observations["split"] == "train").to_numpy()
    recipe = fit_recipe(
        processed.observations[train],
        features[train],
        columns,
        messages,
        RecipeSettings(
            training={
                "logistic_regression": TrainingSettings(model="logistic_regression", fixed={})
            },
            order_value=OrderValueSettings(
                n_trials=1, candidates={"gamma": parameters["order_value"]["candidates"]["gamma"]}
            ),
            fusion=FusionSettings(methods=["equal"]),
            decision=DecisionSettings(),
            randomness=RandomnessSettings(seed=1, threads=1),
        ),
    )
    version = "2026-01-31T09.30.00.000Z"

    catalog = loader(None)["catalog"]

    def place(path: str) -> Path:
        assert f"data/{path}" in {entry["filepath"] for entry in catalog.values()}
        target = folder / "data" / path / version / Path(path).name
        target.parent.mkdir(parents=True)
        return target

    engine = place("06_models/decision_engine")
    engine.mkdir()
    recipe.engine.save(engine)
    scores = judge_test_rows(recipe.engine, processed.observations, features).policy_scores()
    scores.to_parquet(place("07_model_output/policy_scores.parquet"))
    processed.customers.to_parquet(place("03_primary/customers.parquet"))
    decisions = recipe.engine.decide(processed.customers)
    decisions.to_parquet(place("07_model_output/decisions.parquet"))
    return folder


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "docs/how-to/use-the-engine.md",
        "docs/tutorials/first-run.md",
    ],
)
def test_examples_run_on_the_results_of_a_run(page, finished_run, monkeypatch, capsys):
    monkeypatch.chdir(finished_run)
    space: dict[str, Any] = {}
    for body in blocks(ROOT / page, "python"):
        exec(compile(body, page, "exec"), space)
    assert capsys.readouterr().out


def test_the_value_that_the_readme_recomputes_is_the_one_of_the_library(finished_run):
    from pentathlon.contract import MessageSet
    from pentathlon.evaluation import IPS
    from pentathlon.evaluation.outcomes import LoggedOutcomes

    path = next((finished_run / "data/07_model_output/policy_scores.parquet").glob("*/*.parquet"))
    scores = pd.read_parquet(path)
    messages = MessageSet(dict(loader("test")["parameters"])["messages"])
    outcomes = LoggedOutcomes(
        message=messages.codes(scores["message"].tolist()),
        propensity=scores["propensity"].to_numpy(),
        profit=scores["profit"].to_numpy(),
        sampling_weight=scores["sampling_weight"].to_numpy(),
    )
    expected = IPS().estimate(messages.codes(scores["decision"].tolist()), outcomes).value
    followed = scores["message"] == scores["decision"]
    weight = followed / scores["propensity"] * scores["sampling_weight"]
    assert (weight * scores["profit"]).mean() == pytest.approx(expected)


# --- rules and limits


@pytest.mark.parametrize("page", ["docs/reference/rules.md", "docs/how-to/campaign-limits.md"])
def test_rules_that_are_shown_are_valid_and_about_messages_that_exist(page):
    base = yaml.safe_load((ROOT / "conf" / "base" / "parameters.yml").read_text(encoding="utf-8"))
    messages = MessageSet(base["messages"])
    (example,) = blocks(ROOT / page, "yaml")
    shown = yaml.safe_load(example)
    settings = SendingSettings.model_validate(shown["decision"])
    named = [*settings.rules.eligibility, *settings.rules.periods, *settings.limits]
    assert named
    assert {m for rule in named for m in rule.messages or ()} <= set(messages)
    assert {rule.message for rule in settings.rules.mandatory} <= set(messages)
    assert set(settings.levers) <= set(messages)


def test_every_key_of_rules_and_limits_is_explained():
    page = prose(ROOT / "docs" / "reference" / "rules.md")
    words = set(re.findall(r"\w+", " ".join(re.findall(r"`([^`]+)`", page))))
    models = [LimitSettings, RuleSettings, Condition, ConsentRule, EligibilityRule, MessagePeriod]
    models += [FrequencyCap, CoolDown, MandatoryMessage, PressureRule]
    for model in models:
        assert set(model.model_fields) - words <= {"message"}, model.__name__


def test_the_readmes_figures_are_those_of_the_results(tmp_path):
    script = ROOT / "benchmarks" / "readme_figures.py"
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0
    # A figure that somebody types over is seen.
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    copy = tmp_path / "benchmarks"
    copy.mkdir()
    shutil.copy(script, copy)
    shutil.copytree(ROOT / "benchmarks" / "results", copy / "results")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    row = "by who they are (`segments`) | 2"
    assert row in readme
    typed = readme.replace(row, f"{row}1")
    (tmp_path / "README.md").write_text(typed, encoding="utf-8")
    again = [sys.executable, copy / script.name, "--check"]
    assert subprocess.run(again, check=False, capture_output=True).returncode == 1
