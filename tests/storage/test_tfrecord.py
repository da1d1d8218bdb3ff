"""TFRecord files: every record found and checked, nothing read past damage."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archivae.errors import StorageError
from archivae.storage import StoredObject, list_source, stat_object, write_object
from archivae.storage.objects import read_span
from archivae.storage.tfrecord import check_not_compressed, list_records, unmasked, with_records
from tests.tfrecords import tfrecord

RECORDS = [b"first", b"", b"x" * 100_000, b"last"]
# The beginning of a file that TensorFlow 2.16 wrote of the record b"abc".
BY_TENSORFLOW = bytes.fromhex("0300000000000000b099490e6162636e57f121")


def put(folder: str, data: bytes, name: str = "a.tfrecord") -> StoredObject:
    write_object(f"{folder}/{name}", data, scratch=f"{folder}-scratch")
    found = stat_object(f"{folder}/{name}")
    assert found is not None
    return found


def contents(file: StoredObject) -> list[bytes]:
    return [read_span(record.span) for record in list_records(file) if record.span]


@pytest.fixture(params=["local", "gcs"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "in") if request.param == "local" else str(request.getfixturevalue("gcs"))


def test_records_are_found_and_named_by_number(folder: str) -> None:
    file = put(folder, tfrecord(RECORDS))
    assert contents(file) == RECORDS
    assert [record.name for record in list_records(file)] == [f"a.tfrecord/{number:08}" for number in range(4)]
    assert len({(record.uri, record.fingerprint) for record in list_records(file)}) == 4
    assert list(list_records(put(folder, b"", "empty.tfrecord"))) == []


def test_a_file_by_tensorflow(tmp_path: Path) -> None:
    assert tfrecord([b"abc"]) == BY_TENSORFLOW
    assert contents(put(str(tmp_path), BY_TENSORFLOW)) == [b"abc"]


@given(st.integers(0, 2**32 - 1))
def test_unmasking_undoes_masking(crc: int) -> None:
    assert unmasked(((crc >> 15 | crc << 17 & 0xFFFFFFFF) + 0xA282EAD8) & 0xFFFFFFFF) == crc


@pytest.mark.parametrize("at", [0, 8, 17, 21, 25])
def test_damage_is_refused_and_what_lies_before_it_is_not(at: int, tmp_path: Path) -> None:
    data = bytearray(tfrecord([b"first", b"second"]))
    data[at] ^= 1
    records = list(list_records(put(str(tmp_path), bytes(data))))
    sound = [record for record in records if not is_refused(record)]
    assert len(records) - len(sound) == 1
    assert len(sound) == (0 if at < 12 else 1)


@pytest.mark.parametrize("cut", [1, 4, 9, 15])
def test_a_file_that_was_cut_short_ends_with_a_record_that_is_refused(cut: int, tmp_path: Path) -> None:
    *_, last = list_records(put(str(tmp_path), tfrecord([b"first", b"second"])[:-cut]))
    assert last.name == "a.tfrecord/00000001" and is_refused(last)


def is_refused(record: StoredObject) -> bool:
    assert record.span is not None
    try:
        read_span(record.span)
    except StorageError:
        return True
    return False


def test_a_listing_with_records_is_sorted(tmp_path: Path) -> None:
    for name in ("a.tfrecord", "a.tfrecord-00000-of-00001", "a.tfrecord.jpg", "a.tfrecord0", "b.tfrecords"):
        put(str(tmp_path), tfrecord(RECORDS), name)
    names = [entry.name for entry in with_records(list_source(str(tmp_path)))]
    assert names == sorted(names) and len(names) == 3 * len(RECORDS) + 2


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress, partial(zlib.compress, level=9)])
@pytest.mark.parametrize("name", ["a.tfrecord", "a.tfrecord.gz", "train.TFRecord-00000-of-00010.gz"])
def test_a_compressed_file_stands_for_itself_and_is_refused(
    name: str, compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = put(str(tmp_path), compress(tfrecord(RECORDS)), name)
    assert [*with_records(list_source(str(tmp_path)))] == [file]
    with pytest.raises(StorageError, match="compressed by gzip or zlib; decompress it first"):
        check_not_compressed(file)


def test_what_only_looks_compressed_is_not(tmp_path: Path) -> None:
    long = put(str(tmp_path), tfrecord([b"x" * 0x8B1F]))  # its length begins like gzip
    assert contents(long) == [b"x" * 0x8B1F]
    for name, data in {"a.gz": gzip.compress(b"x"), "b.tfrecord.gz": b"plain", "c.tfrecord": b""}.items():
        check_not_compressed(put(str(tmp_path), data, name))
    check_not_compressed(StoredObject(str(tmp_path / "none.tfrecord"), "none.tfrecord", -1, "missing"))
