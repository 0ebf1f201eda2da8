"""Data, parameters and the catalog: what changes runs, and nothing stale is ever served."""

import json
import shutil
import sqlite3
import threading

import pytest
from kedro.pipeline import Node, Pipeline

EVERYTHING = ["clean", "fit", "judge"]


# --- parameters


def test_a_nested_parameter_runs_the_node_that_reads_it(shop):
    shop.run()
    shop.parameters["settings"]["tree"]["depth"] = 3
    assert "params:settings tree.depth changed" in shop.plan()["fit"]
    assert shop.run() == ["fit", "judge"]


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": 0.5, "tree": {"depth": 2}},  # the order of keys is that of columns
        {"tree": {"depth": 2.0}, "rate": 0.5},
        {"tree": {"depth": 2, "width": None}, "rate": 0.5},
        {"tree": {"depth": 2}},
    ],
)
def test_anything_that_differs_in_a_parameter_counts(shop, settings):
    shop.run()
    shop.parameters["settings"] = settings if "rate" in settings else {**settings, "rate": True}
    assert shop.run() == ["fit", "judge"]


def test_a_parameter_that_nobody_reads_does_not(shop):
    shop.run()
    shop.parameters["other"] = 5
    assert shop.run() == []


# --- inputs


def test_an_input_of_the_same_size_and_time_but_other_content(shop, change_in_secret):
    shop.run()
    shop.run()
    change_in_secret(shop.data / "01_raw/raw.json", "[1, 2, 9]")
    assert shop.run() == EVERYTHING


def test_the_content_decides_not_the_time(shop):
    shop.run()
    shop.put("01_raw/raw.json", "[1, 2, 3]")
    assert shop.run() == []


def test_inputs_that_change_places(shop):
    shop.put("01_raw/other.json", "[5, 6]")
    shop.catalog_config["other"] = shop.entry("01_raw/other.json", versioned=False)
    shop.write("nodes.py", "def join(a, b):\n    return a + b[:1]\n")
    text = """
        from kedro.pipeline import Node, Pipeline
        from shop import nodes
        def create():
            return Pipeline([Node(nodes.join, INPUTS, "cleaned", name="join")])
        """
    for inputs in ('["raw", "other"]', '["other", "raw"]', '{"a": "raw", "b": "other"}',
                   '{"b": "raw", "a": "other"}'):  # fmt: skip
        shop.write("pipe.py", text.replace("INPUTS", inputs))
        assert shop.run() == ["join"]
        assert shop.run() == []
    assert shop.catalog.load("cleaned") == [5, 6, 1]


def test_an_input_of_its_own_version_can_be_asked_for(shop):
    shop.run()
    first = shop.newest("cleaned").parent.name
    shop.change("constants.py", "RATE = 2", "RATE = 3")
    shop.run()
    assert shop.run(load_versions={"cleaned": first}) == ["fit", "judge"]
    assert shop.catalog.load("model")["mean"] == 10.0
    assert shop.run() == ["fit", "judge"]
    assert shop.catalog.load("model")["mean"] == 14.0


def test_a_value_in_memory_as_free_input(shop):
    del shop.catalog_config["raw"]
    assert shop.run(memory={"raw": [1, 2, 3]}) == EVERYTHING
    assert shop.run(memory={"raw": [1, 2, 3]}) == []
    assert shop.run(memory={"raw": [1, 2, 4]}) == EVERYTHING


# --- outputs


def test_an_output_that_is_gone(shop):
    shop.run()
    shutil.rmtree(shop.data / "06_models/model.json")
    assert shop.run() == ["fit", "judge"]


def test_a_version_that_is_gone(shop):
    shop.run()
    shop.newest("report").unlink()
    assert shop.run() == ["judge"]
    assert shop.run() == []


def test_an_output_that_was_edited(shop, change_in_secret):
    shop.run()
    shop.run()
    path = shop.newest("model")
    change_in_secret(path, path.read_text().replace("5", "6").replace("10", "11"))
    assert "output model is not what its last success wrote" in shop.plan()["fit"]
    assert shop.run() == ["fit", "judge"]


def test_an_output_that_was_cut_short(shop):
    shop.run()
    path = shop.newest("report")
    path.write_bytes(path.read_bytes()[:-2])
    assert shop.run() == ["judge"]


def test_an_output_in_the_place_of_which_an_older_one_was_put(shop):
    shop.run()
    old = shop.newest("model").read_text()
    shop.parameters["settings"]["tree"]["depth"] = 3
    shop.run()
    shop.newest("model").write_text(old)
    assert shop.run() == ["fit", "judge"]


def test_an_older_version_that_has_become_the_newest(shop):
    shop.run()
    shop.parameters["settings"]["tree"]["depth"] = 3
    shop.run()
    shutil.rmtree(shop.newest("model").parent)
    assert "but the newest version is" in " ".join(shop.plan()["fit"])
    assert shop.run() == ["fit", "judge"]
    assert shop.catalog.load("model") == {"mean": 15.0}


def test_a_newer_version_that_something_else_has_saved(shop):
    shop.run()
    path = shop.data / "03_primary/cleaned.json/2026-02-01T00.00.00.000Z/cleaned.json"
    path.parent.mkdir()
    path.write_text("[100]")
    # The clock of this project is behind that version: nothing that it saves is the newest.
    with pytest.warns(UserWarning, match="did not match load version"):
        assert shop.run() == EVERYTHING
    assert shop.catalog.load("model") == {"mean": 10.0}


def test_consumers_load_the_version_of_the_last_success_whatever_comes_meanwhile(shop):
    shop.run()
    shop.change("nodes.py", "- raw[0]", "- raw[1]")
    pipeline, catalog = shop.open()
    from pentathlon.runners import FreshRunner

    FreshRunner(state=str(shop.data / ".fresh.sqlite")).plan(pipeline, catalog)
    path = shop.data / "06_models/model.json/2026-02-01T00.00.00.000Z/model.json"
    path.parent.mkdir()
    path.write_text('{"mean": 1000}')
    assert catalog.load("model") == {"mean": 10.0}


def test_outputs_without_versions_are_held_to_their_content(shop, change_in_secret):
    for name in ("cleaned", "model", "report"):
        shop.catalog_config[name]["versioned"] = False
    shop.run()
    assert shop.run() == []
    path = shop.data / "06_models/model.json"
    change_in_secret(path, path.read_text().replace("10", "11"))
    assert shop.run() == ["fit", "judge"]


# --- failures


def test_a_failure_in_the_middle_resumes_there(shop):
    shop.change("nodes.py", 'return {"mean"', "raise RuntimeError('no')\n    return {\"mean\"")
    with pytest.raises(RuntimeError, match="no"):
        shop.run()
    assert shop.recorder.ran == ["clean", "fit"]
    shop.change("nodes.py", "raise RuntimeError('no')\n    ", "")
    assert shop.run() == ["fit", "judge"]
    assert shop.run() == []


def test_a_failure_after_a_success_does_not_bring_back_the_success_of_other_parameters(shop):
    shop.run()
    shop.parameters["settings"] = {"tree": {}}
    with pytest.raises(KeyError):
        shop.run()
    shop.parameters["settings"] = {"tree": {"depth": 2}, "rate": 0.5}
    assert shop.run() == []
    assert shop.catalog.load("report") == {"gain": 9.0}


def test_half_of_several_outputs_saved_is_no_success(shop):
    shop.write(
        "pipe.py",
        """
        from kedro.pipeline import Node, Pipeline

        def two(raw):
            return raw, object()

        def create():
            return Pipeline([Node(two, "raw", ["cleaned", "model"], name="two")])
        """,
    )
    with pytest.raises(Exception, match="not JSON serializable"):
        shop.run()
    shop.change("pipe.py", "object()", "{}")
    assert shop.run() == ["two"]
    assert shop.run() == []


# --- the catalog


@pytest.mark.parametrize(
    "change",
    [
        {"save_args": {"indent": 4}},
        {"filepath": "elsewhere/model.json"},
        {"fs_args": {"open_args_save": {"encoding": "utf-8"}}},
        {"type": "pickle.PickleDataset", "filepath": "data/06_models/model.json"},
    ],
)
def test_a_catalog_entry_that_changes(shop, change):
    shop.run()
    entry = {**shop.catalog_config["model"], **change}
    if not entry["filepath"].startswith("/"):
        entry["filepath"] = str(shop.root / entry["filepath"])
    shop.catalog_config["model"] = entry
    assert shop.run() == ["fit", "judge"]
    assert shop.run() == []


def test_what_is_for_people_and_what_is_secret_in_the_catalog_does_not_count(shop):
    shop.run()
    shop.catalog_config["model"] |= {"metadata": {"kedro-viz": {"layer": "models"}}}
    assert shop.run() == []


def test_other_credentials_are_no_change(shop):
    shop.catalog_config["raw"]["credentials"] = {"skip_instance_cache": True}
    shop.run()
    shop.catalog_config["raw"]["credentials"] = {"skip_instance_cache": False}
    assert shop.run() == []


def test_a_validator_of_the_project_counts_with_its_code(shop):
    shop.write("checks.py", "class Passes:\n    def validate(self, data):\n        return data\n")
    shop.catalog_config["raw"]["validator"] = {"class": "shop.checks.Passes"}
    shop.run()
    assert shop.run() == []
    shop.change("checks.py", "return data", "return data[:2]")
    assert shop.run() == EVERYTHING
    assert shop.catalog.load("cleaned") == [3, 5]


def test_a_dataset_of_the_project_counts_with_its_code(shop):
    shop.write(
        "data.py",
        """
        from kedro_datasets.json import JSONDataset
        from shop import constants

        class Doubled(JSONDataset):
            def load(self):
                return [x * constants.UNUSED for x in super().load()]
        """,
    )
    shop.catalog_config["raw"]["type"] = "shop.data.Doubled"
    shop.run()
    assert shop.run() == []
    shop.change("constants.py", "UNUSED = 1", "UNUSED = 2")
    assert shop.run() == EVERYTHING


def test_datasets_made_by_a_pattern(shop):
    del shop.catalog_config["cleaned"], shop.catalog_config["model"]
    pattern = shop.entry("{name}.json")
    pattern["filepath"] = f"{shop.data}/made/{{name}}.json"
    shop.catalog_config["{name}"] = pattern
    assert shop.run() == EVERYTHING
    assert shop.run() == []
    pattern["save_args"] = {"indent": 2}
    assert shop.run() == EVERYTHING


def test_data_behind_a_cache(shop):
    plain = shop.catalog_config["model"]
    plain.pop("versioned")
    shop.catalog_config["model"] = {
        "type": "CachedDataset", "versioned": True, "dataset": plain,
    }  # fmt: skip
    shop.run()
    assert shop.run() == []
    (path,) = (shop.data / "06_models/model.json").glob("*/*")
    path.write_text("{}")
    assert shop.run() == ["fit", "judge"]


def test_a_dataset_that_a_node_works_in(shop):
    store = shop.put("store.json", "[]")
    shop.catalog_config["store"] = shop.entry("../data/store.json", versioned=False)
    shop.catalog_config["store"]["filepath"] = str(store)
    shop.write(
        "pipe.py",
        f"""
        from pathlib import Path

        from kedro.pipeline import Node, Pipeline

        def work(raw, store):
            Path({str(store)!r}).write_text("[1]")
            return raw

        def create():
            return Pipeline([Node(work, ["raw", "store"], "cleaned", name="work")])
        """,
    )
    assert shop.run() == ["work"]
    assert shop.run() == ["work"]
    store.write_text("[]")
    shop.catalog_config["store"]["metadata"] = {"fresh": {"content": "ignore"}}
    assert shop.run() == ["work"]
    assert shop.run() == []


# --- kinds of data


def nodes(shop, *wiring, extra=""):
    lines = ",\n                ".join(wiring)
    shop.write(
        "pipe.py",
        f"""
        from kedro.pipeline import Node, Pipeline

        def same(data, *others):
            return data

        def less(data, *others):
            return data[:-1]

        def note(data):
            pass

        class Thing:
            def __init__(self, data):
                self.data = data
            def total(self):
                return sum(self.data)

        def wrap(data):
            return Thing(data)

        def total(thing):
            return thing.total()

        def create():
            return Pipeline([
                {lines}
            ])
        """,
    )


def test_data_in_memory_is_made_again_only_if_a_consumer_runs(shop):
    nodes(
        shop,
        'Node(same, "raw", "passing", name="first")',
        'Node(less, "passing", "further", name="second")',
        'Node(same, "further", "cleaned", name="third")',
        'Node(same, "cleaned", "model", name="fourth")',
    )
    assert shop.run() == ["first", "second", "third", "fourth"]
    assert shop.run() == []
    shop.newest("model").unlink()
    assert shop.run() == ["fourth"]
    shop.newest("cleaned").unlink()
    plan = shop.plan()
    assert plan["second"] == ["output further is kept in memory only, and third needs it"]
    assert shop.run() == ["first", "second", "third", "fourth"]
    assert shop.run() == []
    shop.change("pipe.py", "return data[:-1]", "return data[:-2]")
    assert shop.run() == ["first", "second", "third", "fourth"]
    assert shop.catalog.load("model") == [1]


def test_others_that_read_data_in_memory_run_with_the_one_that_needs_it(shop):
    # What is in memory may come out otherwise: nodes of one run must not mix two draws of it.
    shop.write(
        "pipe.py",
        """
        import random

        from kedro.pipeline import Node, Pipeline

        def draw(raw):
            return random.random()

        def keep(value):
            return value

        def keep_too(value):
            return value

        def create():
            return Pipeline([
                Node(draw, "raw", "drawn", name="draw"),
                Node(keep, "drawn", "cleaned", name="one"),
                Node(keep_too, "drawn", "model", name="two"),
            ])
        """,
    )
    shop.run()
    assert shop.run() == []
    shop.newest("model").unlink()
    assert shop.run() == ["draw", "one", "two"]
    assert shop.catalog.load("cleaned") == shop.catalog.load("model")


def test_results_in_memory_are_always_made(shop):
    nodes(shop, 'Node(same, "raw", "cleaned", name="kept")',
          'Node(same, "cleaned", "result", name="given")')  # fmt: skip
    shop.run()
    assert shop.run() == ["given"]
    assert shop.catalog.load("result") == [1, 2, 3]


def test_what_cannot_be_checked_always_runs(shop):
    nodes(shop, 'Node(note, "raw", None, name="nothing")',
          'Node(same, "raw", "cleaned", name="confirming", confirms="raw")')  # fmt: skip
    plan = shop.plan()
    assert plan["nothing"][:1] == ["it has no outputs, so nothing shows whether its work is done"]
    assert "confirms" in plan["confirming"][0]


def test_data_in_no_file_always_runs(shop):
    shop.write(
        "data.py",
        """
        from kedro.io import AbstractDataset

        class Remote(AbstractDataset):
            def __init__(self, table):
                self.table = table
            def load(self):
                return [1, 2, 3]
            def save(self, data):
                pass
            def _describe(self):
                return {}

        class Telling(Remote):
            def content_fingerprint(self):
                from shop.constants import UNUSED
                return str(UNUSED)
        """,
    )
    shop.catalog_config["raw"] = {"type": "shop.data.Remote", "table": "t"}
    shop.run()
    assert shop.run() == EVERYTHING
    shop.catalog_config["raw"]["type"] = "shop.data.Telling"
    assert shop.run() == EVERYTHING
    assert shop.run() == []


def test_a_pickle_whose_class_has_changed(shop):
    shop.catalog_config["model"] = shop.entry("06_models/thing.pkl")
    shop.catalog_config["model"]["type"] = "pickle.PickleDataset"
    nodes(shop, 'Node(wrap, "raw", "model", name="wrap")',
          'Node(total, "model", "report", name="total")')  # fmt: skip
    shop.run()
    assert shop.run() == []
    before = shop.newest("model").read_bytes()
    shop.change("pipe.py", "sum(self.data)", "max(self.data)")
    part = shop.pipeline().filter(node_names=["total"])
    assert shop.run(part) == ["total"], "also alone, where the pickle itself has not changed"
    assert shop.catalog.load("report") == 3
    assert shop.run() == ["wrap", "total"]
    assert shop.newest("model").read_bytes() == before


def test_names_that_say_how_to_read_the_same_file(shop):
    path = str(shop.data / "table.csv")
    shop.catalog_config["table@rows"] = {"type": "pandas.CSVDataset", "filepath": path,
                                         "save_args": {"index": False}}  # fmt: skip
    shop.catalog_config["table@text"] = {"type": "text.TextDataset", "filepath": path}
    shop.write(
        "pipe.py",
        """
        import pandas as pd
        from kedro.pipeline import Node, Pipeline

        def write(raw):
            return pd.DataFrame({"x": raw})

        def read(text):
            return text.split()

        def create():
            return Pipeline([
                Node(write, "raw", "table@rows", name="write"),
                Node(read, "table@text", "cleaned", name="read"),
            ])
        """,
    )
    assert shop.run() == ["write", "read"]
    assert shop.run() == []
    shop.put("table.csv", "x\n7\n")
    assert shop.run() == ["write", "read"]
    assert shop.catalog.load("cleaned") == ["x", "1", "2", "3"]
    shop.catalog_config["table@text"]["fs_args"] = {"open_args_load": {"encoding": "utf-8"}}
    assert shop.run() == ["read"]


def test_folders_and_partitions(shop):
    folder = shop.data / "parts"
    shop.catalog_config["cleaned"] = {
        "type": "partitions.PartitionedDataset", "path": str(folder), "dataset": "json.JSONDataset",
        "filename_suffix": ".json",
    }  # fmt: skip
    shop.write(
        "pipe.py",
        """
        from kedro.pipeline import Node, Pipeline

        def split(raw):
            return {str(x): x for x in raw}

        def join(parts):
            return [part() for part in parts.values()]

        def create():
            return Pipeline([
                Node(split, "raw", "cleaned", name="split"),
                Node(join, "cleaned", "model", name="join"),
            ])
        """,
    )
    assert shop.run() == ["split", "join"]
    assert shop.run() == []
    (folder / "9.json").write_text("9")
    assert shop.run() == ["split", "join"]
    (folder / "9.json").unlink()
    (folder / "2.json").unlink()
    assert shop.run() == ["split", "join"]


def test_data_on_other_file_systems(shop):
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/raw.json", b"[1, 2, 3]")
    shop.catalog_config["raw"]["filepath"] = "memory://bucket/raw.json"
    shop.catalog_config["cleaned"]["filepath"] = "memory://bucket/cleaned.json"
    shop.run()
    assert shop.run() == []
    memory.pipe("/raw.json", b"[1, 2, 4]")
    assert shop.run() == EVERYTHING
    memory.rm("/cleaned.json", recursive=True)
    assert shop.run() == EVERYTHING


# --- parts, names, and several at once


def test_parts_of_a_pipeline_share_what_they_know(shop):
    whole = shop.pipeline()
    assert shop.run(whole.filter(node_names=["clean"])) == ["clean"]
    assert shop.run(shop.pipeline().filter(from_nodes=["fit"])) == ["fit", "judge"]
    assert shop.run() == []
    shop.parameters["settings"]["tree"]["depth"] = 3
    assert shop.run(shop.pipeline().filter(node_names=["judge"])) == []
    assert shop.run(shop.pipeline().filter(to_nodes=["fit"])) == ["fit"]
    assert shop.run() == ["judge"]


def test_a_part_that_runs_alone_reads_what_another_part_has_made_since(shop):
    shop.run()
    shop.change("constants.py", "RATE = 2", "RATE = 3")
    shop.run(shop.pipeline().filter(node_names=["clean"]))
    assert shop.run(shop.pipeline().filter(node_names=["fit"])) == ["fit"]
    assert shop.catalog.load("model") == {"mean": 14.0}


def test_a_node_of_another_name_runs(shop):
    shop.run()
    shop.change("pipe.py", 'name="fit"', 'name="fit_again"')
    assert shop.run() == ["fit_again", "judge"]


def test_namespaces_keep_apart(shop):
    shop.write(
        "pipe.py",
        """
        from kedro.pipeline import Node, Pipeline

        def take(raw, position):
            return raw[position]

        def create():
            part = Pipeline([Node(take, ["raw", "params:position"], "taken", name="take")])
            return sum((
                Pipeline(part, namespace=name, inputs="raw", parameters={
                    "params:position": f"params:{name}"})
                for name in ("left", "right")
            ), Pipeline([]))
        """,
    )
    shop.parameters |= {"left": 0, "right": 1}
    for name in ("left", "right"):
        shop.catalog_config[f"{name}.taken"] = shop.entry(f"{name}.json")
    assert shop.run() == ["left.take", "right.take"]
    shop.parameters["right"] = 2
    assert shop.run() == ["right.take"]


def test_a_moved_data_folder_stays_fresh(shop):
    shop.run()
    moved = shop.root / "moved"
    shop.data.rename(moved)
    for entry in shop.catalog_config.values():
        entry["filepath"] = entry["filepath"].replace(str(shop.data), str(moved))
    shop.data = moved
    assert shop.run() == []


def test_the_state_lies_beside_the_data(shop):
    shop.run(state=None)
    assert (shop.data / ".fresh.sqlite").is_file()
    assert shop.run() == []


def test_a_state_that_cannot_be_read_is_set_aside(shop, caplog):
    shop.run()
    (shop.data / ".fresh.sqlite").write_text("no database")
    assert shop.run() == EVERYTHING
    assert (shop.data / ".fresh.sqlite.broken").is_file()
    assert shop.run() == []


def test_a_state_of_another_format_counts_for_nothing(shop):
    shop.run()
    with sqlite3.connect(shop.data / ".fresh.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    assert shop.run() == EVERYTHING


def test_the_state_holds_no_values(shop):
    shop.parameters["settings"]["password"] = "s3cr3t-value"
    shop.run()
    assert b"s3cr3t-value" not in (shop.data / ".fresh.sqlite").read_bytes()


def test_hooks_fire_for_what_runs_and_only_for_that(shop):
    shop.run()
    assert shop.recorder.saved == ["cleaned", "model", "report"]
    shop.change("nodes.py", "- raw[0]", "- raw[1]")
    shop.run()
    assert (shop.recorder.ran, shop.recorder.saved) == (["judge"], ["report"])


def test_explaining_runs_nothing(shop, caplog):
    caplog.set_level("INFO")
    assert shop.run(explain=True) == []
    assert "run   fit: it has no success on record" in caplog.text
    assert "3 of 3 nodes run." in caplog.text
    shop.run()
    caplog.clear()
    assert shop.run(explain=True) == []
    assert "skip  fit: nothing has changed since its last success." in caplog.text


def test_loading_and_saving_in_threads(shop):
    assert shop.run(is_async=True) == EVERYTHING
    assert shop.run(is_async=True) == []


def test_two_runs_at_once_leave_a_state_that_holds(shop):
    for name in ("cleaned", "model", "report"):
        shop.catalog_config[name]["versioned"] = name == "report"
    opened = [shop.open() for _ in range(2)]
    opened[1] = (opened[0][0], opened[1][1])
    opened[1][1]["params:settings"] = {"tree": {"depth": 5}}
    from pentathlon.runners import FreshRunner

    failures = []

    def go(pipeline, catalog):
        try:
            FreshRunner(state=str(shop.data / ".fresh.sqlite")).run(pipeline, catalog)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=go, args=each) for each in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not failures
    shop.run(opened[0][0])
    assert json.loads((shop.data / "06_models/model.json").read_text()) == {"mean": 10.0}
    assert shop.catalog.load("report") == {"gain": 9.0}
    assert shop.run(opened[0][0]) == []


def test_an_empty_pipeline(shop):
    assert shop.run(Pipeline([])) == []


def test_a_node_made_by_hand_of_a_library_function(shop):
    pipeline = Pipeline([Node(sum, "raw", "model", name="library")])
    assert shop.run(pipeline) == ["library"]
    assert shop.run(pipeline) == []
