"""Pixels turned upright, as EXIF's orientations 1 to 8 ask."""

from __future__ import annotations

import numpy as np

# Orientation -> whether rows and columns change places first, then whether rows, then whether columns run backwards.
_TURNS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
SIDEWAYS = frozenset(orientation for orientation, (swapped, _, _) in _TURNS.items() if swapped)
"""The orientations that exchange width and height."""


def turned_upright(samples: np.ndarray, orientation: int) -> np.ndarray:
    """``samples``, (H, W) or (H, W, C), as they are meant to be seen; a view."""
    swapped, rows_back, columns_back = _TURNS[orientation]
    turned = samples.swapaxes(0, 1) if swapped else samples
    return turned[:: -1 if rows_back else 1, :: -1 if columns_back else 1]
