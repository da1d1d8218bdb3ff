"""Parts of objects, objects too large for memory, and deleting."""

from __future__ import annotations

import os
from pathlib import Path

import google_crc32c
import pytest

from archivae.errors import StorageError, UnsafeNameError
from archivae.storage import join, own_path, read_object, scratch_of, stat_object, write_object
from archivae.storage.objects import clear_own, delete_object, read_range, read_span, store_of, write_pieces
from archivae.storage.store import Span


def put(place: str, name: str, data: bytes) -> str:
    uri = join(place, name)
    write_object(uri, data, scratch=scratch_of(place))
    return uri


def test_a_range_is_what_lies_there(place: str) -> None:
    uri = put(place, "a", b"0123456789")
    assert read_range(uri, 0, 10) == b"0123456789"
    assert read_range(uri, 3, 4) == b"3456"
    assert read_range(uri, 8, 1 << 60) == b"89"
    assert read_range(uri, 10, 5) == b"" and read_range(uri, 3, 0) == b""
    with pytest.raises(StorageError):
        read_range(join(place, "gone"), 0, 1)


def test_a_span_is_checked(place: str) -> None:
    uri = put(place, "a", b"0123456789")
    span = Span(uri, 3, 4, google_crc32c.value(b"3456"))
    assert read_span(span) == b"3456"
    for wrong in (
        Span(uri, 3, 4, span.crc ^ 1),
        Span(uri, 2, 4, span.crc),
        Span(uri, 8, 4, span.crc),
        Span(uri, 0, 1 << 62, span.crc),
        Span(uri, -1, 4, span.crc),
        Span(uri, 0, -1, span.crc),
    ):
        with pytest.raises(StorageError, match="damaged"):
            read_span(wrong)


def test_pieces_become_one_object(place: str) -> None:
    uri = join(place, "deep/a")
    pieces = [os.urandom(3 << 20) for _ in range(3)]
    fingerprint = write_pieces(uri, iter(pieces), scratch=scratch_of(place))
    assert read_object(uri) == b"".join(pieces)
    found = stat_object(uri)
    assert found is not None and found.fingerprint == fingerprint


def test_pieces_that_end_in_an_error_leave_nothing(place: str) -> None:
    def pieces():  # type: ignore[no-untyped-def]
        yield b"half"
        raise StorageError("no more")

    with pytest.raises(StorageError, match="no more"):
        write_pieces(join(place, "a"), pieces(), scratch=scratch_of(place))
    assert stat_object(join(place, "a")) is None
    assert [entry.name for entry in store_of(place).walk(place)] == []


def test_deleting_takes_names_literally_and_one_at_a_time(place: str) -> None:
    first, second = put(place, "IMG[1].jpg", b"1"), put(place, "IMG1.jpg", b"2")
    delete_object(first)
    assert stat_object(first) is None and stat_object(second) is not None
    delete_object(first)


def test_clearing_is_of_our_own_folder_alone(place: str) -> None:
    kept = put(place, "round/a", b"1")
    for name in ("round/b", "round/sub/c", "rounds"):
        write_object(own_path(place, name), b"2", scratch=scratch_of(place))
    clear_own(place, "round")
    clear_own(place, "round")
    assert {entry.name for entry in store_of(place).walk(place)} == {"round/a", "_archivae/rounds"}
    assert read_object(kept) == b"1"
    for name in ("../round", "", "/x", "a/../.."):
        with pytest.raises(UnsafeNameError):
            clear_own(place, name)


def test_links_are_not_followed_when_clearing(tmp_path: Path) -> None:
    put(str(tmp_path / "elsewhere"), "a", b"1")
    (tmp_path / "place/_archivae/round").mkdir(parents=True)
    (tmp_path / "place/_archivae/round/link").symlink_to(tmp_path / "elsewhere")
    clear_own(str(tmp_path / "place"), "round")
    assert (tmp_path / "elsewhere/a").exists() and not (tmp_path / "place/_archivae/round").exists()
