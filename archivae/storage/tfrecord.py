"""TFRecord files as containers of objects: where each record lies, so that it is read alone and checked.

A record is its length (u64), the masked CRC-32C of the length, its bytes, and their masked CRC-32C; all little-endian.
Source: tensorflow.org, "TFRecord and tf.train.Example", section "TFRecords format details".
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from itertools import count

import google_crc32c

from archivae.errors import StorageError
from archivae.storage.objects import LARGEST_SPAN, read_range
from archivae.storage.ranged_file import Ahead
from archivae.storage.store import Span, StoredObject

_NAMED = re.compile(r".+\.tfrecords?(-\d+-of-\d+)?", re.IGNORECASE | re.DOTALL)
_NAMED_COMPRESSED = re.compile(rf"{_NAMED.pattern}(\.gz|\.zz?|\.zlib)?", re.IGNORECASE | re.DOTALL)
_COMPRESSED = (b"\x1f\x8b", b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")  # gzip; zlib at its levels
_HEAD, _CRC = struct.Struct("<QI"), struct.Struct("<I")
_MASK = 0xA282EAD8


def is_tfrecord(name: str) -> bool:
    """Whether a name or URI says so; TFRecord has no signature to be told by.

    >>> [is_tfrecord(name) for name in ("a.tfrecord", "train.tfrecords-00000-of-00010", "a.tfrecord.gz")]
    [True, True, False]
    """
    return _NAMED.fullmatch(name) is not None


def check_not_compressed(file: StoredObject) -> None:
    """StorageError for a TFRecord file that was compressed as a whole: no record of it can be read alone."""
    if file.size > 0 and _NAMED_COMPRESSED.fullmatch(file.name) and _begins_compressed(read_range(file.uri, 0, 2)):
        raise StorageError(
            f"cannot read {file.uri!r}: expected a TFRecord file as it is, found one compressed by gzip or zlib; "
            "decompress it first"
        )


def with_records(listing: Iterable[StoredObject]) -> Iterator[StoredObject]:
    """A sorted listing in which each TFRecord file has given way to its records; sorted again."""
    waiting: list[tuple[str, int, StoredObject, Iterator[StoredObject]]] = []  # the next of each file that was begun
    turn = count()  # of equal names the first goes first

    def advance(records: Iterator[StoredObject]) -> None:
        following = next(records, None)
        if following is not None:
            heappush(waiting, (following.name, next(turn), following, records))

    def drawn(before: str | None) -> Iterator[StoredObject]:
        while waiting and (before is None or waiting[0][0] < before):
            *_, record, records = heappop(waiting)
            yield record
            advance(records)

    for entry in listing:
        yield from drawn(entry.name)
        if is_tfrecord(entry.name) and entry.size >= 0 and entry.span is None:
            advance(list_records(entry))
        else:
            yield entry
    yield from drawn(None)


def list_records(file: StoredObject) -> Iterator[StoredObject]:
    """The records of a file, each as an object named by its number: ``a.tfrecord/00000017``. StorageError as of reading.

    Behind a damaged length nothing can be found. It stands for one more record, which reading refuses. A file that was
    compressed as a whole stands for itself (`check_not_compressed`).
    """
    read = Ahead(file.uri, file.fingerprint).read
    head = read(0, min(_HEAD.size, file.size))
    if _length(head) is None and _begins_compressed(head):
        yield file
        return
    at = number = 0
    while at < file.size:
        start = at + _HEAD.size
        length = _length(read(at, _HEAD.size))
        if length is None or start + length + _CRC.size > file.size:
            yield _record(file, number, Span(file.uri, at, min(_HEAD.size, file.size - at), 0))
            return
        masked = _CRC.unpack(read(start + length, _CRC.size))[0]
        yield _record(file, number, Span(file.uri, start, length, unmasked(masked)))
        at, number = start + length + _CRC.size, number + 1


def _begins_compressed(head: bytes) -> bool:
    return head.startswith(_COMPRESSED)


def unmasked(crc: int) -> int:
    """The CRC-32C whose masked form is ``crc``: rotated, and a constant added, so that no CRC is taken of a CRC."""
    rotated = (crc - _MASK) & 0xFFFFFFFF
    return (rotated << 15 | rotated >> 17) & 0xFFFFFFFF


def _length(head: bytes) -> int | None:
    """None for a damaged one, or one that nothing here reads."""
    if len(head) < _HEAD.size:
        return None
    length, masked = _HEAD.unpack(head)
    sound = google_crc32c.value(head[:8]) == unmasked(masked)
    return int(length) if sound and length <= LARGEST_SPAN else None


def _record(file: StoredObject, number: int, span: Span) -> StoredObject:
    place = f"/{number:08}"
    fingerprint = f"crc32c:{span.length}:{span.crc:08x}"
    return StoredObject(file.uri + place, file.name + place, span.length, fingerprint, file.written, span)
