"""What of a GIF isn't stored: comments, texts laid over the picture, applications' blocks, bytes behind (GIF89a)."""

from __future__ import annotations

from collections.abc import Iterator

from archivae.images.picture import Rasters

_HEAD, _IMAGE_HEAD = 13, 9
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_CONTROL, _COMMENT, _PLAIN_TEXT, _APPLICATION = 0xF9, 0xFE, 0x01, 0xFF
_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_XMP = b"XMP DataXMP"
_SQUARE = (0, 49)  # of the pixel aspect ratio


def gif_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    if data[12] not in _SQUARE:
        yield f"pixel aspect ratio of {(data[12] + 15) / 64:g}"
    at = _HEAD + _table_bytes(data[10])
    while at < len(data):
        kind = data[at]
        if kind == _EXTENSION and at + 2 <= len(data):
            end = _end_of_blocks(data, at + 2)
            yield from _in_extension(data[at + 1], data[at + 2 : end], rasters)
        elif kind == _IMAGE and at + 1 + _IMAGE_HEAD <= len(data):
            end = _end_of_blocks(data, at + 1 + _IMAGE_HEAD + _table_bytes(data[at + _IMAGE_HEAD]) + 1)
        else:
            end = at + 1
        at = end
        if kind not in (_EXTENSION, _IMAGE):
            if kind != _TRAILER:
                at -= 1
            break
    if data[at:].strip(b"\x00"):
        yield f"{len(data) - at:,} bytes after the picture"


def _table_bytes(flags: int) -> int:
    """Of a colour table that ``flags`` promise."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _end_of_blocks(data: bytes, at: int) -> int:
    """Behind the empty block that ends a row of them."""
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def _in_extension(kind: int, blocks: bytes, rasters: Rasters) -> Iterator[str]:
    if kind == _COMMENT:
        yield "comment"
    elif kind == _PLAIN_TEXT:
        yield "text laid over the picture"
    elif kind == _APPLICATION:
        name = blocks[1:12]
        if name in _LOOPS or (name == _XMP and rasters.first.metadata.xmp and rasters.first.metadata.xmp in blocks):
            return
        yield f"GIF application block {name.decode('latin-1')!r}"
    elif kind != _CONTROL:
        yield f"GIF extension {kind:02X}"
