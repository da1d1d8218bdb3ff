"""What of a JPEG isn't stored: segments, embedded thumbnails, further pictures, bytes between and behind (T.81, T.871)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction

from archivae.images.extended_xmp import EXTENSION, STANDARD
from archivae.images.metadata import Metadata
from archivae.images.picture import Raster, Rasters
from archivae.images.readers.jpeg_segments import (
    APP0,
    COMMENT,
    DECODING,
    Layout,
    Segment,
    bodies,
    extended_xmp,
    is_adobe,
    layout,
)
from archivae.images.resolution import Resolution, exif_resolution, jfif_resolution, resolution

PADDING = b"\x00\r\n "
"""Bytes behind a picture that say nothing: some cameras fill up sectors."""

_EXIF, _XMP = b"Exif\x00\x00", STANDARD
_ICC, _PHOTOSHOP = b"ICC_PROFILE\x00", b"Photoshop 3.0\x00"
_JFIF, _JFIF_BYTES = b"JFIF\x00", 14
_ADOBE_BYTES = 12
_APP1, _APP2, _APP13 = 0xE1, 0xE2, 0xED
# Photoshop's resources: the IPTC records, its own resolution, and IPTC's checksum, which follows from the records.
_IPTC, _RESOLUTION, _IPTC_DIGEST = 0x0404, 0x03ED, 0x0425
_SIGNATURES = (b"8BIM", b"MeSa", b"PHUT", b"AgHg", b"DCSR")
_KNOWN = {
    (0xE0, b"JFXX\x00"): "JFXX thumbnail",
    (0xE0, b"AVI1"): "AVI1",
    (_APP1, _EXIF): "EXIF",
    (_APP1, _XMP): "XMP",
    (_APP1, EXTENSION): "extended XMP",
    (_APP1, b"FLIR\x00"): "FLIR",
    (_APP2, _ICC): "colour profile",
    (_APP2, b"MPF\x00"): "MPF, the index of further pictures",
    (_APP2, b"FPXR\x00"): "FlashPix",
    (_APP2, b"urn:iso:std:iso:ts:21496:-1\x00"): "gain map",
    (0xE3, b"Meta\x00"): "Meta",
    (0xE3, b"META\x00"): "Meta",
    (0xEB, b"JP"): "JUMBF, such as C2PA",
    (0xEC, b"Ducky"): "Ducky",
    (_APP13, _PHOTOSHOP): "Photoshop resources",
}
_NAME_BYTES = 24


def jpeg_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster. A further picture that was wished for is looked into as well."""
    picture = layout(data)
    yield from _beside(data, picture, rasters.first)
    end = picture.end
    for number in range(2, rasters.count + 1):
        start = data.find(b"\xff\xd8\xff", end)
        if start < 0 or data[end:start].strip(PADDING):
            break
        picture = layout(data, start)
        if number - 2 < len(rasters.rest):
            for name in _beside(data, picture, rasters.rest[number - 2]):
                yield f"frame {number}: {name}"
        end = picture.end
    behind = data[end:]
    if behind.strip(PADDING):
        yield f"{len(behind):,} bytes after the picture"


def _beside(data: bytes, picture: Layout, raster: Raster) -> Iterator[str]:
    """What stands beside one picture."""
    carried = _carried(data, picture, raster.metadata)
    for segment in picture.segments:
        if segment.marker not in DECODING and segment not in carried:
            yield from _in_segment(data, segment)
    if picture.stray:
        yield f"{picture.stray:,} bytes between segments"
    yield from _in_photoshop(data, picture, raster.metadata)
    yield from _other_resolutions(data, picture, raster)


def _carried(data: bytes, picture: Layout, metadata: Metadata) -> set[Segment]:
    """The segments whose content is in ``metadata``, byte for byte."""
    carried: set[Segment] = set()
    exif = bodies(data, picture, _APP1, _EXIF)
    if b"".join(exif.values()).removeprefix(_EXIF) == metadata.exif:
        carried |= exif.keys()
    packets = bodies(data, picture, _APP1, _XMP)
    carried |= {s for s, body in packets.items() if body == metadata.xmp}
    if metadata.xmp and metadata.xmp == extended_xmp(data, picture):
        carried |= {*packets, *bodies(data, picture, _APP1, EXTENSION)}
    profile = bodies(data, picture, _APP2, _ICC)
    pieces = sorted(profile.values(), key=lambda body: body[:1])  # each is numbered, then says how many there are
    if b"".join(body[2:] for body in pieces) == metadata.icc:
        carried |= profile.keys()
    return carried


def _in_segment(data: bytes, segment: Segment) -> Iterator[str]:
    body = data[segment.body : segment.end]
    if segment.marker == APP0 and body.startswith(_JFIF):
        yield from _in_jfif(body)
    elif is_adobe(data, segment):
        if len(body) > _ADOBE_BYTES:
            yield f"{len(body) - _ADOBE_BYTES:,} bytes more in the Adobe segment"
    elif not (segment.marker == _APP13 and body.startswith(_PHOTOSHOP)):
        yield _name(segment.marker, body)


def _in_jfif(body: bytes) -> Iterator[str]:
    if len(body) < _JFIF_BYTES:
        yield "a JFIF segment that is too short"
        return
    width, height = body[12:14]
    if width and height:
        yield "JFIF thumbnail"
    beyond = len(body) - _JFIF_BYTES - 3 * width * height
    if beyond > 0:
        yield f"{beyond:,} bytes more in the JFIF segment"


def jpeg_resolution(data: bytes) -> Resolution | None:
    """What the first picture says of its size beside EXIF."""
    return next((found for _, found in _resolutions(data, layout(data))), None)


def _other_resolutions(data: bytes, picture: Layout, raster: Raster) -> Iterator[str]:
    """Those that differ from what is kept: EXIF's, or else the first."""
    found = list(_resolutions(data, picture))
    kept = exif_resolution(raster.metadata.exif) or next((told for _, told in found), None)
    for where, told in found:
        if kept is not None and not kept.agrees(told):
            yield f"{where} density of {told}, where {kept} is kept"


def _resolutions(data: bytes, picture: Layout) -> Iterator[tuple[str, Resolution]]:
    for body in bodies(data, picture, APP0, b"").values():
        told = jfif_resolution(body) if body.startswith(_JFIF) else None
        if told is not None:
            yield "JFIF", told
    for number, body in _resources(data, picture)[0]:
        told = photoshop_resolution(body) if number == _RESOLUTION else None
        if told is not None:
            yield "Photoshop", told


def _name(marker: int, body: bytes) -> str:
    if marker == COMMENT:
        return "comment"
    if not 0xE0 <= marker <= 0xEF:
        return f"segment FF{marker:02X}"
    segment = f"APP{marker - 0xE0}"
    if marker == APP0 and body[6:14] == b"HEAPCCDR":
        return f"{segment} segment (CIFF)"
    known = next((name for (m, identifier), name in _KNOWN.items() if m == marker and body.startswith(identifier)), "")
    if known:
        return f"{segment} segment ({known})"
    name = body[:_NAME_BYTES].partition(b"\x00")[0]
    if len(name) >= 2 and all(32 <= byte < 127 for byte in name):
        return f"{segment} segment ({name.decode('ascii')})"
    return f"{segment} segment of {len(body):,} bytes"


def _in_photoshop(data: bytes, picture: Layout, metadata: Metadata) -> Iterator[str]:
    """Resources besides IPTC."""
    resources, beyond = _resources(data, picture)
    unkept = []
    for number, body in resources:
        if number == _IPTC and body != metadata.iptc:
            unkept.append("IPTC")
        elif number not in (_IPTC, _RESOLUTION, _IPTC_DIGEST):
            unkept.append(f"0x{number:04X}")
    unkept += [f"{beyond:,} bytes that are none"] if beyond else []
    if unkept:
        yield f"Photoshop resources ({', '.join(dict.fromkeys(unkept))})"


def _resources(data: bytes, picture: Layout) -> tuple[list[tuple[int, bytes]], int]:
    """Numbers and bodies of Photoshop's resources, which may go on in the next segment; and how many bytes are none."""
    block = b"".join(bodies(data, picture, _APP13, _PHOTOSHOP).values())
    resources: list[tuple[int, bytes]] = []
    at = 0
    while at + 12 <= len(block) and block.startswith(_SIGNATURES, at):
        (number,) = struct.unpack_from(">H", block, at + 4)
        start = at + 6 + (block[at + 6] + 2) // 2 * 2  # a name, of even length with its length
        if start + 4 > len(block):
            break
        (size,) = struct.unpack_from(">I", block, start)
        resources.append((number, block[start + 4 : start + 4 + size]))
        at = start + 4 + (size + 1) // 2 * 2
    return resources, len(block[at:].strip(b"\x00"))


def photoshop_resolution(body: bytes) -> Resolution | None:
    """What the resource ResolutionInfo says: dots an inch, in 16.16 fixed point."""
    if len(body) < 12:
        return None
    across, down = (Fraction(struct.unpack_from(">I", body, at)[0], 65536) for at in (0, 8))
    return resolution(across, down, "inch")
