"""Colours that were multiplied by their alpha, divided by it again."""

from __future__ import annotations

import numpy as np

_STRIP = 256  # rows worked on at once


def straight(colours: np.ndarray, alpha: np.ndarray, opaque: float) -> np.ndarray:
    """``colours`` (H, W, C) over ``alpha`` (H, W) of the same type, rounded and clipped where they are whole numbers.

    Where alpha is 0 they stay as they are.
    """
    divided = np.empty(colours.shape, colours.dtype)
    for top in range(0, len(colours), _STRIP):
        share = alpha[top : top + _STRIP, :, None].astype(np.float64) / opaque
        rows = colours[top : top + _STRIP] / np.where(share > 0, share, 1)
        divided[top : top + _STRIP] = rows if colours.dtype == np.float32 else np.clip(np.rint(rows), 0, opaque)
    return divided
