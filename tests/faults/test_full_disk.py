"""A disk that is really full: a small file system of its own, and a job that is run to its end on it."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from archivae.errors import DamagedPictureError, DiskFullError, StorageError
from archivae.storage import StoredObject
from archivae.storage import local as disk
from archivae.transforms import Item
from archivae.transforms.write import write_item
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.samples import file_of, photo

WORKERS = ("--direct_running_mode=multi_processing", "--direct_num_workers=2")
LARGE = {"large.png": file_of(photo(512, 512))}
ROOM = "160k"
"""Enough for all but the large picture, and for telling of it."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Makes a file system of a size, or gives it another."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(size: str) -> Path:
        kind = "remount," if os.path.ismount(folder) else ""
        words = ["mount", "-t", "tmpfs", "-o", f"{kind}size={size}", "tmpfs", str(folder)]
        made = subprocess.run(words, capture_output=True, text=True, check=False)
        if made.returncode:
            pytest.skip(f"no file system can be mounted here: {made.stderr}")
        return folder

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    base = tmp_path_factory.mktemp("full")
    source, archive = Folder(str(base / "in")).put(PHOTOS).put(LARGE), Folder(str(base / "arc"))
    assert encode(source, archive) == 0
    return archive


@pytest.mark.parametrize("options", [(), WORKERS], ids=["one process", "two workers"])
def test_a_full_disk_ends_the_job_and_the_next_run_goes_on(
    archive: Folder, small_disk: Callable[[str], Path], options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    restored = Folder(str(small_disk(ROOM)))
    assert decode(archive, restored, *options) == 2
    assert "No space left on device" in capsys.readouterr().err
    assert "large.png" not in restored.files() and restored.own("tmp/") == []
    assert not restored.own("dead-letters-"), "the picture is not to blame"
    small_disk("4m")
    assert decode(archive, restored, *options) == 0
    assert {*restored.files()} == {*PHOTOS, *LARGE} and len(restored.rows()) == len(PHOTOS) + 1


@pytest.mark.parametrize("size", ["4k", "16k", "40k"])
def test_whatever_did_not_fit_the_job_ends(archive: Folder, small_disk: Callable[[str], Path], size: str) -> None:
    """The lease, the first picture, the rows."""
    restored = Folder(str(small_disk(size)))
    assert decode(archive, restored) == 2
    small_disk("4m")
    assert decode(archive, restored) == 0


def test_no_room_for_temporary_files(
    archive: Folder, tmp_path: Path, small_disk: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    full = small_disk("4k")
    (full / "something").write_bytes(bytes(4096))
    monkeypatch.setattr(tempfile, "tempdir", str(full))
    assert decode(archive, str(tmp_path / "out")) == 2
    assert "No space left on device" in capsys.readouterr().err


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_no_item_fails_of_a_full_disk(error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(disk, "_write_synced", refuse)
    with pytest.raises(DiskFullError, match="make room"):
        write_item(Item(StoredObject("/in/a", "a", 1, "local:1:1"), "a.avae", data=b"x"), str(tmp_path))


def test_a_full_disk_is_seen_through_what_libraries_make_of_it() -> None:
    item = Item(StoredObject("/in/a", "a", 1, "local:1:1"), "a.avae")
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    try:
        try:
            raise full
        except OSError as error:
            raise DamagedPictureError("the picture is damaged") from error
    except DamagedPictureError as error:
        with pytest.raises(DiskFullError, match="while working on /in/a"):
            item.failed("encode", error)
    assert item.failed("read", StorageError("no such file")).status == "failed"
