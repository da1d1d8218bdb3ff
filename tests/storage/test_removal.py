"""Trying hard to lose an object."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.api_core.exceptions import PreconditionFailed
from google.cloud.storage import Blob

from archivae.errors import ChangedError, StorageError
from archivae.storage import gcs_removal, local_removal, stat_object
from archivae.storage.objects import store_of
from archivae.storage.removal import (
    Known,
    aside_since,
    delete_aside,
    lies_aside,
    list_aside,
    put_back,
    remove_empty_quarantine,
    set_aside,
)
from tests.end_to_end.jobs import Folder


@pytest.fixture(params=["local", "gs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in") if request.param == "local" else f"{request.getfixturevalue('gcs')}/in")


def known(folder: Folder, name: str, aside: str = "") -> Known:
    found = stat_object(folder.path(name))
    assert found is not None
    sha256 = hashlib.sha256(folder.read(name)).hexdigest()
    return Known(found.uri, found.fingerprint, sha256, folder.uri, folder.path(aside or ASIDE))


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
    set_aside(original)
    assert {*folder.everything()} == {ASIDE, "b.png"} and folder.read(ASIDE) == b"one"
    assert lies_aside(original)
    delete_aside(original)
    assert {*folder.everything()} == {"b.png"}
    assert not lies_aside(original)
    delete_aside(original)  # twice is once


def test_aside_and_back(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    set_aside(original)
    put_back(original)
    assert folder.read("a.png") == b"one" and {*folder.everything()} == {"a.png"}


def test_back_never_replaces_what_is_new(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    set_aside(original)
    folder.put({"a.png": b"new"})
    with pytest.raises(StorageError, match="put"):
        put_back(original)
    assert folder.read("a.png") == b"new" and folder.read(ASIDE) == b"one"


def test_a_name_with_wildcards_is_that_name_alone(folder: Folder) -> None:
    names = ["a[1].png", "a1.png", "a*.png", "ab.png", "a?.png", "[a]/*.png", "a/c.png"]
    folder.put({name: name.encode() for name in names})
    for name in ("a[1].png", "a*.png", "a?.png", "[a]/*.png"):
        original = known(folder, name, f"_archivae/quarantine/run/{name}")
        set_aside(original)
        delete_aside(original)
    assert folder.files() == {name: name.encode() for name in ("a1.png", "ab.png", "a/c.png")}


def test_what_changed_is_left_alone(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    folder.put({"a.png": b"two"})
    with pytest.raises(ChangedError):
        set_aside(original)
    assert folder.read("a.png") == b"two" and {*folder.everything()} == {"a.png"}


def test_what_is_aside_is_deleted_only_while_it_is_the_same(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one"}), "a.png")
    set_aside(original)
    folder.put({ASIDE: b"two"})
    with pytest.raises(ChangedError):
        delete_aside(original)
    assert folder.read(ASIDE) == b"two"


def test_a_place_that_is_taken_is_not_overwritten(folder: Folder) -> None:
    original = known(folder.put({"a.png": b"one", ASIDE: b"other"}), "a.png")
    with pytest.raises(StorageError):
        set_aside(original)
    assert folder.read("a.png") == b"one" and folder.read(ASIDE) == b"other"


def test_same_size_and_time_but_other_bytes(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path)).put({"a.png": b"one"})
    original = known(folder, "a.png")
    times = os.stat(original.uri)
    Path(original.uri).write_bytes(b"two")
    os.utime(original.uri, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ChangedError, match="other bytes"):
        set_aside(original)
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
        set_aside(original)
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
        set_aside(original)
    assert folder.read("a.png") == b"new"


def test_links_are_not_taken(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path)).put({"real.png": b"one"})
    os.symlink(folder.path("real.png"), folder.path("a.png"))
    with pytest.raises(ChangedError, match="link"):
        set_aside(known(folder, "a.png"))
    assert folder.read("real.png") == b"one" == folder.read("a.png")


def test_dates_of_objects_are_told(folder: Folder) -> None:
    folder.put({"a.png": b"one"})
    (listed,) = store_of(folder.uri).walk(folder.uri)
    found = stat_object(folder.path("a.png"))
    assert found is not None and found.written == listed.written > 1.7e9


# Links, folders and permissions, which local disks alone have.


@pytest.fixture
def disk(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put({"sub/a.png": b"one"})


ASIDE_SUB = "_archivae/quarantine/0123456789abcdef/sub/a.png"


def in_sub(disk: Folder) -> Known:
    return known(disk, "sub/a.png", ASIDE_SUB)


def test_what_lies_behind_a_linked_folder_is_not_taken(disk: Folder, tmp_path: Path) -> None:
    elsewhere = Folder(str(tmp_path / "elsewhere")).put({"a.png": b"theirs"})
    os.symlink(elsewhere.uri, disk.path("linked"))
    with pytest.raises(StorageError, match="linked folder"):
        set_aside(known(disk, "linked/a.png", "_archivae/quarantine/0123456789abcdef/linked/a.png"))
    assert elsewhere.files() == {"a.png": b"theirs"}


@pytest.mark.parametrize("link", ["_archivae", "_archivae/quarantine", "_archivae/quarantine/0123456789abcdef"])
def test_a_linked_quarantine_is_neither_filled_nor_emptied(disk: Folder, tmp_path: Path, link: str) -> None:
    original = in_sub(disk)
    elsewhere = Folder(str(tmp_path / "elsewhere"))
    inside = ASIDE_SUB.removeprefix(f"{link}/")
    elsewhere.put({inside: b"one"})
    times = os.stat(original.uri)
    os.utime(elsewhere.path(inside), ns=(times.st_atime_ns, times.st_mtime_ns))
    os.makedirs(os.path.dirname(disk.path(link)), exist_ok=True)
    os.symlink(elsewhere.uri, disk.path(link))
    for act in (set_aside, delete_aside, put_back):
        with pytest.raises(StorageError, match="linked folder"):
            act(original)
    if link != os.path.dirname(ASIDE_SUB).removesuffix("/sub"):
        with pytest.raises(StorageError, match="linked folder"):
            list(list_aside(disk.uri))
    else:
        assert not list(list_aside(disk.uri))
    assert elsewhere.read(inside) == b"one" == disk.read("sub/a.png")


def test_places_outside_the_root_are_refused(disk: Folder) -> None:
    for uri, aside in ((disk.uri, ASIDE), ("/etc/passwd", disk.path(ASIDE)), (disk.path("a.png"), f"{disk.uri}2/a")):
        with pytest.raises(StorageError, match="left alone"):
            Known(uri, "", "", disk.uri, aside)


def calls_of(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What is done to folders and names from now on: the call, and the path that it is about."""
    calls: list[tuple[str, str]] = []

    def noted(name: str, path_of: Callable[[Any], str]) -> None:
        call = getattr(os, name)

        def noting(first: Any, *rest: Any, **words: Any) -> Any:
            calls.append((name, path_of(first)))
            return call(first, *rest, **words)

        monkeypatch.setattr(local_removal.os, name, noting)

    for name in ("mkdir", "rename", "link", "unlink"):
        noted(name, str)
    noted("fsync", lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}"))
    return calls


@pytest.mark.parametrize("way", ["there", "back"])
def test_every_new_folder_is_synced_before_the_old_name_goes(
    disk: Folder, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = in_sub(disk)
    if way == "there":
        calls = calls_of(monkeypatch)
        set_aside(original)
        goes = calls.index(("rename", original.uri))
    else:
        set_aside(original)
        os.rmdir(disk.path("sub"))
        calls = calls_of(monkeypatch)
        put_back(original)
        goes = calls.index(("unlink", original.aside))
    made = [(at, path) for at, (call, path) in enumerate(calls) if call == "mkdir"]
    assert {path for _, path in made} == (
        {disk.path("sub")} if way == "back" else {disk.path(ASIDE_SUB).rsplit("/", up)[0] for up in range(1, 5)}
    )
    for at, path in made:
        assert ("fsync", os.path.dirname(path)) in calls[at:goes]
    assert way == "there" or ("fsync", disk.path("sub")) in calls[:goes]


def test_a_folder_that_a_killed_run_made_is_synced_too(disk: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    original = in_sub(disk)
    os.makedirs(os.path.dirname(original.aside))
    calls = calls_of(monkeypatch)
    set_aside(original)
    goes = calls.index(("rename", original.uri))
    synced = {path for call, path in calls[:goes] if call == "fsync"}
    assert {disk.uri, *(os.path.dirname(original.aside).rsplit("/", up)[0] for up in range(1, 4))} <= synced


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.mark.parametrize("made_before", [False, True])
def test_nobody_but_the_owner_gets_into_a_quarantine(disk: Folder, made_before: bool) -> None:
    os.chmod(disk.path("sub"), 0o710)
    os.chmod(disk.path("sub/a.png"), 0o644)
    if made_before:
        os.makedirs(disk.path("_archivae/quarantine"), 0o777)
    set_aside(in_sub(disk))
    assert mode(disk.path("_archivae/quarantine")) == 0o700
    assert mode(os.path.dirname(disk.path(ASIDE_SUB))) & ~0o710 == 0
    assert mode(disk.path(ASIDE_SUB)) == 0o644


def test_a_folder_that_has_to_be_made_again_is_as_it_was(disk: Folder) -> None:
    os.chmod(disk.path("sub"), 0o700)
    original = in_sub(disk)
    set_aside(original)
    os.rmdir(disk.path("sub"))
    put_back(original)
    assert mode(disk.path("sub")) == 0o700 and {*disk.everything()} == {"sub/a.png"}


@pytest.mark.parametrize("act", [put_back, delete_aside])
def test_no_empty_folder_of_ours_is_left(disk: Folder, act: Callable[[Known], None]) -> None:
    original = in_sub(disk)
    set_aside(original)
    act(original)
    assert os.listdir(disk.uri) == ["sub"]


def test_empty_folders_of_a_killed_run_go_but_nothing_that_holds_anything(disk: Folder) -> None:
    os.makedirs(disk.path("_archivae/quarantine/0123456789abcdef/sub"))
    disk.put({"_archivae/quarantine/fedcba9876543210/b.png": b"two"})
    remove_empty_quarantine(disk.uri)
    assert os.listdir(disk.path("_archivae/quarantine")) == ["fedcba9876543210"]
    disk.delete("_archivae/quarantine/fedcba9876543210/b.png")
    disk.put({"_archivae/theirs": b"kept"})
    remove_empty_quarantine(disk.uri)
    assert os.listdir(disk.path("_archivae")) == ["theirs"]
    disk.delete("_archivae/theirs")
    remove_empty_quarantine(disk.uri)
    assert os.listdir(disk.uri) == ["sub"]


def test_two_names_left_by_a_kill_between_them(disk: Folder) -> None:
    """Killed while putting it back: both names are the same file."""
    original = in_sub(disk)
    for act in (put_back, set_aside):
        set_aside(original)
        os.link(original.aside, original.uri)
        act(original)
        assert len(disk.everything()) == 1
        if act is set_aside:
            put_back(original)
        assert {*disk.everything()} == {"sub/a.png"} and disk.read("sub/a.png") == b"one"


def test_two_copies_left_by_a_kill_between_them(gcs: str) -> None:
    folder = Folder(f"{gcs}/in").put({"a.png": b"one"})
    original = known(folder, "a.png")
    set_aside(original)
    folder.put({"a.png": b"one"})
    put_back(original)
    assert {*folder.everything()} == {"a.png"} and folder.read("a.png") == b"one"


def test_what_lies_aside_is_listed_with_its_name(folder: Folder) -> None:
    folder.put({"a.png": b"one", "_archivae/quarantine/stray.png": b"", "_archivae/quarantine/short/b.png": b""})
    original = known(folder, "a.png", ASIDE_SUB)
    set_aside(original)
    assert [*list_aside(folder.uri)] == [("0123456789abcdef", "sub/a.png")]
    assert abs(aside_since(original) - time.time()) < 60
