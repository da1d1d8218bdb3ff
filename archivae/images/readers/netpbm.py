"""PBM, PGM, PPM and PFM. Pillow would scale samples of 9 to 15 bits, and drop half of 16-bit colour: those are read here."""

from __future__ import annotations

import re

import numpy as np

from archivae.errors import DamagedPictureError
from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.modes import load_raster
from archivae.images.sizes import check_size

_GAP = rb"(?:\s+|\s*#[^\r\n]*[\r\n])+"
_HEADER = re.compile(rb"P([1-6])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)(?:" + _GAP + rb"(\d+))?\s")
_CHANNELS = {2: 1, 5: 1, 3: 3, 6: 3}
_BINARY = 5  # from this kind on
_FLOATS = re.compile(rb"P([fF])" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)" + _GAP + rb"([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s")


def read_netpbm(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    floats = _FLOATS.match(data)
    if floats is not None:
        return _float(data, floats, options, max_pixels)
    header = _HEADER.match(data)
    kind = int(header[1]) if header else 0
    largest = int(header[4] or 1) if header and kind in _CHANNELS else 1 if kind in (1, 4) else 255
    if header and 255 < largest < 65536:
        width, height = int(header[2]), int(header[3])
        check_size(height, width, max_pixels)
        return _deep(data, header.end(), (height, width, _CHANNELS[kind]), largest, kind, options)

    def to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
        return load_raster(open_frame, options, largest=largest)

    return read_frames(data, "PPM", options, max_pixels, to_raster)


def _deep(
    data: bytes, start: int, shape: tuple[int, int, int], largest: int, kind: int, options: ReadOptions
) -> Rasters:
    count = shape[0] * shape[1] * shape[2]
    if kind >= _BINARY:
        samples = np.frombuffer(data, ">u2", min(count, (len(data) - start) // 2), start)
    else:
        samples = np.array(data[start:].split()[:count], np.int64)
    damage = ""
    if len(samples) < count:
        damage = f"expected {count} samples, found {len(samples)}"
        if not options.tolerant:
            raise DamagedPictureError(f"decoding PPM failed: {damage}; the file is cut short")
        samples = np.pad(samples, (0, count - len(samples)))
    if int(samples.max()) > largest or int(samples.min()) < 0:
        raise DamagedPictureError(f"expected samples of 0 to {largest}, found up to {int(samples.max())}")
    raster = Raster(samples.astype(np.uint16).reshape(shape), "grey" if shape[2] == 1 else "rgb", largest=largest)
    return Rasters(raster, damage=damage)


def _float(data: bytes, header: re.Match[bytes], options: ReadOptions, max_pixels: int) -> Rasters:
    """PFM: the lowest row first, little endian where the scale is negative."""
    height, width, channels = int(header[3]), int(header[2]), 3 if header[1] == b"F" else 1
    check_size(height, width, max_pixels)
    size = 4 * height * width * channels
    body = data[header.end() : header.end() + size]
    damage = f"expected {size:,} bytes of samples, found {len(body):,}" if len(body) < size else ""
    if damage and not options.tolerant:
        raise DamagedPictureError(f"decoding PPM failed: {damage}; the file is cut short")
    order = "<" if header[4].startswith(b"-") else ">"
    samples = np.frombuffer(body.ljust(size, b"\0"), f"{order}f4").reshape(height, width, channels)[::-1]
    return Rasters(Raster(samples.astype(np.float32), "grey" if channels == 1 else "rgb"), damage=damage)
