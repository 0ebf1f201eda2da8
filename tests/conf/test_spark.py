"""The environment that scores on Spark: complete, typed, and out of every other one's way."""

import re

import pytest

from pentathlon.errors import ParameterError
from pentathlon.hooks.spark_session import SparkSessionHook, on_spark, settings_in
from pentathlon.scoring.spark import SparkSettings


def test_settings_are_typed_and_complete(conf):
    loader = conf.load("spark")
    stated = loader["spark"]
    settings = settings_in(loader)
    assert set(stated) == set(SparkSettings.model_fields)
    assert settings.master == "local[*]"
    assert all(name.startswith("spark.") for name in settings.options)
    assert {"spark.driver.memory", "spark.python.worker.reuse"} <= set(settings.options)


def test_settings_are_documented(conf):
    page = (conf.root / "docs" / "reference" / "parameters.md").read_text(encoding="utf-8")
    section = page.split("### spark.yml")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| `?([^|`]+)`? \|", section, flags=re.M))
    assert set(rows) == set(SparkSettings.model_fields)
    stated = conf.load("spark")["spark"]
    assert (rows["master"], rows["app_name"]) == (stated["master"], stated["app_name"])


def test_a_run_can_say_where_spark_runs(conf):
    settings = settings_in(conf.load("spark", spark_master="spark://head:7077"))
    assert settings.master == "spark://head:7077"


def test_a_run_can_read_and_write_customers_elsewhere(conf):
    places = {"customers_to_score": "s3a://b/in", "scored_decisions": "s3a://b/out"}
    catalog = conf.load("spark", **places)["catalog"]
    assert {name: catalog[name]["filepath"] for name in places} == places


@pytest.mark.parametrize(
    ("stated", "message"),
    [({"mastr": "local"}, "mastr"), ({"options": {"driver.memory": "1g"}}, "driver.memory")],
)
def test_a_mistake_in_the_settings_is_named(stated, message):
    with pytest.raises(ParameterError, match=message):
        settings_in({"spark": stated})


def test_only_this_environment_has_settings_of_spark(conf, env):
    assert [p.name for p in (conf.folder / env).glob("spark*")] == ["spark.yml"] * (env == "spark")
    if env != "spark":
        assert settings_in(conf.load(env)) == SparkSettings()


def test_datasets_of_spark_are_those_of_its_environment(env, catalogs):
    expected = {"customers_to_score", "scored_decisions"} if env == "spark" else set()
    assert on_spark(catalogs[env]) == expected


def test_spark_is_started_by_a_run_that_has_something_on_it_and_by_no_other(
    conf, catalogs, registry, monkeypatch
):
    started = []
    monkeypatch.setattr("pentathlon.scoring.spark.session.check_installed", lambda: None)
    monkeypatch.setattr("pentathlon.scoring.spark.session.start_session", started.append)
    hook = SparkSessionHook()
    hook._loader = conf.load("spark")
    hook.after_catalog_created(catalogs["spark"])
    hook.before_pipeline_run(registry["__default__"])
    assert not started
    hook.before_pipeline_run(registry["scoring"])
    assert [settings.app_name for settings in started] == ["pentathlon"]
