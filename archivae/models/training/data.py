"""Random crops of photographs, the same for the same (seed, step): a resumed run sees what the first would have seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


class CropSampler:
    """Draws crops from pictures held in memory as (3, H, W) uint8 tensors, larger pictures more often."""

    def __init__(self, pictures: Sequence[Tensor], crop: int, seed: int) -> None:
        self.pictures = [p for p in pictures if min(p.shape[1:]) >= crop]
        if not self.pictures:
            raise ValueError(f"none of the {len(pictures)} pictures is at least {crop} pixels on both sides")
        self.crop = crop
        self.seed = seed
        areas = np.array([p.shape[1] * p.shape[2] for p in self.pictures], float)
        self.probabilities = areas / areas.sum()

    def batch(self, step: int, size: int) -> Tensor:
        """``size`` crops for optimiser step ``step``: (size, 3, crop, crop) float32 in [0, 1], channels last."""
        rng = np.random.default_rng((self.seed, step))
        crops = [self._crop(rng) for _ in range(size)]
        return torch.stack(crops).float().div(255).contiguous(memory_format=torch.channels_last)

    def _crop(self, rng: np.random.Generator) -> Tensor:
        picture = self.pictures[rng.choice(len(self.pictures), p=self.probabilities)]
        top = int(rng.integers(picture.shape[1] - self.crop + 1))
        left = int(rng.integers(picture.shape[2] - self.crop + 1))
        crop = picture[:, top : top + self.crop, left : left + self.crop]
        if rng.random() < 0.5:
            crop = crop.flip(2)
        return crop.transpose(1, 2) if rng.random() < 0.5 else crop
