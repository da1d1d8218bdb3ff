"""Trying hard to lose an object."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from google.api_core.exceptions import PreconditionFailed
from google.cloud.storage import Blob

from archivae.errors import ChangedError, StorageError
from archivae.storage import gcs_removal, local_removal, stat_object
from archivae.storage.objects import store_of
from archivae.storage.removal import Known, delete_aside, is_aside, put_back, set_aside
from tests.end_to_end.jobs import Folder


@pytest.fixture(params=["local", "gs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in") if request.param == "local" else f"{request.getfixturevalue('gcs')}/in")


def known(folder: Folder, name: str) -> Known:
    found = stat_object(folder.path(name))
    assert found is not None
    return Known(found.uri, found.fingerprint, hashlib.sha256(folder.read(name)).hexdigest())


def honour_preconditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator deletes whatever the precondition; the service refuses with 412, and so does this."""
    delete = Blob.delete

    def conditional(blob: Blob, *, if_generation_match: int) -> None:
        current = blob.bucket.get_blob(blob.name)
        if current is not None and current.generation != if_generation_match:
            raise PreconditionFailed("conditionNotMet")
        delete(blob, if_generation_match=if_generation_match)

    monkeypatch.setattr(Blob, "delete", conditional)


ASIDE = "_archivae/quarantine/run/a.png"


def test_aside_and_gone(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one", "b.png": b"two"}), "a.png")
    set_aside(original, folder.path(ASIDE))
    assert {*folder.everything()} == {ASIDE, "b.png"} and folder.read(ASIDE) == b"one"
    assert is_aside(original, folder.path(ASIDE))
    delete_aside(original, folder.path(ASIDE))
    assert {*folder.everything()} == {"b.png"}
    assert not is_aside(original, folder.path(ASIDE))
    delete_aside(original, folder.path(ASIDE))  # twice is once


def test_aside_and_back(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    set_aside(original, folder.path(ASIDE))
    put_back(folder.path(ASIDE), original.uri)
    assert folder.read("a.png") == b"one" and {*folder.everything()} == {"a.png"}


def test_back_never_replaces_what_is_new(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    set_aside(original, folder.path(ASIDE))
    folder.put({"a.png": b"new"})
    with pytest.raises(StorageError, match="put"):
        put_back(folder.path(ASIDE), original.uri)
    assert folder.read("a.png") == b"new" and folder.read(ASIDE) == b"one"


def test_a_name_with_wildcards_is_that_name_alone(folder: Folder) -> None:
    names = ["a[1].png", "a1.png", "a*.png", "ab.png", "a?.png", "[a]/*.png", "a/c.png"]
    folder.put({name: name.encode() for name in names})
    for name in ("a[1].png", "a*.png", "a?.png", "[a]/*.png"):
        original = known(folder, name)
        target = folder.path(f"_archivae/quarantine/run/{name}")
        set_aside(original, target)
        delete_aside(original, target)
    assert folder.files() == {name: name.encode() for name in ("a1.png", "ab.png", "a/c.png")}


def test_what_changed_is_left_alone(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    folder.put({"a.png": b"two"})
    with pytest.raises(ChangedError):
        set_aside(original, folder.path(ASIDE))
    assert folder.read("a.png") == b"two" and {*folder.everything()} == {"a.png"}


def test_what_is_aside_is_deleted_only_while_it_is_the_same(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    set_aside(original, folder.path(ASIDE))
    folder.put({ASIDE: b"two"})
    with pytest.raises(ChangedError):
        delete_aside(original, folder.path(ASIDE))
    assert folder.read(ASIDE) == b"two"


def test_a_place_that_is_taken_is_not_overwritten(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one", ASIDE: b"other"}), "a.png")
    with pytest.raises(StorageError):
        set_aside(original, folder.path(ASIDE))
    assert folder.read("a.png") == b"one" and folder.read(ASIDE) == b"other"


def test_same_size_and_time_but_other_bytes(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path)).put({"a.png": b"one"})
    original = known(folder, "a.png")
    times = os.stat(original.uri)
    Path(original.uri).write_bytes(b"two")
    os.utime(original.uri, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ChangedError, match="other bytes"):
        set_aside(original, folder.path(ASIDE))
    assert folder.read("a.png") == b"two"


def test_a_file_replaced_between_the_check_and_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tmp_path)).put({"a.png": b"one", "new.png": b"new"})
    original = known(folder, "a.png")
    rename = os.rename

    def late(path: str, target: str) -> None:
        os.replace(folder.path("new.png"), path)
        rename(path, target)

    monkeypatch.setattr(local_removal.os, "rename", late)
    with pytest.raises(ChangedError, match="replaced"):
        set_aside(original, folder.path(ASIDE))
    assert folder.read("a.png") == b"new"


def test_an_object_written_between_the_copy_and_the_delete(gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honour_preconditions(monkeypatch)
    folder = Folder(f"{gcs}/in").put({"a.png": b"one"})
    original = known(folder, "a.png")
    copy = gcs_removal._copy

    def late(*arguments):  # type: ignore[no-untyped-def]
        copied = copy(*arguments)
        folder.put({"a.png": b"new"})
        return copied

    monkeypatch.setattr(gcs_removal, "_copy", late)
    with pytest.raises(ChangedError, match="written again"):
        set_aside(original, folder.path(ASIDE))
    assert folder.read("a.png") == b"new"


def test_links_are_not_taken(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path)).put({"real.png": b"one"})
    os.symlink(folder.path("real.png"), folder.path("a.png"))
    with pytest.raises(ChangedError, match="link"):
        set_aside(known(folder, "a.png"), folder.path(ASIDE))
    assert folder.read("real.png") == b"one" == folder.read("a.png")


def test_dates_of_objects_are_told(folder: Folder) -> None:
    folder.put({"a.png": b"one"})
    (listed,) = store_of(folder.uri).walk(folder.uri)
    found = stat_object(folder.path("a.png"))
    assert found is not None and found.written == listed.written > 1.7e9
