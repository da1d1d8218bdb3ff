"""Many small pictures on one sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

MOST = 100
"""No more pictures are shown..."""
SIDE = 96
"""...each enlarged a whole number of times, up to about so many pixels."""
GAP = 4
BACKGROUND = 28
LARGEST = 1024
"""A larger picture is shown by every so many-th of its pixels."""


def sheet(pictures: Sequence[Pixels], columns: int = 0) -> Pixels:
    """The first `MOST` of ``pictures``, (H, W, C) of one size, in rows of ``columns``: one picture (h, w, C).

    With 0 columns there are about as many as rows.
    """
    shown = [_resized(picture) for picture in pictures[:MOST]]
    height, width, channels = shown[0].shape
    columns = columns or math.ceil(math.sqrt(len(shown)))
    rows = math.ceil(len(shown) / columns)
    drawn = np.full((GAP + rows * (height + GAP), GAP + columns * (width + GAP), channels), BACKGROUND, np.uint8)
    for n, picture in enumerate(shown):
        top, left = GAP + n // columns * (height + GAP), GAP + n % columns * (width + GAP)
        drawn[top : top + height, left : left + width] = picture
    return drawn


def _resized(picture: Pixels) -> Pixels:
    longest = max(picture.shape[:2])
    if longest > LARGEST:
        every = math.ceil(longest / LARGEST)
        return picture[::every, ::every]
    times = max(1, SIDE // longest)
    return picture.repeat(times, 0).repeat(times, 1)
