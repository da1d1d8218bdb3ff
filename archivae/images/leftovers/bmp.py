"""What of a BMP isn't stored: colours told by numbers or a profile, a fourth byte, bytes between and behind."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np

from archivae.images.picture import Rasters
from archivae.images.resolution import Resolution, per_metre

_FILE_HEAD, _INFO_HEAD, _V4_HEAD, _V5_HEAD = 14, 40, 108, 124
_COLOURS_AT, _PROFILE_AT = 56, 112  # in the header
_CALIBRATED, _SRGB, _WINDOWS = 0, 0x73524742, 0x57696E20
_RGB, _RLE8, _RLE4, _BIT_FIELDS, _ALPHA_BIT_FIELDS = 0, 1, 2, 3, 6


def bmp_leftovers(data: bytes, rasters: Rasters) -> Iterator[str]:
    """Names of what is in no raster."""
    pixels, header = struct.unpack_from("<II", data, 10)
    if header < _INFO_HEAD:
        yield from _behind(data, pixels + _raw_bytes(*struct.unpack_from("<HHxxH", data, 18)))
        return
    width, height, _, bits, compression, size = struct.unpack_from("<iiHHII", data, 18)
    yield from _colours(data, header)
    yield from _between(data, header, bits, compression, pixels)
    if compression not in (_RLE8, _RLE4):
        size = _raw_bytes(width, height, bits)
    if bits == 32 and compression == _RGB and _has_fourth_bytes(data, pixels, size):
        yield "a fourth byte of each pixel"
    yield from _behind(data, max(pixels + size, _profile_end(data, header)))


def bmp_resolution(data: bytes) -> Resolution | None:
    """What the header says."""
    (header,) = struct.unpack_from("<I", data, 14)
    return per_metre(*struct.unpack_from("<ii", data, 38)) if header >= _INFO_HEAD else None


def _raw_bytes(width: int, height: int, bits: int) -> int:
    return (abs(width) * bits + 31) // 32 * 4 * abs(height)


def _has_fourth_bytes(data: bytes, start: int, size: int) -> bool:
    """Whether those that stand for nothing hold something."""
    return bool(np.frombuffer(data[start : start + size], np.uint8)[3::4].any())


def _colours(data: bytes, header: int) -> Iterator[str]:
    if header < _V4_HEAD:
        return
    (space,) = struct.unpack_from("<I", data, _FILE_HEAD + _COLOURS_AT)
    calibration = data[_FILE_HEAD + _COLOURS_AT + 4 : _FILE_HEAD + _V4_HEAD]
    if space == _CALIBRATED and any(calibration):
        yield "calibrated colours"
    elif space not in (_CALIBRATED, _SRGB, _WINDOWS):
        yield "colour profile"


def _profile_end(data: bytes, header: int) -> int:
    if header < _V5_HEAD:
        return 0
    offset, size = struct.unpack_from("<II", data, _FILE_HEAD + _PROFILE_AT)
    return _FILE_HEAD + offset + size if offset else 0


def _between(data: bytes, header: int, bits: int, compression: int, pixels: int) -> Iterator[str]:
    """What stands between the headers and the pixels and is no palette."""
    (used,) = struct.unpack_from("<I", data, 46)
    palette = 4 * max(used, 1 << bits if bits <= 8 else 0)
    masks = {_BIT_FIELDS: 12, _ALPHA_BIT_FIELDS: 16}.get(compression, 0) if header == _INFO_HEAD else 0
    gap = data[_FILE_HEAD + header + masks + palette : pixels]
    if gap.strip(b"\x00"):
        yield f"{len(gap):,} bytes before the pixels"


def _behind(data: bytes, end: int) -> Iterator[str]:
    if data[end:].strip(b"\x00"):
        yield f"{len(data) - end:,} bytes after the picture"
