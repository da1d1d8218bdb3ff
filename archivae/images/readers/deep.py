"""16-bit colour through Pillow, which has no mode for it: it is decoded twice, for the high bytes and for the low ones.

Pillow's unpackers of 16-bit samples keep the high byte and drop the other. Told that the samples lie the other way round,
they keep the low one. Both passes run through the same decoders, so every compression and interlacing works.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import ImageFile

from archivae.images.picture import ReadOptions
from archivae.images.pillow import STRIP
from archivae.images.readers.frames import OpenFrame, load

_LITTLE = sys.byteorder == "little"
_SWAPPED = {"B": "L", "L": "B", "N": "B" if _LITTLE else "L"}
_LAYOUTS = ("RGB;16", "RGBA;16", "RGBX;16", "CMYK;16")


def load_deep(open_frame: OpenFrame, options: ReadOptions) -> tuple[np.ndarray, ImageFile.ImageFile, str] | None:
    """uint16 (H, W, C) with all channels that the file has, the loaded image, and what is damaged.

    None where the file has another layout than 16-bit RGB(A), grey with alpha, or CMYK.
    """
    image = open_frame()
    layouts = {_layout(tile) for tile in image.tile}
    if len(layouts) != 1:
        return None
    (layout,) = layouts
    if layout == "LA;16B":
        return _grey_alpha(image, options)
    if layout[:-1] not in _LAYOUTS:
        return None
    low = open_frame()
    low.tile = [_with_layout(tile, layout[:-1] + _SWAPPED[layout[-1]]) for tile in low.tile]
    damage = load(image, options.tolerant)
    load(low, options.tolerant)
    return _joined(image, low), image, damage


def _joined(high: ImageFile.ImageFile, low: ImageFile.ImageFile) -> np.ndarray:
    """A strip at a time, so that neither picture is copied whole."""
    width, height = high.size
    samples = np.empty((height, width, len(high.getbands())), np.uint16)
    for top in range(0, height, STRIP):
        box = (0, top, width, min(top + STRIP, height))
        rows = samples[top : top + STRIP]
        rows[:] = np.asarray(high.crop(box))
        rows <<= 8
        rows |= np.asarray(low.crop(box))
    return samples


def _grey_alpha(image: ImageFile.ImageFile, options: ReadOptions) -> tuple[np.ndarray, ImageFile.ImageFile, str]:
    """Two samples of two bytes are four samples of one: all in one pass."""
    image.tile = [_with_layout(tile, "RGBA") for tile in image.tile]
    damage = load(image, options.tolerant)
    return np.asarray(image).view(">u2").astype(np.uint16), image, damage


def _layout(tile: Any) -> str:
    arguments = tile[3]
    return str(arguments if isinstance(arguments, str) else arguments[0])


def _with_layout(tile: Any, layout: str) -> Any:
    arguments = tile[3]
    others: Sequence[Any] = () if isinstance(arguments, str) else arguments[1:]
    return tile._replace(args=layout if isinstance(arguments, str) else (layout, *others))
