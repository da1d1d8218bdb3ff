"""Files that hold many pictures as they are: tar shards, as WebDataset reads them, and TFRecord files.

Members are found by reading a pack through; after that each is read alone, from where it lies.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

import google_crc32c

from archivae.errors import StorageError, UsageError
from archivae.storage.names import is_own
from archivae.storage.objects import read_range
from archivae.storage.store import Span, StoredObject
from archivae.storage.tar import TarMember, scan
from archivae.storage.tf_example import find_picture

_TAR = re.compile(r"\.tar$", re.IGNORECASE)
_RECORDS = re.compile(r"\.tfrecords?(-[\d*?]+(?:-of-[\d*?]+)?)?$", re.IGNORECASE)
_PACKED = re.compile(r"\.(tar|tfrecords?)\.(gz|bz2|xz|zst)$|\.tgz$", re.IGNORECASE)

_READ_AHEAD = 4 << 20
_LARGEST_RECORD = 1 << 30
_HEAD, _FOOT = struct.Struct("<QI"), struct.Struct("<I")

Read = Callable[[int, int], bytes]


class _Found(NamedTuple):
    """A member: its name, where its bytes lie, and their CRC-32C, None where that was not looked at."""

    name: str
    offset: int
    length: int
    crc: int | None


def is_pack(uri: str) -> bool:
    """Whether the name, or a glob for names, is of tar or TFRecord files. UsageError if they are compressed as a whole."""
    if _PACKED.search(uri):
        raise UsageError(f"expected a plain tar or TFRecord file, found the compressed {uri!r}: decompress it first")
    return bool(_TAR.search(uri) or _RECORDS.search(uri))


def stem(name: str) -> str:
    """The name of a pack without its ending: the folder that its members are in where there are several packs."""
    return _TAR.sub("", _RECORDS.sub(r"\1", name))


def list_pack(pack: StoredObject, folder: str = "") -> list[StoredObject]:
    """The members of a pack, sorted by name, under the folder ``folder``; of equal names the last in the pack.

    Each has the URI that it would have were the pack a folder. StorageError where the pack is damaged.
    """
    find = _tar_members if _TAR.search(pack.uri) else _records
    read = _ReadAhead(pack).read
    found = {member.name: member for member in find(read, pack) if not is_own(member.name)}
    return [_stored(pack, folder, found[name]) for name in sorted(found)]


def _stored(pack: StoredObject, folder: str, member: _Found) -> StoredObject:
    span = Span(pack.uri, member.offset, member.length, member.crc, pack.fingerprint)
    name = f"{folder}/{member.name}" if folder else member.name
    fingerprint = f"pack:{member.offset}:{member.length}:{pack.fingerprint}"
    return StoredObject(f"{pack.uri}/{member.name}", name, member.length, fingerprint, pack.written, span)


def _tar_members(read: Read, pack: StoredObject) -> Iterator[_Found]:
    for member in scan(read, pack.size):
        if not isinstance(member, TarMember):
            raise _damaged(pack, member)
        yield _Found(member.name.removeprefix("./"), member.offset, member.length, None)


def _records(read: Read, pack: StoredObject) -> Iterator[_Found]:
    """The pictures of records that are ``tf.train.Example``; of any other record all its bytes.

    Named by their ``image/filename`` where no record before has the same, else by their number.
    """
    at, names = 0, set[str]()
    while at < pack.size:
        data = _record(read, pack, at)
        picture = find_picture(data)
        name = picture.name if picture.name and picture.name not in names else f"{len(names):08d}"
        names.add(name)
        crc = google_crc32c.value(data[picture.start : picture.end])
        yield _Found(name, at + _HEAD.size + picture.start, picture.end - picture.start, crc)
        at += _HEAD.size + len(data) + _FOOT.size


def _record(read: Read, pack: StoredObject, at: int) -> bytes:
    head = read(at, _HEAD.size)
    if len(head) < _HEAD.size:
        raise _damaged(pack, at)
    length, crc = _HEAD.unpack(head)
    if crc != _masked(head[:8]) or length > min(_LARGEST_RECORD, pack.size - at):
        raise _damaged(pack, at)
    body = read(at + _HEAD.size, length + _FOOT.size)
    if len(body) != length + _FOOT.size or _FOOT.unpack(body[length:])[0] != _masked(body[:length]):
        raise _damaged(pack, at)
    return body[:length]


def _masked(data: bytes) -> int:
    """The CRC-32C as TFRecord files spell it: rotated right by 15 bits, plus a constant."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def _damaged(pack: StoredObject, at: int) -> StorageError:
    return StorageError(
        f"cannot list {pack.uri!r}: what lies at byte {at} is no member, it is damaged or was cut short; "
        "make it anew, or leave it out"
    )


class _ReadAhead:
    """Reads of a pack from front to back, in few requests."""

    def __init__(self, pack: StoredObject) -> None:
        self._pack = pack
        self._at = 0
        self._held = b""

    def read(self, offset: int, length: int) -> bytes:
        if not self._at <= offset <= offset + length <= self._at + len(self._held):
            self._at = offset
            self._held = read_range(self._pack.uri, offset, max(length, _READ_AHEAD), self._pack.fingerprint)
        start = offset - self._at
        return self._held[start : start + length]
