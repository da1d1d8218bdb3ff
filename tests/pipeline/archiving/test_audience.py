"""Whoever may not read an original may not read what is made of it either."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from archivae.errors import JobError
from archivae.pipeline.archiving.audience import EVERYBODY, audience_of, common_audience, limited_to
from archivae.transforms import archive as packing
from tests.end_to_end.jobs import PHOTOS, Folder
from tests.pipeline.archiving.policies import archived, keep, once, policy
from tests.samples import photo_file


@pytest.fixture(autouse=True)
def open_to_all(tmp_path: Path) -> Iterator[None]:
    """The folders that pytest makes are its own, and so would be all that is in them."""
    before = os.umask(0o022)
    modes = {folder: stat.S_IMODE(folder.stat().st_mode) for folder in (tmp_path, *tmp_path.parents)}
    for folder, mode in modes.items():
        if mode & 0o055 != 0o055:
            folder.chmod(mode | 0o055)
    yield
    for folder, mode in modes.items():
        if mode & 0o055 != 0o055:
            folder.chmod(mode)
    os.umask(before)


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "in")).put(PHOTOS)


@pytest.fixture
def target(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path / "arc"))


def mode(folder: Folder, name: str) -> int:
    return stat.S_IMODE(os.stat(folder.path(name)).st_mode)


@pytest.mark.parametrize(
    ("file", "folder", "audience"),
    [
        (0o644, 0o755, 0o077),
        (0o640, 0o755, 0o070),
        (0o600, 0o755, 0),
        (0o604, 0o755, 0o007),
        (0o644, 0o750, 0o070),
        (0o644, 0o700, 0),
        (0o644, 0o711, 0o077),
        (0o640, 0o705, 0),
    ],
)
def test_who_may_read(file: int, folder: int, audience: int, source: Folder) -> None:
    """A folder that cannot be passed shuts out as a file does that cannot be read."""
    os.chmod(source.path("sub/b.png"), file)
    os.chmod(source.path("sub"), folder)
    assert audience_of(source.path("sub/b.png")) == audience
    assert common_audience([source.path("a.png"), source.path("sub/b.png")]) == audience


def test_anothers_group_is_not_this_process_s(source: Folder) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may give files to another group")
    os.chmod(source.path("a.png"), 0o640)
    os.chown(source.path("a.png"), -1, os.getegid() + 1)
    assert audience_of(source.path("a.png")) == 0


def test_buckets_have_no_modes() -> None:
    assert audience_of("gs://in/a.png") == EVERYBODY


def test_what_is_written_meanwhile(tmp_path: Path) -> None:
    for audience, expected in ((0o077, 0o644), (0o070, 0o640), (0, 0o600), (0o007, 0o604)):
        with limited_to(audience):
            (tmp_path / str(audience)).write_bytes(b"")
        assert stat.S_IMODE((tmp_path / str(audience)).stat().st_mode) == expected
    assert os.umask(0o022) == 0o022


@pytest.mark.parametrize("shards", [{}, {"shard_size": "1MiB"}], ids=["objects", "shards"])
def test_an_archive_is_no_more_readable_than_its_source(shards: dict[str, str], source: Folder, target: Folder) -> None:
    """Private pictures go into files, folders and shards of their own; the others stay as open as they are."""
    os.chmod(source.path("a.png"), 0o600)
    os.chmod(source.path("sub/deep"), 0o700)
    once(policy(source, target, **shards))
    if shards:
        assert {name: mode(target, name) for name in target.files()} == {
            "shard-00000.tar": 0o644,
            "shard-00001.tar": 0o600,
        }
        return
    modes = {name: mode(target, archived(target, source, name)) for name in PHOTOS}
    assert modes == {"a.png": 0o600, "sub/b.png": 0o644, "sub/deep/c.png": 0o600}
    assert (
        stat.S_IMODE(os.stat(os.path.dirname(target.path(archived(target, source, "sub/deep/c.png")))).st_mode) == 0o700
    )


def test_a_private_source_makes_a_private_archive(source: Folder, target: Folder) -> None:
    """Its very folder: names, too, are nobody's business."""
    os.chmod(source.uri, 0o700)
    once(policy(source, target))
    assert stat.S_IMODE(os.stat(target.uri).st_mode) == 0o700
    assert all(mode(target, name) & 0o077 == 0 for name in target.everything())


def test_a_moved_copy_is_no_more_readable_than_its_original(source: Folder, target: Folder, tmp_path: Path) -> None:
    cold = Folder(str(tmp_path / "cold"))
    os.chmod(source.path("sub/b.png"), 0o640)
    os.chmod(source.path("sub/deep"), 0o700)
    for name in PHOTOS:
        keep(source, target, name)
    asked = policy(source, target, originals="move", move_to=cold.uri, accept_loss=True, grace="1d")
    assert once(asked).removed == 3
    modes = {name.rpartition("/")[2]: mode(cold, name) for name in cold.files()}
    assert modes == {"a.png": 0o644, "b.png": 0o640, "c.png": 0o600}
    assert stat.S_IMODE(os.stat(source.path("_archivae/quarantine")).st_mode) == 0o700


def test_shards_that_a_killed_run_left_are_as_private(
    source: Folder, target: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*arguments: object) -> None:
        raise RuntimeError("killed")

    source.put({"a.png": photo_file(64, 64, 7)})
    for name in PHOTOS:
        os.chmod(source.path(name), 0o600)
    asked = policy(source, target, shard_size="1MiB")
    with monkeypatch.context() as patch:
        patch.setattr(packing, "pack_shard", failing)
        with pytest.raises(JobError):
            once(asked)
    assert not target.files()
    once(asked)
    assert mode(target, "shard-00000.tar") == 0o600
