"""Formats that Pillow reads by itself: WebP, AVIF, GIF."""

from __future__ import annotations

import re

from archivae.images.picture import Raster, Rasters, ReadOptions
from archivae.images.readers.aperture import cropped
from archivae.images.readers.colour_numbers import boxed_numbers, taken_as_srgb
from archivae.images.readers.frames import OpenFrame, read_frames
from archivae.images.readers.modes import load_raster

# An av1C box: size, name, marker and version 1, profile and level, then a byte whose bits 6 and 5 say "deep" and "12 bits".
_AV1_CONFIGURATION = re.compile(rb"\x00\x00..av1C\x81.(.)", re.DOTALL)
_AV1_DEEP, _AV1_TWELVE = 0x40, 0x20


def read_webp(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    return read_frames(data, "WEBP", options, max_pixels, load_raster)


def read_gif(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    return read_frames(data, "GIF", options, max_pixels, load_raster)


def read_avif(data: bytes, options: ReadOptions, max_pixels: int) -> Rasters:
    """Deeper samples come in 8 bits; colours that only numbers tell of, not a profile, as if they were sRGB's: noted."""
    bits = avif_bits(data)

    def to_raster(open_frame: OpenFrame, options: ReadOptions) -> tuple[Raster, str]:
        raster, damage = load_raster(open_frame, options, bits=bits, largest=2**bits - 1)
        return cropped(taken_as_srgb(raster, boxed_numbers(data)), data), damage

    return read_frames(data, "AVIF", options, max_pixels, to_raster)


def avif_bits(data: bytes) -> int:
    flags = [found[1][0] for found in _AV1_CONFIGURATION.finditer(data)]
    if not any(flag & _AV1_DEEP for flag in flags):
        return 8
    return 12 if any(flag & _AV1_TWELVE for flag in flags) else 10
