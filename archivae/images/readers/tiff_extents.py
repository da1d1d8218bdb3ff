"""Which bytes of a TIFF its directories point at, so that others can be named."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_TYPE_BYTES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8,
}  # fmt: skip
_NUMBERS = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}
_DIRECTORIES = (330, 34665, 34853, 40965)
_PLACES = {273: 279, 324: 325, 513: 514, 288: 289}  # tags of offsets -> of the bytes at each
_OLD_JPEG_TABLES = (519, 520, 521)
_MOST_DIRECTORIES = 10_000

Extent = tuple[int, int]


@dataclass(frozen=True)
class _Sizes:
    """How classic and big TIFFs differ: struct formats of the number of entries and of an offset; bytes of an entry."""

    order: str
    count: str
    offset: str
    entry: int

    @property
    def inline(self) -> int:
        return struct.calcsize(self.offset)


def unreferenced(data: bytes) -> int:
    """How many bytes from the first to the last that is not zero no directory points at, all gaps taken together.

    0 for a file whose directories lead nowhere, and for one whose tables lie where only old-style JPEG tells.
    """
    try:
        extents = list(_extents(data))
    except (struct.error, KeyError, _OldJpegError):
        return 0
    left, reached = 0, 0
    for start, end in sorted(extents):
        if start > reached:
            left += len(data[reached:start].strip(b"\0"))
        reached = max(reached, end)
    return left + len(data[reached:].strip(b"\0"))


class _OldJpegError(Exception):
    pass


def _extents(data: bytes) -> Iterator[Extent]:
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    sizes = _Sizes(order, "Q", "Q", 20) if big else _Sizes(order, "H", "I", 12)
    header = 16 if big else 8
    yield 0, header
    ahead, seen = [struct.unpack_from(order + sizes.offset, data, header - sizes.inline)[0]], set[int]()
    while ahead and len(seen) < _MOST_DIRECTORIES:
        directory = ahead.pop()
        if not directory or directory in seen:
            continue
        seen.add(directory)
        (entries,) = struct.unpack_from(order + sizes.count, data, directory)
        first = directory + struct.calcsize(order + sizes.count)
        end = first + entries * sizes.entry
        values = dict(_values(data, sizes, first, min(end, len(data))))
        yield directory, end + sizes.inline
        yield from (place for place, _ in values.values())
        yield from _pixels({tag: numbers for tag, (_, numbers) in values.items()})
        ahead += [number for tag in _DIRECTORIES if tag in values for number in values[tag][1]]
        if end + sizes.inline <= len(data):
            ahead += struct.unpack_from(order + sizes.offset, data, end)


def _values(data: bytes, sizes: _Sizes, first: int, end: int) -> Iterator[tuple[int, tuple[Extent, tuple[int, ...]]]]:
    """By tag, where each value lies and its numbers; none of those that aren't whole numbers, or beyond the file."""
    for at in range(first, end, sizes.entry):
        tag, kind, count = struct.unpack_from(f"{sizes.order}HH{sizes.offset}", data, at)
        value = at + 4 + sizes.inline
        size = count * _TYPE_BYTES.get(kind, 1)
        if size > sizes.inline:
            (value,) = struct.unpack_from(sizes.order + sizes.offset, data, value)
        numbers: tuple[int, ...] = ()
        if kind in _NUMBERS and value + size <= len(data):
            numbers = struct.unpack_from(f"{sizes.order}{count}{_NUMBERS[kind]}", data, value)
        yield tag, ((value, value + size), numbers)


def _pixels(numbers: dict[int, tuple[int, ...]]) -> Iterator[Extent]:
    if any(tag in numbers for tag in _OLD_JPEG_TABLES):
        raise _OldJpegError
    for offsets, counts in _PLACES.items():
        for start, count in zip(numbers.get(offsets, ()), numbers.get(counts, ()), strict=False):
            yield start, start + count
