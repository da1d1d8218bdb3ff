"""Damaged crops, the same for the same seed and step: a resumed run sees what the first would have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from archivae.models.restore.tasks import Task
from archivae.models.training.ahead import map_ahead
from archivae.models.training.darken import darken, split_pair
from archivae.models.training.data import Pixels, RandomCrops
from archivae.models.training.degrade import Degradation, Degraded, add_noise, compress_jpeg, punch_holes

DEGRADATIONS: dict[str, Degradation] = {
    "denoise": add_noise,
    "dejpeg": compress_jpeg,
    "inpaint": punch_holes,
    "lowlight": darken,
}
PAIR_SHARE = 0.7
"""Of the crops, where there are real pairs."""


class RestorationBatch(NamedTuple):
    """What to restore and what it was; pictures are channels last in memory.

    ``pixels`` (N, 3, H, W) float32; ``clean`` (N, 3, H, W) uint8; ``level`` (N,) float32 in [0, 1]; ``mask``
    (N, 1, H, W) float32, 1 in holes.
    """

    pixels: Tensor
    clean: Tensor
    level: Tensor
    mask: Tensor


class RestorationSampler:
    """Draws crops from pictures held in memory and damages them as ``task`` wants.

    Each crop has random numbers of its own, so that a batch is the same however many processes share it.

    Args:
        task: whose damage.
        pictures: (H, W, 3) uint8.
        pairs: (H, W, 6) uint8, damaged beside whole, for tasks whose damage is better photographed than computed.
        crop: side of a crop.
        seed: of everything.
    """

    def __init__(self, task: Task, pictures: Sequence[Pixels], pairs: Sequence[Pixels], crop: int, seed: int) -> None:
        self._task = task
        self._degrade = DEGRADATIONS[task.name]
        self._crops = RandomCrops(pictures, crop)
        self._pairs = RandomCrops(pairs, crop) if pairs else None
        self._seed = seed

    def batch(self, step: int, crops: range) -> RestorationBatch:
        """The crops of those numbers of optimiser step ``step``."""
        drawn = [self._draw(np.random.default_rng((self._seed, step, number))) for number in crops]
        levels = [min(max(self._task.level(crop.strength), 0.0), 1.0) for crop in drawn]
        return RestorationBatch(
            torch.from_numpy(np.stack([crop.pixels for crop in drawn])).permute(0, 3, 1, 2),
            torch.from_numpy(np.stack([crop.clean for crop in drawn])).permute(0, 3, 1, 2),
            torch.tensor(levels, dtype=torch.float32),
            torch.from_numpy(np.stack([crop.mask for crop in drawn])[:, None].astype(np.float32)),
        )

    def batches(self, steps: range, crops: range) -> Iterator[RestorationBatch]:
        """The batches of ``steps``, each drawn while the one before it is in use."""
        return map_ahead(lambda step: self.batch(step, crops), steps, threads=1, window=1)

    def _draw(self, rng: np.random.Generator) -> Degraded:
        if self._pairs is not None and rng.random() < PAIR_SHARE:
            return split_pair(self._pairs.draw(rng))
        return self._degrade(rng, self._crops.draw(rng))
