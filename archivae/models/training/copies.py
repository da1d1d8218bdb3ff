"""Damaged copies of crops for the codec: what it meets in archives besides clean photographs."""

from __future__ import annotations

import numpy as np

from archivae.models.training.darken import darken
from archivae.models.training.data import Pixels
from archivae.models.training.degrade import Degradation, add_noise, compress_jpeg

DAMAGES: tuple[Degradation, ...] = (add_noise, compress_jpeg, darken)
"""Noise, re-compression and darkness: each as likely as the others."""


def damaged_copy(rng: np.random.Generator, clean: Pixels) -> Pixels:
    """``clean`` (H, W, 3) uint8 with noise, JPEG's artefacts or too little light, as a file would hold it."""
    damage = DAMAGES[rng.integers(len(DAMAGES))]
    pixels = damage(rng, clean).pixels
    return np.asarray((pixels * 255).round().clip(0, 255), np.uint8)
