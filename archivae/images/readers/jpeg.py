"""JPEG: baseline and progressive, grey, YCbCr, RGB, CMYK and YCCK; 8 bits a sample (ITU-T T.81)."""

from __future__ import annotations

import struct

from archivae.errors import UnsupportedPictureError
from archivae.images.picture import Rasters, ReadOptions
from archivae.images.readers.frames import read_frames
from archivae.images.readers.modes import load_raster

_START_OF_FRAME = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_LOSSLESS = (0xC3, 0xC7, 0xCB, 0xCF)


def read_jpeg(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """UnsupportedPictureError for 12 bits a sample and for lossless JPEG, which Pillow's libjpeg doesn't decode."""
    process, bits = frame_header(data)
    if bits > 8:
        raise UnsupportedPictureError(f"expected 8 bits a sample, found a {bits}-bit JPEG; convert it or keep it aside")
    if process in _LOSSLESS:
        raise UnsupportedPictureError("expected a lossy JPEG, found a lossless one (T.81 process 14); convert it")
    return read_frames(data, "JPEG", options, max_pixels, load_raster)


def frame_header(data: bytes) -> tuple[int, int]:
    """The marker of the first frame and its bits a sample; (0, 8) if there is none."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            return 0, 8
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
        elif marker in _START_OF_FRAME:
            return marker, data[at + 4]
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return 0, 8
