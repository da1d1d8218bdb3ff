"""Only what is known to be ours is ever replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from errno import EPERM
from pathlib import Path

import pytest

from archivae.errors import DestinationError
from archivae.storage import StoredObject, read_object, scratch_of, stat_object, write_object
from archivae.storage import local as disk
from archivae.storage.fence import Fence
from archivae.storage.targets import write_target


@pytest.fixture(params=["local", "gs"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "place") if request.param == "local" else request.getfixturevalue("gcs")


def write(place: str, data: bytes, ours: bool = False, overwrite_foreign: bool = False, name: str = "a") -> None:
    write_target(Fence(place), f"{place}/{name}", data, is_ours=lambda _: ours, overwrite_foreign=overwrite_foreign)


def put(place: str, data: bytes) -> None:
    write_object(f"{place}/a", data, scratch=scratch_of(place))


def test_what_is_new_is_written_and_what_is_foreign_stays(place: str) -> None:
    write(place, b"first")
    with pytest.raises(DestinationError, match="--overwrite-foreign"):
        write(place, b"other")
    assert read_object(f"{place}/a") == b"first"


def test_ours_is_replaced_and_so_is_anything_when_asked(place: str) -> None:
    put(place, b"first")
    write(place, b"second", ours=True)
    assert read_object(f"{place}/a") == b"second"
    write(place, b"third", overwrite_foreign=True)
    assert read_object(f"{place}/a") == b"third"


def test_the_same_bytes_count_as_written(place: str) -> None:
    put(place, b"first")
    before = stat_object(f"{place}/a")
    write(place, b"first")
    assert stat_object(f"{place}/a") == before


def test_what_changes_between_the_look_and_the_write_stays(place: str) -> None:
    put(place, b"ours")

    def replaced_meanwhile(found: StoredObject) -> bool:
        put(place, b"theirs, just now")
        return True

    with pytest.raises(DestinationError, match="just now"):
        write_target(Fence(place), f"{place}/a", b"new", is_ours=replaced_meanwhile)
    assert read_object(f"{place}/a") == b"theirs, just now"


@pytest.mark.parametrize("links", [True, False], ids=["hard links", "no hard links"])
def test_a_file_that_appears_meanwhile_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    """By somebody who takes no notice of our locks, between the last look and the write."""
    target = tmp_path / "a"
    write_synced: Callable[..., os.stat_result] = disk._write_synced

    def appears(*arguments: object) -> os.stat_result:
        target.write_bytes(b"theirs")
        return write_synced(*arguments)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(EPERM, os.strerror(EPERM))

    monkeypatch.setattr(disk, "_write_synced", appears)
    if not links:
        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(DestinationError):
        write(str(tmp_path), b"new")
    assert target.read_bytes() == b"theirs"
    assert os.listdir(scratch_of(str(tmp_path))) == []


def test_file_systems_without_hard_links_are_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(EPERM, os.strerror(EPERM))

    monkeypatch.setattr(os, "link", refuse)
    write(str(tmp_path), b"new")
    assert (tmp_path / "a").read_bytes() == b"new"


def test_links_and_folders_in_the_way_stay(tmp_path: Path) -> None:
    (tmp_path / "original").write_bytes(b"original")
    (tmp_path / "link").symlink_to(tmp_path / "original")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder").mkdir()
    for name in ("link", "dangling", "folder"):
        with pytest.raises(DestinationError):
            write(str(tmp_path), b"new", name=name)
    assert (tmp_path / "link").is_symlink() and (tmp_path / "dangling").is_symlink() and (tmp_path / "folder").is_dir()
    write(str(tmp_path), b"new", name="link", overwrite_foreign=True)
    assert (tmp_path / "original").read_bytes() == b"original", "the link gave way, not what it leads to"
    write(str(tmp_path), b"new", name="dangling", overwrite_foreign=True)
    assert (tmp_path / "dangling").read_bytes() == b"new" and not (tmp_path / "nowhere").exists()
