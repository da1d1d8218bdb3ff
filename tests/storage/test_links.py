"""Links under ``_archivae`` are not followed when something is removed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from archivae.errors import StorageError
from archivae.storage.local import remove_stale_scratch
from archivae.storage.names import own_path
from archivae.storage.objects import clear_own, delete_if, delete_object, stat_object
from archivae.storage.removal import Known, delete_aside, place_aside, set_aside

CONTENT = b"somebody else's"
SHA = "0" * 64


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    (folder / "round" / "members").mkdir(parents=True)
    for place in (folder, folder / "round", folder / "round" / "members"):
        (place / "a.tmp").write_bytes(CONTENT)
        os.utime(place / "a.tmp", (0, 0))
    return folder


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def link(archive: Path, name: str, target: Path) -> str:
    path = archive / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return str(archive)


@pytest.mark.parametrize(
    ("place", "target", "remove"),
    [
        ("_archivae", "", lambda a: clear_own(a, "round")),
        ("_archivae", "", lambda a: delete_object(own_path(a, "a.tmp"))),
        ("_archivae/round", "round", lambda a: clear_own(a, "round/members")),
        ("_archivae/round", "round", lambda a: delete_object(own_path(a, "round/a.tmp"))),
        ("_archivae/round/members", "round/members", lambda a: delete_object(own_path(a, "round/members/a.tmp"))),
    ],
)  # fmt: skip
def test_what_lies_behind_a_link_is_refused(
    place: str, target: str, remove: Callable[[str], None], tmp_path: Path, elsewhere: Path
) -> None:
    before = everything(elsewhere)
    archive = link(tmp_path / "archive", place, elsewhere / target)
    with pytest.raises(StorageError, match="is a link"):
        remove(archive)
    assert everything(elsewhere) == before


def test_a_linked_folder_or_file_itself_is_removed_as_a_link(tmp_path: Path, elsewhere: Path) -> None:
    before = everything(elsewhere)
    archive = link(tmp_path / "archive", "_archivae/round", elsewhere / "round")
    clear_own(archive, "round")
    assert not os.path.lexists(own_path(archive, "round")) and everything(elsewhere) == before
    link(tmp_path / "archive", "_archivae/round/members", elsewhere / "round")
    clear_own(archive, "round")  # a link inside
    assert everything(elsewhere) == before
    link(tmp_path / "archive", "_archivae/lease.json", elsewhere / "a.tmp")
    found = stat_object(own_path(archive, "lease.json"))
    assert found is not None and delete_if(own_path(archive, "lease.json"), found.fingerprint)
    assert everything(elsewhere) == before


@pytest.mark.parametrize("place", ["_archivae", "_archivae/tmp"])
def test_tidying_does_not_follow_links(place: str, tmp_path: Path, elsewhere: Path) -> None:
    before = everything(elsewhere)
    (elsewhere / "tmp").symlink_to(elsewhere / "round")
    archive = link(tmp_path / "archive", place, elsewhere)
    assert remove_stale_scratch(archive, 0) == 0
    assert everything(elsewhere).items() >= before.items()


def test_what_lies_aside_behind_a_link_stays(tmp_path: Path) -> None:
    original = tmp_path / "in" / "a.jpg"
    original.parent.mkdir()
    original.write_bytes(CONTENT)
    found = stat_object(str(original))
    assert found is not None
    root, sha256 = str(tmp_path / "in"), hashlib.sha256(CONTENT).hexdigest()
    known = Known(str(original), found.fingerprint, sha256, root, place_aside(root, sha256, "a.jpg"))
    behind = tmp_path / "behind"
    behind.mkdir()
    link(tmp_path / "in", "_archivae/quarantine", behind)
    with pytest.raises(StorageError, match="behind the linked folder"):
        set_aside(known)
    assert original.read_bytes() == CONTENT
    (behind / sha256[:16]).mkdir()
    os.link(original, behind / sha256[:16] / "a.jpg")
    with pytest.raises(StorageError, match="behind the linked folder"):
        delete_aside(known)
    assert (behind / sha256[:16] / "a.jpg").exists()
