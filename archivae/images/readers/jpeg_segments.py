"""A JPEG's segments in their order, and what lies between and behind them (ITU-T T.81, annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from archivae.images.extended_xmp import EXTENSION, STANDARD, joined

SCAN, END, COMMENT, APP0 = 0xDA, 0xD9, 0xFE, 0xE0
_APP1 = 0xE1
TABLES = 0xDB
START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # after a scan, within which these are no markers
_ANY_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)


class Segment(NamedTuple):
    """A marker, where it stands, where its body begins, and where it ends: a scan's coded data belong to it."""

    marker: int
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Layout:
    """One picture: its segments without the markers of its start and end.

    ``stray``: bytes between segments, which decoders pass over. ``end``: where the picture ends, the file's end if nothing
    says so; ``is_ended``: whether something does.
    """

    segments: tuple[Segment, ...]
    stray: int
    end: int
    is_ended: bool


def layout(data: bytes, start: int = 0) -> Layout:
    """The segments of the picture that begins at ``start``; up to where the file is cut short."""
    segments: list[Segment] = []
    stray = 0
    for segment in _walk(data, start + 2):
        stray += segment.start - (segments[-1].end if segments else start + 2)
        if segment.marker == END:
            return Layout(tuple(segments), stray, segment.end, True)
        segments.append(segment)
    return Layout(tuple(segments), stray, len(data), False)


def bare(data: bytes, picture: Layout) -> bytes:
    """The picture as a file of nothing but what it takes to decode it."""
    kept = [data[s.start : s.end] for s in picture.segments if s.marker in DECODING or is_adobe(data, s)]
    return b"".join([b"\xff\xd8", *kept, b"\xff\xd9" if picture.is_ended else b""])


def bodies(data: bytes, picture: Layout, marker: int, identifier: bytes) -> dict[Segment, bytes]:
    """What stands behind an identifier, by the segments that begin with it."""
    return {
        s: data[s.body + len(identifier) : s.end]
        for s in picture.segments
        if s.marker == marker and data.startswith(identifier, s.body)
    }


def extended_xmp(data: bytes, picture: Layout) -> bytes | None:
    """A packet of XMP too large for one segment, put together; None where there is none, or not all of it."""
    packets = bodies(data, picture, _APP1, STANDARD)
    pieces = bodies(data, picture, _APP1, EXTENSION).values()
    return joined(next(iter(packets.values())), pieces) if packets and pieces else None


def _walk(data: bytes, at: int) -> Iterator[Segment]:
    """Each segment, the end's marker included."""
    while (found := _ANY_MARKER.search(data, at)) is not None:
        start = found.start()
        while start > at and data[start - 1] == 0xFF:  # fill bytes belong to the marker
            start -= 1
        marker, body = data[found.start() + 1], found.end()
        if marker in _WITHOUT_LENGTH or marker == END:
            yield Segment(marker, start, body, body)
            if marker == END:
                return
            at = body
            continue
        at = body + int.from_bytes(data[body : body + 2], "big")
        if at < body + 2 or at > len(data):
            return
        if marker == SCAN:
            following = _NEXT_MARKER.search(data, at)
            at = len(data) if following is None else following.start()
        yield Segment(marker, start, body + 2, at)


def is_adobe(data: bytes, segment: Segment) -> bool:
    """Whether the segment says how colours are coded."""
    return segment.marker == 0xEE and data.startswith(b"Adobe", segment.body)


DECODING = frozenset({*START_OF_FRAME, 0xC4, 0xCC, SCAN, TABLES, 0xDC, 0xDD, *_WITHOUT_LENGTH})
