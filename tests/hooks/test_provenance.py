import hashlib
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

from pentathlon.hooks import provenance
from pentathlon.hooks.places import Places


def test_sha256_reads_files_larger_than_a_chunk(tmp_path):
    path = tmp_path / "big"
    content = bytes(range(256)) * 9000
    path.write_bytes(content)
    assert provenance.sha256(path) == hashlib.sha256(content).hexdigest()


def test_no_git_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance.git_state(tmp_path) == {}


def test_packages_that_are_absent_are_left_out():
    assert set(provenance.package_versions(["numpy", "no-such-package"])) == {
        "numpy",
        "pentathlon",
    }


def test_datasets_are_described_by_version_and_path(tmp_path):
    places = Places(tmp_path, tmp_path / "data")
    file = SimpleNamespace(
        _filepath=PurePosixPath(tmp_path / "data/m.ubj"),
        _protocol="file",
        resolve_load_version=lambda: "v1",
        resolve_save_version=lambda: "v2",
    )
    cached = SimpleNamespace(_dataset=file)
    assert provenance.describe_dataset(cached, places, save=False) == {
        "version": "v1",
        "path": "data/m.ubj/v1/m.ubj",
    }
    assert provenance.describe_dataset(file, places, save=True)["version"] == "v2"
    remote = SimpleNamespace(_path="bucket/parts", _protocol="s3")
    assert provenance.describe_dataset(remote, places, save=True) == {
        "version": None,
        "path": "s3://bucket/parts",
    }
    assert provenance.describe_dataset(SimpleNamespace(), places, save=True) is None


def test_only_unversioned_local_files_are_hashed(tmp_path):
    (tmp_path / "a.csv").write_text("x")
    (tmp_path / "folder").mkdir()
    catalog = {
        "a": SimpleNamespace(_filepath=Path(tmp_path / "a.csv"), _version=None),
        "versioned": SimpleNamespace(_filepath=tmp_path / "a.csv", _version=("v", "v")),
        "folder": SimpleNamespace(_filepath=tmp_path / "folder"),
        "missing": SimpleNamespace(_filepath=tmp_path / "missing"),
        "memory": SimpleNamespace(),
    }
    names = [*catalog, "params:x", "parameters"]
    hashes = provenance.hash_inputs(names, catalog, Places(tmp_path, tmp_path))
    assert list(hashes) == ["a"]
    assert hashes["a"]["bytes"] == 1
