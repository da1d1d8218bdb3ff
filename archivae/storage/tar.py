"""The tar format, as far as a shard needs it: headers that hold nothing but a name and a size, and how to find them."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import google_crc32c

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
"""Two blocks of zeros end a tar file."""

# What a header says in its own field where the name is in the extended header before it, the name's CRC-32C after it:
# extended headers have no checksum of their own. A name cut to the field's length would pass for the name itself.
_STAND_IN = "_archivae/name-in-pax-header-"
_NAME_FIELD = 100
_EXTENSIONS = frozenset({tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK})
# Names are at most 1,024 bytes in a bucket, 4,096 on a disk.
_LARGEST_EXTENSION = 64 * 1024
# One of the whole file's, one of the member's, and GNU's two for a long name and a long link. A file of nothing but
# extended headers would otherwise be read again and again from each of them on.
_MOST_EXTENSIONS = 4

Read = Callable[[int, int], bytes]
"""From an offset and a length to the bytes there, fewer at the end."""


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in a tar: where its headers begin, where its bytes do, and how many these are."""

    name: str
    start: int
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where the next header begins."""
        return self.offset + self.length + padding(self.length)


def header(name: str, size: int) -> bytes:
    """The header of a file, extended (POSIX.1-2001) where the name is long or not ASCII. No time, owner or host."""
    info = tarfile.TarInfo(name)
    info.size = size
    if not name.isascii() or len(name) > _NAME_FIELD:
        info.name, info.pax_headers = _stand_in(name), {"path": name}
    return info.tobuf(tarfile.PAX_FORMAT)


def header_size(name: str) -> int:
    """The bytes of `header`, which do not depend on the file's size."""
    return len(header(name, 0))


def is_header_of(data: bytes, name: str, size: int) -> bool:
    """Whether `header`-like bytes have this name. What else they say may be damaged: the file itself has a checksum."""
    expected = header(name, size)
    named = slice(-BLOCK, len(expected) - BLOCK + _NAME_FIELD)
    extended = slice(0, -BLOCK)  # of a name that the field can't hold
    return len(data) == len(expected) and data[named] == expected[named] and data[extended] == expected[extended]


def padding(size: int) -> int:
    """The zeros that fill a file's last block."""
    return -size % BLOCK


def scan(read: Read, size: int) -> Iterator[TarMember | int]:
    """The files of a tar of ``size`` bytes, however damaged: a number is an offset from where on nothing can be told.

    After damage the search goes on at the next block that is a header by its checksum. Names are as they stand there:
    not to be trusted. What is no regular file is passed over.
    """
    at, gap, blank = 0, None, False
    while at + BLOCK <= size:
        found = _member_at(read, at, size)
        if found is None:
            blank = (blank or gap is None) and not any(read(at, BLOCK))
            gap = at if gap is None else gap
            at += BLOCK
            continue
        if gap is not None:
            yield gap
        if found.name:
            yield found
        at, gap = found.end, None
    ended = gap is not None and blank and at == size and size - gap >= len(END)
    if not ended:
        yield at if gap is None else gap


def _member_at(read: Read, start: int, size: int) -> TarMember | None:
    """The member whose headers begin at ``start``, its name empty if it is no regular file; None for damage."""
    try:
        headers = _headers(read, start)
        with tarfile.open(fileobj=io.BytesIO(headers), mode="r:") as file:
            info = file.next()
        stated = tarfile.TarInfo.frombuf(headers[-BLOCK:], "utf-8", "surrogateescape").name
    except (tarfile.TarError, ValueError, OverflowError):
        return None
    if info is None or info.size < 0 or (stated.startswith(_STAND_IN) and stated != _stand_in(info.name)):
        return None
    member = TarMember(info.name if info.isreg() else "", start, start + len(headers), info.size if info.isreg() else 0)
    return member if member.end <= size else None


def _stand_in(name: str) -> str:
    return f"{_STAND_IN}{google_crc32c.value(name.encode('utf-8', 'surrogateescape')):08x}"


def _headers(read: Read, start: int) -> bytes:
    """The header at ``start``, with the extended ones before it and what they hold."""
    headers = b""
    for _ in range(_MOST_EXTENSIONS + 1):
        block = read(start + len(headers), BLOCK)
        info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        headers += block
        if info.type not in _EXTENSIONS:
            return headers
        if not 0 <= info.size <= _LARGEST_EXTENSION - len(headers):
            raise tarfile.HeaderError(f"an extended header of {info.size} bytes")
        length = info.size + padding(info.size)
        headers += read(start + len(headers), length)
    raise tarfile.HeaderError(f"more than {_MOST_EXTENSIONS} extended headers")
