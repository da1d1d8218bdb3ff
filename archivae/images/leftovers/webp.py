"""What of a WebP isn't stored: chunks of which nothing is kept, and bytes behind them (RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from archivae.images.picture import Rasters

_HEAD, _CHUNK_HEAD, _FRAME_HEAD = 12, 8, 16
_PIXELS = {b"VP8X", b"VP8 ", b"VP8L", b"ALPH", b"ANIM"}
_FRAME = b"ANMF"


def webp_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    metadata = rasters.first.metadata
    kept = {b"EXIF": metadata.exif, b"XMP ": metadata.xmp, b"ICCP": metadata.icc}
    end = min(8 + int.from_bytes(data[4:8], "little"), len(data))
    for name, body in _chunks(data, _HEAD, end):
        if name == _FRAME:
            yield from _in_frame(body)
        elif name not in _PIXELS and body.removeprefix(b"Exif\x00\x00") != kept.get(name):
            yield _name(name)
    if data[end:].strip(b"\x00"):
        yield f"{len(data) - end:,} bytes after the picture"


def _in_frame(body: bytes) -> Iterator[str]:
    return (_name(name) for name, _ in _chunks(body, _FRAME_HEAD, len(body)) if name not in _PIXELS)


def _chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Names and bodies."""
    while at + _CHUNK_HEAD <= end:
        name, size = struct.unpack_from("<4sI", data, at)
        yield name, data[at + _CHUNK_HEAD : min(at + _CHUNK_HEAD + size, end)]
        at += _CHUNK_HEAD + size + size % 2


def _name(name: bytes) -> str:
    known = {b"EXIF": "EXIF", b"XMP ": "XMP", b"ICCP": "colour profile"}
    return known.get(name) or f"WebP chunk {name.decode('latin-1')!r}"
