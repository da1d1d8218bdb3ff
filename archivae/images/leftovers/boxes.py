"""Boxes, of which AVIF, HEIF and JPEG 2000 files are made (ISO/IEC 14496-12, section 4.2)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_FREE = (b"free", b"skip")


class Box(NamedTuple):
    """A name, and where its body begins and ends."""

    name: bytes
    start: int
    end: int

    def __str__(self) -> str:
        return f"box {self.name.decode('latin-1')!r}"


def boxes(data: bytes, at: int, end: int) -> Iterator[Box]:
    """The boxes in a part of a file; a box that says to be longer ends with it, and what is none is left out."""
    while at + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        stop = end if size == 0 else min(at + size, end)
        if stop < at + head:
            return
        yield Box(name, at + head, stop)
        at = stop


def find(data: bytes, at: int, end: int, *path: bytes) -> Box | None:
    """The first box by the names on the way to it."""
    found = next((box for box in boxes(data, at, end) if box.name == path[0]), None)
    return found if found is None or len(path) == 1 else find(data, found.start, found.end, *path[1:])


def others(data: bytes, at: int, end: int, known: frozenset[bytes]) -> Iterator[str]:
    """Names of boxes that are neither known nor empty space, and of bytes behind them that are none."""
    for box in boxes(data, at, end):
        at = box.end
        if box.name not in known and not (box.name in _FREE and not data[box.start : box.end].strip(b"\x00")):
            yield str(box)
    if data[at:end].strip(b"\x00"):
        yield f"{end - at:,} bytes that are no box"
