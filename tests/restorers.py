"""A folder of small restorers with random weights, and pictures that need them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from archivae.models.restore.tasks import TASKS
from tests.models.restore.small_restorer import small_restorer_weights
from tests.training.tiny import smooth_picture


def write_restorers(folder: Path) -> str:
    """``folder``, holding the small restorer of every task."""
    folder.mkdir(parents=True, exist_ok=True)
    for task in TASKS:
        (folder / f"{task}.safetensors").write_bytes(small_restorer_weights(task).to_bytes())
    return str(folder)


def noisy_picture(seed: int = 0, height: int = 96, width: int = 128) -> np.ndarray:
    """(height, width, 3) uint8, noise of sigma 20 on soft waves."""
    noise = np.random.default_rng(seed).normal(0, 20, (height, width, 3))
    return (smooth_picture(seed, height, width) + noise).round().clip(0, 255).astype(np.uint8)


def some_holes(height: int, width: int) -> np.ndarray:
    """(height, width) bool: a bar and single pixels."""
    mask = np.random.default_rng(0).random((height, width)) < 0.1
    mask[height // 3 : height // 2] = True
    return mask
