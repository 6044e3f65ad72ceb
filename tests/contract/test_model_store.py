"""Contract of every ModelStore."""

import os
from pathlib import Path
from uuid import uuid4

import pytest

from sinks.model_store import FsspecModelStore
from streams.errors import SettingError, Unavailable
from streams.models.memory import MemoryModelStore
from streams.models.snapshot import BadSnapshot
from streams.models.store import ModelStore
from streams.models.version import Version


@pytest.fixture(params=["memory", "file", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    if request.param == "memory":
        return MemoryModelStore()
    if request.param == "file":
        return FsspecModelStore(f"file://{tmp_path}/models")
    return FsspecModelStore(f"memory://{uuid4().hex}")


def test_what_was_put_is_got(store: ModelStore) -> None:
    blob = bytes(range(256)) * 1000
    store.put("churn/logistic/1/7.snapshot", blob)
    assert store.get("churn/logistic/1/7.snapshot") == blob
    store.put("churn/logistic/1/7.snapshot", blob)
    store.put("churn/logistic/1/8.snapshot", b"")
    assert store.get("churn/logistic/1/8.snapshot") == b""


def test_what_is_not_there(store: ModelStore) -> None:
    with pytest.raises(KeyError):
        store.get("churn/logistic/1/7.snapshot")
    assert not store.has("churn/logistic/1/7.snapshot")
    assert store.list("churn/logistic/1/") == []
    store.put("churn/logistic/1/7.snapshot", b"x")
    assert store.has("churn/logistic/1/7.snapshot")
    with pytest.raises(KeyError):
        store.get("churn/logistic/1")
    with pytest.raises(KeyError):
        store.get("churn/logistic/1/7.snapshot/more")


def test_a_listing_is_sorted_and_of_one_folder(store: ModelStore) -> None:
    versions = [Version("churn", "logistic", 1, offset) for offset in (99, 100, 7, 10**12, 0)]
    for version in [*versions, Version("churn", "logistic", 11, 5), Version("churn", "logistic2", 1, 5)]:
        store.put(version.path, str(version).encode())
    found = store.list(versions[0].folder)
    assert [store.get(path).decode() for path in found] == [str(v) for v in sorted(versions)]
    assert len(store.list("churn/")) == 7


def test_a_listing_shows_what_another_process_wrote(tmp_path: Path) -> None:
    one, other = (FsspecModelStore(f"file://{tmp_path}") for _ in range(2))
    assert one.list("a/") == []
    other.put("a/b", b"x")
    assert one.list("a/") == ["a/b"] and one.get("a/b") == b"x"
    other.put("a/b", b"longer")
    assert one.get("a/b") == b"longer"


def test_a_kill_while_writing_leaves_nothing_to_read(tmp_path: Path) -> None:
    store = FsspecModelStore(f"file://{tmp_path}")
    store.put("a/1", b"whole")
    (tmp_path / "a" / "2.0123456789abcdef.part").write_bytes(b"ha")
    assert store.list("a/") == ["a/1"]


def test_a_store_that_cannot_write_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="check its address"):
        FsspecModelStore(f"file://{tmp_path}/models").put("a/1", b"x")


def test_an_address_of_no_known_kind_is_a_setting_error() -> None:
    with pytest.raises(SettingError, match="file:///var/models"):
        FsspecModelStore("nosuch://models")


def test_no_path_leads_out_of_the_store(tmp_path: Path) -> None:
    store = FsspecModelStore(f"file://{tmp_path}/models")
    with pytest.raises(ValueError):
        store.put("../outside", b"x")


def test_what_is_too_large_is_not_read(tmp_path: Path) -> None:
    store = FsspecModelStore(f"file://{tmp_path}")
    store.put("a/1", b"x")
    os.truncate(tmp_path / "a" / "1", 10**12)
    with pytest.raises(BadSnapshot, match="bytes allowed"):
        store.get("a/1")


def test_what_is_too_large_in_a_bucket_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinks.model_store.LIMIT", 10)
    store = FsspecModelStore(f"memory://{uuid4().hex}")
    store.put("a/1", b"x" * 10)
    store.put("a/2", b"x" * 11)
    assert store.get("a/1") == b"x" * 10
    with pytest.raises(BadSnapshot, match="bytes allowed"):
        store.get("a/2")


def test_links_pipes_and_devices_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("no snapshot")
    folder = tmp_path / "models" / "a"
    folder.mkdir(parents=True)
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "zeros").symlink_to("/dev/zero")
    (folder / "loop").symlink_to("loop")
    (tmp_path / "models" / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    store = FsspecModelStore(f"file://{tmp_path}/models")
    for path in ("a/file", "a/zeros", "a/loop", "a/pipe", "folder/secret"):
        with pytest.raises(BadSnapshot, match="link"):
            store.get(path)


def test_the_store_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "models").symlink_to(tmp_path / "real")
    store = FsspecModelStore(f"file://{tmp_path}/models")
    store.put("a/1", b"x")
    assert store.get("a/1") == b"x"
