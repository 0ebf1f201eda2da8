"""What is given away for clusters and schedulers: it parses, and asks for what there is."""

import ast
import re
import runpy
import shlex
import sys
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
import yaml
from kedro.framework.cli.utils import _split_params

KNOWN_PLACES = {"data_root", "customers_to_score", "scored_decisions"}


def rendered(text):
    """A text whose placeholders the scheduler has filled in."""
    text = re.sub(r"\{\{ ?(ds|job\.parameters\.day) ?\}\}", "2026-03-31", text)
    return re.sub(r"\{\{ var\.value\.(\w+) \}\}|\$\{var\.(\w+)\}", r"path/\1\2", text)


def check_run(arguments, conf, registry):
    """Arguments of a run: an environment, pipelines and parameters that there are."""
    arguments = [rendered(word) for word in arguments]
    assert not [word for word in arguments if re.search(r"[{}$]", word)]
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert set(given) == {"--env", "--pipelines", "--params"}
    assert given["--env"] in conf.environments
    assert given["--pipelines"] in registry
    params = _split_params(None, None, given["--params"])
    assert set(params) == KNOWN_PLACES | {"campaign"}
    catalog = conf.load("spark", **params)["catalog"]
    for name in KNOWN_PLACES - {"data_root"}:
        assert catalog[name]["filepath"] == params[name]
    assert catalog["scoring_summary"]["filepath"].startswith(params["data_root"])
    base = conf.load("spark")["parameters"]["campaign"]
    assert set(params["campaign"]) <= set(base) | {"date"}


class Recorded:
    """Stands for an operator of Airflow."""

    made: ClassVar[list["Recorded"]] = []

    def __init__(self, **arguments):
        self.arguments, self.after = arguments, []
        Recorded.made.append(self)

    def __rshift__(self, other):
        other.after.append(self)
        return other

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


@pytest.fixture
def airflow(monkeypatch):
    Recorded.made = []
    places = {
        "airflow.sdk": "DAG",
        "airflow.providers.apache.spark.operators.spark_submit": "SparkSubmitOperator",
        "airflow.providers.standard.operators.bash": "BashOperator",
    }
    for place, name in places.items():
        parts = place.split(".")
        for i in range(1, len(parts) + 1):
            module = ".".join(parts[:i])
            monkeypatch.setitem(sys.modules, module, sys.modules.get(module, ModuleType(module)))
        setattr(sys.modules[place], name, Recorded)
    return Recorded.made


def test_the_dag_parses_and_imports_nothing_but_airflow(conf):
    tree = ast.parse((conf.root / "deploy" / "airflow_nightly.py").read_text(encoding="utf-8"))
    imports = [n for n in ast.walk(tree) if isinstance(n, ast.ImportFrom | ast.Import)]
    roots = {n.module.split(".")[0] for n in imports if isinstance(n, ast.ImportFrom)}
    assert roots == {"airflow", "datetime"}


def test_the_dag_scores_and_then_sends(conf, registry, airflow):
    runpy.run_path(str(conf.root / "deploy" / "airflow_nightly.py"))
    dag, score, send = airflow
    assert dag.arguments["max_active_runs"] == 1
    assert send.after == [score]
    script = score.arguments["application"].rpartition("}}/")[2]
    assert (conf.root / script).is_file()
    check_run(score.arguments["application_args"], conf, registry)
    assert set(score.arguments["conf"]) >= {"spark.executor.memoryOverhead"}
    assert all(isinstance(value, str) for value in score.arguments["conf"].values())


def test_the_bundle_of_databricks_scores(conf, registry):
    bundle = yaml.safe_load((conf.root / "deploy" / "databricks.yml").read_text(encoding="utf-8"))
    (job,) = bundle["resources"]["jobs"].values()
    (task,) = job["tasks"]
    script = task["spark_python_task"]
    assert (conf.root / "deploy" / script["python_file"]).is_file()
    check_run(script["parameters"], conf, registry)
    clusters = {cluster["job_cluster_key"] for cluster in job["job_clusters"]}
    assert task["job_cluster_key"] in clusters
    text = (conf.root / "deploy" / "databricks.yml").read_text(encoding="utf-8")
    named = {part.split("}")[0] for part in text.split("${var.")[1:]}
    assert named == set(bundle["variables"])


def test_spark_submit_of_the_page_scores(conf, registry):
    page = (conf.root / "docs" / "how-to" / "spark.md").read_text(encoding="utf-8")
    blocks = [b.split("```")[0] for b in page.split("```bash\n")[1:]]
    (block,) = [b for b in blocks if "spark-submit" in b]
    words = shlex.split(block.replace("\\\n", " "))
    at = words.index("deploy/kedro_run.py")
    params = words[at + 1 :]
    params[-1] = f"data_root=x,{params[-1]}"
    check_run(params, conf, registry)


def test_the_script_hands_its_arguments_to_the_command_line(conf, monkeypatch):
    seen = []
    monkeypatch.chdir(conf.root / "docs")
    fake = SimpleNamespace(main=seen.append)
    monkeypatch.setitem(sys.modules, "pentathlon.__main__", fake)
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = runpy.run_path(str(conf.root / "deploy" / "kedro_run.py"))
    script["run"](["--env", "spark"])
    assert seen == [["run", "--env", "spark"]]
    assert script["PROJECT"] == conf.root
