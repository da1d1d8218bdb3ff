"""JPEG: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK; 8 bits a sample (ITU-T T.81)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from archivae.errors import UnsupportedPictureError
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.modes import load_raster

_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_SCAN, _END, _APP1 = 0xDA, 0xD9, 0xE1
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)  # after a scan, within which these are no markers
_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\x00"
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)


def read_jpeg(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """UnsupportedPictureError for 12 bits a sample and for lossless JPEG, which Pillow's libjpeg doesn't decode."""
    process, bits = frame_header(data)
    if bits > 8:
        raise UnsupportedPictureError(f"expected 8 bits a sample, found a {bits}-bit JPEG; convert it or keep it aside")
    if process in _LOSSLESS:
        raise UnsupportedPictureError("expected a lossy JPEG, found a lossless one (T.81 process 14); convert it")

    def to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
        raster, damage = load_raster(open_frame, options)
        return replace(raster, unkept=(*raster.unkept, *extended)), damage

    extended = ("extended XMP",) if _has_extended_xmp(data) else ()
    rasters = read_frames(data, "JPEG", options, max_pixels, to_raster)
    after = data[_end(data) :]
    if (
        not after.strip(b"\x00\r\n ") or rasters.count > 1
    ):  # some cameras pad; other pictures after the first are frames
        return rasters
    said = f"{len(after):,} bytes after the picture"
    return replace(rasters, first=replace(rasters.first, unkept=(*rasters.first.unkept, said)))


def frame_header(data: bytes) -> tuple[int, int]:
    """The marker of the first frame and its bits a sample; (0, 8) if there is none."""
    found = (frame for frame in _markers(data) if frame[0] in _START_OF_FRAME)
    marker, at = next(found, (0, 0))
    return marker, (data[at + 4 : at + 5] or b"\x08")[0] if marker else 8


def _has_extended_xmp(data: bytes) -> bool:
    return any(marker == _APP1 and data.startswith(_EXTENDED_XMP, at + 4) for marker, at in _markers(data, _SCAN))


def _end(data: bytes) -> int:
    """Where the first picture ends."""
    return next((at + 2 for marker, at in _markers(data) if marker == _END), len(data))


def _markers(data: bytes, last: int = _END) -> Iterator[tuple[int, int]]:
    """Each marker of the first picture, up to ``last``, and where it stands; those before damage."""
    at = 2
    while at + 1 < len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        yield marker, at
        if marker == last:
            return
        at += 2 if marker in _WITHOUT_LENGTH else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SCAN:
            found = _NEXT_MARKER.search(data, at)
            at = len(data) if found is None else found.start()
