import os
import time

from pentathlon.hooks import fragments


def test_events_of_processes_merge_into_one_account(tmp_path):
    folder = tmp_path / ".parts/run"
    fragments.start(folder)
    fragments.record(folder, "load", "fit", dataset="x")
    fragments.record(folder, "loaded", "fit", dataset="x")
    fragments.record(folder, "called", "fit", reads={"x": {"version": "1"}})
    writes = {"a": {"version": "2"}, "b": {"version": "2"}}
    fragments.record(folder, "returned", "fit", outputs=["a", "b"], writes=writes, rss_mib=3.5)
    fragments.record(folder, "save", "fit", dataset="a")
    fragments.record(folder, "saved", "fit", dataset="a", headline={"gain": 1})
    half = fragments.merge(folder)
    assert not half.nodes["fit"].complete
    assert half.failed_nodes() == ["fit"]
    assert half.written == {"a": {"version": "2"}}
    (folder / "99.jsonl").write_text(
        f'{{"event": "saved", "node": "fit", "at": {time.time()}, "dataset": "b"}}\n{{"event": "sa'
    )
    merged = fragments.merge(folder)
    assert merged.nodes["fit"].complete
    assert merged.failed_nodes() == []
    assert set(merged.written) == {"a", "b"}
    assert merged.read == {"x": {"version": "1"}}
    assert (merged.headline, merged.peak_rss_mib) == ({"gain": 1}, 3.5)
    fragments.remove(folder)
    assert not folder.parent.exists()


def test_who_raised_is_preferred_to_who_was_under_way(tmp_path):
    fragments.start(tmp_path)
    fragments.record(tmp_path, "load", "slow", dataset="x")
    assert fragments.merge(tmp_path).failed_nodes() == ["slow"]
    fragments.record(tmp_path, "called", "bad")
    fragments.record(tmp_path, "failed", "bad")
    merged = fragments.merge(tmp_path)
    assert merged.failed_nodes() == ["bad"]
    assert set(merged.nodes["bad"].durations()) == {"total_s", "load_s", "run_s"}


def test_only_old_fragments_of_dead_processes_are_swept(tmp_path):
    dead, young, living = (tmp_path / name for name in ("dead", "young", "living"))
    for folder in (dead, young, living):
        fragments.start(folder)
    for folder in (dead, young):
        (folder / "owner.pid").write_text("99999999")
    for folder in (dead, living):
        os.utime(folder, (1, 1))
    assert not fragments.alive(dead)
    assert fragments.alive(living)
    fragments.remove_stale(tmp_path)
    assert not dead.exists()
    assert young.exists()
    assert living.exists()
