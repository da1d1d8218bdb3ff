"""Uncompressed pictures where they lie: samples as a view of the file's bytes, of which no copy is ever made."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import ExifTags, ImageFile

_FORMATS = ("BMP", "PPM")
"""Others that Pillow calls raw are decoded by the library behind it: their bytes are no samples."""
_CHANNELS = {"L": 1, "RGB": 3, "BGR": 3}


def samples_in_place(image: ImageFile.ImageFile) -> np.ndarray | None:
    """uint8 (H, W, 1 or 3), read-only, of a picture that was opened from bytes and not loaded.

    None where its samples are compressed, scattered, cut short or of another layout, or are to be turned upright.
    """
    if (
        image.format not in _FORMATS
        or not image.tile
        or not isinstance(image.fp, io.BytesIO)
        or image.mode not in ("L", "RGB")
    ):
        return None
    first = image.tile[0]
    arguments: Any = first.args if isinstance(first.args, tuple) else (first.args, 0, 1)
    if first.codec_name != "raw" or arguments[0] not in _CHANNELS:
        return None
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        return None
    layout, row_bytes, direction = arguments
    (width, height), channels = image.size, _CHANNELS[layout]
    row_bytes = row_bytes or width * channels
    bottom = 0
    for tile in image.tile:
        left, top, right, bottom = tile.extents or (0, 0, 0, 0)
        if (left, right, tile.offset) != (0, width, first.offset + top * row_bytes) or tile.args != first.args:
            return None
    data = image.fp.getvalue()  # the very bytes that it was opened from
    if bottom != height or first.offset + (height - 1) * row_bytes + width * channels > len(data):
        return None
    samples = np.ndarray((height, width, channels), np.uint8, data, first.offset, (row_bytes, channels, 1))
    return samples[::direction, :, :: -1 if layout == "BGR" else 1]
