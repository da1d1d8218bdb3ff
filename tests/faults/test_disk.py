"""Disks that are full or closed, and objects that go or change between listing and reading."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archivae.errors import StorageError
from archivae.pipeline import run as module
from archivae.storage import StoredObject, stat_object, write_object
from archivae.storage import local as disk
from archivae.transforms import Item
from archivae.transforms.read import read_item
from archivae.transforms.write import write_item
from tests.end_to_end.jobs import PHOTOS, Folder, encode
from tests.samples import photo_file


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Makes the disk hold but so many bytes more, as write(2) sees it."""
    left = [1 << 60]
    open_file = open

    class Full:
        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self.file.close()  # type: ignore[attr-defined]

        def writelines(self, pieces: Iterator[bytes]) -> None:
            for piece in pieces:
                part = piece[: left[0]]
                left[0] -= len(part)
                self.file.write(part)  # type: ignore[attr-defined]
                if len(part) < len(piece):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def opened(path: str, mode: str = "r") -> object:
        file = open_file(path, mode)
        return Full(file) if "x" in mode else file

    monkeypatch.setattr(disk, "open", opened, raising=False)
    return lambda count: left.__setitem__(0, count)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, full_disk: Callable[[int], None]) -> None:
    full_disk(500)
    with pytest.raises(StorageError, match="No space left on device.*the disk"):
        write_object(str(tmp_path / "a"), bytes(1000), scratch=str(tmp_path / "tmp"))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_job_on_a_disk_that_fills_goes_on_when_there_is_room(
    tmp_path: Path, full_disk: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    source, archive = Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out"))
    source.put(PHOTOS)
    full_disk(4000)
    assert encode(source, archive) == 2
    assert "No space left on device" in capsys.readouterr().err
    for name in archive.files():
        assert name.endswith(".avae")
    assert archive.own("tmp/") == []
    full_disk(1 << 60)
    assert encode(source, archive) == 0
    assert len(archive.files()) == len(PHOTOS) == len(archive.rows())


@pytest.mark.parametrize("error", [errno.EACCES, errno.EROFS])
def test_what_cannot_be_written_is_a_failed_item(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(disk, "_write_synced", refuse)
    item = write_item(Item(StoredObject("/in/a", "a", 1, "local:1:1"), "a.avae", data=b"x"), str(tmp_path))
    assert item.status == "failed" and item.failure is not None
    assert item.failure.step == "write" and os.strerror(error) in item.failure.reason


@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO])
def test_what_may_not_be_read_is_a_failed_item(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(photo_file())
    found = stat_object(str(tmp_path / "a.png"))
    assert found is not None

    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(disk, "open", refuse, raising=False)
    item = read_item(Item(found, "a.png"), pictures_only=True)
    assert item.failure is not None and os.strerror(error) in item.failure.reason


@pytest.mark.parametrize("change", ["delete", "replace"])
def test_an_object_that_goes_or_changes_after_it_was_listed(change: str, place: Folder) -> None:
    place.put({"a.png": photo_file(), "b.png": photo_file(seed=2)})
    found = stat_object(place.path("a.png"))
    assert found is not None
    if change == "delete":
        place.delete("a.png")
    else:
        place.put({"a.png": photo_file(seed=3)})
    item = read_item(Item(found, "a.png"), pictures_only=True)
    assert item.failure is not None and item.failure.step == "read"
    assert "changed since it was listed" in item.failure.reason or "no such file" in item.failure.reason


def test_two_jobs_on_one_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, archive = Folder(str(tmp_path / "in")), Folder(str(tmp_path / "out"))
    source.put(PHOTOS)
    codes: list[int] = []

    check = module.check_destination

    def check_and_begin_another(*arguments: object) -> None:
        monkeypatch.undo()
        codes.append(encode(source, archive, "--quality=10"))
        check(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "check_destination", check_and_begin_another)
    assert encode(source, archive) == 0
    assert codes == [2] and "works on" in capsys.readouterr().err
    assert {row.quality for row in archive.rows().values()} == {60.0}
