"""Another scheme, through a file system of Beam's: ``memory://``, made here."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from archivae.errors import StorageError
from archivae.storage import list_source, read_object, stat_object

OBJECTS = {"memory://b/in/a[1].jpg": b"one", "memory://b/in/x/b.gz": b"\x1f\x8bnot gzip", "memory://b/in/out/c": b"3"}


class MemoryFileSystem(FileSystem):
    """What a store asks of a read-only file system, and no more."""

    @classmethod
    def scheme(cls) -> str:
        return "memory"

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        return (self.metadata(path) for path in reversed(OBJECTS) if path.startswith(dir_or_prefix))

    def exists(self, path: str) -> bool:
        return path in OBJECTS

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(OBJECTS[path]), 7.0)

    def open(self, path: str, mime_type: str = "", compression_type: str = "auto") -> io.BytesIO:
        if path not in OBJECTS or compression_type != "uncompressed":
            raise BeamIOError(f"no {compression_type} {path}")
        return io.BytesIO(OBJECTS[path])

    def _unused(self, *_: object, **__: object) -> None:
        raise NotImplementedError

    join = split = mkdirs = has_dirs = create = copy = rename = size = last_updated = checksum = delete = _unused


def test_it_is_listed_found_and_read_literally() -> None:
    assert [entry.name for entry in list_source("memory://b/in")] == ["a[1].jpg", "out/c", "x/b.gz"]
    assert [entry.name for entry in list_source("memory://b/in/", exclude="memory://b/in/out")] == [
        "a[1].jpg",
        "x/b.gz",
    ]
    assert [entry.name for entry in list_source("memory://b/in/*.jpg")] == ["a[1].jpg"]
    found = stat_object("memory://b/in/a[1].jpg")
    assert found is not None
    assert (found.name, found.size, found.fingerprint) == ("a[1].jpg", 3, "beam:3:7.0")
    assert read_object("memory://b/in/x/b.gz") == b"\x1f\x8bnot gzip"


def test_its_errors_are_ours() -> None:
    assert stat_object("memory://b/gone") is None
    with pytest.raises(StorageError, match="cannot read"):
        read_object("memory://b/gone")
    with pytest.raises(StorageError, match="at most 2 bytes"):
        read_object("memory://b/in/a[1].jpg", limit=2)
    with pytest.raises(StorageError, match="no generation"):
        read_object("memory://b/in/a[1].jpg", generation=1)


def test_a_scheme_that_nobody_knows() -> None:
    with pytest.raises(StorageError, match="that Beam knows the scheme"):
        list_source("gopher://b/in")
