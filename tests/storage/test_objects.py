from __future__ import annotations

import os
from pathlib import Path

import pytest

from archivae.errors import StorageError, UsageError
from archivae.storage import generation_of, join, read_object, scratch_of, stat_object, write_object


def test_what_is_written_is_read_and_found(place: str) -> None:
    uri = join(place, "deep/er/IMG[1] é#?.jpg")
    fingerprint = write_object(uri, b"bytes", scratch=scratch_of(place))
    assert read_object(uri) == b"bytes"
    found = stat_object(uri)
    assert found is not None
    assert (found.uri, found.name, found.size, found.fingerprint) == (uri, "IMG[1] é#?.jpg", 5, fingerprint)


def test_a_fingerprint_has_its_kind_and_changes_with_the_bytes(place: str) -> None:
    uri = join(place, "a")
    first = write_object(uri, b"one", scratch=scratch_of(place))
    second = write_object(uri, b"three", scratch=scratch_of(place))
    assert first != second
    assert first.startswith("gcs:" if place.startswith("gs:") else "local:3:")
    assert read_object(uri) == b"three"


@pytest.mark.parametrize("size", [0, 1, 9 << 20])
def test_any_size(place: str, size: int) -> None:
    data = os.urandom(size)
    uri = join(place, "a")
    write_object(uri, data, scratch=scratch_of(place))
    assert read_object(uri, limit=size) == data


def test_reads_stop_at_the_limit(place: str) -> None:
    uri = join(place, "a")
    write_object(uri, b"12345", scratch=scratch_of(place))
    assert read_object(uri, limit=5) == b"12345"
    with pytest.raises(StorageError, match="at most 4 bytes"):
        read_object(uri, limit=4)


def test_a_missing_object(place: str) -> None:
    uri = join(place, "gone/1.jpg")
    assert stat_object(uri) is None
    with pytest.raises(StorageError, match="there is no such") as caught:
        read_object(uri)
    assert caught.value.__cause__ is not None


def test_a_folder_is_no_object(place: str) -> None:
    write_object(join(place, "folder/a"), b"1", scratch=scratch_of(place))
    assert stat_object(join(place, "folder")) is None
    with pytest.raises(StorageError):
        read_object(join(place, "folder"))


def test_other_schemes_cannot_be_written() -> None:
    with pytest.raises(StorageError, match="expected a local, gs:// or s3:// destination"):
        write_object("hdfs://host/a", b"", scratch="")


@pytest.mark.parametrize("uri", ["gs://", "gs:///a", "gs://buck*/a"])
def test_a_bucket_must_be_spelled_out(uri: str) -> None:
    with pytest.raises(UsageError, match="bucket spelled out"):
        stat_object(uri)


def test_generation_of() -> None:
    assert generation_of("gcs:17:AAAAAA==") == 17
    assert generation_of("local:17:3") is None
    assert generation_of("missing") is None


def test_a_file_uri_is_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a b[1].jpg"
    path.write_bytes(b"1")
    assert read_object(path.as_uri()) == b"1"
    found = stat_object(path.as_uri())
    assert found is not None
    assert found.uri == str(path)
