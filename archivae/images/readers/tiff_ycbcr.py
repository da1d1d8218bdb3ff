"""TIFFs of brightness and colour differences that aren't JPEG: units of pixels that share a colour (TIFF 6.0, section 21)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tifffile

from archivae.errors import UnsupportedPictureError
from archivae.images.notes import changed
from archivae.images.picture import Raster
from archivae.images.readers.tiff_samples import Place, gathered, place_of, segment_bytes

_COEFFICIENTS, _SUBSAMPLING, _REFERENCE = 529, 530, 532
_REC_601 = (299, 1000, 587, 1000, 114, 1000)
_FULL_RANGE = (0, 1, 255, 1, 128, 1, 255, 1, 128, 1, 255, 1)
_UNCOMPRESSED, _PLANES = 1, 2


def ycbcr_raster(data: bytes, page: Any, tolerant: bool) -> tuple[Raster, str]:
    """RGB as libtiff makes it, colour repeated over each unit; the text says what is damaged.

    UnsupportedPictureError for other depths than 8 bits, for planes, predictors, and further samples.
    """
    if page.bitspersample != 8 or page.samplesperpixel != 3 or page.predictor != 1 or page.planarconfig == _PLANES:
        raise UnsupportedPictureError("a TIFF of YCbCr in another layout than units of 8 bits: convert it to RGB")
    samples = np.zeros((page.imagelength, page.imagewidth, 3), np.uint8)

    def place(index: int) -> None:
        at = place_of(page, index)
        whole = _rgb(page, _planes(data, page, index, at))
        samples[at.top : at.top + at.rows, at.left : at.left + at.columns] = whole[: at.rows, : at.columns]

    damage = gathered(page, place, tolerant)
    return Raster(samples, "rgb", approximate=True, notes=changed("YCbCr converted to RGB")), damage


def _planes(data: bytes, page: Any, index: int, place: Place) -> np.ndarray:
    """All of one segment's units: (H, W, 3)."""
    coded = segment_bytes(data, page, index)
    plain = coded if page.compression == _UNCOMPRESSED else tifffile.TIFF.DECOMPRESSORS[page.compression](coded)
    across, down = page.tags.valueof(_SUBSAMPLING, (2, 2))
    units, size = (-(-place.height // down), -(-place.width // across)), across * down
    values = np.frombuffer(plain, np.uint8, units[0] * units[1] * (size + 2)).reshape(*units, size + 2)
    brightness = values[:, :, :size].reshape(*units, down, across).transpose(0, 2, 1, 3).reshape(units[0] * down, -1)
    colours = values[:, :, size:].repeat(down, axis=0).repeat(across, axis=1)
    return np.dstack([brightness, colours])


def _rgb(page: Any, planes: np.ndarray) -> np.ndarray:
    reference = _fractions(page.tags.valueof(_REFERENCE, _FULL_RANGE))
    red, green, blue = _fractions(page.tags.valueof(_COEFFICIENTS, _REC_601))
    values = planes.astype(np.float32)
    y = (values[:, :, 0] - reference[0]) * 255 / (reference[1] - reference[0])
    cb, cr = ((values[:, :, n] - reference[2 * n]) * 127 / (reference[2 * n + 1] - reference[2 * n]) for n in (1, 2))
    r, b = y + cr * (2 - 2 * red), y + cb * (2 - 2 * blue)
    return np.clip(np.rint(np.dstack([r, (y - red * r - blue * b) / green, b])), 0, 255).astype(np.uint8)


def _fractions(numbers: tuple[int, ...]) -> list[float]:
    return [n / (d or 1) for n, d in zip(numbers[::2], numbers[1::2], strict=True)]
