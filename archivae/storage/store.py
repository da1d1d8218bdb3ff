"""What every kind of storage can do: the one listing entry, and the verbs local files, GCS and Beam answer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from archivae.errors import StorageError

MISSING = "missing"
_UNREADABLE = "unreadable:"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that lie inside another object, as a picture does in an archive's shard.

    ``uri``: of that object. ``offset``, ``length``: in bytes. ``crc``: the CRC-32C of these bytes, None if it is not
    known. ``fingerprint``: that of the object, where it must be the one that was listed. ``member``: the name that the tar
    header before them must have, where it is one of ours; empty elsewhere.
    """

    uri: str
    offset: int
    length: int
    crc: int | None
    fingerprint: str = ""
    member: str = ""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One entry of a listing.

    ``uri``: ``gs://bucket/key``, or the absolute path of a local file. ``name``: posix path relative to the source's
    root. ``size``: bytes, -1 if the object is not there. ``fingerprint``: changes when the content does;
    ``local:<size>:<mtime_ns>``, ``gcs:<generation>:<crc32c>``, ``s3:<size>:<etag>``, ``crc32c:<size>:<crc32c>``,
    ``pack:<offset>:<length>:<that of the pack>``, ``missing``, or ``unreadable:<reason>`` for a folder, whose name then ends
    in a slash, or an entry of one, of which nothing else can be told. ``written``: when this content was put there, seconds
    since 1970, UTC; 0 if that is not known. ``span``: where the bytes of an archive's member, or a pack's, lie; its
    ``uri`` is the one that it would have as a file of its own.
    """

    uri: str
    name: str
    size: int
    fingerprint: str
    written: float = field(default=0.0, compare=False)
    span: Span | None = None


def unreadable(uri: str, name: str, error: OSError) -> StoredObject:
    """The entry of what could not be looked at: it is reported, and what lies beside it is listed."""
    return StoredObject(uri, name, -1, f"{_UNREADABLE}{error.strerror or error}")


def why_unreadable(found: StoredObject) -> str:
    """What is wrong with an entry of `unreadable`, as an error's message; empty for every other."""
    if not found.fingerprint.startswith(_UNREADABLE):
        return ""
    reason = found.fingerprint.removeprefix(_UNREADABLE)
    return f"cannot list {found.uri!r}: {reason}; check its permissions and the disk, then run again"


def too_large(uri: str, limit: int) -> StorageError:
    """The error of a read that met more than ``limit`` bytes."""
    return StorageError(f"cannot read {uri!r}: expected at most {limit} bytes, found more; raise the limit")


class Store(Protocol):
    """One kind of storage. Every URI is taken literally; nothing here expands patterns. Failures are StorageErrors."""

    def stat(self, uri: str) -> StoredObject | None:
        """The object, named by the last part of its URI; None if there is none (a folder is none)."""

    def walk(
        self,
        folder: str,
        *,
        start: str = "",
        depth: int | None = None,
        skip: str | None = None,
        unread: bool = False,
    ) -> Iterator[StoredObject]:
        """Everything under ``folder``, sorted by name; nothing if there is no such folder.

        ``start`` and ``depth`` say that only names beginning so, of at most so many parts, are wanted: a store may
        yield others. ``skip`` is left out if it is a folder strictly inside ``folder``. With ``unread`` a folder inside
        it that can't be listed comes as an entry (`unreadable`); it is an error otherwise, as ``folder`` itself always is.
        """

    def read(self, uri: str, limit: int | None, generation: int | None) -> bytes:
        """All bytes of an object of at most ``limit`` bytes."""

    def read_range(self, uri: str, offset: int, length: int, generation: int | None = None) -> bytes:
        """``length`` bytes from ``offset`` on, of a generation; fewer where the object ends before."""

    def write(self, uri: str, data: bytes, scratch: str) -> str:
        """Put or replace the whole object at once; its new fingerprint."""

    def write_pieces(self, uri: str, pieces: Iterable[bytes], scratch: str) -> str:
        """The same for an object that is too large for memory, given piece by piece."""

    def write_pieces_if(self, uri: str, pieces: Iterable[bytes], expected: str | None, scratch: str) -> str | None:
        """`write_pieces` if the object has the fingerprint ``expected``, None: if there is none; None if it has another.

        All pieces are drawn, whatever comes of it.
        """

    def delete(self, uri: str) -> None:
        """Delete one object; nothing if it is not there."""

    def delete_if(self, uri: str, expected: str) -> bool:
        """`delete` if the object has the fingerprint ``expected``; whether it had."""

    def clear(self, folder: str) -> None:
        """Delete every object below ``folder``, and the folder itself where such things exist."""
