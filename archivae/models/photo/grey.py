"""The networks see three channels; grey pictures are repeated into them and averaged back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def to_rgb(pixels: Pixels) -> Pixels:
    """(H, W, 1) or (H, W, 3) uint8 as (H, W, 3); grey takes no more memory, and is read-only."""
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def from_rgb(rgb: Pixels, channels: int) -> Pixels:
    """(H, W, 3) uint8 to ``channels``: 3 as it is, 1 as the mean, halves rounded up."""
    if channels == 3:
        return rgb
    total = rgb.sum(axis=2, keepdims=True, dtype=np.uint16)
    return ((2 * total + 3) // 6).astype(np.uint8)
