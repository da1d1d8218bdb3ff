from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from archivae.errors import UnsafeNameError, UsageError
from archivae.storage.names import common_folder, is_below, is_own, join, normal, own_path, scheme_of

UNSAFE = [
    "",
    "/etc/passwd",
    "../a.jpg",
    "a/../../b.jpg",
    "a/..",
    "./a.jpg",
    "a//b.jpg",
    "a/",
    "a\\b.jpg",
    "a\x00.jpg",
    "a\nb.jpg",
    "a\x7f.jpg",
    "a\x9b.jpg",
    "a\udcff.jpg",
    "C:/a.jpg",
    "c:a.jpg",
    "_archivae/models/a",
    "_archivae",
]
PIECES = st.sampled_from(["a", "..", ".", "/", "\\", "\x00", "_archivae", "C:", "*", "[1]", " ", "é", "\udc80", "..a"])


@pytest.mark.parametrize("base", ["/out", "gs://bucket/out"])
@pytest.mark.parametrize("name", UNSAFE)
def test_join_refuses_names_that_could_land_elsewhere(base: str, name: str) -> None:
    with pytest.raises(UnsafeNameError, match=r"expected a name.*found.*rename"):
        join(base, name)


@pytest.mark.parametrize("name", ["a.jpg", "IMG[1].jpg", "a/b c/é*?.jpg", "..a/b..", "x/_archivae2/y", "日本/1"])
def test_join_takes_ordinary_names_as_they_are(name: str) -> None:
    assert join("/out/", name) == f"/out/{name}"
    assert join("gs://bucket", name) == f"gs://bucket/{name}"
    assert join("gs://bucket/out/", name) == f"gs://bucket/out/{name}"


def test_join_makes_local_folders_absolute_and_file_uris_plain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert join("out", "a%20b.jpg") == f"{tmp_path}/out/a%20b.jpg"
    assert join("file:///my%20out", "a%20b.jpg") == "/my out/a%20b.jpg"
    assert join("/", "a.jpg") == "/a.jpg"


def test_join_needs_a_base() -> None:
    with pytest.raises(UsageError, match="empty string"):
        join("", "a.jpg")


@given(name=st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=20)))
@example(name="a/..")
def test_whatever_join_accepts_stays_inside_and_keeps_its_name(name: str) -> None:
    try:
        joined = join("/base/out", name)
    except UnsafeNameError:
        return
    assert joined == f"/base/out/{name}"
    assert os.path.normpath(joined) == joined
    assert is_below(joined, "/base/out")
    assert not is_below(joined, "/base/out/_archivae")
    joined.encode("utf-8")


def test_own_path_lies_in_our_folder_and_checks_its_name() -> None:
    assert own_path("gs://b/out/", "manifest/1.parquet") == "gs://b/out/_archivae/manifest/1.parquet"
    with pytest.raises(UnsafeNameError):
        own_path("/out", "dead-letters-../../x.jsonl")


@pytest.mark.parametrize(
    ("uri", "scheme"),
    [("/a", ""), ("a/b", ""), ("file:///a", ""), ("FILE:///a", ""), ("gs://b", "gs"), ("S3://b", "s3")],
)
def test_scheme_of(uri: str, scheme: str) -> None:
    assert scheme_of(uri) == scheme


def test_file_uris_of_other_machines_are_refused() -> None:
    with pytest.raises(UsageError, match="host 'nas'"):
        normal("file://nas/photos")
    assert normal("file://localhost/photos") == "/photos"


@given(
    path=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1).filter(
        lambda p: p.strip(".")
    )
)
def test_file_uris_give_back_any_path(path: str) -> None:
    assert normal(Path("/", path).as_uri()) == f"/{path}"


def test_is_below_is_strict_and_by_whole_parts() -> None:
    assert is_below("/a/b/c", "/a/b/")
    assert not is_below("/a/b", "/a/b")
    assert not is_below("/a/bc", "/a/b")
    assert is_below("/a", "/")


def test_is_own_looks_at_folders_alone() -> None:
    assert is_own("x/_archivae/y") and is_own("_archivae/y")
    assert not is_own("x/_archivae") and not is_own("x/_archivae2/y")


@pytest.mark.parametrize(
    ("uris", "folder"),
    [
        (["/a/b/1.jpg"], "/a/b/"),
        (["/a/b/1.jpg", "/a/bc/1.jpg"], "/a/"),
        (["gs://x/1.jpg", "gs://y/1.jpg"], "gs://"),
        (["/a/b", "/a/b/c", "/a/b/d"], "/a/"),
    ],
)
def test_common_folder(uris: list[str], folder: str) -> None:
    assert common_folder(uris) == folder
