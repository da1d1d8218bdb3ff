"""How a destination lies to a source, in every spelling."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path

import pytest

from archivae.storage.overlap import overlap, relation
from tests.samples import photo_file


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``data/photos/sub/a.avae`` and what leads there; the working directory is ``data``."""
    for name in ("data/photos/sub/a.avae", "data/photos/b.avae", "data/photos-more/c.avae", "elsewhere/d.avae"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(photo_file())
    (tmp_path / "to-photos").symlink_to(tmp_path / "data/photos")
    (tmp_path / "elsewhere/to-data").symlink_to(tmp_path / "data")
    monkeypatch.chdir(tmp_path / "data")
    return tmp_path


@pytest.mark.parametrize(
    ("source", "destination", "expected"),
    [
        ("photos", "photos", "is"),
        ("photos/", "photos", "is"),
        ("photos", "photos//", "is"),
        ("photos", "./sub/../photos", "is"),
        ("photos", "{tree}/data/photos", "is"),
        ("file://{tree}/data/photos", "photos", "is"),
        ("photos", "{tree}/to-photos", "is"),
        ("{tree}/to-photos", "photos", "is"),
        ("photos", "../elsewhere/to-data/photos", "is"),
        ("photos", ".", "holds"),
        ("photos", "{tree}", "holds"),
        ("photos", "{tree}/elsewhere/to-data", "holds"),
        ("{tree}/to-photos", "{tree}/data", "holds"),
        ("photos", "/", "holds"),
        ("photos", "photos/out", "lies in"),
        ("photos", "photos/not/yet/there", "lies in"),
        ("photos", "{tree}/to-photos/out", "lies in"),
        ("{tree}/to-photos", "photos/out", "lies in"),
        ("photos", "photos-more", ""),
        ("photos", "photo", ""),
        ("photos", "out", ""),
        ("photos", "photos/../out", ""),
        ("photos", "{tree}/elsewhere", ""),
        ("photos/b.avae", "photos", "holds"),
        ("photos/b.avae", ".", "holds"),
        ("photos/b.avae", "out", ""),
        ("photos/b.avae", "photos/sub", ""),
        ("photos/*.avae", "photos", "is"),
        ("photos/**/*.avae", ".", "holds"),
        ("photos/**/*.avae", "photos/out", "lies in"),
        ("photos/*/*.avae", "photos/out", "lies in"),
        ("photos/*.avae", "photos/out", ""),
        ("photos/s*/*.avae", "photos/out", ""),
        ("photos/s*/*.avae", "photos/sub2", "lies in"),
        ("photos/*.avae", "out", ""),
    ],
)
def test_folders_files_and_globs(tree: Path, source: str, destination: str, expected: str) -> None:
    assert overlap(source.format(tree=tree), destination.format(tree=tree)) == expected


@pytest.mark.parametrize(
    ("destination", "expected"),
    [("photos", "holds"), (".", "holds"), ("photos/sub", ""), ("photos/out", ""), ("../elsewhere", "holds")],
)
def test_of_a_list_what_it_names_counts_and_not_where_it_lies(tree: Path, destination: str, expected: str) -> None:
    (tree / "list.txt").write_text("data/photos/b.avae\nelsewhere/to-data/../../elsewhere/d.avae\n")
    assert overlap(str(tree / "list.txt"), destination) == expected


def test_where_the_file_system_takes_no_notice_of_case(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = os.path.samefile
    monkeypatch.setattr(os.path, "samefile", lambda one, other: found(str(one).lower(), str(other).lower()))
    here = str(tree).lower()
    if not os.path.isdir(here):
        pytest.skip("the folder of this test has capitals in its name")
    assert overlap("photos", "PHOTOS") == "is"
    assert overlap("photos", "Photos/out") == "lies in"
    assert overlap("photos/sub", "PHOTOS") == "holds"


@pytest.mark.parametrize(
    ("place", "other", "expected"),
    [
        ("gs://b/a", "gs://b/a", "is"),
        ("gs://b/a/", "gs://b/a", "is"),
        ("GS://b/a", "gs://b/a//", "is"),
        ("gs://b", "gs://b/", "is"),
        ("gs://b", "gs://b/a", "holds"),
        ("gs://b/a/c", "gs://b/a", "lies in"),
        ("gs://b/ab", "gs://b/a", ""),
        ("gs://b/a", "gs://b/ab", ""),
        ("gs://bc/a", "gs://b", ""),
        ("gs://b/A", "gs://b/a", ""),
        ("gs://b/a/../c", "gs://b/c", ""),
        ("s3://b/a", "gs://b/a", ""),
        ("s3://b/a/c", "s3://b/a/", "lies in"),
        ("/b/a", "gs://b/a", ""),
    ],
)
def test_buckets(place: str, other: str, expected: str) -> None:
    """There a prefix is no folder, and a name with '..' is like any other."""
    assert relation(place, other) == expected


def test_a_mirror(tree: Path) -> None:
    """What one place is to another, the other is to the one."""
    mirrored = {"is": "is", "holds": "lies in", "lies in": "holds", "": ""}
    places = [
        "/",
        str(tree),
        "gs://b",
        "gs://b/a",
        posixpath.join(str(tree), "data", "photos"),
        str(tree / "to-photos"),
    ]
    for one in places:
        for other in places:
            assert relation(other, one) == mirrored[relation(one, other)], (one, other)
