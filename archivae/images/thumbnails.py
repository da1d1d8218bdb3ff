"""The thumbnail in EXIF's second directory, turned as its picture is (EXIF 2.32, section 4.5.5)."""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

import numpy as np
from PIL import Image

from archivae.images.notes import NO_NOTES, Notes, changed, lost
from archivae.images.orienting import turned_upright

_ORIENTATION, _OFFSET, _LENGTH = 0x0112, 0x0201, 0x0202
_SHORT, _LONG = 3, 4
_QUALITIES = (90, 80, 70, 60)
"""Tried until the turned one takes no more bytes than before, so that it lies where the other lay."""
_MOST_PIXELS = 4_000_000


class _Second(NamedTuple):
    """The second directory: where its offset stands, and where each entry lies, by tag."""

    order: str
    pointer: int
    entries: dict[int, int]


def with_thumbnail_turned(exif: bytes, orientation: int) -> tuple[bytes, Notes]:
    """The block with its thumbnail turned upright as the picture is, or without where it can't be turned."""
    second = _second_directory(exif)
    if second is None or orientation == 1:
        return exif, NO_NOTES
    try:
        return _turned(exif, second, orientation), changed("EXIF thumbnail turned")
    except (KeyError, ValueError, struct.error, OSError, SyntaxError):
        return _without(exif, second), lost("EXIF thumbnail, which can't be turned")


def _second_directory(exif: bytes) -> _Second | None:
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return None
    try:
        (first,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, first)
        pointer = first + 2 + 12 * count
        (at,) = struct.unpack_from(order + "I", exif, pointer)
        if not at:
            return None
        (count,) = struct.unpack_from(order + "H", exif, at)
        places = range(at + 2, at + 2 + 12 * count, 12)
        return _Second(order, pointer, {struct.unpack_from(order + "H", exif, place)[0]: place for place in places})
    except struct.error:
        return None


def _turned(exif: bytes, second: _Second, orientation: int) -> bytes:
    """KeyError, ValueError, struct.error or what Pillow raises for a thumbnail that is no JPEG."""
    order, entries = second.order, second.entries
    (offset,) = struct.unpack_from(order + "I", exif, entries[_OFFSET] + 8)
    (length,) = struct.unpack_from(order + "I", exif, entries[_LENGTH] + 8)
    if offset + length > len(exif):
        raise ValueError("a thumbnail beyond the end")
    jpeg = _turned_jpeg(exif[offset : offset + length], orientation)
    block = bytearray(exif)
    block[offset : offset + length] = bytes(length)
    if len(jpeg) > length:
        offset = len(block)
        block += jpeg
    else:
        block[offset : offset + len(jpeg)] = jpeg
    struct.pack_into(order + "HII", block, entries[_OFFSET] + 2, _LONG, 1, offset)
    struct.pack_into(order + "HII", block, entries[_LENGTH] + 2, _LONG, 1, len(jpeg))
    if _ORIENTATION in entries:
        struct.pack_into(order + "HIHH", block, entries[_ORIENTATION] + 2, _SHORT, 1, 1, 0)
    return bytes(block)


def _turned_jpeg(jpeg: bytes, orientation: int) -> bytes:
    """The smallest of `_QUALITIES` if none takes as few bytes as before."""
    with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as image:
        if image.width * image.height > _MOST_PIXELS:
            raise ValueError("a thumbnail too large")
        turned = Image.fromarray(np.ascontiguousarray(turned_upright(np.asarray(image), orientation)), image.mode)
    written = b""
    for quality in _QUALITIES:
        file = io.BytesIO()
        turned.save(file, "JPEG", quality=quality, optimize=True)
        written = file.getvalue()
        if len(written) <= len(jpeg):
            break
    return written


def _without(exif: bytes, second: _Second) -> bytes:
    """The second directory let go of."""
    block = bytearray(exif)
    struct.pack_into(second.order + "I", block, second.pointer, 0)
    return bytes(block)
