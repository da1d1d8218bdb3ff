"""The clean aperture of an AVIF or HEIF: the part of its pixels that is shown (ISO/IEC 14496-12, 12.1.4.2)."""

from __future__ import annotations

import re
import struct
from dataclasses import replace
from fractions import Fraction

from archivae.errors import UnsupportedPictureError
from archivae.images.leftovers.boxes import find
from archivae.images.notes import lost
from archivae.images.picture import Raster

_BOX = re.compile(rb"\x00\x00\x00\x28clap(.{32})", re.DOTALL)
OUTSIDE = lost("pixels outside of the clean aperture")


def has_aperture(data: bytes) -> bool:
    return _aperture(data) is not None


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
    return replace(raster, samples=raster.samples[rows, columns], alpha=alpha, notes=raster.notes + OUTSIDE)


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
