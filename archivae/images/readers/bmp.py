"""BMP: 1 to 32 bits through Pillow; here colours cut out by masks, and run lengths, of which Pillow knows a few."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import NO_NOTES, Notes, changed
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.modes import load_raster
from archivae.images.sizes import check_size

_FILE_HEAD, _INFO_HEAD, _MASKS_AT, _MASKED_HEAD = 14, 40, 54, 56
_RGB, _RLE8, _RLE4, _BIT_FIELDS, _JPEG, _PNG, _ALPHA_BIT_FIELDS = range(7)
_FIVE_EACH = (0x7C00, 0x3E0, 0x1F)
_RUN_BITS = {_RLE8: 8, _RLE4: 4}
_END_OF_LINE, _END, _DELTA = 0, 1, 2  # what follows a run of length 0; more is a number of pixels


@dataclass(frozen=True)
class _Header:
    height: int
    width: int
    upside: bool
    bits: int
    compression: int
    pixels: int
    masks: tuple[int, ...]
    palette: np.ndarray


def read_bmp(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """UnsupportedPictureError for a BMP that holds a JPEG or PNG."""
    header = _header(data)
    if header is None:
        return read_frames(data, "BMP", options, max_pixels, _by_pillow)
    check_size(header.height, header.width, max_pixels)
    if header.compression in (_JPEG, _PNG):
        raise UnsupportedPictureError("a BMP that holds a JPEG or PNG, which isn't coded yet: extract that")
    raster, damage = _runs(data, header) if header.compression in _RUN_BITS else _masked(data, header)
    if damage and not options.tolerant:
        raise DamagedPictureError(f"decoding BMP failed: {damage}")
    return Rasters(raster, damage=damage)


def _by_pillow(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
    image = open_frame()
    return load_raster(lambda: image, options, largest=1 if image.mode == "1" else 255)


def _header(data: bytes) -> _Header | None:
    """None for what Pillow reads: plain rows."""
    pixels, size = struct.unpack_from("<II", data, 10)
    if size < _INFO_HEAD:
        return None
    width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    if compression == _RGB and bits != 16:
        return None
    (used,) = struct.unpack_from("<I", data, 46)
    count = 4 if size >= _MASKED_HEAD or compression == _ALPHA_BIT_FIELDS else 3
    masks = _FIVE_EACH if compression == _RGB else struct.unpack_from(f"<{count}I", data, _MASKS_AT)
    colours = min(used or 1 << min(bits, 8), 256)
    table = np.frombuffer(data, np.uint8, 4 * colours, _FILE_HEAD + size).reshape(-1, 4) if bits <= 8 else None
    palette = np.zeros((256, 3), np.uint8)
    if table is not None:
        palette[:colours] = table[:, 2::-1]
    return _Header(abs(height), width, height < 0, bits, compression, pixels, masks, palette)


def _masked(data: bytes, header: _Header) -> tuple[Raster, str]:
    if header.bits not in (16, 32):
        raise UnsupportedPictureError(f"a BMP of {header.bits} bits with masks: convert it or keep it aside")
    size = header.bits // 8
    stride = -(-header.width * size // 4) * 4
    whole = data[header.pixels : header.pixels + stride * header.height]
    damage = "the pixels are cut short" if len(whole) < stride * header.height else ""
    rows = np.frombuffer(whole.ljust(stride * header.height, b"\0"), np.uint8).reshape(header.height, stride)
    words = np.ascontiguousarray(rows[:, : header.width * size]).view(f"<u{size}")
    words = words if header.upside else words[::-1]
    colours = np.dstack([_field(words, mask) for mask in header.masks[:3]])
    alpha = _field(words, header.masks[3]) if len(header.masks) > 3 and header.masks[3] else None
    return Raster(colours, "rgb", alpha=alpha, notes=_notes(header)), damage


def _field(words: np.ndarray, mask: int) -> np.ndarray:
    """The bits of a mask, scaled to 0 to 255."""
    if not mask:
        return np.zeros(words.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    largest = mask >> shift
    values = (words.astype(np.uint64) & np.uint64(mask)) >> np.uint64(shift)
    return ((values * np.uint64(255) + np.uint64(largest // 2)) // np.uint64(largest)).astype(np.uint8)


def _notes(header: _Header) -> Notes:
    widths = [mask.bit_count() for mask in header.masks[:3]]
    if set(widths) == {8}:
        return NO_NOTES
    return changed(f"samples of {', '.join(map(str, widths))} bits scaled to 8")


def _runs(data: bytes, header: _Header) -> tuple[Raster, str]:
    """Pixels that no run brings are colour 0."""
    indices = np.zeros((header.height, header.width), np.uint8)
    damage = _unrolled(data, header, indices)
    indices = indices if header.upside else indices[::-1]
    return Raster(header.palette[indices], "rgb", notes=changed("palette expanded to RGB")), damage


def _unrolled(data: bytes, header: _Header, indices: np.ndarray) -> str:
    """Fill ``indices``, the lowest row first; the text says what is damaged."""
    bits, at, row, column = _RUN_BITS[header.compression], header.pixels, 0, 0
    while at + 2 <= len(data):
        length, value = data[at], data[at + 1]
        at += 2
        if length:
            pattern = bytes([value]) if bits == 8 else bytes([value >> 4, value & 15])
            run = np.frombuffer((pattern * length)[:length], np.uint8)
        elif value == _END:
            return ""
        elif value == _END_OF_LINE:
            row, column = row + 1, 0
            continue
        elif value == _DELTA:
            if at + 2 > len(data):
                break
            row, column, at = row + data[at + 1], column + data[at], at + 2
            continue
        else:
            size = -(-value * bits // 8)
            packed = np.frombuffer(data[at : at + size], np.uint8)
            run = packed if bits == 8 else np.stack([packed >> 4, packed & 15], axis=1).ravel()
            run, at = run[:value], at + size + size % 2
            if len(run) < value:
                break
        if row >= header.height or column + len(run) > header.width:
            return f"a run leaves the picture in row {row}"
        indices[row, column : column + len(run)] = run
        column += len(run)
    return "" if row >= header.height - 1 and column == header.width else "the runs are cut short"
