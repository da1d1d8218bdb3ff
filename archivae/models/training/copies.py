"""Damaged copies of crops for the codec: what it meets in archives besides clean photographs."""

from __future__ import annotations

import numpy as np

from archivae.models.training.camera import Floats, camera_noise, to_linear, to_srgb
from archivae.models.training.darken import darken
from archivae.models.training.data import Pixels
from archivae.models.training.degrade import compress_jpeg

USUAL_SIGMA, LARGEST_SIGMA = 8.0, 30.0
"""Of noise, in levels. It has to be coded, so one crop with much of it outweighs a batch of clean ones."""


def damaged_copy(rng: np.random.Generator, clean: Pixels) -> Pixels:
    """``clean`` (H, W, 3) uint8 with noise, JPEG's artefacts or too little light, each a third: as a file would hold it."""
    damage = (_noisy, _recompressed, _dark)[rng.integers(3)]
    pixels = damage(rng, clean)
    return np.asarray((pixels * 255).round().clip(0, 255), np.uint8)


def _noisy(rng: np.random.Generator, clean: Pixels) -> Floats:
    """A camera's noise, or the same at every level; (H, W, 3) float32."""
    if rng.random() < 0.5:
        light = to_linear(clean)
        return to_srgb(light + camera_noise(rng, light))
    sigma = min(rng.exponential(USUAL_SIGMA), LARGEST_SIGMA)
    noise = rng.standard_normal(clean.shape, np.float32) * np.float32(sigma)
    return np.asarray((clean + noise) / 255, np.float32)


def _recompressed(rng: np.random.Generator, clean: Pixels) -> Floats:
    return compress_jpeg(rng, clean).pixels


def _dark(rng: np.random.Generator, clean: Pixels) -> Floats:
    return darken(rng, clean).pixels
