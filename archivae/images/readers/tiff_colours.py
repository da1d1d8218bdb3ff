"""A TIFF page's stored samples as grey, RGB or inks, with alpha apart, in a type that the lossless codec has."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from archivae.errors import DamagedPictureError, UnsupportedPictureError
from archivae.images.notes import NO_NOTES, Notes, changed, lost
from archivae.images.picture import Raster
from archivae.images.readers.straight_alpha import straight
from archivae.images.readers.tiff_layout import COLOUR_MAP, FLOAT, PALETTE, SIGNED, UNSIGNED, WHITE_IS_ZERO, Layout

_NAMED_BANDS = 8
_STRIP = 256  # rows worked on at once
_PALETTE_LARGEST, _PALETTE_BITS = 65_535, 16
_EIGHT_BITS_IN_SIXTEEN = (256, 257)  # what writers multiply 8-bit colours by for the map


@dataclass
class _Samples:
    """Samples on their way, and whether they still are all that the file has."""

    values: np.ndarray
    largest: int
    approximate: bool = False
    notes: list[str] = field(default_factory=list)


def raster_of(stored: np.ndarray, layout: Layout, page: Any) -> Raster:
    """``stored`` has the channels that `Layout.wanted` lists. Orientation and metadata are the caller's.

    UnsupportedPictureError for samples whose meaning isn't known.
    """
    samples = _typed(_inverted(stored, layout) if layout.photometric == WHITE_IS_ZERO else stored, layout)
    alpha = None if layout.alpha is None else samples.values[:, :, -1]
    colours = samples.values[:, :, : layout.channels]
    if layout.premultiplied and alpha is not None:
        colours = straight(colours, alpha, 1.0 if colours.dtype == np.float32 else samples.largest)
        samples.approximate = True
        samples.notes.append("colours divided by the alpha that they were multiplied by")
    raster = Raster(
        colours,
        layout.colours,
        largest=samples.largest,
        alpha=alpha,
        notes=changed(*samples.notes) + lost_bands(layout),
        approximate=samples.approximate,
        partial=bool(layout.bands),
    )
    return _looked_up(raster, layout, page) if layout.photometric == PALETTE else raster


def lost_bands(layout: Layout) -> Notes:
    """Bands that are no colours and no alpha; of many only how many."""
    numbers = [band + 1 for band in layout.bands]
    if len(numbers) > _NAMED_BANDS:
        return lost(f"{len(numbers)} further bands")
    return lost(*(f"band {number}, which is no colour and no alpha" for number in numbers)) if numbers else NO_NOTES


def _typed(stored: np.ndarray, layout: Layout) -> _Samples:
    """uint8, uint16, int16 or float32; integers and floats that none of these holds come as the nearest floats."""
    kind, size = layout.sample_format, stored.dtype.itemsize
    if stored.dtype == np.bool_:
        return _Samples(stored.view(np.uint8), 1)
    if kind == UNSIGNED and stored.dtype.kind == "u" and size <= 2:
        return _Samples(stored, layout.largest)
    if kind == SIGNED and stored.dtype.kind == "i" and size <= 2:
        return _Samples(stored.astype(np.int16, copy=False), 255, notes=_wider(stored, "int16"))
    if kind in (UNSIGNED, SIGNED, FLOAT) and stored.dtype.kind in "uif":
        with np.errstate(over="ignore"):
            floats = stored.astype(np.float32, copy=False)
        exact = stored.dtype in (np.float16, np.float32) or _same_values(floats, stored)
        return _Samples(floats, 255, approximate=not exact, notes=_wider(stored, "float32"))
    raise UnsupportedPictureError(f"a TIFF of {stored.dtype} samples, which aren't coded yet: keep the original")


def _wider(stored: np.ndarray, kept: str) -> list[str]:
    """What is to be said of samples that come in another type than the file's."""
    return [] if stored.dtype == kept else [f"{stored.dtype.name} samples read as {kept}"]


def _same_values(floats: np.ndarray, stored: np.ndarray) -> bool:
    """A strip at a time; float64 holds every integer that float32 does, and tells one above 2^53 by its own rounding."""
    for top in range(0, len(stored), _STRIP):
        rows, back = stored[top : top + _STRIP], floats[top : top + _STRIP]
        if rows.dtype.kind == "f":
            if not np.array_equal(back.astype(rows.dtype), rows, equal_nan=True):
                return False
        elif int(rows.max()) > 2**24 or int(rows.min()) < -(2**24):
            return False
    return True


def _inverted(stored: np.ndarray, layout: Layout) -> np.ndarray:
    """White is zero: grey the other way round, alpha as it is."""
    if stored.dtype.kind not in "bu":
        raise UnsupportedPictureError(
            f"a TIFF of {stored.dtype} samples in which white is zero, which have no full scale: convert it first"
        )
    inverted = stored.copy()
    grey = inverted[:, :, :1]
    np.bitwise_xor(grey, stored.dtype.type(layout.largest), out=grey)  # of a full scale of ones: largest - grey
    return inverted


def _looked_up(raster: Raster, layout: Layout, page: Any) -> Raster:
    """A palette's colours, in 8 bits where those say all."""
    if raster.samples.dtype.kind != "u" or layout.bits > _PALETTE_BITS:
        raise UnsupportedPictureError(f"a TIFF with a palette for {raster.samples.dtype} samples: convert it first")
    palette = np.asarray(page.tags.valueof(COLOUR_MAP, ()), np.uint16).reshape(3, -1).T
    if len(palette) <= int(raster.samples.max()):
        raise DamagedPictureError(
            f"decoding TIFF failed: a palette of {len(palette)} colours, and samples up to {int(raster.samples.max())}"
        )
    for factor in _EIGHT_BITS_IN_SIXTEEN:
        if not (palette % factor).any() and int(palette.max()) // factor < 256:
            palette = (palette // factor).astype(np.uint8)
            break
    else:
        if int(palette.max()) < 256:  # written by mistake in 8 bits; libtiff takes them so, too
            palette = palette.astype(np.uint8)
    largest = 255 if palette.dtype == np.uint8 else _PALETTE_LARGEST
    if raster.alpha is not None and raster.largest != largest:
        raise UnsupportedPictureError("a TIFF with a palette and alpha of another depth: convert it first")
    return replace(
        raster,
        samples=palette[raster.samples[:, :, 0]],
        colours="rgb",
        largest=largest,
        notes=raster.notes + changed("palette expanded to RGB"),
    )
