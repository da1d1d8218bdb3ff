"""The clean aperture of an AVIF or HEIF: the part of its pixels that is shown (ISO/IEC 14496-12, 12.1.4.2)."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from fractions import Fraction

from archivae.errors import UnsupportedPictureError
from archivae.images.leftovers.boxes import find
from archivae.images.notes import NO_NOTES, Notes, lost
from archivae.images.picture import Raster

_BOX = re.compile(rb"\x00\x00\x00\x28clap(.{32})", re.DOTALL)
_SIZE = re.compile(rb"\x00\x00\x00\x14ispe.{4}(.{8})", re.DOTALL)
_BLOCK = 64
"""Encoders fill up the last block of each row and column, and cut what they filled in off again."""


def lost_outside(data: bytes) -> Notes:
    """A note of pixels outside, unless they are what fills up the last blocks."""
    aperture = _aperture(data)
    if aperture is None:
        return NO_NOTES
    wide, high, right, down = aperture
    from_the_corner = (wide - 2 * right, high - 2 * down)  # so large the picture is if its first pixel is shown
    sizes = {struct.unpack(">II", found[1]) for found in _SIZE.finditer(data)}
    padded = from_the_corner in sizes and -2 * right < _BLOCK and -2 * down < _BLOCK
    return NO_NOTES if padded else lost("pixels outside of the clean aperture")


def cropped(raster: Raster, data: bytes) -> Raster:
    """``raster``, which has yet to be turned upright, without what lies outside; unchanged where the file tells none.

    UnsupportedPictureError for an aperture that isn't made of whole pixels, or leaves the picture.
    """
    aperture = _aperture(data)
    if aperture is None:
        return raster
    height, width = raster.samples.shape[:2]
    wide, high, right, down = aperture
    left, top = right + Fraction(width - 1, 2) - (wide - 1) / 2, down + Fraction(height - 1, 2) - (high - 1) / 2
    sides = (left, top, wide, high)
    inside = left >= 0 and top >= 0 and left + wide <= width and top + high <= height and wide >= 1 and high >= 1
    if not inside or any(side.denominator != 1 for side in sides):
        raise UnsupportedPictureError(
            f"an aperture of {wide} x {high} at {left}, {top} of {width} x {height}: convert it"
        )
    rows, columns = slice(int(top), int(top + high)), slice(int(left), int(left + wide))
    alpha = None if raster.alpha is None else raster.alpha[rows, columns]
    return replace(raster, samples=raster.samples[rows, columns], alpha=alpha, notes=raster.notes + lost_outside(data))


def _aperture(data: bytes) -> tuple[Fraction, Fraction, Fraction, Fraction] | None:
    """Width, height, and how far its centre lies right of and below the picture's."""
    meta = find(data, 0, len(data), b"meta")
    found = None if meta is None else _BOX.search(data, meta.start, meta.end)
    if found is None:
        return None
    numbers = struct.unpack(">IIIIiIiI", found[1])
    if not all(numbers[1::2]):
        raise UnsupportedPictureError("an aperture with a denominator of 0: convert the picture")
    width, height, right, down = (Fraction(n, d) for n, d in zip(numbers[::2], numbers[1::2], strict=True))
    return width, height, right, down
