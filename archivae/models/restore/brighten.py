"""A curve that brightens the dark, keeps hues, and clips nothing.

The brightest channel m of a pixel becomes g * m / (1 + (g - 1) * m): its odds m / (1 - m) grow by g, so black stays
black and white white, and the dark is multiplied by g. The other channels keep their ratio to it. The curve can be
undone, so a network that sees the brightened picture has lost nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

STOPS = 8.0
"""The most that a picture is brightened: 2 to the power of it."""
HALVINGS = 12
"""Of the range of stops: to 1/500 of a stop."""


def gain(brightest: Any, factor: Any) -> Any:
    """What a pixel is multiplied by, of its brightest channel in [0, 1] and the gain of the dark; arrays or tensors."""
    return factor / (1 + (factor - 1) * brightest)


def brighten(pixels: Tensor, stops: Tensor) -> Tensor:
    """``pixels`` (N, 3, H, W) float32 in [0, 1], the dark ``stops`` (N, 1, 1, 1) of a factor two brighter."""
    return pixels * gain(pixels.amax(1, keepdim=True).clamp(0, 1), stops.exp2())


def gain_of(brightened: Tensor, stops: Tensor) -> Tensor:
    """What each pixel of `brighten`'s answer was multiplied by, (N, 1, H, W): 1 where it is white."""
    factor = stops.exp2()
    return factor - (factor - 1) * brightened.amax(1, keepdim=True).clamp(0, 1)


def stops_between(dark: npt.NDArray[np.float32], light: npt.NDArray[np.float32]) -> float:
    """The stops, 0 to 8, at which the brightened ``dark`` (H, W, 3) is as bright as ``light`` in the mean."""
    goal = float(light.mean())
    dark = dark[::2, ::2]  # as good, and four times as fast
    brightest = dark.max(axis=2, keepdims=True)
    low, high = 0.0, STOPS
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if float((dark * gain(brightest, 2**middle)).mean()) < goal:
            low = middle
        else:
            high = middle
    return (low + high) / 2
