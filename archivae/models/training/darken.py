"""Dark pictures and what they should have been: real pairs of a short and a long exposure, and darkened photographs."""

from __future__ import annotations

import numpy as np

from archivae.models.restore.brighten import stops_between
from archivae.models.training.camera import camera_noise, to_linear, to_srgb
from archivae.models.training.data import Pixels
from archivae.models.training.degrade import Degraded

BRIGHT_SHARE = 0.15
"""Photographs left as bright as they are: of them the estimator learns to leave them alone."""
STOPS = (1.0, 6.0)
"""How much less light a darkened photograph had."""
SHOT = (1e-5, 2e-3)
"""Noise of a short exposure that nobody amplified, as in LOL: what brightening it makes visible."""
CAST = 0.12
"""Spread of the logarithm of a colour cast."""


def split_pair(pair: Pixels) -> Degraded:
    """A real pair, (H, W, 6) uint8: the dark picture's channels, then the light one's."""
    return _brightened_to(pair[:, :, 3:], pair[:, :, :3])


def darken(rng: np.random.Generator, clean: Pixels) -> Degraded:
    """A photograph, (H, W, 3) uint8, as a camera would have taken it with less light."""
    if rng.random() < BRIGHT_SHARE:
        return _brightened_to(clean, clean)
    stops = rng.uniform(*STOPS)
    cast = np.exp(rng.normal(0, CAST, 3)).astype(np.float32)
    light = to_linear(clean) * cast * np.float32(2**-stops)
    dark = to_srgb(light + camera_noise(rng, light, SHOT))
    return _brightened_to(clean, (dark * 255).round().astype(np.uint8))


def _brightened_to(clean: Pixels, dark: Pixels) -> Degraded:
    pixels = dark * np.float32(1 / 255)
    stops = stops_between(pixels, clean * np.float32(1 / 255))
    return Degraded(pixels, clean, stops, np.zeros(clean.shape[:2], np.bool_))
