"""Tar shards as sources, as WebDataset writes and reads them.

Members are found by reading a shard through; after that each is read alone, from where it lies.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from archivae.errors import StorageError, UsageError
from archivae.storage.names import is_own
from archivae.storage.ranged_file import Ahead
from archivae.storage.store import Span, StoredObject
from archivae.storage.tar import TarMember, scan

_TAR = re.compile(r"\.tar$", re.IGNORECASE)
_PACKED = re.compile(r"\.tar\.(gz|bz2|xz|zst)$|\.tgz$", re.IGNORECASE)


def is_pack(uri: str) -> bool:
    """Whether the name, or a glob for names, is of tar files. UsageError if they are compressed as a whole."""
    if _PACKED.search(uri):
        raise UsageError(f"expected a plain tar file, found the compressed {uri!r}: decompress it first")
    return _TAR.search(uri) is not None


def stem(name: str) -> str:
    """The name of a tar without its ending: the folder that its members are in where there are several."""
    return _TAR.sub("", name)


def list_pack(pack: StoredObject, folder: str = "") -> list[StoredObject]:
    """The members of a tar, sorted by name, under the folder ``folder``; of equal names the last in the file.

    Each has the URI that it would have were the tar a folder. StorageError where the tar is damaged.
    """
    found = {name: member for name, member in _members(pack) if not is_own(name)}
    return [_stored(pack, folder, name, found[name]) for name in sorted(found)]


def _stored(pack: StoredObject, folder: str, name: str, member: TarMember) -> StoredObject:
    span = Span(pack.uri, member.offset, member.length, None, pack.fingerprint)
    full = f"{folder}/{name}" if folder else name
    fingerprint = f"pack:{member.offset}:{member.length}:{pack.fingerprint}"
    return StoredObject(f"{pack.uri}/{name}", full, member.length, fingerprint, pack.written, span)


def _members(pack: StoredObject) -> Iterator[tuple[str, TarMember]]:
    for member in scan(Ahead(pack.uri, pack.fingerprint).read, pack.size):
        if not isinstance(member, TarMember):
            raise StorageError(
                f"cannot list {pack.uri!r}: what lies at byte {member} is no member, it is damaged or was cut short; "
                "make it anew, or leave it out"
            )
        yield member.name.removeprefix("./"), member
