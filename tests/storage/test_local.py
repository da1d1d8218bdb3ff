"""What only local files do: scratch, kills, links, pipes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archivae.errors import StorageError
from archivae.storage import join, list_source, read_object, remove_stale_scratch, scratch_of, stat_object, write_object

KILLED_WHILE_SYNCING = """
import os, sys
from archivae.storage import local
local.os.fsync = lambda descriptor: os._exit(9)
os.makedirs(sys.argv[2], exist_ok=True)
local.write(sys.argv[1], b"new" * 1000, sys.argv[2])
"""


def _write(destination: Path, name: str, data: bytes) -> None:
    write_object(join(str(destination), name), data, scratch=scratch_of(str(destination)))


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException
) -> None:
    _write(tmp_path, "old", b"old")

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises((StorageError, KeyboardInterrupt)):
        _write(tmp_path, "old", b"new")
    with pytest.raises((StorageError, KeyboardInterrupt)):
        _write(tmp_path, "fresh", b"new")
    monkeypatch.undo()
    assert (tmp_path / "old").read_bytes() == b"old"
    assert [entry.name for entry in list_source(str(tmp_path))] == ["old"]
    assert os.listdir(scratch_of(str(tmp_path))) == []


def test_a_process_killed_while_it_writes_leaves_the_old_file_and_only_scratch(tmp_path: Path) -> None:
    _write(tmp_path, "a", b"old")
    scratch = scratch_of(str(tmp_path))
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_SYNCING, str(tmp_path / "a"), scratch], check=False)
    assert killed.returncode == 9
    assert (tmp_path / "a").read_bytes() == b"old"
    (left,) = os.scandir(scratch)
    assert remove_stale_scratch(str(tmp_path)) == 0
    os.utime(left.path, (0, 0))
    assert remove_stale_scratch(str(tmp_path)) == 1
    assert os.listdir(scratch) == []


def test_stale_scratch_is_ours_alone_and_taken_literally(tmp_path: Path) -> None:
    scratch = Path(scratch_of(str(tmp_path)))
    assert remove_stale_scratch(str(tmp_path)) == 0
    scratch.mkdir(parents=True)
    for name in ("[ab].tmp", "a.tmp", "keep.jpg"):
        (scratch / name).touch()
    for name in ("[ab].tmp", "keep.jpg"):
        os.utime(scratch / name, (0, 0))
    assert remove_stale_scratch(str(tmp_path)) == 1
    assert sorted(os.listdir(scratch)) == ["a.tmp", "keep.jpg"]
    assert remove_stale_scratch("gs://bucket/place") == 0


def test_a_file_where_a_folder_should_be(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(StorageError, match="cannot write"):
        _write(tmp_path, "a/b", b"1")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        _write(tmp_path, "folder", b"1")


def test_files_have_no_generation(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(StorageError, match="expected no generation"):
        read_object(str(tmp_path / "a"), generation=1)


def test_pipes_are_neither_listed_nor_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a").touch()
    assert [entry.name for entry in list_source(str(tmp_path))] == ["a"]
    assert stat_object(str(tmp_path / "pipe")) is None
    with pytest.raises(StorageError, match="expected a regular file"):
        read_object(str(tmp_path / "pipe"))


def test_links_are_followed_but_not_in_circles_and_broken_ones_are_missing(tmp_path: Path) -> None:
    source, elsewhere = tmp_path / "source", tmp_path / "elsewhere"
    (source / "sub").mkdir(parents=True)
    elsewhere.mkdir()
    (elsewhere / "1.jpg").write_bytes(b"1")
    (source / "linked").symlink_to(elsewhere)
    (source / "sub" / "up").symlink_to(source)
    (source / "broken").symlink_to(tmp_path / "nowhere")
    found = [(entry.name, entry.size, entry.fingerprint) for entry in list_source(str(source))]
    assert [(name, size) for name, size, _ in found] == [("broken", -1), ("linked/1.jpg", 1)]
    assert found[0][2] == "missing"


def test_names_that_are_no_utf8_are_listed(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/\xff.jpg", "wb") as file:
        file.write(b"1")
    (entry,) = list_source(str(tmp_path))
    assert entry.name == "\udcff.jpg"
    assert read_object(entry.uri) == b"1"


def test_a_limit_takes_no_room_and_is_looked_at_before_anything_is_read(tmp_path: Path) -> None:
    small, huge = tmp_path / "small", tmp_path / "huge"
    small.write_bytes(b"abc")
    assert read_object(str(small), limit=1 << 50) == b"abc"
    with open(huge, "wb") as file:
        file.truncate(1 << 42)  # sparse: it takes no disk
    with pytest.raises(StorageError, match="at most"):
        read_object(str(huge), limit=1 << 41)
