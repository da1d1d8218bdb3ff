"""Folders of a source that may not be read, or go while it is listed: named, and the rest is listed."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from archivae.errors import StorageError
from archivae.pipeline.archiving.command import dry_run_lines
from archivae.pipeline.archiving.selection import select
from archivae.storage import list_source, local, read_object
from archivae.storage.objects import read_listed
from archivae.storage.store import why_unreadable
from tests.end_to_end.jobs import PHOTOS, Folder, decode, encode
from tests.pipeline.archiving.policies import FILE, once, policy
from tests.storage.test_packs import tar_of

NOBODY = 65534
LISTING = """
import json, os, sys
from archivae.storage import list_source
os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
print(json.dumps([[found.name, found.fingerprint.split(":")[0]] for found in list_source(sys.argv[1])]))
"""


def refuse(monkeypatch: pytest.MonkeyPatch, path: str, error: int = errno.EACCES) -> None:
    """Have the folder ``path`` listed by nobody; what can be told of it otherwise stays."""
    scandir = os.scandir

    def scan(folder: Any = ".") -> Any:
        if isinstance(folder, str) and os.path.realpath(folder) == os.path.realpath(path):
            raise OSError(error, os.strerror(error), str(folder))
        return scandir(folder)

    monkeypatch.setattr(local.os, "scandir", scan)


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put(PHOTOS).put({"lost+found/x.png": PHOTOS["a.png"], "lost+found.png": b""})


@pytest.mark.parametrize("error", [errno.EACCES, errno.EPERM, errno.ENOENT, errno.EIO, errno.ESTALE])
def test_the_rest_is_listed_and_the_folder_is_named(
    source: Folder, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [found.name for found in list_source(source.uri)]
    refuse(monkeypatch, source.path("lost+found"), error)
    found = list(list_source(source.uri))
    names = [entry.name for entry in found]
    assert names == [name.replace("lost+found/x.png", "lost+found/") for name in whole] == sorted(names)
    (unread,) = (entry for entry in found if entry.name == "lost+found/")
    assert os.strerror(error) in why_unreadable(unread) and source.path("lost+found/") in why_unreadable(unread)
    with pytest.raises(StorageError, match="cannot list"):
        read_listed(unread, 1000)


def test_a_folder_that_breaks_off_gives_what_it_gave(source: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    class BreaksOff:
        def __init__(self, folder: str) -> None:
            self.entries = scandir(folder)

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            def entries() -> Iterator[os.DirEntry[str]]:
                yield from self.entries
                raise OSError(errno.EIO, os.strerror(errno.EIO))

            return entries()

        def __exit__(self, *_: object) -> None:
            self.entries.close()

    monkeypatch.setattr(
        local.os, "scandir", lambda folder: BreaksOff(folder) if "lost+found" in str(folder) else scandir(folder)
    )
    names = [found.name for found in list_source(source.uri)]
    assert names == sorted(names) and {"lost+found/", "lost+found/x.png"} < {*names}


def test_a_single_entry_of_which_nothing_can_be_told(source: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    look = os.stat

    def stat(path: Any, *arguments: Any, **words: Any) -> os.stat_result:
        if str(path).endswith("sub/b.png"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return look(path, *arguments, **words)

    monkeypatch.setattr(local.os, "stat", stat)
    unread = [found.name for found in list_source(source.uri) if why_unreadable(found)]
    assert unread == ["sub/b.png"]


@pytest.mark.parametrize(
    ("glob", "named"),
    [("**/*.png", True), ("*/*.png", True), ("l*/*.png", True), ("*.png", False), ("s*/*.png", False)],
)
def test_globs_that_may_match_what_lies_there(
    source: Folder, glob: str, named: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, source.path("lost+found"))
    assert ("lost+found/" in [found.name for found in list_source(source.path(glob))]) is named


def test_lists_and_packs_beside_such_a_folder(source: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    source.put({"1/pack.tar": tar_of({"x.png": PHOTOS["a.png"]}), "1/list.txt": b"../a.png\n"})
    refuse(monkeypatch, source.path("lost+found"))
    assert [found.name for found in list_source(source.path("*/*.tar"))] == ["lost+found/", "1/pack/x.png"]
    with pytest.raises(StorageError, match="cannot list"):  # what a list would have named nobody knows
        list(list_source(source.path("*/*.txt")))


def test_the_source_itself_must_be_readable(source: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, source.uri)
    with pytest.raises(StorageError, match=r"cannot list.*Permission denied"):
        list(list_source(source.uri))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root becomes somebody else")
def test_as_a_user_who_may_not() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        Path(folder).chmod(0o755)
        source = Folder(f"{folder}/in").put({"a.png": b"a", "closed/b.png": b"b", "names/c.png": b"c"})
        Path(source.path("closed")).chmod(0o700)
        Path(source.path("names")).chmod(0o744)  # names may be read, and nothing else
        words = [sys.executable, "-c", LISTING, source.uri, str(NOBODY)]
        listed = subprocess.run(words, capture_output=True, text=True, check=True)
    assert json.loads(listed.stdout) == [["a.png", "local"], ["closed/", "unreadable"], ["names/c.png", "unreadable"]]


@pytest.mark.parametrize("options", [(), ("--archive",)], ids=["files", "shards"])
def test_a_whole_job_archives_the_rest(
    source: Folder, tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    archive = Folder(str(tmp_path / "out"))
    Path(source.path("lost+found.png")).unlink()
    refuse(monkeypatch, source.path("lost+found"))
    assert encode(source, archive, *options) == 1
    (letter,) = archive.letters().values()
    assert letter.object == source.path("lost+found/") and (letter.step, letter.error) == ("list", "StorageError")
    assert "Permission denied" in letter.reason and "lost+found" in capsys.readouterr().out
    assert {row.name for row in archive.rows().values() if row.status == "done"} == {*PHOTOS}
    monkeypatch.undo()
    if not options:
        assert encode(source, archive) == 0
        assert "lost+found/x.png.avae" in archive.files()


def test_a_destination_that_is_a_whole_disk(source: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lost+found is nobody's business."""
    archive, disk = Folder(str(tmp_path / "arc")), Folder(str(tmp_path / "disk"))
    Path(source.path("lost+found.png")).unlink()
    assert encode(source, archive) == 0
    disk.put({"lost+found/y": b"found"})
    refuse(monkeypatch, disk.path("lost+found"))
    assert decode(archive, disk) == 0
    assert read_object(disk.path("a.png"))


def test_a_policy_names_the_folder_and_archives_the_rest(source: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(monkeypatch, source.path("lost+found"))
    target = Folder(f"{source.uri}.arc")
    run = once(policy(source, target, include=["**/*.png"]))
    assert (run.encoded, run.failed) == (len(PHOTOS), 1), "lost+found.png is empty"
    (problem,) = run.problems
    assert source.path("lost+found/") in problem and "Permission denied" in problem
    lines = [*dry_run_lines(policy(source, target), FILE, select(policy(source, target), time.time()), time.time())]
    assert problem in lines
    assert once(policy(source, target, exclude=["lost+found/**"])).problems == ()
