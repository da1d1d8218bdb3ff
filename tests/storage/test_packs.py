"""Tar shards as sources, and lists in several parts."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from archivae.errors import StorageError, UsageError
from archivae.storage import list_source, write_object
from archivae.storage.archive_plan import read_shard_plan, write_plan
from archivae.storage.objects import read_listed
from archivae.storage.packs import is_pack, stem

LIMIT = 1 << 20
FILES = {"b.jpg": b"bee" * 400, "a.jpg": b"ay", "a.json": b"{}", "sub/c.png": b"", "a.txt": b"x" * 512}


def tar_of(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as file:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return sink.getvalue()


def put(place: str, name: str, data: bytes) -> str:
    write_object(f"{place}/{name}", data, scratch=f"{place}-scratch")
    return f"{place}/{name}"


def contents(source: str) -> dict[str, bytes]:
    listed = list(list_source(source))
    assert [entry.name for entry in listed] == sorted(entry.name for entry in listed)
    return {entry.name: read_listed(entry, LIMIT) for entry in listed}


def test_a_tar_is_a_folder(place: str) -> None:
    uri = put(place, "train.tar", tar_of(FILES))
    assert contents(uri) == FILES
    assert {entry.uri for entry in list_source(uri)} == {f"{uri}/{name}" for name in FILES}


def test_of_several_tars_each_is_a_folder_of_its_name(place: str) -> None:
    for name in ("in/t-1.tar", "in/t.tar", "in/sub/t.tar"):
        put(place, name, tar_of({"x.jpg": name.encode()}))
    assert contents(f"{place}/in/*.tar") == {"t-1/x.jpg": b"in/t-1.tar", "t/x.jpg": b"in/t.tar"}
    assert set(contents(f"{place}/in/**.tar")) == {"t-1/x.jpg", "t/x.jpg", "sub/t/x.jpg"}
    assert set(contents(f"{place}/in")) == {"t-1.tar", "t.tar", "sub/t.tar"}


def test_a_member_put_in_again_counts_as_its_last(place: str) -> None:
    first, second = tar_of({"a.jpg": b"old", "b.jpg": b"b"}), tar_of({"./a.jpg": b"new"})
    assert contents(put(place, "a.tar", first[:2048] + second)) == {"a.jpg": b"new", "b.jpg": b"b"}


def test_damage_and_changes_are_told(place: str) -> None:
    data = tar_of(FILES)
    uri = put(place, "a.tar", data)
    (first, *_) = list_source(uri)
    put(place, "a.tar", data + bytes(10240))
    with pytest.raises(StorageError, match="changed since it was listed"):
        read_listed(first, LIMIT)
    put(place, "a.tar", data[:700])
    with pytest.raises(StorageError, match="no member|damaged"):
        list(list_source(uri))


def test_compressed_packs_are_refused(place: str) -> None:
    for name in ("a.tar.gz", "a.tgz"):
        with pytest.raises(UsageError, match="decompress it first"):
            list(list_source(put(place, name, b"x")))


def test_a_plan_keeps_where_members_lie(place: str) -> None:
    uri = put(place, "a.tar", tar_of(FILES))
    listed = list(list_source(uri))
    write_plan(f"{place}/out", iter([listed]), source=uri, options="{}", first=0)
    assert read_shard_plan(f"{place}/out", 0) == listed


def test_lists_exported_in_parts_are_one_list(place: str, tmp_path: Path) -> None:
    for name in ("x/1.jpg", "x/2.jpg", "y/3.jpg"):
        put(place, name, name.encode())
    put(place, "export-000.csv", f"uri\n{place}/x/1.jpg\n{place}/y/3.jpg\n".encode())
    put(place, "export-001.csv", f"uri\n{place}/x/2.jpg\n{place}/x/1.jpg\n".encode())
    assert [entry.name for entry in list_source(f"{place}/export-*.csv")] == ["x/1.jpg", "x/2.jpg", "y/3.jpg"]


def test_names_of_packs() -> None:
    assert is_pack("a/b.TAR") and is_pack("gs://b/train-*.tar")
    assert not is_pack("a.tar/x.jpg") and not is_pack("tar")
    assert stem("a/x.tar") == "a/x"
