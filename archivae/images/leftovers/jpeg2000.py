"""What of a JPEG 2000 isn't stored: boxes and comments (ISO/IEC 15444-1, annexes A and I)."""

from __future__ import annotations

from collections.abc import Iterator

from archivae.images.leftovers.boxes import boxes, find, others
from archivae.images.metadata import Metadata
from archivae.images.picture import Rasters

_TOP = frozenset({b"jP  ", b"ftyp", b"jp2h", b"jp2c", b"uuid"})
_HEADER = frozenset({b"ihdr", b"bpcc", b"colr", b"pclr", b"cmap", b"cdef"})
_ENUMERATED, _RESTRICTED, _ANY_PROFILE = 1, 2, 3
_SRGB, _GREY, _YCC = 16, 17, 18
_START, _COMMENT, _TILE, _END = b"\xff\x4f", 0x64, 0x90, b"\xff\xd9"
_USES = {
    "be7acfcb97a942e89c71999491e3afac": "XMP",
    "4a706754696666457869662d3e4a5032": "EXIF",
    "b14bf8bd083d4b43a5ae8cd7d5a6ce03": "GeoJP2",
    "33c7a4d2b81d4723a0baf1a3e097ad38": "IPTC",
}
_USE_BYTES = 16


def jpeg2000_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    if data.startswith(_START):
        yield from _in_codestream(data, 0, len(data))
        return
    yield from others(data, 0, len(data), _TOP)
    for box in boxes(data, 0, len(data)):
        if box.name == b"uuid":
            use = data[box.start : box.start + _USE_BYTES].hex()
            yield f"box 'uuid' ({_USES.get(use, use)})"
    header = find(data, 0, len(data), b"jp2h")
    if header is not None:
        yield from others(data, header.start, header.end, _HEADER)
        for box in boxes(data, header.start, header.end):
            if box.name == b"colr":
                yield from _in_colours(data[box.start : box.end], rasters.first.metadata)
    codestream = find(data, 0, len(data), b"jp2c")
    if codestream is not None:
        yield from _in_codestream(data, codestream.start, codestream.end)


def _in_colours(body: bytes, metadata: Metadata) -> Iterator[str]:
    method, rest = body[0], body[3:]
    if method == _ENUMERATED:
        space = int.from_bytes(rest[:4], "big")
        if space not in (_SRGB, _GREY, _YCC):
            yield f"colour space {space}"
    elif method not in (_RESTRICTED, _ANY_PROFILE):
        yield f"colours told by method {method}"
    elif rest != metadata.icc:
        yield "colour profile"


def _in_codestream(data: bytes, start: int, end: int) -> Iterator[str]:
    at = start + len(_START)
    while at + 4 <= end and data[at] == 0xFF and data[at + 1] != _TILE:
        if data[at + 1] == _COMMENT:
            yield "comment"
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    last = data.rfind(_END, start, end)
    if last >= 0 and data[last + 2 : end].strip(b"\x00"):
        yield f"{end - last - 2:,} bytes after the picture"
