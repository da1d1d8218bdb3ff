"""What of a PNG isn't stored: chunks of which nothing is kept, and bytes behind the last."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from archivae.images.metadata import Metadata
from archivae.images.picture import Rasters
from archivae.images.readers.png_chunks import PROFILE, TEXTS, Chunk, chunks, is_carried, profile_of, text_of
from archivae.images.resolution import Resolution, exif_resolution, per_metre, resolution

# Pixels, transparency, frames (those left out are named elsewhere), and Apple's index of its own compressed data.
_PIXELS = {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"acTL", b"fcTL", b"fdAT", b"iDOT"}
_COLOUR_NUMBERS = b"cICP"  # named by the reader where they aren't sRGB's
_SRGB = {b"gAMA": (45455,), b"cHRM": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000)}
_SRGB_WITHIN = 100  # hundred-thousandths
_NAMES = {
    b"gAMA": "PNG gamma",
    b"cHRM": "PNG chromaticity",
    b"sBIT": "PNG significant bits (sBIT)",
    b"bKGD": "PNG background (bKGD)",
    b"hIST": "PNG histogram (hIST)",
    b"sPLT": "PNG suggested palette (sPLT)",
    b"tIME": "PNG time of change (tIME)",
    b"caBX": "PNG chunk caBX (C2PA)",
    b"eXIf": "EXIF",
    PROFILE: "colour profile",
}


def png_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    metadata = rasters.first.metadata
    end = seen = 0
    for chunk in chunks(data):
        end = chunk.end
        if chunk.name == b"pHYs":
            seen += 1
            kept, told = exif_resolution(metadata.exif), _told(data, chunk)
            if seen > 1 or (told is not None and kept is not None and not kept.agrees(told)):
                yield f"PNG density of {told}"
        elif not _is_kept(data, chunk, metadata):
            yield _name(data, chunk)
    if len(data) > end:
        yield f"{len(data) - end:,} bytes after the picture"


def png_resolution(data: bytes) -> Resolution | None:
    """What the chunk pHYs says."""
    return next((_told(data, chunk) for chunk in chunks(data) if chunk.name == b"pHYs"), None)


def _told(data: bytes, chunk: Chunk) -> Resolution | None:
    body = data[chunk.body]
    if len(body) != 9:
        return None
    across, down, unit = struct.unpack(">IIB", body)
    return per_metre(across, down) if unit == 1 else resolution(across, down, "none")


def _is_kept(data: bytes, chunk: Chunk, metadata: Metadata) -> bool:
    name, body = chunk.name, data[chunk.body]
    if name in _PIXELS or name == _COLOUR_NUMBERS or name == b"sRGB":
        return True
    if name in TEXTS:
        return is_carried(text_of(data, chunk), metadata)
    if name == b"eXIf":
        return body.removeprefix(b"Exif\x00\x00") == metadata.exif
    if name == PROFILE:
        return bool(metadata.icc) and profile_of(body) == metadata.icc
    if name in _SRGB:  # a profile goes before them
        return bool(metadata.icc) or _is_srgb(name, body)
    return False


def _is_srgb(name: bytes, body: bytes) -> bool:
    expected = _SRGB[name]
    if len(body) != 4 * len(expected):
        return False
    found = struct.unpack(f">{len(expected)}I", body)
    return all(abs(a - b) <= _SRGB_WITHIN for a, b in zip(found, expected, strict=True))


def _name(data: bytes, chunk: Chunk) -> str:
    if chunk.name in TEXTS:
        return f"text {text_of(data, chunk).key!r}"
    return _NAMES.get(chunk.name) or f"PNG chunk {chunk.name.decode('latin-1')!r}"
